// The language that kernels are written in: CUDA C++, less what only a GPU can
// run. The first include of every file in this folder.
//
// nvcc compiles kernels for the GPU. The tests compile the same files with a
// host compiler and run them on the CPU (tests/cuda_on_cpu/), so kernels keep
// to these rules:
//   - shared memory only by GS_SHARED_ARRAY and GS_DYNAMIC_SHARED,
//   - launches only by gs_launch, gs_launch_cooperative and gs_launch_cluster,
//   - clusters, which only some devices have, by gs_cluster_barrier and gs_cluster_shared,
//   - GS_SPIN_PAUSE() in the body of every loop that waits for another block,
//   - full, explicit masks in warp operations, and no thread that leaves before
//     a barrier or warp operation that names it,
//   - no inline PTX, textures, dynamic parallelism or cooperative groups.
#ifndef GS_KERNELS_LANGUAGE_H
#define GS_KERNELS_LANGUAGE_H

#ifndef __CUDACC__

#include "cuda_on_cpu.h"

#else

#include <cuda_runtime.h>

#include <cstdint>
#include <utility>

// An array in shared memory, 16-byte aligned: GS_SHARED_ARRAY(float, tile, [32][33]).
#define GS_SHARED_ARRAY(type, name, ...) __shared__ __align__(16) type name __VA_ARGS__

// The launch's dynamic shared memory as a pointer, 16-byte aligned.
#define GS_DYNAMIC_SHARED(type, name)                                                              \
  extern __shared__ __align__(16) unsigned char gs_dynamic_shared[];                               \
  type *const name = reinterpret_cast<type *>(gs_dynamic_shared)

// In the body of a loop that waits for another block.
#define GS_SPIN_PAUSE() __nanosleep(32)

// Flags and counters in device memory by which blocks of a cooperative launch tell each
// other how far they are: what was written before the store, or before the addition, is
// visible after the load that sees it. These order memory without a fence of all against
// all, which costs a step of a loop most of its waiting.
__device__ __forceinline__ unsigned gs_flag_load(const unsigned *flag) {
  return __nv_atomic_load_n(const_cast<unsigned *>(flag), __NV_ATOMIC_ACQUIRE,
                            __NV_THREAD_SCOPE_DEVICE);
}
__device__ __forceinline__ void gs_flag_store(unsigned *flag, unsigned value) {
  __nv_atomic_store_n(flag, value, __NV_ATOMIC_RELEASE, __NV_THREAD_SCOPE_DEVICE);
}
__device__ __forceinline__ void gs_flag_add(unsigned *flag, unsigned value) {
  __nv_atomic_add(flag, value, __NV_ATOMIC_RELEASE, __NV_THREAD_SCOPE_DEVICE);
}

// Clusters: blocks that can reach each other's shared memory, from compute capability 9.0
// on. Elsewhere kernels with these are compiled, but cannot be launched.

// All threads of all blocks of the cluster meet; what they wrote before is seen after.
__device__ __forceinline__ void gs_cluster_barrier() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release.aligned;\n\t"
               "barrier.cluster.wait.acquire.aligned;" ::
                   : "memory");
#endif
}

// Where another block of the cluster has what is at `shared` in this one's shared memory.
// That block must have begun, and must not end before it was used: a barrier before and
// after.
template <class T> __device__ __forceinline__ T *gs_cluster_shared(T *shared, unsigned block) {
  uint64_t there = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(reinterpret_cast<uint64_t>(shared)), "r"(block));
#endif
  return reinterpret_cast<T *>(there);
}

// Launches a kernel; arguments are converted to the types of its parameters.
template <class... Parameters, class... Arguments>
cudaError_t gs_launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
                      cudaStream_t stream, Arguments &&...arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

// The same, with all blocks resident at once, so that they may wait for each
// other; cudaErrorCooperativeLaunchTooLarge when they do not fit.
template <class... Parameters, class... Arguments>
cudaError_t gs_launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                                  size_t shared_bytes, cudaStream_t stream,
                                  Arguments &&...arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeCooperative;
  attribute.val.cooperative = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

inline cudaLaunchAttribute gs_cluster_attribute(unsigned cluster) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  return attribute;
}

// Launches clusters of so many blocks, neighbours in x.
template <class... Parameters, class... Arguments>
cudaError_t gs_launch_cluster(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                              unsigned cluster, size_t shared_bytes, cudaStream_t stream,
                              Arguments &&...arguments) {
  cudaLaunchAttribute attribute = gs_cluster_attribute(cluster);
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

// How many such clusters the device holds at once.
template <class... Parameters>
cudaError_t gs_clusters_at_once(int *count, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                                unsigned cluster) {
  cudaLaunchAttribute attribute = gs_cluster_attribute(cluster);
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaOccupancyMaxActiveClusters(count, kernel, &config);
}

#endif

#endif
