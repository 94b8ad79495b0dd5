// Kernels with one mistake each, in how blocks of a cluster meet.
#include "planted.h"

namespace planted {
namespace {

__global__ void too_early_kernel(unsigned *out) {
  GS_SHARED_ARRAY(unsigned, value, [1]);
  value[0] = blockIdx.x;
  out[blockIdx.x] = *gs_cluster_shared(&value[0], 1 - blockIdx.x);
  gs_cluster_barrier();
}

void cluster_before_it_begins() {
  Array<unsigned> out(2);
  CHECK_CUDA(gs_launch_cluster(too_early_kernel, 2, 1, 2, 0, nullptr, out.data));
  CHECK_CUDA(cudaDeviceSynchronize());
}

// The second barrier is missing: the neighbour may have written already what is read, or not.
__global__ void unordered_kernel(unsigned *out) {
  GS_SHARED_ARRAY(unsigned, value, [1]);
  value[0] = 5;
  gs_cluster_barrier();
  unsigned *there = gs_cluster_shared(&value[0], 1 - blockIdx.x);
  value[0] = 7;
  out[blockIdx.x] = *there;
  gs_cluster_barrier();
}

void cluster_race() {
  Array<unsigned> out(2);
  CHECK_CUDA(gs_launch_cluster(unordered_kernel, 2, 1, 2, 0, nullptr, out.data));
  const std::vector<unsigned> result = out.values();
  CHECK(result[0] == result[1]);
}

__global__ void alone_kernel() {
  if (blockIdx.x == 0) gs_cluster_barrier();
}

void cluster_barrier_alone() {
  CHECK_CUDA(gs_launch_cluster(alone_kernel, 2, 32, 2, 0, nullptr));
  CHECK_CUDA(cudaDeviceSynchronize());
}

void no_cluster() { run(alone_kernel, 1, 32); }

__global__ void outside_kernel(unsigned *out) {
  GS_SHARED_ARRAY(unsigned, value, [1]);
  value[0] = 1;
  gs_cluster_barrier();
  out[0] = *gs_cluster_shared(&value[0], 2);
}

void block_outside_cluster() {
  Array<unsigned> out(1);
  CHECK_CUDA(gs_launch_cluster(outside_kernel, 2, 1, 2, 0, nullptr, out.data));
  CHECK_CUDA(cudaDeviceSynchronize());
}

} // namespace

const Case wrong_cluster_cases[] = {
    {"cluster_before_it_begins", cluster_before_it_begins}, {"cluster_race", cluster_race},
    {"cluster_barrier_alone", cluster_barrier_alone},       {"no_cluster", no_cluster},
    {"block_outside_cluster", block_outside_cluster},       {nullptr, nullptr}};

} // namespace planted
