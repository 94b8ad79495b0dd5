/* What one block finds out about its part of a tensor, in one pass over memory:
 *
 *   sum x, sum x^2     in float64, finite elements; f64 may need a second pass, below
 *   counts             NaN, infinities, finite non-zero, subnormal, saturated
 *   min |x|, max |x|   of finite non-zero elements, as bits
 *   rows               how many elements have which exponent (stats_format.cuh)
 *   alive              columns with a non-zero element
 *
 * Elements come in groups. A group without NaN, infinities and subnormals, which one
 * comparison of its extremes tells, takes the short way. What a group lacks at a tensor's
 * edge is filled with zeros: they change nothing that is counted, so zeros are what is
 * left of the tensor's size in the end.
 *
 * Neighbouring elements have few different exponents. Each lane of a warp therefore
 * counts in counters of its own, one bank of shared memory, so that equal exponents do
 * not wait for each other: counter (row, lane) is at row * 32 + lane. (f64 has 2100 rows,
 * and room for four lanes' counters only.) */
#ifndef GS_KERNELS_STATS_BLOCK_CUH
#define GS_KERNELS_STATS_BLOCK_CUH

#include <cstring>

#include "kernels/parts.cuh"
#include "kernels/reduce.cuh"
#include "kernels/stats_format.cuh"

namespace gs {

constexpr int STATS_WARPS = PART_THREADS / 32;

/* Counters of a row, 16 bytes at a time. */
template <typename T> constexpr int stats_copies = sizeof(T) == 8 ? 4 : 32;
template <typename T>
constexpr size_t stats_counter_bytes = sizeof(uint32_t) *
                                       static_cast<size_t>(Format<T>::rows *stats_copies<T>);

/* What a job asks for. */
template <typename T> struct StatsWish {
  Compute<T> low, high; /* saturation bounds */
  bool histogram, saturation, dead;
};

/* A block's results, in shared memory. */
template <typename T> struct BlockStats {
  typename Format<T>::Bits max, min;               /* min: 0 - bits, so that 0 means none */
  uint32_t nan, inf, finite, subnormal, saturated; /* finite: and not zero */
  int32_t prescale;                                /* the sums are of x 2^-prescale */
  double sum[STATS_WARPS], sum_sq[STATS_WARPS];
  uint32_t alive[PART_THREADS * lanes_of<T> / 32]; /* a bit for each column of the strip */
};

/* A thread's. */
template <typename T> struct ThreadStats {
  double sum, sum_sq;
  typename Format<T>::Bits max, min;
  uint32_t finite, saturated; /* finite: without a histogram only */
  uint32_t alive;             /* a bit for each element of a pack */
};

template <typename T> constexpr int stats_group_packs = sizeof(T) == 2 ? 2 : 4;

/* A walk over a tensor: pack k of a thread begins at from + k * step. */
template <typename T> struct Path {
  const T *from;
  int64_t step;
  PackWalk walk;
  bool aligned; /* every pack */
};

template <typename T>
__device__ __forceinline__ Path<T> path_of(const T *data, int64_t ld, const PackWalk &walk) {
  constexpr int V = lanes_of<T>;
  Path<T> path;
  path.from = data + (walk.row * ld + walk.col);
  path.step = walk.row_step * ld;
  path.walk = walk;
  path.aligned = reinterpret_cast<size_t>(data) % sizeof(Pack<T, V>) == 0 && ld % V == 0;
  return path;
}

/* Calls take(group, first) for all groups, of packs first, first + 1, ... */
template <typename T, typename Take>
__device__ __forceinline__ void walk_groups(const Path<T> &path, Take take) {
  constexpr int V = lanes_of<T>;
  constexpr int GROUP = stats_group_packs<T>;
  const PackWalk &walk = path.walk;
  const T *from = path.from;
  int32_t whole = 0; /* packs from the first on that one access can read */
  if (path.aligned && walk.width == V) whole = walk.count - (walk.last_width < V);
  for (int32_t k = 0; k < walk.count; k += GROUP) {
    Words group[GROUP];
    if (k + GROUP <= whole) {
#pragma unroll
      for (int i = 0; i < GROUP; i++, from += path.step) {
        group[i] = *reinterpret_cast<const Words *>(from);
      }
    } else {
#pragma unroll
      for (int i = 0; i < GROUP; i++, from += path.step) {
        const Pack<T, V> pack = load_pack<T, V>(from, k + i < whole, width_of(walk, k + i));
        memcpy(&group[i], &pack, sizeof pack);
      }
    }
    take(group, k);
  }
}

/* In float64 from the first element on, whatever T is. Sums in f32 over short runs, float64 from
 * run to run, would save next to nothing: of the 33 instructions an element of full statistics in
 * bf16 and f16 (norms alone: 19 and 20; tests/data/instruction_budget.txt) three are these, a
 * conversion, an addition and a multiply-add. Runs of four elements have two in f32 and, a
 * quarter each, two conversions and two additions: three again; runs of 16 have 2.25. And they
 * would be no sums to compare bits by: a bf16's square has 16 significant bits, so f32 adds two
 * exactly only where the elements lie within a factor of 16, and loses up to 2^-24 of the sum
 * with each addition where not, half of what float64's digits are recorded for. */
__device__ __forceinline__ void add_value(double &sum, double &sum_sq, double x) {
  sum += x;
  sum_sq = fma(x, x, sum_sq); /* the square of anything narrower than f64 is exact */
}

template <typename T> constexpr unsigned stats_row_bytes = sizeof(uint32_t) * stats_copies<T>;

/* The lane's counter of a row, given the row's place in bytes. */
template <typename T>
__device__ __forceinline__ uint32_t *counter_at(uint32_t *rows, uint32_t row_place) {
  const uint32_t lane = threadIdx.x % stats_copies<T> * sizeof(uint32_t);
  return reinterpret_cast<uint32_t *>(reinterpret_cast<char *>(rows) + (row_place | lane));
}

/* What the plain way through a group does not do: NaN and infinities count and do not
 * add; subnormals count, with a histogram by their leading bit. Reads the group again,
 * element by element: keeping it for a rare use would cost more. */
template <typename T>
__device__ __forceinline__ void take_specials(ThreadStats<T> &own, BlockStats<T> &block,
                                              uint32_t *rows, bool histogram, const Path<T> &path,
                                              int32_t first) {
  using F = Format<T>;
  uint32_t nan = 0;
  uint32_t inf = 0;
  uint32_t subnormal = 0;
#pragma unroll 1
  for (int32_t k = first; k < first + stats_group_packs<T>; k++) {
    const T *pack = path.from + k * path.step;
    const int32_t width = width_of(path.walk, k);
#pragma unroll 1
    for (int32_t i = 0; i < width; i++) {
      const Compute<T> x = widen(pack[i]);
      const typename F::Bits bits = F::magnitude(x);
      nan += bits > F::infinity;
      inf += bits == F::infinity;
      if (bits >= F::infinity) continue;
      add_value(own.sum, own.sum_sq, static_cast<double>(x));
      own.max = Larger{}(own.max, bits);
      own.min = Larger{}(own.min, 0 - bits);
      if (bits - 1 >= F::min_normal - 1) continue;
      subnormal++;
      if (!F::subnormal_rows || !histogram) continue;
      const uint32_t row = static_cast<uint32_t>(F::subnormal_row(bits));
      atomicAdd(counter_at<T>(rows, row * stats_row_bytes<T>), 1u);
    }
  }
  own.finite -= nan + inf;
  if (nan > 0) atomicAdd(&block.nan, nan);
  if (inf > 0) atomicAdd(&block.inf, inf);
  if (subnormal > 0 && !histogram) atomicAdd(&block.subnormal, subnormal);
}

template <typename T>
__device__ __forceinline__ void
take_group(ThreadStats<T> &own, BlockStats<T> &block, uint32_t *rows, const StatsWish<T> &wish,
           const Words (&group)[stats_group_packs<T>], const Path<T> &path, int32_t first) {
  using F = Format<T>;
  using Bits = typename F::Bits;
  constexpr int V = lanes_of<T>;
  constexpr int N = V * stats_group_packs<T>;
  Compute<T> x[N];
  Bits max = 0;
  Bits min = 0;
#pragma unroll
  for (int i = 0; i < N; i++) {
    x[i] = Unpack<T>::at(group[i / V], i % V);
    max = Larger{}(max, F::magnitude(x[i]));
    min = Larger{}(min, 0 - F::magnitude(x[i]));
  }
  const bool subnormal = min > 0 - F::min_normal && (F::subnormal_rows || !wish.histogram);
  if (max < F::infinity && !subnormal) {
    own.max = Larger{}(own.max, max);
    own.min = Larger{}(own.min, min);
#pragma unroll
    for (int i = 0; i < N; i++) add_value(own.sum, own.sum_sq, static_cast<double>(x[i]));
  } else {
    take_specials<T>(own, block, rows, wish.histogram, path, first);
  }
  if (wish.histogram) {
#pragma unroll
    for (int i = 0; i < N; i++) {
      const uint32_t row_place = F::template row_times<stats_row_bytes<T>>(F::magnitude(x[i]));
      atomicAdd(counter_at<T>(rows, row_place), 1u);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) { /* the difference's first bit: not zero */
      own.finite += static_cast<uint32_t>((0 - F::magnitude(x[i])) >> (8 * sizeof(Bits) - 1));
    }
  }
  if (wish.saturation) {
#pragma unroll
    for (int i = 0; i < N; i++) own.saturated += (x[i] <= wish.low) | (x[i] >= wish.high);
  }
  if (wish.dead) {
#pragma unroll
    for (int i = 0; i < N; i++) own.alive |= F::magnitude(x[i]) != 0 ? 1u << i % V : 0u;
  }
}

/* Adds the threads' results up. The caller synchronises. */
template <typename T>
__device__ __forceinline__ void publish(const ThreadStats<T> &own, BlockStats<T> &block,
                                        const StatsWish<T> &wish, const PackWalk &walk) {
  using Bits = typename Format<T>::Bits;
  constexpr unsigned V = lanes_of<T>;
  const double sum = warp_reduce(own.sum, Add{});
  const double sum_sq = warp_reduce(own.sum_sq, Add{});
  const Bits max = warp_reduce(own.max, Larger{});
  const Bits min = warp_reduce(own.min, Larger{});
  const uint32_t finite = wish.histogram ? 0 : warp_reduce(own.finite, Add{});
  const uint32_t saturated = wish.saturation ? warp_reduce(own.saturated, Add{}) : 0;
  if (threadIdx.x % 32 == 0) {
    block.sum[threadIdx.x / 32] = sum;
    block.sum_sq[threadIdx.x / 32] = sum_sq;
    atomicMax(&block.max, max);
    atomicMax(&block.min, min);
    if (finite > 0) atomicAdd(&block.finite, finite);
    if (saturated > 0) atomicAdd(&block.saturated, saturated);
  }
  if (wish.dead && own.alive) {
    const unsigned first = static_cast<unsigned>(walk.across) * V;
    atomicOr(&block.alive[first / 32], own.alive << first % 32);
  }
}

/* f64: squares leave the range at 2^+-512. Then the sums are made again, of elements
 * shifted by the part's largest exponent (by no more than a factor that f64 holds).
 * All threads call it, after the block's extremes are there. */
__device__ inline void mend_sums(const Path<double> &path, BlockStats<double> &block) {
  using F = Format<double>;
  constexpr int V = lanes_of<double>;
  constexpr int GROUP = stats_group_packs<double>;
  const int32_t peak = peak_of(F::value(block.max));
  if (peak == GS_PEAK_NONE || (peak >= -400 && peak <= 400)) return;
  const int32_t prescale = peak < -1000 ? -1000 : peak > 1000 ? 1000 : peak;
  const double factor = gs_scale_factor(-prescale);
  double sum = 0;
  double sum_sq = 0;
  walk_groups<double>(path, [&](const Words(&group)[GROUP], int32_t) {
#pragma unroll
    for (int i = 0; i < GROUP * V; i++) {
      const double x = Unpack<double>::at(group[i / V], i % V);
      add_value(sum, sum_sq, F::magnitude(x) < F::infinity ? x * factor : 0.0);
    }
  });
  sum = warp_reduce(sum, Add{});
  sum_sq = warp_reduce(sum_sq, Add{});
  if (threadIdx.x % 32 == 0) {
    block.sum[threadIdx.x / 32] = sum;
    block.sum_sq[threadIdx.x / 32] = sum_sq;
  }
  if (threadIdx.x == 0) block.prescale = prescale;
  __syncthreads();
}

/* A row's counters added up. Threads of neighbouring rows begin at different counters:
 * they would all meet in one bank otherwise. */
template <typename T>
__device__ __forceinline__ uint32_t count_of_row(const uint32_t *rows, int at) {
  constexpr int QUADS = stats_copies<T> / 4;
  const Pack<uint32_t, 4> *quads = reinterpret_cast<const Pack<uint32_t, 4> *>(rows) + at * QUADS;
  uint32_t count = 0;
#pragma unroll
  for (int i = 0; i < QUADS; i++) {
    const Pack<uint32_t, 4> four = quads[(i + at) % QUADS];
    count += (four.at[0] + four.at[1]) + (four.at[2] + four.at[3]);
  }
  return count;
}

/* Calls put(bin, count) for every bin, count 0 included, and counts in the block's
 * finite and subnormal elements. After the block's extremes are there. */
template <typename T, typename Put>
__device__ __forceinline__ void count_bins(const uint32_t *rows, BlockStats<T> &block, Put put) {
  using F = Format<T>;
  const int min = F::row(0 - block.min); /* rows outside min..max are empty */
  const int max = F::row(block.max);
  for (int at = static_cast<int>(threadIdx.x); at < F::rows; at += PART_THREADS) {
    const int bin = F::bin(at);
    const bool filled = at <= max ? at >= min : at >= F::wide_exponents && min == 0;
    if (bin < 0) continue;
    const uint32_t count = filled ? count_of_row<T>(rows, at) : 0;
    if (count > 0) atomicAdd(&block.finite, count);
    if (count > 0 && bin < F::subnormal_bins) atomicAdd(&block.subnormal, count);
    put(bin, count);
  }
}

template <typename T> __device__ __forceinline__ void clear(BlockStats<T> &block) {
  constexpr unsigned WORDS = sizeof block.alive / sizeof block.alive[0];
  if (threadIdx.x < WORDS) block.alive[threadIdx.x] = 0;
  if (threadIdx.x > 0) return;
  block.max = 0;
  block.min = 0;
  block.nan = 0;
  block.inf = 0;
  block.finite = 0;
  block.subnormal = 0;
  block.saturated = 0;
  block.prescale = 0;
}

/* Reads a part: everything of BlockStats but, with a histogram, finite and subnormal,
 * which count_bins adds. rows: all counters, or NULL without a histogram. All threads
 * call it; ends synchronised. */
template <typename T>
__device__ void read_part(const Path<T> &path, const StatsWish<T> &wish, uint32_t *rows,
                          BlockStats<T> &block) {
  constexpr int V = lanes_of<T>;
  constexpr int GROUP = stats_group_packs<T>;
  clear(block);
  if (wish.histogram) {
    Pack<uint32_t, 4> *quads = reinterpret_cast<Pack<uint32_t, 4> *>(rows);
    for (unsigned i = threadIdx.x; i < stats_counter_bytes<T> / sizeof *quads; i += PART_THREADS) {
      quads[i] = Pack<uint32_t, 4>{};
    }
  }
  __syncthreads();
  ThreadStats<T> own{};
  walk_groups<T>(path, [&](const Words(&group)[GROUP], int32_t first) {
    take_group<T>(own, block, rows, wish, group, path, first);
  });
  const PackWalk &walk = path.walk;
  if (wish.saturation && walk.count > 0 && (0 <= wish.low || 0 >= wish.high)) {
    /* zeros that filled the last groups */
    const int32_t taken = (walk.count + GROUP - 1) / GROUP * GROUP * V;
    const int32_t there = (walk.count - 1) * walk.width + walk.last_width;
    own.saturated -= static_cast<uint32_t>(taken - there);
  }
  publish<T>(own, block, wish, walk);
  __syncthreads();
}

} // namespace gs

#endif
