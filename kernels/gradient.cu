/* What weight and bias gradients need besides their matrix products: slots, sequences
 * whose steps have different exponents brought to one (device/scale.h, gs_sum_scale_of),
 * sums over rows, and products that leave f16's range. */
#include "kernels/kernels.h"
#include "kernels/reduce.cuh"
#include "kernels/vector.cuh"

namespace gs {
namespace {

constexpr int THREADS = 256;

__device__ gs_scale slot_of(const gs_scale *slots, int64_t index) {
  return slots ? slots[index] : gs_scale_none();
}

/* ---- slots of single products ---- */

struct SlotJob {
  const gs_scale *delta, *x;
  gs_scale *dW;
  int64_t replicas;
};

/* Jobs travel in the launch's parameters, which may have 4 KB everywhere. */
constexpr int SLOT_JOBS = 100;
struct SlotTable {
  SlotJob jobs[SLOT_JOBS];
};

__global__ void __launch_bounds__(THREADS)
    gradient_slots_kernel(const __grid_constant__ SlotTable table) {
  const SlotJob &job = table.jobs[blockIdx.x];
  for (int64_t replica = threadIdx.x; replica < job.replicas; replica += blockDim.x) {
    const int32_t exponent =
        gs_product_exponent(slot_of(job.delta, replica), slot_of(job.x, replica));
    gs_scale slot;
    slot.exponent = exponent == GS_EXPONENT_EMPTY ? 0 : exponent;
    slot.peak = GS_PEAK_NONE;
    job.dW[replica] = slot;
  }
}

/* ---- sums over steps ---- */

/* The slots of a sum's two factors: step t of replica r is at t * replicas + r. */
struct Steps {
  const gs_scale *delta, *x;
  int64_t steps;
  int64_t replicas;
};

__device__ int32_t step_exponent(const Steps &of, int64_t replica, int64_t t) {
  const int64_t slot = t * of.replicas + replica;
  return gs_product_exponent(slot_of(of.delta, slot), slot_of(of.x, slot));
}

/* A block per replica. */
__global__ void __launch_bounds__(THREADS)
    sum_scale_kernel(Steps of, gs_dtype dtype, gs_scale *sums, int32_t *exponents) {
  const int64_t replica = blockIdx.x;
  int32_t min = INT32_MAX;
  int32_t max = GS_EXPONENT_EMPTY;
  for (int64_t t = threadIdx.x; t < of.steps; t += blockDim.x) {
    const int32_t exponent = step_exponent(of, replica, t);
    if (exponent == GS_EXPONENT_EMPTY) continue;
    if (exponent < min) min = exponent;
    if (exponent > max) max = exponent;
  }
  min = block_reduce(min, Smaller{});
  max = block_reduce(max, Larger{});
  if (threadIdx.x > 0) return;
  const gs_sum_scale scale = gs_sum_scale_of(min, max, sums != nullptr, dtype);
  exponents[replica] = scale.exponent;
  if (!sums) return;
  sums[replica].exponent = scale.exponent;
  sums[replica].peak = GS_PEAK_NONE;
}

struct Shift {
  gs_tensor delta, shifted;
  Steps of;
  const int32_t *exponents;
  int64_t step_rows;
  int64_t chunks; /* blocks of one step and replica */
  bool whole;
};

/* A block takes every chunks-th run of packs of one step and replica. */
template <typename T>
__global__ void __launch_bounds__(THREADS) shift_steps_kernel(const __grid_constant__ Shift pass) {
  using C = Compute<T>;
  constexpr int V = lanes_of<T>;
  const int64_t unit = blockIdx.x / pass.chunks;
  const int64_t chunk = blockIdx.x - unit * pass.chunks;
  const int64_t t = unit / pass.of.replicas;
  const int64_t replica = unit - t * pass.of.replicas;
  const int32_t own = step_exponent(pass.of, replica, t);
  const C factor = static_cast<C>(gs_step_factor(own, pass.exponents[replica]));
  const uint32_t per_row = static_cast<uint32_t>((pass.delta.cols + V - 1) / V);
  const int64_t items = per_row * pass.step_rows;
  for (int64_t item = chunk * THREADS + threadIdx.x; item < items; item += pass.chunks * THREADS) {
    const int64_t row = item / per_row;
    const int64_t col = (item - row * per_row) * V;
    const int64_t left = pass.delta.cols - col;
    const bool whole = pass.whole && left >= V;
    const int count = left < V ? static_cast<int>(left) : V;
    Pack<T, V> pack = load_pack<T, V>(
        element<T>(pass.delta, replica, t * pass.step_rows + row, col), whole, count);
#pragma unroll
    for (int i = 0; i < V; i++) pack.at[i] = narrow<T>(widen(pack.at[i]) * factor);
    store_pack<T, V>(element<T>(pass.shifted, replica, t * pass.step_rows + row, col), pack, whole,
                     count);
  }
}

/* ---- column sums of a sequence ---- */

constexpr int STRIP = 64;             /* columns of a block */
constexpr int WAYS = THREADS / STRIP; /* rows at a time */
constexpr int RUN_ROWS = 128;         /* rows of a block: as pointwise.cu's, for one scratch */

struct Sums {
  gs_tensor delta, db;
  Steps of;
  const int32_t *exponents; /* NULL: rows are added as they are */
  int64_t step_rows;
  int64_t strips, runs;
  void *partial; /* [R][runs][cols] */
  uint32_t *counters;
};

template <typename T>
__device__ Compute<T> sum_rows(const Sums &pass, int64_t replica, int64_t run, int64_t col) {
  using C = Compute<T>;
  const int64_t end = (run + 1) * RUN_ROWS;
  const int64_t last = end < pass.delta.rows ? end : pass.delta.rows;
  C sum = 0;
  C factor = 1;
  int64_t next = pass.exponents ? 0 : last; /* the first row that `factor` is not of */
  for (int64_t row = run * RUN_ROWS + threadIdx.y; row < last; row += WAYS) {
    if (row >= next) {
      const int64_t t = row / pass.step_rows;
      const int32_t own = step_exponent(pass.of, replica, t);
      factor = static_cast<C>(gs_step_factor(own, pass.exponents[replica]));
      next = (t + 1) * pass.step_rows;
    }
    sum += widen(*element<T>(pass.delta, replica, row, col)) * factor;
  }
  return sum;
}

template <typename T>
__global__ void __launch_bounds__(THREADS) column_sums_kernel(const __grid_constant__ Sums pass) {
  using C = Compute<T>;
  GS_SHARED_ARRAY(C, ways, [WAYS][STRIP]);
  const int64_t unit = blockIdx.x / pass.runs; /* strip of a replica */
  const int64_t run = blockIdx.x - unit * pass.runs;
  const int64_t replica = unit / pass.strips;
  const int64_t col = (unit - replica * pass.strips) * STRIP + threadIdx.x;
  const bool inside = col < pass.delta.cols;
  C *partial = static_cast<C *>(pass.partial) + replica * pass.runs * pass.delta.cols;
  ways[threadIdx.y][threadIdx.x] = inside ? sum_rows<T>(pass, replica, run, col) : C(0);
  __syncthreads();
  if (threadIdx.y == 0 && inside) {
    C sum = ways[0][threadIdx.x];
    for (int way = 1; way < WAYS; way++) sum += ways[way][threadIdx.x];
    partial[run * pass.delta.cols + col] = sum;
  }
  if (!last_block(&pass.counters[unit], static_cast<uint32_t>(pass.runs))) return;
  if (threadIdx.y == 0 && inside) {
    C sum = __ldcg(&partial[col]);
    for (int64_t i = 1; i < pass.runs; i++) sum += __ldcg(&partial[i * pass.delta.cols + col]);
    *element<T>(pass.db, replica, 0, col) = narrow<T>(sum);
  }
}

/* ---- f16 ---- */

struct Narrow {
  gs_tensor from, to;
  int32_t *peaks;
  int64_t blocks; /* of a replica, each taking every blocks-th row */
};

__global__ void __launch_bounds__(THREADS)
    narrow_peaks_kernel(const __grid_constant__ Narrow pass) {
  const int64_t replica = blockIdx.x / pass.blocks;
  float max = 0;
  for (int64_t row = blockIdx.x - replica * pass.blocks; row < pass.from.rows; row += pass.blocks) {
    const float *from = element<float>(pass.from, replica, row, 0);
    for (int64_t col = threadIdx.x; col < pass.from.cols; col += blockDim.x) {
      raise_magnitude(max, from[col]);
    }
  }
  max = block_reduce(max, Larger{});
  if (threadIdx.x == 0 && max > 0) atomicMax(&pass.peaks[replica], peak_of(max));
}

__global__ void __launch_bounds__(THREADS) narrow_kernel(const __grid_constant__ Narrow pass) {
  const int64_t replica = blockIdx.x / pass.blocks;
  const int64_t first = blockIdx.x - replica * pass.blocks;
  const int32_t seen = pass.peaks[replica];
  const int32_t shift = gs_scale_shift(seen < -1000 ? GS_PEAK_NONE : seen, GS_F16);
  const float factor = static_cast<float>(gs_scale_factor(-static_cast<int64_t>(shift)));
  if (first == 0 && threadIdx.x == 0) pass.to.scale[replica].exponent += shift;
  for (int64_t row = first; row < pass.from.rows; row += pass.blocks) {
    const float *from = element<float>(pass.from, replica, row, 0);
    __half *to = element<__half>(pass.to, replica, row, 0);
    for (int64_t col = threadIdx.x; col < pass.from.cols; col += blockDim.x) {
      to[col] = narrow<__half>(from[col] * factor);
    }
  }
}

Steps steps_of(const gs_tensor *delta, const gs_tensor *x, int64_t steps) {
  return {delta->scale, x ? x->scale : nullptr, steps, delta->replicas};
}

unsigned grid(int64_t blocks) { return static_cast<unsigned>(blocks); }

} // namespace
} // namespace gs

cudaError_t gs_launch_gradient_slots(gs_queue queue, const gs_gradient_job *jobs, int64_t count) {
  gs::SlotTable table;
  int taken = 0;
  for (int64_t i = 0; i < count; i++) {
    if (jobs[i].dW.scale) {
      table.jobs[taken++] = {jobs[i].delta.scale, jobs[i].x.scale, jobs[i].dW.scale,
                             jobs[i].dW.replicas};
    }
    if (taken == 0 || (taken < gs::SLOT_JOBS && i + 1 < count)) continue;
    const cudaError_t status = gs_launch(gs::gradient_slots_kernel, dim3(gs::grid(taken)),
                                         dim3(gs::THREADS), 0, queue.stream, table);
    if (status != cudaSuccess) return status;
    taken = 0;
  }
  return cudaSuccess;
}

cudaError_t gs_launch_sum_scale(gs_queue queue, const gs_tensor *delta, const gs_tensor *x,
                                int64_t steps, const gs_tensor *sums, int32_t *exponents) {
  return gs_launch(gs::sum_scale_kernel, dim3(gs::grid(delta->replicas)), dim3(gs::THREADS), 0,
                   queue.stream, gs::steps_of(delta, x, steps), delta->dtype, sums->scale,
                   exponents);
}

cudaError_t gs_launch_shift_steps(gs_queue queue, const gs_tensor *delta, const gs_tensor *x,
                                  int64_t steps, const int32_t *exponents,
                                  const gs_tensor *shifted) {
  return gs::with_storage(delta->dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int V = gs::lanes_of<T>;
    gs::Shift pass{*delta,
                   *shifted,
                   gs::steps_of(delta, x, steps),
                   exponents,
                   delta->rows / steps,
                   1,
                   gs::packs<T, V>(*delta) && gs::packs<T, V>(*shifted)};
    const int64_t packs = (delta->cols + V - 1) / V * pass.step_rows;
    const int64_t units = steps * delta->replicas;
    const int64_t wanted = (packs + 4 * gs::THREADS - 1) / (4 * gs::THREADS);
    const int64_t max = static_cast<int64_t>(queue.multiprocessors) * 16 / units + 1;
    pass.chunks = wanted < max ? wanted : max;
    return gs_launch(gs::shift_steps_kernel<T>, dim3(gs::grid(units * pass.chunks)),
                     dim3(gs::THREADS), 0, queue.stream, pass);
  });
}

cudaError_t gs_launch_column_sums(gs_queue queue, const gs_tensor *delta, int64_t steps,
                                  const int32_t *exponents, const gs_tensor *db,
                                  gs_scratch scratch) {
  gs::Sums pass{};
  pass.delta = *delta;
  pass.db = *db;
  pass.of = gs::steps_of(delta, nullptr, steps);
  pass.exponents = exponents;
  pass.step_rows = delta->rows / steps;
  pass.strips = (delta->cols + gs::STRIP - 1) / gs::STRIP;
  pass.runs = (delta->rows + gs::RUN_ROWS - 1) / gs::RUN_ROWS;
  pass.partial = scratch.data;
  pass.counters = scratch.counters;
  const int64_t blocks = pass.strips * pass.runs * delta->replicas;
  return gs::with_storage(delta->dtype, [&](auto type) {
    return gs_launch(gs::column_sums_kernel<decltype(type)>, dim3(gs::grid(blocks)),
                     dim3(gs::STRIP, gs::WAYS), 0, queue.stream, pass);
  });
}

cudaError_t gs_launch_narrow(gs_queue queue, const gs_tensor *from, const gs_tensor *to,
                             int32_t *peaks) {
  /* 0x80808080 is below every exponent */
  const size_t bytes = static_cast<size_t>(from->replicas) * sizeof *peaks;
  cudaError_t status = cudaMemsetAsync(peaks, 0x80, bytes, queue.stream);
  gs::Narrow pass{*from, *to, peaks, 1};
  const int64_t max = static_cast<int64_t>(queue.multiprocessors) * 8 / from->replicas + 1;
  pass.blocks = from->rows < max ? from->rows : max;
  const dim3 blocks(gs::grid(pass.blocks * from->replicas));
  if (status == cudaSuccess) {
    status = gs_launch(gs::narrow_peaks_kernel, blocks, dim3(gs::THREADS), 0, queue.stream, pass);
  }
  if (status == cudaSuccess) {
    status = gs_launch(gs::narrow_kernel, blocks, dim3(gs::THREADS), 0, queue.stream, pass);
  }
  return status;
}
