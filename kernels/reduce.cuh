/* Reductions of one block, in an order that depends on the block's shape alone, and
 * the handing over of partial results to the last block. */
#ifndef GS_KERNELS_REDUCE_CUH
#define GS_KERNELS_REDUCE_CUH

#include "device/scale.h"
#include "kernels/language.h"

namespace gs {

constexpr unsigned ALL_LANES = 0xffffffffu;

struct Add {
  template <typename T> __device__ T operator()(T a, T b) const { return a + b; }
};
struct Larger {
  template <typename T> __device__ T operator()(T a, T b) const { return a > b ? a : b; }
};
struct Smaller {
  template <typename T> __device__ T operator()(T a, T b) const { return a < b ? a : b; }
};

/* Over the 32 lanes of a full warp, in every lane. */
template <typename T, typename Op> __device__ __forceinline__ T warp_reduce(T value, Op op) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = op(value, __shfl_xor_sync(ALL_LANES, value, distance));
  }
  return value;
}

/* Over a block of whole warps (at most 32), in every thread. All threads call it. */
template <typename T, typename Op> __device__ T block_reduce(T value, Op op) {
  GS_SHARED_ARRAY(T, parts, [32]);
  const unsigned thread = threadIdx.x + blockDim.x * threadIdx.y;
  const unsigned warps = blockDim.x * blockDim.y / 32;
  value = warp_reduce(value, op);
  __syncthreads(); /* an earlier call's readers are done */
  if (thread % 32 == 0) parts[thread / 32] = value;
  __syncthreads();
  value = parts[0];
  for (unsigned i = 1; i < warps; i++) value = op(value, parts[i]);
  return value;
}

/* True in every thread of the block that calls it last among `blocks`; what the others
 * wrote to global memory before is then visible. Leaves the counter at 0. */
__device__ inline bool last_block(uint32_t *counter, uint32_t blocks) {
  GS_SHARED_ARRAY(int, last, [1]);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) last[0] = atomicInc(counter, blocks - 1) == blocks - 1;
  __syncthreads();
  if (last[0]) __threadfence();
  return last[0] != 0;
}

/* ilogb of a finite non-zero magnitude; GS_PEAK_NONE for 0. */
template <typename C> __device__ __forceinline__ int32_t peak_of(C magnitude) {
  return magnitude > 0 ? static_cast<int32_t>(ilogb(magnitude)) : GS_PEAK_NONE;
}

/* Raises a slot's peak to that of the block's largest magnitude. All threads call it. */
template <typename C> __device__ void raise_peak(gs_scale *slot, C magnitude) {
  const C max = block_reduce(magnitude, Larger{});
  if (threadIdx.x == 0 && threadIdx.y == 0 && max > 0) atomicMax(&slot->peak, peak_of(max));
}

} // namespace gs

#endif
