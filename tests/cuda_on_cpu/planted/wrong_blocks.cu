// Kernels with one mistake each, in how threads and blocks wait for each other.
#include "planted.h"

namespace planted {
namespace {

constexpr unsigned all_lanes = 0xffffffffu;

// ---- barriers and races -----------------------------------------------------------

__global__ void reduce_without_barrier_kernel(const float *x, float *out) {
  GS_SHARED_ARRAY(float, s, [64]);
  const unsigned t = threadIdx.x;
  s[t] = x[t];
  __syncthreads();
  for (unsigned d = 32; d > 0; d /= 2) {
    if (t < d) s[t] += s[t + d];
    if (d > 16) __syncthreads();
  }
  if (t == 0) *out = s[0];
}

void missing_barrier() {
  Array<float> x(std::vector<float>(64, 1.0f));
  Array<float> out(1);
  run(reduce_without_barrier_kernel, 1, 64, static_cast<const float *>(x.data), out.data);
  CHECK(out.values()[0] == 64);
}

__global__ void diverging_kernel(float *x) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    x[threadIdx.x] = 1;
    __syncthreads();
  }
}

void diverging_barriers() {
  Array<float> x(64);
  run(diverging_kernel, 1, 64, x.data);
}

__global__ void early_exit_kernel(float *x) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  x[threadIdx.x] = 1;
}

void exit_before_barrier() {
  Array<float> x(64);
  run(early_exit_kernel, 1, 64, x.data);
}

__global__ void block_race_kernel(float *x) {
  if (threadIdx.x == 0) *x += 1;
}

void race_between_blocks() {
  Array<float> x(std::vector<float>{0});
  run(block_race_kernel, 4, 64, x.data);
  CHECK(x.values()[0] == 4);
}

__global__ void no_fence_kernel(float *parts, unsigned *arrived, float *sum) {
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = 1;
    if (atomicAdd(arrived, 1u) == gridDim.x - 1) {
      float total = 0;
      for (unsigned i = 0; i < gridDim.x; i++) total += parts[i];
      *sum = total;
    }
  }
}

void last_block_without_fence() {
  Array<float> parts(4);
  Array<float> sum(1);
  Array<unsigned> arrived(std::vector<unsigned>{0});
  run(no_fence_kernel, 4, 32, parts.data, arrived.data, sum.data);
}

// ---- warps -------------------------------------------------------------------------

__global__ void exited_lane_kernel(float *x, unsigned n) {
  if (threadIdx.x >= n) return;
  x[threadIdx.x] = __shfl_down_sync(all_lanes, 1.0f, 1);
}

void exited_lane() {
  Array<float> x(32);
  run(exited_lane_kernel, 1, 32, x.data, 20u);
}

__global__ void partial_warp_kernel(float *x) {
  x[threadIdx.x] = __shfl_xor_sync(all_lanes, 1.0f, 1);
}

void lanes_beyond_block() {
  Array<float> x(40);
  run(partial_warp_kernel, 1, 40, x.data);
}

__global__ void not_in_mask_kernel(float *x) { x[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 1); }

void lane_not_in_mask() {
  Array<float> x(32);
  run(not_in_mask_kernel, 1, 32, x.data);
}

__global__ void outside_mask_kernel(float *x) {
  if (threadIdx.x < 16) x[threadIdx.x] = __shfl_down_sync(0xffffu, 1.0f, 4);
}

void shuffle_from_outside() {
  Array<float> x(32);
  run(outside_mask_kernel, 1, 32, x.data);
}

__global__ void diverging_warp_kernel(float *x) {
  float value = 1;
  if (threadIdx.x < 16)
    value = __shfl_xor_sync(all_lanes, value, 1);
  else
    value = __shfl_xor_sync(all_lanes, value, 2);
  x[threadIdx.x] = value;
}

void diverging_shuffles() {
  Array<float> x(32);
  run(diverging_warp_kernel, 1, 32, x.data);
}

__global__ void warp_race_kernel(float *x) {
  GS_SHARED_ARRAY(float, s, [32]);
  s[threadIdx.x] = 1;
  const float other = __shfl_xor_sync(all_lanes, 1.0f, 1); // orders no memory
  x[threadIdx.x] = other + s[threadIdx.x ^ 1];
}

void missing_warp_barrier() {
  Array<float> x(32);
  run(warp_race_kernel, 1, 32, x.data);
  for (const float value : x.values()) CHECK(value == 2);
}

// ---- blocks that wait for each other -------------------------------------------------

__global__ void wait_for_others_kernel(unsigned *arrived) {
  if (threadIdx.x == 0) {
    atomicAdd(arrived, 1u);
    while (gs_flag_load(arrived) < gridDim.x) GS_SPIN_PAUSE();
  }
  __syncthreads();
}

void spin_in_ordinary_launch() {
  Array<unsigned> arrived(std::vector<unsigned>{0});
  run(wait_for_others_kernel, 4, 64, arrived.data);
}

__global__ void wait_for_too_many_kernel(unsigned *arrived) {
  atomicAdd(arrived, 1u);
  while (gs_flag_load(arrived) < gridDim.x * blockDim.x + 1) GS_SPIN_PAUSE();
}

void spin_for_ever() {
  Array<unsigned> arrived(std::vector<unsigned>{0});
  CHECK_CUDA(gs_launch_cooperative(wait_for_too_many_kernel, 4, 64, 0, nullptr, arrived.data));
  CHECK_CUDA(cudaDeviceSynchronize());
}

// The flag tells the other block too early.
__global__ void early_flag_kernel(float *data, unsigned *flag) {
  if (threadIdx.x > 0) return;
  if (blockIdx.x == 0) {
    gs_flag_store(flag, 1);
    data[0] = 1;
  } else {
    while (gs_flag_load(flag) == 0) GS_SPIN_PAUSE();
    data[1] = data[0];
  }
}

void flag_before_data() {
  Array<float> data(2);
  Array<unsigned> flag(std::vector<unsigned>{0});
  CHECK_CUDA(gs_launch_cooperative(early_flag_kernel, 2, 32, 0, nullptr, data.data, flag.data));
  CHECK_CUDA(cudaDeviceSynchronize());
}

} // namespace

const Case wrong_block_cases[] = {{"missing_barrier", missing_barrier},
                                  {"diverging_barriers", diverging_barriers},
                                  {"exit_before_barrier", exit_before_barrier},
                                  {"race_between_blocks", race_between_blocks},
                                  {"last_block_without_fence", last_block_without_fence},
                                  {"exited_lane", exited_lane},
                                  {"lanes_beyond_block", lanes_beyond_block},
                                  {"lane_not_in_mask", lane_not_in_mask},
                                  {"shuffle_from_outside", shuffle_from_outside},
                                  {"diverging_shuffles", diverging_shuffles},
                                  {"missing_warp_barrier", missing_warp_barrier},
                                  {"spin_in_ordinary_launch", spin_in_ordinary_launch},
                                  {"spin_for_ever", spin_for_ever},
                                  {"flag_before_data", flag_before_data},
                                  {nullptr, nullptr}};

} // namespace planted
