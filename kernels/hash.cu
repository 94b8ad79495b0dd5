/* Hashes of tensors: the sum modulo 2^64 of gs_hash_element (base/random.h) over elements
 * read as float32. Integers may be added in any order, so blocks add theirs with atomics. */
#include "kernels/language.h"

#include "base/random.h"
#include "kernels/elements.cuh"
#include "kernels/kernels.h"
#include "kernels/reduce.cuh"

namespace gs {
namespace {

using Sum = unsigned long long; /* what atomicAdd takes; a uint64_t */

__device__ __forceinline__ bool counts(float x) {
  return x != 0 && fabsf(x) <= 3.402823466e+38f; /* neither infinite nor NaN */
}
__device__ __forceinline__ bool counts(double x) {
  return x != 0 && fabs(x) <= 1.7976931348623157e+308;
}

/* A digest tells apart what differs in any bit. */
__device__ __forceinline__ Sum digest_of(float x, uint64_t index) {
  return gs_hash_element(0, index, gs_float_bits(x));
}
__device__ __forceinline__ Sum digest_of(double x, uint64_t index) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return gs_hash_element(0, index, static_cast<uint32_t>(bits)) +
         gs_hash_element(1, index, static_cast<uint32_t>(bits >> 32));
}

/* Adds the values of a block's threads on the same replica to *to. All threads call it;
 * threads without a replica with value 0. */
__device__ __forceinline__ void add_rows(Sum value, bool exists, uint64_t *to) {
  GS_SHARED_ARRAY(Sum, parts, [WALK_THREADS / 32]);
  const unsigned warps = blockDim.x / 32; /* on a replica */
  value = warp_reduce(value, Add{});
  __syncthreads(); /* an earlier call's readers are done */
  if (threadIdx.x % 32 == 0) parts[threadIdx.y * warps + threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x != 0 || !exists) return;
  Sum sum = 0;
  for (unsigned i = 0; i < warps; i++) sum += parts[threadIdx.y * warps + i];
  atomicAdd(reinterpret_cast<Sum *>(to), sum);
}

/* DIGEST: all replicas into sums[0], numbered one after the other, and into sums[1] how
 * many elements count. Else replica r into sums[r]. */
template <typename T, bool ROWS, bool DIGEST>
__global__ void __launch_bounds__(WALK_THREADS)
    hash_kernel(QuadWalk walk, const T *data, uint32_t tensor_id, uint64_t *sums) {
  const int64_t replica = walk_replica(walk);
  const int64_t before = DIGEST ? replica * walk.elements : 0; /* elements of other replicas */
  Sum hash = 0;
  Sum count = 0;
  walk_runs<ROWS>(walk, data, [&](const RunPlace<const T, ROWS> &place) {
    const Pack<T, RUN<T>> run = load_run<ROWS>(walk, place);
    const int64_t first = place.first();
#pragma unroll
    for (int j = 0; j < RUN<T>; j++) {
      const auto x = widen(run.at[j]);
      const uint64_t index = static_cast<uint64_t>(before + first + j);
      const bool exists = place.whole || first + j < walk.elements;
      if constexpr (DIGEST) {
        hash += exists ? digest_of(x, index) : 0;
      } else {
        const uint32_t bits = gs_float_bits(static_cast<float>(x));
        hash += exists ? gs_hash_element(tensor_id, index, bits) : 0;
      }
      if (DIGEST) count += counts(x) ? 1 : 0; /* one that does not exist is 0 */
    }
  });
  const bool exists = replica < walk.replicas;
  add_rows(hash, exists, DIGEST ? &sums[0] : &sums[replica]);
  if (DIGEST) add_rows(count, exists, &sums[1]);
}

template <bool DIGEST>
cudaError_t launch(gs_queue queue, const gs_tensor &tensor, uint32_t tensor_id, uint64_t *sums) {
  return with_storage(tensor.dtype, [&](auto tag) {
    using T = decltype(tag);
    const QuadWalkLaunch plan = plan_walk<T>(tensor, tensor.replicas, queue.multiprocessors);
    const auto kernel =
        plan.walk.flat ? hash_kernel<T, false, DIGEST> : hash_kernel<T, true, DIGEST>;
    return gs_launch(kernel, plan.grid, plan.block, 0, queue.stream, plan.walk,
                     static_cast<const T *>(tensor.data), tensor_id, sums);
  });
}

} // namespace
} // namespace gs

cudaError_t gs_launch_hash(gs_queue queue, const gs_tensor *tensor, uint32_t tensor_id,
                           uint64_t *hash) {
  return gs::launch<false>(queue, *tensor, tensor_id, hash);
}

cudaError_t gs_launch_digest(gs_queue queue, const gs_tensor *tensor, uint64_t digest[2]) {
  gs_tensor all = *tensor;
  if (all.ld == all.cols && all.stride == all.rows * all.cols) { /* one matrix, in effect */
    all.rows *= all.replicas;
    all.replicas = 1;
  }
  return gs::launch<true>(queue, all, 0, digest);
}
