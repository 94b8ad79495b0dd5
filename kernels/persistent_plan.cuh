/* How a recurrent loop is cut for the kernel that runs all of its steps
 * (persistent.cu), and what a step so cut may cost.
 *
 * A warp keeps UNITS outputs x 32 * inputs inputs of W in its registers; `slices` warps
 * cover all inputs, `groups` of such warps stand in one block, `blocks` blocks hold all
 * of W. This cut, and with it the order of all additions, depends on n alone.
 *
 * Rows of the batch never meet inside a step, so that the batch may be cut, too: into
 * `tiles`, each with a copy of W. And replicas are taken by `teams` of tiles * blocks
 * blocks, in turn where not all fit on the device at once. Neither changes any bit.
 *
 * Blocks wait for each other after every step in a barrier group: a tile's blocks, which read
 * each other's outputs; all of a team's where the tiles must agree on a peak. */
#ifndef GS_KERNELS_PERSISTENT_PLAN_CUH
#define GS_KERNELS_PERSISTENT_PLAN_CUH

#include "device/tensor.h"

namespace gs::persistent {

constexpr int UNITS = 16;                /* outputs of a warp */
constexpr int MAX_WARPS = 8;             /* of a block: 128 weights and 127 other registers each */
constexpr int MAX_UNITS = 2048;          /* n: MAX_WARPS slices of 32 * 8 inputs */
constexpr int MAX_BARRIER_GROUPS = 1024; /* that have a counter */
constexpr int COUNTER_WORDS = 8;         /* between counters: 32 bytes, a sector of L2 */

/* What is to be cut. */
struct Loop {
  int n, batch, steps, replicas;
  bool tracked; /* exponent slots: tiles must agree on a peak at every step */
  size_t element_bytes;
};

struct Plan {
  int n, batch, steps, replicas;
  int inputs; /* of a lane: 4 or 8 */
  int slices, groups, blocks;
  int tiles, rows;   /* rows: of a tile, even; the last may have less */
  int teams;         /* 0: does not fit */
  bool coupled;      /* a barrier group is a team, not a tile */
  int barrier_group; /* blocks of a barrier group */
};

inline bool supported(const gs_recurrence &recurrence, gs_dtype dtype) {
  return recurrence.w_step == 0 && recurrence.w.rows >= 1 && recurrence.w.rows <= MAX_UNITS &&
         (dtype == GS_F32 || dtype == GS_BF16 || dtype == GS_F16);
}

inline Loop loop_of(const gs_recurrence &recurrence, int64_t batch, int64_t replicas,
                    bool tracked) {
  Loop loop;
  loop.n = static_cast<int>(recurrence.w.rows);
  loop.batch = static_cast<int>(batch);
  loop.steps = static_cast<int>(recurrence.steps);
  loop.replicas = static_cast<int>(replicas);
  loop.tracked = tracked;
  loop.element_bytes = gs_dtype_bytes(recurrence.w.dtype);
  return loop;
}

inline int divide_up(int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); }

inline int warps_of(const Plan &plan) { return plan.slices * plan.groups; }
inline int barrier_groups_of(const Plan &plan) {
  return plan.coupled ? plan.teams : plan.teams * plan.tiles;
}

/* The part that depends on n alone. Up to 128 units one block holds all of W, and no
 * block waits for another. Above, a block has at least a warp for each of a
 * multiprocessor's four schedulers. */
inline Plan cut_of(const Loop &loop) {
  Plan plan{};
  plan.n = loop.n;
  plan.batch = loop.batch;
  plan.steps = loop.steps;
  plan.replicas = loop.replicas;
  plan.inputs = loop.n <= 128 ? 4 : 8;
  plan.slices = divide_up(loop.n, 32 * plan.inputs);
  plan.groups = loop.n <= 128 ? divide_up(loop.n, UNITS) : plan.slices <= 4 ? 4 / plan.slices : 1;
  plan.blocks = divide_up(loop.n, UNITS * plan.groups);
  return plan;
}

/* Cycles of one step of all replicas. An estimate, not a measurement, from these parts:
 *   issue    a warp takes 2 rows by 2 * UNITS * inputs multiply-adds, 31 exchanges
 *            between lanes with an addition each, and some 100 instructions for loads,
 *            addresses and the pointwise part; a multiprocessor issues 4 a cycle
 *   L2       every group of UNITS outputs reads all of h; 24 bytes a cycle and
 *            multiprocessor (5.5 TB/s on an H100)
 *   latency  of the first loads, the pointwise part, the stores: 700 cycles
 *   barrier  1900 cycles (1.1 us on an H100) where blocks wait for blocks */
inline double step_cycles(const Loop &loop, const Plan &plan, int multiprocessors) {
  const double rounds = divide_up(loop.replicas, plan.teams);
  const int blocks = plan.teams * plan.tiles * plan.blocks;
  const double warps = divide_up(divide_up(blocks, multiprocessors) * warps_of(plan), 4);
  const double issue = warps * (plan.rows / 2) * (2 * UNITS * plan.inputs + 2 * 31 + 100);
  const double bytes = static_cast<double>(plan.teams) * divide_up(loop.n, UNITS) * loop.batch *
                       loop.n * static_cast<double>(loop.element_bytes);
  const double level2 = bytes / (24.0 * multiprocessors);
  const double wait = plan.barrier_group > 1 ? 1900 : 0;
  return rounds * ((issue > level2 ? issue : level2) + 700 + wait);
}

/* The cheapest plan on a device that holds per_multiprocessor blocks at a time on each of
 * its multiprocessors; teams 0 where W does not fit. */
inline Plan plan_of(const Loop &loop, int multiprocessors, int per_multiprocessor) {
  Plan best = cut_of(loop);
  const int copies = multiprocessors * per_multiprocessor / best.blocks; /* of W, at once */
  if (copies == 0 || loop.replicas < 1 || loop.batch < 1) return best;
  const int max = copies < MAX_BARRIER_GROUPS ? copies : MAX_BARRIER_GROUPS;
  const int turns = divide_up(loop.replicas, max);
  const int teams = divide_up(loop.replicas, turns);
  const int pairs = divide_up(loop.batch, 2);
  double min = 0;
  for (int tiles = 1; tiles <= pairs && tiles <= copies / teams; tiles++) {
    Plan plan = best;
    plan.teams = teams;
    plan.rows = 2 * divide_up(pairs, tiles);
    plan.tiles = divide_up(loop.batch, plan.rows);
    plan.coupled = loop.tracked && plan.tiles > 1;
    plan.barrier_group = plan.coupled ? plan.blocks * plan.tiles : plan.blocks;
    const double cycles = step_cycles(loop, plan, multiprocessors);
    const bool counted = plan.barrier_group == 1 || barrier_groups_of(plan) <= MAX_BARRIER_GROUPS;
    if (counted && (tiles == 1 || cycles < min)) {
      best = plan;
      min = cycles;
    }
  }
  return best;
}

} // namespace gs::persistent

#endif
