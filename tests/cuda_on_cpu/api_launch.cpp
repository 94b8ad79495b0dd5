// Launches: limits, and the copy of the arguments.
#include <algorithm>
#include <map>

#include "api.h"
#include "block.h"
#include "bytes.h"
#include "die.h"
#include "graph.h"
#include "grid.h"
#include "heap.h"
#include "injection.h"
#include "pretended_device.h"

namespace gs_sim {
namespace {

std::map<const void *, size_t> shared_limits; // raised by cudaFuncSetAttribute

// Most dynamic shared memory.
size_t shared_limit(const void *kernel) {
  const auto found = shared_limits.find(kernel);
  return found == shared_limits.end() ? max_static_shared_bytes : found->second;
}

// What is left for arrays: of 48 KiB beside the dynamic memory, or, for a kernel
// whose limit was raised, of all beside that limit.
size_t static_limit(const Launch &launch) {
  const auto found = shared_limits.find(launch.kernel);
  if (found == shared_limits.end()) return max_static_shared_bytes - launch.shared_bytes;
  return std::min(max_static_shared_bytes, max_shared_bytes - found->second);
}

int resident_blocks_per_multiprocessor(size_t threads, size_t shared_bytes) {
  const size_t warps = (threads + warp_lanes - 1) / warp_lanes;
  size_t blocks = pretended_threads_per_multiprocessor / (warps * warp_lanes);
  const size_t reserved = 1024; // of shared memory, for each block
  blocks = std::min<size_t>(blocks, 16);
  const size_t by_shared = pretended_shared_per_multiprocessor / (shared_bytes + reserved);
  const size_t by_registers =
      pretended_registers_per_multiprocessor / (pretended_registers() * warps * warp_lanes);
  return static_cast<int>(std::min({blocks, by_shared, by_registers}));
}

cudaError_t check_cluster(const Launch &launch) {
  if (!pretended_clusters()) return cudaErrorNotSupported;
  if (launch.cluster > pretended_cluster_blocks) return cudaErrorInvalidClusterSize;
  return launch.grid.x % launch.cluster == 0 ? cudaSuccess : cudaErrorInvalidConfiguration;
}

cudaError_t check(const Launch &launch) {
  const size_t threads = size_t{launch.block.x} * launch.block.y * launch.block.z;
  if (threads == 0 || threads > max_block_threads || launch.block.z > 64)
    return cudaErrorInvalidConfiguration;
  if (launch.grid.x == 0 || launch.grid.x > 0x7fffffff || launch.grid.y == 0 ||
      launch.grid.y > 65535 || launch.grid.z == 0 || launch.grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  if (launch.shared_bytes > shared_limit(launch.kernel)) return cudaErrorInvalidValue;
  if (threads * pretended_registers() > pretended_registers_per_multiprocessor)
    return cudaErrorLaunchOutOfResources;
  if (launch.cluster > 0) return check_cluster(launch);
  if (!launch.cooperative) return cudaSuccess;
  const uint64_t blocks = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  const auto resident =
      static_cast<uint64_t>(resident_blocks_per_multiprocessor(threads, launch.shared_bytes) *
                            pretended_multiprocessors());
  return blocks <= resident ? cudaSuccess : cudaErrorCooperativeLaunchTooLarge;
}

// A launch and its own copy of the arguments, aligned as any argument may be.
struct OwnedLaunch {
  explicit OwnedLaunch(const Launch &of)
      : launch(of), bytes(std::aligned_alloc(64, (of.closure_bytes + 63) / 64 * 64)) {
    copy_bytes(bytes, of.closure, of.closure_bytes);
    launch.closure = bytes;
  }
  ~OwnedLaunch() { std::free(bytes); }
  OwnedLaunch(const OwnedLaunch &) = delete;
  OwnedLaunch &operator=(const OwnedLaunch &) = delete;
  Launch launch;
  void *bytes;
};

} // namespace

cudaError_t launch(const Launch &launch) {
  if (in_kernel()) die("a kernel launches a kernel");
  return api_call(CallKind::ordinary, [&launch] {
    cudaError_t error = check(launch);
    if (error == cudaSuccess) error = launch_begins();
    if (error != cudaSuccess) return error;
    const auto owned = std::make_shared<OwnedLaunch>(launch);
    owned->launch.static_limit = static_limit(launch);
    return enqueue_work(launch.stream, [owned](Stream &stream) {
      const HeapOpen open;
      const Launch &run = owned->launch;
      counts.kernels_run++;
      counts.blocks_run += static_cast<long>(run.grid.x) * run.grid.y * run.grid.z;
      run_grid(run, *stream.fibers);
    });
  });
}

cudaError_t clusters_at_once(int *count, size_t threads, unsigned cluster) {
  return api_call(CallKind::ordinary, [=] {
    if (!pretended_clusters()) return cudaErrorNotSupported;
    const int resident =
        resident_blocks_per_multiprocessor(threads, 0) * pretended_multiprocessors();
    *count = cluster > pretended_cluster_blocks ? 0 : resident / static_cast<int>(cluster);
    return cudaSuccess;
  });
}

bool is_device_memory(const void *address) { return heap_contains(address, 0); }

void refuse_host_pointer(const void *address) {
  die("a kernel is given %p, which is not device memory", address);
}

} // namespace gs_sim

using namespace gs_sim;

cudaError_t cudaFuncSetAttribute(const void *function, cudaFuncAttribute attribute, int value) {
  return api_call(CallKind::ordinary, [=] {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        static_cast<size_t>(value) > max_shared_bytes)
      return cudaErrorInvalidValue;
    shared_limits[function] = static_cast<size_t>(value);
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *function) {
  return api_call(CallKind::ordinary, [=] {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    *attributes = cudaFuncAttributes{};
    attributes->maxThreadsPerBlock = max_block_threads;
    attributes->numRegs = static_cast<int>(pretended_registers());
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(shared_limit(function));
    attributes->binaryVersion = pretended_capability();
    attributes->ptxVersion = pretended_ptx();
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks,
                                                                   const void *function,
                                                                   int threads, size_t shared_bytes,
                                                                   unsigned) {
  return api_call(CallKind::ordinary, [=] {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    if (threads <= 0) return cudaErrorInvalidValue;
    *blocks = 0;
    if (static_cast<size_t>(threads) <= max_block_threads && shared_bytes <= max_shared_bytes)
      *blocks = resident_blocks_per_multiprocessor(static_cast<size_t>(threads), shared_bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function,
                                                          int threads, size_t shared_bytes) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads,
                                                                shared_bytes, 0);
}
