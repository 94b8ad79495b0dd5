/* From parts to statistics. A *unit* is one job's tensor at one step and replica. A unit
 * of one part is written by the block that read it. The blocks of a larger unit gather
 * in scratch, integers by atomic operations, whose order does not matter, and float64
 * sums part by part; the last of them adds the sums in a fixed order, writes the
 * statistics and leaves the scratch at zero. */
#ifndef GS_KERNELS_STATS_UNIT_CUH
#define GS_KERNELS_STATS_UNIT_CUH

#include "device/scale.h"
#include "kernels/stats_block.cuh"

namespace gs {

/* Elements of a part: 64 KiB of them, so that what a block does but once stays small beside
 * what it reads, and a tensor of a million elements still keeps a GPU busy. */
constexpr int64_t stats_part_elements(int64_t element_bytes) { return 65536 / element_bytes; }

/* A range of one job's units, as kernels see it. */
struct StatsEntry {
  const void *data;
  const gs_scale *scale;
  gs_stats *stats;
  uint32_t *histogram;
  unsigned char *scratch; /* of units of several parts */
  uint64_t unit_bytes;    /* of scratch */
  int64_t step_stride, replica_stride;
  int64_t first_step;
  uint32_t first_replica; /* of first_step, where the range begins */
  uint32_t replicas;
  int64_t elements, columns; /* of a unit */
  Parts parts;
  double low, high;
  bool saturation, dead;
};

/* Scratch of a unit: this, then the sums of its parts, its histogram, and a bit for each
 * column. */
struct UnitCounts {
  unsigned long long nan, inf, finite, subnormal, saturated;
  unsigned long long max, min; /* as in BlockStats */
};
struct UnitScratch {
  UnitCounts counts;
  uint32_t arrived; /* blocks */
  uint32_t unused;
};
struct PartSums {
  double sum, sum_sq;
  int64_t prescale;
};

inline size_t unit_scratch_bytes(int64_t parts, int64_t bins, int64_t columns) {
  const size_t words = static_cast<size_t>(bins + (columns + 31) / 32);
  const size_t bytes = sizeof(UnitScratch) + static_cast<size_t>(parts) * sizeof(PartSums) +
                       words * sizeof(uint32_t);
  return (bytes + 255) / 256 * 256; /* no two units in one line of a cache */
}

struct Unit {
  int64_t step, replica;
  int64_t index; /* [steps][R] */
};

__device__ __forceinline__ Unit unit_of(const StatsEntry &job, uint32_t place) {
  const uint32_t replica = job.first_replica + place;
  const uint32_t step = replica / job.replicas;
  Unit unit;
  unit.step = job.first_step + step;
  unit.replica = replica - step * job.replicas;
  unit.index = unit.step * job.replicas + unit.replica;
  return unit;
}

/* What statistics are written from. */
struct UnitTotals {
  int64_t nan, inf, finite, subnormal, saturated, dead;
  double sum, sum_sq, max, min;
  int64_t prescale;
};

/* By one thread. */
__device__ inline void write_stats(const StatsEntry &job, const Unit &unit,
                                   const UnitTotals &totals) {
  const int64_t exponent = job.scale ? job.scale[unit.index].exponent : 0;
  gs_stats stats;
  stats.count = job.elements;
  stats.nan = totals.nan;
  stats.inf = totals.inf;
  stats.zero = job.elements - totals.finite - totals.nan - totals.inf;
  stats.subnormal = totals.subnormal;
  stats.saturated = totals.saturated;
  stats.dead = totals.dead;
  stats.sum = gs_scaled_canonical(totals.sum, exponent + totals.prescale);
  stats.sum_sq = gs_scaled_canonical(totals.sum_sq, 2 * (exponent + totals.prescale));
  stats.min_abs = totals.min;
  stats.max_abs = totals.max;
  stats.exponent = exponent;
  job.stats[unit.index] = stats;
}

template <typename T> __device__ __forceinline__ PartSums sums_of(const BlockStats<T> &block) {
  PartSums sums;
  sums.sum = 0;
  sums.sum_sq = 0;
  sums.prescale = block.prescale;
  for (int warp = 0; warp < STATS_WARPS; warp++) {
    sums.sum += block.sum[warp];
    sums.sum_sq += block.sum_sq[warp];
  }
  return sums;
}

/* A unit of one part, whose only strip has all columns. All threads call it. */
template <typename T>
__device__ void finish_block(const StatsEntry &job, const Unit &unit, const uint32_t *rows,
                             BlockStats<T> &block) {
  using F = Format<T>;
  if (job.histogram) {
    uint32_t *bins = job.histogram + unit.index * F::bins;
    count_bins<T>(rows, block, [&](int bin, uint32_t count) { bins[bin] = count; });
    __syncthreads();
  }
  int alive = 0;
  if (job.dead && threadIdx.x < 32) {
    constexpr unsigned WORDS = sizeof block.alive / sizeof block.alive[0];
    for (unsigned i = threadIdx.x; i < WORDS; i += 32) {
      alive += __popc(block.alive[i]);
    }
    alive = warp_reduce(alive, Add{});
  }
  if (threadIdx.x == 0) {
    const PartSums sums = sums_of<T>(block);
    UnitTotals totals;
    totals.nan = block.nan;
    totals.inf = block.inf;
    totals.finite = block.finite;
    totals.subnormal = block.subnormal;
    totals.saturated = block.saturated;
    totals.dead = job.dead ? job.columns - alive : 0;
    totals.sum = sums.sum;
    totals.sum_sq = sums.sum_sq;
    totals.max = F::value(block.max);
    totals.min = F::value(0 - block.min);
    totals.prescale = sums.prescale;
    write_stats(job, unit, totals);
  }
}

/* Where a unit's blocks meet. */
struct UnitPlace {
  UnitCounts *counts;
  uint32_t *arrived;
  PartSums *sums;
  uint32_t *bins;
  uint32_t *alive;
};
__device__ __forceinline__ UnitPlace unit_place(const StatsEntry &job, uint32_t place, int bins) {
  unsigned char *base = job.scratch + place * job.unit_bytes;
  UnitPlace at;
  UnitScratch *scratch = reinterpret_cast<UnitScratch *>(base);
  at.counts = &scratch->counts;
  at.arrived = &scratch->arrived;
  at.sums = reinterpret_cast<PartSums *>(base + sizeof(UnitScratch));
  at.bins = reinterpret_cast<uint32_t *>(at.sums + job.parts.count);
  at.alive = at.bins + bins;
  return at;
}

__device__ __forceinline__ void gather(unsigned long long *total, unsigned long long count) {
  if (count > 0) atomicAdd(total, count);
}

/* Adds one part's results to its unit's. All threads call it. */
template <typename T>
__device__ void gather_part(const StatsEntry &job, const UnitPlace &at, uint32_t part,
                            const uint32_t *rows, BlockStats<T> &block) {
  if (job.histogram) {
    count_bins<T>(rows, block, [&](int bin, uint32_t count) {
      if (count > 0) atomicAdd(&at.bins[bin], count);
    });
    __syncthreads();
  }
  if (job.dead) {
    constexpr unsigned WORDS = sizeof block.alive / sizeof block.alive[0];
    const int64_t strip = part % static_cast<uint32_t>(job.parts.strips);
    const int64_t first = strip * job.parts.packs * lanes_of<T> / 32;
    if (threadIdx.x < WORDS && block.alive[threadIdx.x]) {
      atomicOr(&at.alive[first + threadIdx.x], block.alive[threadIdx.x]);
    }
  }
  if (threadIdx.x == 0) {
    at.sums[part] = sums_of<T>(block);
    gather(&at.counts->nan, block.nan);
    gather(&at.counts->inf, block.inf);
    gather(&at.counts->finite, block.finite);
    gather(&at.counts->subnormal, block.subnormal);
    gather(&at.counts->saturated, block.saturated);
    if (block.max > 0) atomicMax(&at.counts->max, block.max);
    /* widened as a difference: 0 - bits of all units' types is 64 bits wide here */
    if (block.min > 0) {
      atomicMax(&at.counts->min, 0 - static_cast<unsigned long long>(0 - block.min));
    }
  }
}

/* The parts' sums at the largest prescale, added thread by thread and then over the
 * block. All threads call it. */
template <typename T> __device__ PartSums add_parts(PartSums *parts, int64_t count) {
  constexpr bool prescaled = sizeof(T) == 8;
  PartSums total;
  total.sum = 0;
  total.sum_sq = 0;
  total.prescale = 0;
  if (prescaled) {
    int64_t max = INT64_MIN;
    for (int64_t i = threadIdx.x; i < count; i += PART_THREADS) {
      /* a part of zeros says nothing */
      if (__ldcg(&parts[i].sum_sq) > 0) max = Larger{}(max, __ldcg(&parts[i].prescale));
    }
    max = block_reduce(max, Larger{});
    if (max > INT64_MIN) total.prescale = max;
  }
  for (int64_t i = threadIdx.x; i < count; i += PART_THREADS) {
    double sum = __ldcg(&parts[i].sum);
    double sum_sq = __ldcg(&parts[i].sum_sq);
    if (prescaled) {
      const int down = static_cast<int>(__ldcg(&parts[i].prescale) - total.prescale);
      sum = ldexp(sum, down);
      sum_sq = ldexp(sum_sq, 2 * down);
    }
    total.sum += sum;
    total.sum_sq += sum_sq;
    parts[i] = PartSums{};
  }
  total.sum = block_reduce(total.sum, Add{});
  total.sum_sq = block_reduce(total.sum_sq, Add{});
  return total;
}

/* Writes a unit's statistics and puts its scratch back to zero. All threads of its last
 * block call it. */
template <typename T>
__device__ void finish_unit(const StatsEntry &job, const Unit &unit, const UnitPlace &at) {
  using F = Format<T>;
  if (job.histogram) {
    uint32_t *bins = job.histogram + unit.index * F::bins;
    for (int i = static_cast<int>(threadIdx.x); i < F::bins; i += PART_THREADS) {
      bins[i] = __ldcg(&at.bins[i]);
      at.bins[i] = 0;
    }
  }
  int64_t alive = 0;
  for (int64_t i = threadIdx.x; job.dead && i < (job.columns + 31) / 32; i += PART_THREADS) {
    alive += __popc(__ldcg(&at.alive[i]));
    at.alive[i] = 0;
  }
  if (job.dead) alive = block_reduce(alive, Add{});
  const PartSums sums = add_parts<T>(at.sums, job.parts.count);
  if (threadIdx.x == 0) {
    using Bits = typename F::Bits;
    UnitTotals totals;
    totals.nan = static_cast<int64_t>(__ldcg(&at.counts->nan));
    totals.inf = static_cast<int64_t>(__ldcg(&at.counts->inf));
    totals.finite = static_cast<int64_t>(__ldcg(&at.counts->finite));
    totals.subnormal = static_cast<int64_t>(__ldcg(&at.counts->subnormal));
    totals.saturated = static_cast<int64_t>(__ldcg(&at.counts->saturated));
    totals.dead = job.dead ? job.columns - alive : 0;
    totals.sum = sums.sum;
    totals.sum_sq = sums.sum_sq;
    totals.max = F::value(static_cast<Bits>(__ldcg(&at.counts->max)));
    totals.min = F::value(static_cast<Bits>(0 - __ldcg(&at.counts->min)));
    totals.prescale = sums.prescale;
    write_stats(job, unit, totals);
    *at.counts = UnitCounts{};
  }
}

} // namespace gs

#endif
