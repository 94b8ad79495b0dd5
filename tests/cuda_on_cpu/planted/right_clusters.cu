// Clusters: blocks that meet and read each other's shared memory, where there are any.
#include "planted.h"

namespace planted {
namespace {

constexpr unsigned blocks_of_cluster = 4;

// Hands a value round the cluster: after k rounds a block has that of the k-th after it.
__global__ void round_kernel(int rounds, unsigned *out) {
  GS_SHARED_ARRAY(unsigned, gap, [3]); // shared memory is not the same from its start on
  GS_SHARED_ARRAY(unsigned, value, [2][40]);
  const unsigned rank = blockIdx.x % blocks_of_cluster;
  if (threadIdx.x < 3) gap[threadIdx.x] = 0;
  value[0][threadIdx.x] = 1000 * blockIdx.x + threadIdx.x;
  for (int i = 0; i < rounds; i++) {
    gs_cluster_barrier();
    const unsigned *next = gs_cluster_shared(&value[i % 2][0], (rank + 1) % blocks_of_cluster);
    value[(i + 1) % 2][threadIdx.x] = next[threadIdx.x] + gap[0];
  }
  gs_cluster_barrier();
  out[40 * blockIdx.x + threadIdx.x] = value[rounds % 2][threadIdx.x];
}

void clusters() {
  int there = 0;
  int at_once = -1;
  Array<unsigned> out(12 * 40);
  CHECK_CUDA(cudaDeviceGetAttribute(&there, cudaDevAttrClusterLaunch, 0));
  if (!there) {
    CHECK(gs_launch_cluster(round_kernel, 12, 40, blocks_of_cluster, 0, nullptr, 5, out.data) ==
          cudaErrorNotSupported);
    cudaGetLastError();
    return;
  }
  CHECK_CUDA(gs_launch_cluster(round_kernel, 12, 40, blocks_of_cluster, 0, nullptr, 5, out.data));
  const std::vector<unsigned> result = out.values();
  for (unsigned block = 0; block < 12; block++)
    for (unsigned t = 0; t < 40; t++)
      CHECK(result[40 * block + t] == 1000 * (block / 4 * 4 + (block + 5) % 4) + t);

  CHECK_CUDA(gs_clusters_at_once(&at_once, round_kernel, 12, 40, blocks_of_cluster));
  CHECK(at_once > 0);
  CHECK(gs_launch_cluster(round_kernel, 10, 40, blocks_of_cluster, 0, nullptr, 5, out.data) ==
        cudaErrorInvalidConfiguration);
  CHECK(gs_launch_cluster(round_kernel, 16, 40, 16, 0, nullptr, 5, out.data) ==
        cudaErrorInvalidClusterSize);
  cudaGetLastError();
}

} // namespace

const Case right_cluster_cases[] = {{"clusters", clusters}, {nullptr, nullptr}};

} // namespace planted
