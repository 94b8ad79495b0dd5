/* Exponent slots where no pointwise kernel sets them: emptying, and products. */
#include "kernels/kernels.h"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs {
namespace {

constexpr int THREADS = 256;

__global__ void __launch_bounds__(THREADS) empty_slots_kernel(gs_scale *slots, int64_t count) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += threads) {
    gs_scale slot;
    slot.exponent = 0;
    slot.peak = GS_PEAK_NONE;
    slots[i] = slot;
  }
}

/* The exponent of a product of two tensors, either without slots. */
__device__ int32_t exponent_sum(const gs_scale *a, const gs_scale *b, int64_t replica) {
  return (a ? a[replica].exponent : 0) + (b ? b[replica].exponent : 0);
}

__global__ void __launch_bounds__(THREADS)
    product_slots_kernel(const gs_scale *a, const gs_scale *b, gs_scale *c, int64_t replicas) {
  const int64_t replica = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (replica >= replicas) return;
  gs_scale slot;
  slot.exponent = exponent_sum(a, b, replica);
  slot.peak = GS_PEAK_NONE;
  c[replica] = slot;
}

/* A block takes rows of a replica, one after another. */
template <typename T>
__global__ void __launch_bounds__(THREADS)
    product_shift_kernel(const gs_scale *a, const gs_scale *b, gs_tensor c) {
  const int64_t rows = c.rows * c.replicas;
  for (int64_t i = blockIdx.x; i < rows; i += gridDim.x) {
    const int64_t replica = i / c.rows;
    const int32_t exponent = exponent_sum(a, b, replica);
    if (exponent == 0) continue;
    const Compute<T> factor = static_cast<Compute<T>>(gs_scale_factor(exponent));
    T *row = element<T>(c, replica, i % c.rows, 0);
    for (int64_t col = threadIdx.x; col < c.cols; col += blockDim.x) {
      row[col] = narrow<T>(widen(row[col]) * factor);
    }
  }
}

unsigned blocks_for(gs_queue queue, int64_t items) {
  const int64_t max = static_cast<int64_t>(queue.multiprocessors) * 8;
  const int64_t blocks = (items + THREADS - 1) / THREADS;
  return static_cast<unsigned>(blocks < max ? blocks : max);
}

} // namespace
} // namespace gs

cudaError_t gs_launch_begin_step(gs_queue queue, gs_scale *slots, int64_t count) {
  if (count == 0) return cudaSuccess;
  return gs_launch(gs::empty_slots_kernel, dim3(gs::blocks_for(queue, count)), dim3(gs::THREADS), 0,
                   queue.stream, slots, count);
}

cudaError_t gs_launch_product_slots(gs_queue queue, const gs_tensor *a, const gs_tensor *b,
                                    const gs_tensor *c) {
  if (!c->scale) return cudaSuccess;
  const unsigned blocks = static_cast<unsigned>((c->replicas + gs::THREADS - 1) / gs::THREADS);
  return gs_launch(gs::product_slots_kernel, dim3(blocks), dim3(gs::THREADS), 0, queue.stream,
                   a->scale, b->scale, c->scale, c->replicas);
}

cudaError_t gs_launch_product_shift(gs_queue queue, const gs_tensor *a, const gs_tensor *b,
                                    const gs_tensor *c) {
  if (c->scale || (!a->scale && !b->scale)) return cudaSuccess;
  const unsigned blocks = gs::blocks_for(queue, c->rows * c->replicas * gs::THREADS);
  return gs::with_storage(c->dtype, [&](auto type) {
    return gs_launch(gs::product_shift_kernel<decltype(type)>, dim3(blocks), dim3(gs::THREADS), 0,
                     queue.stream, a->scale, b->scale, *c);
  });
}
