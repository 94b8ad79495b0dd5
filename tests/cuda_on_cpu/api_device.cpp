// Devices, their properties, versions and errors.
#include <cstdio>
#include <cstring>

#include <strings.h>

#include "api.h"
#include "block.h"
#include "graph.h"
#include "heap.h"
#include "injection.h"
#include "pretended_device.h"

using namespace gs_sim;

namespace {

thread_local int device_in_use = 0;

bool is_device(int device) { return device >= 0 && device < failures.devices; }

// 0000:BB:00.0, BB from 01 on.
constexpr int bus_of(int device) { return device + 1; }

void write_uuid(cudaUUID_t *uuid, int device, int first) {
  for (int i = 0; i < 16; i++)
    uuid->bytes[i] = static_cast<char>(i == 15 ? pretended_serial() + device : first + i);
}

// The driver's: of instances their own, where the runtime gives the whole GPU's.
int driver_device(int *device, int ordinal) {
  *device = ordinal;
  return is_device(ordinal) ? 0 : static_cast<int>(cudaErrorInvalidDevice);
}

int driver_uuid(cudaUUID_t *uuid, int device) {
  write_uuid(uuid, device, 0x10);
  return 0;
}

void describe(cudaDeviceProp *properties, int device) {
  std::memset(properties, 0, sizeof(*properties));
  std::snprintf(properties->name, sizeof(properties->name), "simulated GPU%s",
                pretended_instances() ? " MIG 1g.5gb" : "");
  write_uuid(&properties->uuid, device, pretended_instances() ? 0x80 : 0x10);
  properties->totalGlobalMem = heap_total_bytes();
  properties->sharedMemPerBlock = max_static_shared_bytes;
  properties->sharedMemPerBlockOptin = max_shared_bytes;
  properties->sharedMemPerMultiprocessor = pretended_shared_per_multiprocessor;
  properties->regsPerBlock = properties->regsPerMultiprocessor =
      static_cast<int>(pretended_registers_per_multiprocessor);
  properties->warpSize = warp_lanes;
  properties->maxThreadsPerBlock = max_block_threads;
  properties->maxThreadsPerMultiProcessor = static_cast<int>(pretended_threads_per_multiprocessor);
  properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
  properties->maxThreadsDim[2] = 64;
  properties->maxGridSize[0] = 0x7fffffff;
  properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
  properties->major = pretended_capability() / 10;
  properties->minor = pretended_capability() % 10;
  properties->multiProcessorCount = pretended_multiprocessors();
  properties->l2CacheSize = pretended_l2_bytes;
  properties->memoryBusWidth = pretended_bus_bits;
  properties->concurrentKernels = 1;
  properties->asyncEngineCount = 1;
  properties->cooperativeLaunch = 1;
  properties->clusterLaunch = pretended_clusters();
  properties->unifiedAddressing = 1;
  properties->pciBusID = bus_of(device);
}

cudaError_t attribute_of(int *value, cudaDeviceAttr attribute) {
  switch (attribute) {
  case cudaDevAttrComputeCapabilityMajor: *value = pretended_capability() / 10; break;
  case cudaDevAttrComputeCapabilityMinor: *value = pretended_capability() % 10; break;
  case cudaDevAttrMultiProcessorCount: *value = pretended_multiprocessors(); break;
  case cudaDevAttrCooperativeLaunch: *value = 1; break;
  case cudaDevAttrClusterLaunch: *value = pretended_clusters(); break;
  case cudaDevAttrMaxSharedMemoryPerBlock: *value = max_static_shared_bytes; break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = max_shared_bytes; break;
  case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
    *value = pretended_shared_per_multiprocessor;
    break;
  case cudaDevAttrMaxThreadsPerBlock: *value = max_block_threads; break;
  case cudaDevAttrMaxThreadsPerMultiProcessor:
    *value = static_cast<int>(pretended_threads_per_multiprocessor);
    break;
  case cudaDevAttrMaxRegistersPerMultiprocessor:
    *value = pretended_registers_per_multiprocessor;
    break;
  case cudaDevAttrWarpSize: *value = warp_lanes; break;
  case cudaDevAttrClockRate: *value = pretended_clock_khz; break;
  case cudaDevAttrMemoryClockRate: *value = pretended_memory_clock_khz; break;
  case cudaDevAttrGlobalMemoryBusWidth: *value = pretended_bus_bits; break;
  case cudaDevAttrL2CacheSize: *value = pretended_l2_bytes; break;
  case cudaDevAttrMaxPersistingL2CacheSize: *value = 0; break;
  case cudaDevAttrEccEnabled:
  case cudaDevAttrIntegrated: *value = 0; break;
  case cudaDevAttrUnifiedAddressing: *value = 1; break;
  case cudaDevAttrComputeMode: *value = cudaComputeModeDefault; break;
  default: return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

} // namespace

cudaError_t cudaGetDeviceCount(int *count) {
  *count = 0;
  return api_call(CallKind::ordinary, [=] {
    *count = static_cast<int>(failures.devices);
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
  return api_call(CallKind::ordinary, [=] {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    describe(properties, device);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device) {
  return api_call(CallKind::ordinary, [=] {
    return is_device(device) ? attribute_of(value, attribute) : cudaErrorInvalidDevice;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char *address, int capacity, int device) {
  return api_call(CallKind::ordinary, [=] {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    if (capacity < 13) return cudaErrorInvalidValue;
    std::snprintf(address, static_cast<size_t>(capacity), "0000:%02X:00.0", bus_of(device));
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetByPCIBusId(int *device, const char *address) {
  return api_call(CallKind::ordinary, [=] {
    for (int i = 0; i < failures.devices; i++) {
      char name[32];
      std::snprintf(name, sizeof(name), "0000:%02X:00.0", bus_of(i));
      if (strcasecmp(name, address) != 0) continue;
      *device = i;
      return cudaSuccess;
    }
    return cudaErrorInvalidDevice;
  });
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult *found) {
  return api_call(CallKind::ordinary, [=] {
    *function = nullptr;
    *found = cudaDriverEntryPointSymbolNotFound;
    if (std::strcmp(name, "cuDeviceGet") == 0) *function = reinterpret_cast<void *>(driver_device);
    if (std::strcmp(name, "cuDeviceGetUuid") == 0 && version >= 11040)
      *function = reinterpret_cast<void *>(driver_uuid);
    if (*function != nullptr) *found = cudaDriverEntryPointSuccess;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return api_call(CallKind::ordinary, [=] {
    if (!is_device(device)) return cudaErrorInvalidDevice;
    device_in_use = device;
    return cudaSuccess;
  });
}

cudaError_t cudaInitDevice(int device, unsigned, unsigned) {
  return api_call(CallKind::ordinary,
                  [=] { return is_device(device) ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaGetDevice(int *device) {
  return api_call(CallKind::ordinary, [=] {
    *device = device_in_use;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return api_call(CallKind::ordinary, [] {
    const cudaError_t error = capture_forbids(true);
    if (error == cudaSuccess) stream_synchronize_all();
    return error;
  });
}

cudaError_t cudaDeviceReset() {
  const Entered entered;
  stream_synchronize_all();
  capture_forget_all();
  heap_free_all();
  stream_forget_all();
  forget_sticky_error();
  return call_ends(cudaSuccess);
}

// A broken driver still has a version: 0 when there is none.
cudaError_t cudaDriverGetVersion(int *version) {
  *version = failures.device_error != 0 || failures.devices <= 0 ? 0 : CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return last_error(true); }
cudaError_t cudaPeekAtLastError() { return last_error(false); }

namespace {

struct ErrorWords {
  cudaError_t error;
  const char *name;
  const char *words;
};

#define GS_SIM_ERROR(error, words)                                                                 \
  { error, #error, words }
constexpr ErrorWords error_words[] = {
    GS_SIM_ERROR(cudaSuccess, "no error"),
    GS_SIM_ERROR(cudaErrorInvalidValue, "invalid argument"),
    GS_SIM_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    GS_SIM_ERROR(cudaErrorInitializationError, "initialization error"),
    GS_SIM_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    GS_SIM_ERROR(cudaErrorInsufficientDriver, "driver too old for this runtime"),
    GS_SIM_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    GS_SIM_ERROR(cudaErrorNoDevice, "no CUDA-capable device"),
    GS_SIM_ERROR(cudaErrorInvalidDevice, "invalid device number"),
    GS_SIM_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    GS_SIM_ERROR(cudaErrorIllegalState, "operation not permitted in this state"),
    GS_SIM_ERROR(cudaErrorNotReady, "not ready"),
    GS_SIM_ERROR(cudaErrorIllegalAddress, "illegal memory access"),
    GS_SIM_ERROR(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    GS_SIM_ERROR(cudaErrorCooperativeLaunchTooLarge, "too many blocks in cooperative launch"),
    GS_SIM_ERROR(cudaErrorInvalidClusterSize, "invalid cluster size"),
    GS_SIM_ERROR(cudaErrorNotSupported, "operation not supported"),
    GS_SIM_ERROR(cudaErrorSystemDriverMismatch, "driver and display driver do not match"),
    GS_SIM_ERROR(cudaErrorStreamCaptureUnsupported, "not permitted while a stream is captured"),
    GS_SIM_ERROR(cudaErrorStreamCaptureInvalidated, "an earlier error invalidated the capture"),
    GS_SIM_ERROR(cudaErrorStreamCaptureMerge, "dependency between two captures"),
    GS_SIM_ERROR(cudaErrorStreamCaptureUnmatched, "capture was not begun on this stream"),
    GS_SIM_ERROR(cudaErrorStreamCaptureUnjoined, "capture has work that was never joined"),
    GS_SIM_ERROR(cudaErrorStreamCaptureIsolation, "dependency across the bounds of a capture"),
    GS_SIM_ERROR(cudaErrorStreamCaptureImplicit, "implicit dependency on the default stream"),
    GS_SIM_ERROR(cudaErrorCapturedEvent, "event was last recorded in a capture"),
    GS_SIM_ERROR(cudaErrorStreamCaptureWrongThread, "capture was begun by another thread"),
    GS_SIM_ERROR(cudaErrorUnknown, "unknown error"),
};
#undef GS_SIM_ERROR

const ErrorWords *words_of(cudaError_t error) {
  for (const ErrorWords &entry : error_words)
    if (entry.error == error) return &entry;
  return nullptr;
}

} // namespace

const char *cudaGetErrorName(cudaError_t error) {
  const ErrorWords *entry = words_of(error);
  return entry != nullptr ? entry->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
  const ErrorWords *entry = words_of(error);
  return entry != nullptr ? entry->words : "unrecognized error code";
}
