/* Which GPU: by index, UUID or PCI address; and what is known about it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda_internal.h"

enum { MIN_CAPABILITY = 75 }; /* what kernels are compiled for at least */

/* A function of the driver by the name and version of its prototype; NULL where it has none. */
static void *driver_function(const char *name, unsigned version) {
  enum cudaDriverEntryPointQueryResult found;
  void *function = NULL;
  const cudaError_t code =
      cudaGetDriverEntryPointByVersion(name, &function, version, cudaEnableDefault, &found);
  if (code != cudaSuccess) cudaGetLastError();
  return code == cudaSuccess && found == cudaDriverEntryPointSuccess ? function : NULL;
}

/* Whether a device is a part of a GPU, an instance of MIG ("Multi-Instance GPU"): its name
 * ends in MIG and the profile, "NVIDIA A100-SXM4-40GB MIG 1g.5gb". */
static bool is_instance(const struct cudaDeviceProp *p) { return strstr(p->name, " MIG ") != NULL; }

/* Of an instance of MIG its own, which the second version of the driver's function gives;
 * the runtime's may be the whole GPU's. */
static void write_uuid(int index, const struct cudaDeviceProp *p, char *text, size_t size) {
  enum { FIRST_WITH_DEVICES = 2000, FIRST_WITH_INSTANCES = 11040 };
  unsigned char b[16];
  cudaUUID_t uuid = p->uuid;
  int (*get)(int *, int) = NULL;
  int (*uuid_of)(cudaUUID_t *, int) = NULL;
  int device = 0;
  if (is_instance(p)) {
    *(void **)&get = driver_function("cuDeviceGet", FIRST_WITH_DEVICES);
    *(void **)&uuid_of = driver_function("cuDeviceGetUuid", FIRST_WITH_INSTANCES);
    if (!get || !uuid_of || get(&device, index) != 0 || uuid_of(&uuid, device) != 0) uuid = p->uuid;
  }
  memcpy(b, uuid.bytes, sizeof b);
  snprintf(text, size, "%s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
           is_instance(p) ? "MIG" : "GPU", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8],
           b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* The management library's prototypes, of which only two are wanted. */
void gs_cuda_driver_version(char *text, size_t size) {
  int cuda = 0;
  text[0] = '\0';
  void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library) {
    int (*init)(void) = NULL;
    int (*version)(char *, unsigned) = NULL;
    int (*shutdown)(void) = NULL;
    *(void **)&init = dlsym(library, "nvmlInit_v2");
    *(void **)&version = dlsym(library, "nvmlSystemGetDriverVersion");
    *(void **)&shutdown = dlsym(library, "nvmlShutdown");
    if (init && version && shutdown && init() == 0) {
      if (version(text, (unsigned)size) != 0) text[0] = '\0';
      shutdown();
    }
    dlclose(library);
  }
  if (text[0] == '\0' && cudaDriverGetVersion(&cuda) == cudaSuccess) {
    snprintf(text, size, "for CUDA %d.%d", cuda / 1000, cuda % 1000 / 10);
  }
}

/* ---- names ---- */

static bool is_index(const char *name) {
  return name[0] && strspn(name, "0123456789") == strlen(name) && strlen(name) < 6;
}

enum { NONE = -1, SEVERAL = -2 };

/* The one device whose UUID begins with `name` (letters in either case), or NONE or
 * SEVERAL. */
static int find_uuid(const char *name, int count) {
  int found = NONE;
  for (int i = 0; i < count; i++) {
    struct cudaDeviceProp properties;
    char uuid[sizeof((gs_device_info *)0)->uuid];
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    write_uuid(i, &properties, uuid, sizeof uuid);
    if (strncasecmp(name, uuid, strlen(name)) != 0) continue;
    if (found >= 0) return SEVERAL;
    found = i;
  }
  return found;
}

/* The index that a name means, or NONE or SEVERAL. */
static int find_device(const char *name, int count) {
  if (strcmp(name, "auto") == 0) return 0;
  if (is_index(name)) {
    const int index = (int)strtol(name, NULL, 10);
    return index < count ? index : NONE;
  }
  if (strncasecmp(name, "GPU-", 4) == 0 || strncasecmp(name, "MIG-", 4) == 0) {
    return find_uuid(name, count);
  }
  int index = NONE;
  if (!strchr(name, ':') || cudaDeviceGetByPCIBusId(&index, name) != cudaSuccess) {
    cudaGetLastError();
    return NONE;
  }
  return index;
}

static gs_status unknown_device(const char *name, int count, int found, gs_error *error) {
  struct cudaDeviceProp first;
  char uuid[sizeof((gs_device_info *)0)->uuid] = "";
  if (cudaGetDeviceProperties(&first, 0) == cudaSuccess) {
    write_uuid(0, &first, uuid, sizeof uuid);
  } else {
    snprintf(first.name, sizeof first.name, "unknown");
  }
  return GS_FAIL(error, GS_ERR_NO_DEVICE,
                 "%s '%.60s': this machine has %d, numbered from 0; 0 is %.80s, %s",
                 found == SEVERAL ? "there are several GPUs" : "there is no GPU", name, count,
                 first.name, uuid);
}

/* ---- facts ---- */

static void describe(gs_cuda_device *device, const struct cudaDeviceProp *p) {
  gs_device_info *info = &device->info;
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  const size_t lt = cublasLtGetVersion();
  const int capability = 10 * p->major + p->minor;
  snprintf(info->backend, sizeof info->backend, "cuda");
  snprintf(info->name, sizeof info->name, "%.127s", p->name);
  snprintf(info->capability, sizeof info->capability, "%d.%d", p->major % 1000, p->minor % 1000);
  write_uuid(device->index, p, info->uuid, sizeof info->uuid);
  if (cudaDeviceGetPCIBusId(info->pci, (int)sizeof info->pci, device->index) != cudaSuccess) {
    info->pci[0] = '\0';
  }
  gs_cuda_driver_version(info->driver, sizeof info->driver);
  snprintf(info->libraries, sizeof info->libraries, "CUDA runtime %d.%d, cuBLASLt %zu.%zu.%zu",
           runtime / 1000, runtime % 1000 / 10, lt / 10000, lt % 10000 / 100, lt % 100);
  info->multiprocessors = p->multiProcessorCount;
  info->graphs = true;
  info->persistent = p->cooperativeLaunch != 0;
  info->dtypes = 1u << GS_F64 | 1u << GS_F32 | 1u << GS_F16;
  if (capability >= 80) info->dtypes |= 1u << GS_TF32 | 1u << GS_BF16;
  /* gradients of a window are best read again while they are in the L2 */
  info->window_bytes = p->l2CacheSize / 2;
  device->total_bytes = p->totalGlobalMem;
}

/* Absence, which may make place for the CPU, and failures, which may not. */
static gs_status refuse(cudaError_t code, gs_error *error) {
  const char *absence = gs_cuda_absence(code);
  cudaGetLastError();
  if (absence) {
    return GS_FAIL_NATIVE(error, GS_ERR_NO_DEVICE, (int)code, "no CUDA device: %s (CUDA error %d)",
                          absence, (int)code);
  }
  if (code == cudaErrorMemoryAllocation) {
    return GS_FAIL_NATIVE(error, GS_ERR_MEMORY, (int)code,
                          "the GPU has no memory left to begin with: others hold it");
  }
  return GS_FAIL_NATIVE(error, GS_ERR_DEVICE, (int)code,
                        "the GPU cannot be used: CUDA error %d, %s", (int)code,
                        cudaGetErrorString(code));
}

gs_status gs_cuda_probe(const char *name, gs_cuda_device *device, gs_error *error) {
  int count = 0;
  struct cudaDeviceProp properties;
  cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess && count == 0) code = cudaErrorNoDevice;
  if (code == cudaSuccess) {
    device->index = find_device(name, count);
    if (device->index < 0) return unknown_device(name, count, device->index, error);
    code = cudaGetDeviceProperties(&properties, device->index);
  }
  if (code == cudaSuccess) code = cudaSetDevice(device->index);
  if (code == cudaSuccess) code = cudaFree(NULL); /* makes the context */
  if (code != cudaSuccess) return refuse(code, error);
  if (10 * properties.major + properties.minor < MIN_CAPABILITY) {
    return GS_FAIL(error, GS_ERR_NO_DEVICE,
                   "the GPU %.80s has compute capability %d.%d; 7.5 is the least that serves",
                   properties.name, properties.major, properties.minor);
  }
  describe(device, &properties);
  return GS_OK;
}
