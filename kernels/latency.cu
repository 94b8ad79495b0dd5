/* Kernels that do nothing but wait, for the roofline (device/cuda_roofline.c): what a
 * dependent product costs at least that is spread over warps, blocks or multiprocessors.
 * The number of waits is given, so that no kernel can run on; the caller takes the
 * difference between two of them, in which launch and end of the kernel do not count. */
#include "kernels/kernels.h"
#include "kernels/waiting.cuh"

namespace gs {
namespace {

constexpr int THREADS = 64;               /* two warps: the fewest that wait for each other */
constexpr unsigned PAIR = 2, CLUSTER = 8; /* blocks */
constexpr unsigned PLACES = 16, STRIDE = 5;

__global__ void __launch_bounds__(THREADS) block_barrier_kernel(int turns, uint32_t *done) {
  for (int turn = 0; turn < turns; turn += GS_LATENCY_UNROLL) {
#pragma unroll
    for (int i = 0; i < GS_LATENCY_UNROLL; i++) __syncthreads();
  }
  if (threadIdx.x == 0) *done = static_cast<uint32_t>(turns);
}

/* Two blocks. A thread of the first goes through a list in the other's shared memory: each
 * load says where the next one is. */
__global__ void __launch_bounds__(THREADS) cluster_hop_kernel(int turns, uint32_t *done) {
  GS_SHARED_ARRAY(uint32_t, next, [PLACES]);
  if (threadIdx.x < PLACES) next[threadIdx.x] = (threadIdx.x + STRIDE) % PLACES;
  gs_cluster_barrier();
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    const uint32_t *there = gs_cluster_shared(&next[0], 1);
    uint32_t at = 0;
    for (int turn = 0; turn < turns; turn += GS_LATENCY_UNROLL) {
#pragma unroll
      for (int i = 0; i < GS_LATENCY_UNROLL; i++) at = there[at];
    }
    *done = at;
  }
  __syncthreads(); /* warps come whole to the cluster's barrier */
  gs_cluster_barrier();
}

__global__ void __launch_bounds__(THREADS) cluster_barrier_kernel(int turns, uint32_t *done) {
  for (int turn = 0; turn < turns; turn += GS_LATENCY_UNROLL) {
#pragma unroll
    for (int i = 0; i < GS_LATENCY_UNROLL; i++) gs_cluster_barrier();
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) *done = static_cast<uint32_t>(turns);
}

/* A turn is what persistent_loop.cuh does at a step's end. */
__global__ void __launch_bounds__(THREADS)
    grid_barrier_kernel(int turns, uint32_t *counter, uint32_t *done) {
  uint32_t due = 0;
  for (int turn = 0; turn < turns; turn++) {
    __syncthreads();
    due += gridDim.x;
    if (threadIdx.x == 0) {
      arrive(counter);
      await(counter, due);
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) leave(counter, due + gridDim.x);
  if (blockIdx.x == 0 && threadIdx.x == 0) *done = static_cast<uint32_t>(turns);
}

cudaError_t device_has(cudaDeviceAttr attribute, bool *has) {
  int device = 0;
  int value = 0;
  cudaError_t status = cudaGetDevice(&device);
  if (status == cudaSuccess) status = cudaDeviceGetAttribute(&value, attribute, device);
  *has = status == cudaSuccess && value != 0;
  return status;
}

/* Has the device clusters, and this program a kernel that uses them? Compiled for an older
 * architecture and translated by the driver, it does not know what a cluster is. */
cudaError_t knows_clusters(const void *kernel, bool *knows) {
  cudaFuncAttributes attributes = {};
  cudaError_t status = device_has(cudaDevAttrClusterLaunch, knows);
  if (status != cudaSuccess || !*knows) return status;
  status = cudaFuncGetAttributes(&attributes, kernel);
  *knows = status == cudaSuccess && attributes.ptxVersion >= 90;
  return status;
}

/* A part of a device may be too small for what the whole has room for. */
template <typename Kernel> cudaError_t cluster_fits(Kernel kernel, unsigned blocks, bool *fits) {
  int count = 0;
  cudaError_t status = knows_clusters(reinterpret_cast<const void *>(kernel), fits);
  if (status != cudaSuccess || !*fits) return status;
  status = gs_clusters_at_once(&count, kernel, dim3(blocks), dim3(THREADS), blocks);
  *fits = status == cudaSuccess && count > 0;
  return status;
}

template <typename Kernel>
cudaError_t launch_cluster(gs_queue queue, Kernel kernel, unsigned blocks, int turns,
                           uint32_t *done) {
  return gs_launch_cluster(kernel, dim3(blocks), dim3(THREADS), blocks, 0, queue.stream, turns,
                           done);
}

} // namespace
} // namespace gs

cudaError_t gs_latency_exists(gs_latency which, bool *exists) {
  *exists = true;
  switch (which) {
  case GS_LATENCY_CLUSTER_HOP: return gs::cluster_fits(gs::cluster_hop_kernel, gs::PAIR, exists);
  case GS_LATENCY_CLUSTER_BARRIER:
    return gs::cluster_fits(gs::cluster_barrier_kernel, gs::CLUSTER, exists);
  case GS_LATENCY_GRID_BARRIER: return gs::device_has(cudaDevAttrCooperativeLaunch, exists);
  default: return cudaSuccess;
  }
}

cudaError_t gs_launch_latency(gs_queue queue, gs_latency which, int turns, uint32_t *counter,
                              uint32_t *done) {
  if (turns < 0 || turns % GS_LATENCY_UNROLL != 0) return cudaErrorInvalidValue;
  switch (which) {
  case GS_LATENCY_BLOCK_BARRIER:
    return gs_launch(gs::block_barrier_kernel, dim3(1), dim3(gs::THREADS), 0, queue.stream, turns,
                     done);
  case GS_LATENCY_CLUSTER_HOP:
    return gs::launch_cluster(queue, gs::cluster_hop_kernel, gs::PAIR, turns, done);
  case GS_LATENCY_CLUSTER_BARRIER:
    return gs::launch_cluster(queue, gs::cluster_barrier_kernel, gs::CLUSTER, turns, done);
  case GS_LATENCY_GRID_BARRIER:
    return gs_launch_cooperative(gs::grid_barrier_kernel,
                                 dim3(static_cast<unsigned>(queue.multiprocessors)),
                                 dim3(gs::THREADS), 0, queue.stream, turns, counter, done);
  default: return cudaErrorInvalidValue;
  }
}
