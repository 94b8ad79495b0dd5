/* Initialisation: the numbers of base/random.h, whatever the launch's shape. A thread
 * makes the four elements of a Philox block together, since they share its words and two
 * share a Box-Muller; float32 throughout, rounded once to the tensor's dtype. */
#include "kernels/language.h"

#include "kernels/elements.cuh"
#include "kernels/kernels.h"
#include "kernels/random.cuh"

namespace gs {
namespace {

__device__ __forceinline__ bool outside(float x) { return !(x > -2.0f && x < 2.0f); }

/* Redraws those of four normals that lie outside (-2, 2), as gs_random_truncated_from does
 * each. One in 22 does: a warp goes through this loop about twice for its 128 elements,
 * each lane on its own next element. */
__device__ __forceinline__ void redraw(const Stream &stream, uint32_t replica, int64_t quad,
                                       float values[QUAD]) {
  unsigned open = 0; /* a bit for each that lies outside */
#pragma unroll
  for (int j = 0; j < QUAD; j++) open |= (outside(values[j]) ? 1u : 0u) << j;
  uint32_t attempt = 1;
  while (open != 0) {
    const int current = __ffs(static_cast<int>(open)) - 1;
    const bool last = attempt == GS_RANDOM_MAX_ATTEMPTS;
    const float x = last ? 0.0f : random_normal(stream, replica, quad, current, attempt);
    attempt++;
    if (outside(x)) continue;
#pragma unroll
    for (int j = 0; j < QUAD; j++) { /* no indexing: the values stay in registers */
      if (j == current) values[j] = x;
    }
    open &= open - 1;
    attempt = 1;
  }
}

/* Four elements of a kind but the identity. */
template <gs_fill_kind KIND>
__device__ __forceinline__ void draw(const Stream &stream, float scale, uint32_t replica,
                                     int64_t quad, float values[QUAD]) {
  if (KIND == GS_FILL_CONSTANT) {
    for (int j = 0; j < QUAD; j++) values[j] = scale;
    return;
  }
  const uint4 words = random_words(stream, replica, quad, 0);
  if (KIND == GS_FILL_UNIFORM || KIND == GS_FILL_TWO_UNIFORMS) {
    random_uniforms(words, values);
  } else {
    random_normals(words, values);
    if (KIND == GS_FILL_TRUNCATED_NORMAL) redraw(stream, replica, quad, values);
  }
  if (KIND == GS_FILL_TWO_UNIFORMS) {
    Stream second = stream;
    float more[QUAD];
    second.tensor_id++;
    random_uniforms(random_words(second, replica, quad, 0), more);
#pragma unroll
    for (int j = 0; j < QUAD; j++) values[j] = gs_float_add(values[j], more[j]);
  }
#pragma unroll
  for (int j = 0; j < QUAD; j++) values[j] *= scale;
}

/* A run of the identity, walked with rows. */
template <typename T>
__device__ __forceinline__ void diagonal(const QuadWalk &walk, const RunPlace<T, true> &place,
                                         float scale, float values[RUN<T>]) {
  int64_t col = place.col;
  int64_t to_diagonal = place.col - place.row;
#pragma unroll
  for (int j = 0; j < RUN<T>; j++) {
    values[j] = to_diagonal == 0 ? scale : 0.0f;
    const bool ends_row = ++col == walk.cols;
    if (ends_row) col = 0;
    to_diagonal += ends_row ? -walk.cols : 1;
  }
}

template <typename T, gs_fill_kind KIND, bool ROWS>
__global__ void __launch_bounds__(WALK_THREADS)
    fill_kernel(QuadWalk walk, T *data, Stream stream, float scale) {
  walk_runs<ROWS>(walk, data, [&](const RunPlace<T, ROWS> &place) {
    float values[RUN<T>];
    if constexpr (KIND == GS_FILL_IDENTITY) {
      diagonal<T>(walk, place, scale, values);
    } else {
#pragma unroll
      for (int i = 0; i < RUN_QUADS<T>; i++) {
        const auto quad = place.quad + static_cast<QuadIndex<ROWS>>(i);
        draw<KIND>(stream, scale, static_cast<uint32_t>(place.replica), quad, values + QUAD * i);
      }
    }
    Pack<T, RUN<T>> run;
#pragma unroll
    for (int j = 0; j < RUN<T>; j++) run.at[j] = narrow<T>(values[j]);
    store_run<ROWS>(walk, place, run);
  });
}

template <typename T, gs_fill_kind KIND>
cudaError_t launch(gs_queue queue, const gs_tensor &tensor, const gs_fill &fill) {
  const int64_t replicas = tensor.stride ? tensor.replicas : 1;
  const QuadWalkLaunch plan = plan_walk<T>(tensor, replicas, queue.multiprocessors);
  const Stream stream = make_stream(fill);
  constexpr bool always_rows = KIND == GS_FILL_IDENTITY;
  const auto kernel =
      plan.walk.flat ? fill_kernel<T, KIND, always_rows> : fill_kernel<T, KIND, true>;
  return gs_launch(kernel, plan.grid, plan.block, 0, queue.stream, plan.walk,
                   static_cast<T *>(tensor.data), stream, static_cast<float>(fill.value));
}

template <typename T>
cudaError_t launch_kind(gs_queue queue, const gs_tensor &tensor, const gs_fill &fill) {
  switch (fill.kind) {
  case GS_FILL_CONSTANT: return launch<T, GS_FILL_CONSTANT>(queue, tensor, fill);
  case GS_FILL_NORMAL: return launch<T, GS_FILL_NORMAL>(queue, tensor, fill);
  case GS_FILL_UNIFORM: return launch<T, GS_FILL_UNIFORM>(queue, tensor, fill);
  case GS_FILL_TRUNCATED_NORMAL: return launch<T, GS_FILL_TRUNCATED_NORMAL>(queue, tensor, fill);
  case GS_FILL_TWO_UNIFORMS: return launch<T, GS_FILL_TWO_UNIFORMS>(queue, tensor, fill);
  case GS_FILL_IDENTITY: return launch<T, GS_FILL_IDENTITY>(queue, tensor, fill);
  case GS_FILL_ORTHOGONAL: break;
  }
  return cudaErrorInvalidValue;
}

} // namespace
} // namespace gs

cudaError_t gs_launch_fill(gs_queue queue, const gs_tensor *tensor, const gs_fill *fill) {
  return gs::with_storage(tensor->dtype, [&](auto tag) {
    return gs::launch_kind<decltype(tag)>(queue, *tensor, *fill);
  });
}
