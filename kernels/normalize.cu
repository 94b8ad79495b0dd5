/* Normalisations (device/device.h has the equations, host/device/cpu_normalize.c the backward
 * pass in words): mean and square in float64, each in a pass of its own over a line, which
 * the caches hold from the first pass on.
 *
 *   rows      layer, rms: a warp has an example; its lanes' sums are added as a warp reduces
 *   columns   batch: a block has a strip of units, each warp every so many examples; the
 *             warps' sums are added in their order */
#include "device/normalize_scale.h"
#include "kernels/kernels.h"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs {
namespace {

constexpr int LANES = 32;
constexpr int WARPS = 8;
[[maybe_unused]] constexpr int NORMALIZE_THREADS = LANES * WARPS; /* on the CPU */

struct Normalize {
  gs_tensor x, dy, out;
  gs_norm norm;
  bool whole; /* every tensor's packs are aligned */
  uint32_t blocks_per_replica;
};

__device__ gs_scale slot_of(const gs_tensor &tensor, int64_t replica) {
  gs_scale none;
  none.exponent = 0;
  none.peak = GS_PEAK_NONE;
  return tensor.scale ? tensor.scale[replica] : none;
}

template <bool BACKWARD>
__device__ gs_normalize_scale scale_of(const Normalize &pass, int64_t replica) {
  const bool tracked = pass.out.scale != nullptr;
  const gs_scale x = slot_of(pass.x, replica);
  if (!BACKWARD) return gs_normalize_forward_scale(x, tracked);
  return gs_normalize_backward_scale(x, slot_of(pass.dy, replica), pass.out.dtype, tracked);
}

/* A pack of one of the tensors, in float64. */
template <typename T>
__device__ __forceinline__ Pack<double, lanes_of<T>>
load(const Normalize &pass, const gs_tensor &tensor, int64_t replica, int64_t row, int64_t col) {
  constexpr int V = lanes_of<T>;
  const int64_t left = tensor.cols - col;
  const int count = left < V ? static_cast<int>(left > 0 ? left : 0) : V;
  const Pack<T, V> pack =
      load_pack<T, V>(element<T>(tensor, replica, row, col), pass.whole && count == V, count);
  Pack<double, V> wide;
#pragma unroll
  for (int i = 0; i < V; i++) wide.at[i] = static_cast<double>(widen(pack.at[i]));
  return wide;
}

/* Rounds once, and raises `most`. */
template <typename T>
__device__ __forceinline__ void store(const Normalize &pass, int64_t replica, int64_t row,
                                      int64_t col, const Pack<double, lanes_of<T>> &wide,
                                      Compute<T> &most) {
  constexpr int V = lanes_of<T>;
  const int64_t left = pass.out.cols - col;
  const int count = left < V ? static_cast<int>(left > 0 ? left : 0) : V;
  Pack<T, V> pack;
#pragma unroll
  for (int i = 0; i < V; i++) {
    pack.at[i] = narrow<T>(static_cast<Compute<T>>(wide.at[i]));
    if (i < count) raise_magnitude(most, widen(pack.at[i]));
  }
  store_pack<T, V>(element<T>(pass.out, replica, row, col), pack, pass.whole && count == V, count);
}

/* What a line's elements become: (x - mean) rate factor, or
 * (g - of_mean - (x - mean) y of_square) rate factor. */
struct Line {
  double mean, rate, y, of_mean, of_square;
};

template <bool BACKWARD>
__device__ __forceinline__ double result_of(const Line &line, double factor, double x, double g) {
  const double centred = x - line.mean;
  if (!BACKWARD) return centred * (line.rate * factor);
  return (g - line.of_mean - centred * line.y * line.of_square) * (line.rate * factor);
}

/* ---- rows ---- */

/* Over a row's elements that are there, by the warp: the sum of f(x, g) in every lane. */
template <typename T, bool BACKWARD, typename F>
__device__ __forceinline__ double row_sum(const Normalize &pass, int64_t replica, int64_t row,
                                          F f) {
  constexpr int V = lanes_of<T>;
  double sum = 0;
  for (int64_t col = threadIdx.x * V; col < pass.x.cols; col += LANES * V) {
    const Pack<double, V> x = load<T>(pass, pass.x, replica, row, col);
    Pack<double, V> g{};
    if (BACKWARD) g = load<T>(pass, pass.dy, replica, row, col);
#pragma unroll
    for (int i = 0; i < V; i++) {
      if (col + i < pass.x.cols) sum += f(x.at[i], g.at[i]);
    }
  }
  return warp_reduce(sum, Add{});
}

template <typename T, bool BACKWARD>
__device__ Line row_line(const Normalize &pass, const gs_normalize_scale &scale, int64_t replica,
                         int64_t row) {
  const double n = static_cast<double>(pass.x.cols);
  const bool centred = pass.norm != GS_NORM_RMS;
  Line line{};
  if (centred) {
    line.mean = row_sum<T, false>(pass, replica, row, [](double x, double) { return x; }) / n;
  }
  const double mean = line.mean;
  const double square = row_sum<T, false>(
      pass, replica, row, [mean](double x, double) { return (x - mean) * (x - mean); });
  line.rate = gs_normalize_rate(&scale, square / n);
  if (!BACKWARD) return line;
  const double y = line.y = line.rate * scale.y;
  if (centred) {
    line.of_mean = row_sum<T, true>(pass, replica, row, [](double, double g) { return g; }) / n;
  }
  line.of_square =
      row_sum<T, true>(pass, replica, row,
                       [mean, y](double x, double g) { return g * ((x - mean) * y); }) /
      n;
  return line;
}

template <typename T, bool BACKWARD>
__global__ void __launch_bounds__(NORMALIZE_THREADS)
    normalize_rows_kernel(const __grid_constant__ Normalize pass) {
  constexpr int V = lanes_of<T>;
  const uint32_t replica = blockIdx.x / pass.blocks_per_replica;
  const uint32_t block = blockIdx.x - replica * pass.blocks_per_replica;
  const int64_t step = static_cast<int64_t>(pass.blocks_per_replica) * WARPS;
  const gs_normalize_scale scale = scale_of<BACKWARD>(pass, replica);
  Compute<T> most = 0;
  for (int64_t row = static_cast<int64_t>(block) * WARPS + threadIdx.y; row < pass.x.rows;
       row += step) {
    const Line line = row_line<T, BACKWARD>(pass, scale, replica, row);
    for (int64_t col = threadIdx.x * V; col < pass.x.cols; col += LANES * V) {
      Pack<double, V> x = load<T>(pass, pass.x, replica, row, col);
      Pack<double, V> g{};
      if (BACKWARD) g = load<T>(pass, pass.dy, replica, row, col);
#pragma unroll
      for (int i = 0; i < V; i++) {
        x.at[i] = result_of<BACKWARD>(line, scale.factor, x.at[i], g.at[i]);
      }
      store<T>(pass, replica, row, col, x, most);
    }
  }
  if (pass.out.scale == nullptr) return;
  if (block == 0 && threadIdx.x == 0 && threadIdx.y == 0) {
    pass.out.scale[replica].exponent = scale.exponent;
  }
  raise_peak(&pass.out.scale[replica], most);
}

/* ---- columns ---- */

template <int V> using Sums = double[WARPS][LANES * V];

/* Of each of a thread's columns, over all rows, the sum of f(i, x, g), i the column: the same
 * in every warp. All threads call it. */
template <typename T, bool BACKWARD, typename F>
__device__ __forceinline__ Pack<double, lanes_of<T>>
column_sums(const Normalize &pass, int64_t replica, int64_t col, Sums<lanes_of<T>> &shared, F f) {
  constexpr int V = lanes_of<T>;
  Pack<double, V> sums{};
  for (int64_t row = threadIdx.y; col < pass.x.cols && row < pass.x.rows; row += WARPS) {
    const Pack<double, V> x = load<T>(pass, pass.x, replica, row, col);
    Pack<double, V> g{};
    if (BACKWARD) g = load<T>(pass, pass.dy, replica, row, col);
#pragma unroll
    for (int i = 0; i < V; i++) sums.at[i] += f(i, x.at[i], g.at[i]);
  }
  __syncthreads(); /* an earlier call's readers are done */
#pragma unroll
  for (int i = 0; i < V; i++) {
    shared[threadIdx.y][threadIdx.x * V + static_cast<unsigned>(i)] = sums.at[i];
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < V; i++) {
    sums.at[i] = shared[0][threadIdx.x * V + static_cast<unsigned>(i)];
    for (int warp = 1; warp < WARPS; warp++) {
      sums.at[i] += shared[warp][threadIdx.x * V + static_cast<unsigned>(i)];
    }
  }
  return sums;
}

template <typename T, bool BACKWARD>
__device__ __forceinline__ void
column_lines(const Normalize &pass, const gs_normalize_scale &scale, int64_t replica, int64_t col,
             Sums<lanes_of<T>> &shared, Line (&lines)[lanes_of<T>]) {
  constexpr int V = lanes_of<T>;
  const double B = static_cast<double>(pass.x.rows);
  const Pack<double, V> sums =
      column_sums<T, false>(pass, replica, col, shared, [](int, double x, double) { return x; });
#pragma unroll
  for (int i = 0; i < V; i++) lines[i].mean = sums.at[i] / B;
  const Pack<double, V> squares =
      column_sums<T, false>(pass, replica, col, shared, [&](int i, double x, double) {
        return (x - lines[i].mean) * (x - lines[i].mean);
      });
#pragma unroll
  for (int i = 0; i < V; i++) {
    lines[i].rate = gs_normalize_rate(&scale, squares.at[i] / B);
    lines[i].y = lines[i].rate * scale.y;
  }
  if (!BACKWARD) return;
  const Pack<double, V> means =
      column_sums<T, true>(pass, replica, col, shared, [](int, double, double g) { return g; });
  const Pack<double, V> products =
      column_sums<T, true>(pass, replica, col, shared, [&](int i, double x, double g) {
        return g * ((x - lines[i].mean) * lines[i].y);
      });
#pragma unroll
  for (int i = 0; i < V; i++) {
    lines[i].of_mean = means.at[i] / B;
    lines[i].of_square = products.at[i] / B;
  }
}

template <typename T, bool BACKWARD>
__global__ void __launch_bounds__(NORMALIZE_THREADS)
    normalize_columns_kernel(const __grid_constant__ Normalize pass) {
  constexpr int V = lanes_of<T>;
  GS_SHARED_ARRAY(double, shared, [WARPS][LANES * V]);
  const uint32_t replica = blockIdx.x / pass.blocks_per_replica;
  const uint32_t block = blockIdx.x - replica * pass.blocks_per_replica;
  const int64_t col = (static_cast<int64_t>(block) * LANES + threadIdx.x) * V;
  const gs_normalize_scale scale = scale_of<BACKWARD>(pass, replica);
  Line lines[V]{};
  Compute<T> most = 0;
  column_lines<T, BACKWARD>(pass, scale, replica, col, shared, lines);
  for (int64_t row = threadIdx.y; col < pass.x.cols && row < pass.x.rows; row += WARPS) {
    Pack<double, V> x = load<T>(pass, pass.x, replica, row, col);
    Pack<double, V> g{};
    if (BACKWARD) g = load<T>(pass, pass.dy, replica, row, col);
#pragma unroll
    for (int i = 0; i < V; i++) {
      x.at[i] = result_of<BACKWARD>(lines[i], scale.factor, x.at[i], g.at[i]);
    }
    store<T>(pass, replica, row, col, x, most);
  }
  if (pass.out.scale == nullptr) return;
  if (block == 0 && threadIdx.x == 0 && threadIdx.y == 0) {
    pass.out.scale[replica].exponent = scale.exponent;
  }
  raise_peak(&pass.out.scale[replica], most);
}

/* ---- launching ---- */

template <typename T, bool BACKWARD> cudaError_t launch(gs_queue queue, Normalize pass) {
  constexpr int V = lanes_of<T>;
  const bool columns = pass.norm == GS_NORM_BATCH;
  const int64_t wanted =
      columns ? (pass.x.cols + LANES * V - 1) / (LANES * V) : (pass.x.rows + WARPS - 1) / WARPS;
  const int64_t share = static_cast<int64_t>(queue.multiprocessors) * 16 / pass.x.replicas;
  const int64_t most = columns ? wanted : share > 1 ? share : 1;
  pass.whole = packs<T, V>(pass.x) && packs<T, V>(pass.out) && (!BACKWARD || packs<T, V>(pass.dy));
  pass.blocks_per_replica = static_cast<uint32_t>(wanted < most ? wanted : most);
  if (wanted > (INT64_C(1) << 30) / pass.x.replicas && columns) return cudaErrorInvalidValue;
  const dim3 grid(static_cast<unsigned>(pass.x.replicas * pass.blocks_per_replica));
  const dim3 block(LANES, WARPS);
  return columns
             ? gs_launch(normalize_columns_kernel<T, BACKWARD>, grid, block, 0, queue.stream, pass)
             : gs_launch(normalize_rows_kernel<T, BACKWARD>, grid, block, 0, queue.stream, pass);
}

} // namespace
} // namespace gs

cudaError_t gs_launch_normalize(gs_queue queue, gs_norm norm, const gs_tensor *x,
                                const gs_tensor *dy, const gs_tensor *out) {
  gs::Normalize pass{};
  pass.x = *x;
  if (dy) pass.dy = *dy;
  pass.out = *out;
  pass.norm = norm;
  return gs::with_storage(x->dtype, [&](auto type) {
    return dy ? gs::launch<decltype(type), true>(queue, pass)
              : gs::launch<decltype(type), false>(queue, pass);
  });
}
