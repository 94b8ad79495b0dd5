/* The loop over all steps, as both passes run it (persistent.cu): in step k = 0 .. T - 1
 * a tile's blocks multiply the block of rows that step k - 1 wrote and turn the sums into
 * the next one, every block its own columns.
 *
 * Order between blocks: outputs and peaks of a step are written, then every thread of the
 * block meets (__syncthreads), then one fences and counts the block as arrived; it waits
 * until the whole circle has been counted, fences, and lets the block go on, whose loads
 * bypass L1 (load_fresh). Inside a block without others the meeting is enough. */
#ifndef GS_KERNELS_PERSISTENT_LOOP_CUH
#define GS_KERNELS_PERSISTENT_LOOP_CUH

#include "kernels/persistent_product.cuh"

namespace gs::persistent {

constexpr int MOST_PARTS = MOST_WARPS * MOST_WARPS * 32;

/* What a thread is there for. */
struct Place {
  int team;
  int circle; /* index of its counter */
  bool leads; /* the team */
  int slice, group, lane;
  int first_row, rows; /* of the tile */
  int unit;            /* the warp's first */
};

__device__ __forceinline__ Place place_of(const Plan &plan) {
  Place place;
  const int block = static_cast<int>(blockIdx.x);
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int tile = block / plan.blocks % plan.tiles;
  place.team = block / plan.blocks / plan.tiles;
  place.circle = plan.coupled ? place.team : block / plan.blocks;
  place.leads = block % (plan.blocks * plan.tiles) == 0 && threadIdx.x == 0;
  place.lane = static_cast<int>(threadIdx.x) % 32;
  place.slice = warp % plan.slices;
  place.group = warp / plan.slices;
  place.first_row = tile * plan.rows;
  const int left = plan.batch - place.first_row;
  place.rows = left < plan.rows ? left : plan.rows;
  place.unit = (block % plan.blocks * plan.groups + place.group) * UNITS;
  return place;
}

/* ---- waiting for other blocks ---- */

/* Blocks that wait for each other. The counter counts arrivals, starting from 0, without
 * end (modulo 2^32: `due` is never far from it); the last of the launch clears it. */
struct Circle {
  uint32_t *counter;
  uint32_t size;
  uint32_t due; /* arrivals up to the last meeting */
};

__device__ __forceinline__ Circle circle_at(const Plan &plan, const Place &place,
                                            uint32_t *counters) {
  Circle circle;
  circle.counter = counters + place.circle * COUNTER_WORDS;
  circle.size = static_cast<uint32_t>(plan.coupled ? plan.blocks * plan.tiles : plan.blocks);
  circle.due = 0;
  return circle;
}

/* By one thread, after __syncthreads. */
__device__ __forceinline__ void arrive(const Circle &circle) {
  if (circle.size == 1) return;
  __threadfence();
  atomicAdd(circle.counter, 1u);
}

__device__ __forceinline__ void await(const Circle &circle) {
  if (circle.size == 1) return;
  if (threadIdx.x == 0) {
    while (static_cast<int32_t>(__ldcg(circle.counter) - circle.due) < 0) GS_SPIN_PAUSE();
    __threadfence();
  }
  __syncthreads();
}

/* By one thread, which does not wait any more. Whoever is last knows that nobody does. */
__device__ __forceinline__ void leave(const Circle &circle) {
  if (circle.size == 1) return;
  const uint32_t all = circle.due + circle.size;
  if (atomicAdd(circle.counter, 1u) + 1 == all) atomicMin(circle.counter, 0u);
}

/* ---- one round of a step: as many pairs of rows as there are slices ---- */

/* Warps of all slices make their parts of the sums of a pair; the warp of slice s then
 * adds up those of the round's pair s. Returns the lane's sum: of the round's row
 * 2 * slice + lane / UNITS and unit lane % UNITS.
 * x: the round's first pair, already loaded; afterwards the next round's. pairs: of this
 * round. */
template <bool WHOLE, typename T, int INPUTS>
__device__ __forceinline__ float round_sum(const float (&m)[UNITS][INPUTS],
                                           Inputs<T, INPUTS> (&x)[2], Rows<T> &rows, int slices,
                                           const Place &place, int pairs, float *parts) {
  float *own = parts + place.group * slices * slices * 32 + place.lane;
  float sum = 0;
  for (int pair = 0; pair < pairs; pair++) {
    sum = multiply_pair<WHOLE>(m, x, rows, place.lane);
    if (slices > 1) own[(pair * slices + place.slice) * 32] = sum;
  }
  if (slices == 1) return sum;
  __syncthreads();
  if (place.slice < pairs) {
    own += place.slice * slices * 32;
    sum = own[0];
    for (int s = 1; s < slices; s++) sum += own[s * 32];
  }
  return sum;
}

/* ---- the end of a step ---- */

/* Gathers the block's peak, raises the step's slot to it and counts the block as arrived
 * if another step follows. peaks: [MOST_WARPS], not used by the step before. */
__device__ __forceinline__ void end_step(const Place &place, Circle &circle, gs_scale *slot,
                                         float most, float *peaks, bool more) {
  const int warps = static_cast<int>(blockDim.x) / 32;
  if (slot) {
    most = warp_reduce(most, Larger{});
    if (place.lane == 0) peaks[threadIdx.x / 32] = most;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    if (slot) {
      for (int warp = 0; warp < warps; warp++) most = Larger{}(most, peaks[warp]);
      if (most > 0) atomicMax(&slot->peak, peak_of(most));
    }
    if (more) arrive(circle);
  }
  if (more) circle.due += circle.size;
}

/* The peak of a step that has ended, after await. */
__device__ __forceinline__ int32_t peak_after(const Circle &circle, const gs_scale *slot,
                                              const float *peaks) {
  if (circle.size > 1) return static_cast<int32_t>(__ldcg(&slot->peak));
  const int warps = static_cast<int>(blockDim.x) / 32;
  float most = 0;
  for (int warp = 0; warp < warps; warp++) most = Larger{}(most, peaks[warp]);
  return peak_of(most);
}

/* ---- the loop ---- */

/* The rows that a step reads. */
template <typename T, int INPUTS, typename Pass>
__device__ __forceinline__ Rows<T> rows_of(const Pass &pass, const Plan &plan, const Place &place,
                                           int replica, int k) {
  Rows<T> rows;
  const int input = Share<T, INPUTS>::first(place.slice, place.lane);
  const int64_t row = pass.source(k) * plan.batch + place.first_row;
  rows.next = element<T>(pass.states(), replica, row, 0) + input;
  rows.ld = pass.states().ld;
  rows.count = place.rows;
  rows.left = plan.n - input;
  return rows;
}

/* A Pass says what is multiplied and what becomes of the sums:
 *   states()          the sequence that steps read and write
 *   source(k)         the block of it that step k reads; source(k + 1) it writes
 *   load_weights      its matrix, or that transposed
 *   multiplies(k)     is there a product in step k?
 *   start(replica)    the slot of block source(0)
 *   Operands, fetch   what the pointwise part of an element reads beside the sum
 *   Slot, fetch_slot  what a step's exponent depends on beside the source's slot
 *   rescale           exponent and factors of a step
 *   finish            the pointwise part: stores, and returns the digits stored
 * Operands are fetched a round ahead, slots a step ahead, so that their latency is that of
 * the products and of the waiting. */
template <bool WHOLE, typename T, int INPUTS, typename Pass>
__device__ __forceinline__ void run_loop(const Pass &pass, const Plan &plan, uint32_t *counters) {
  GS_SHARED_ARRAY(float, parts, [2][MOST_PARTS]);
  GS_SHARED_ARRAY(float, peaks, [2][MOST_WARPS]);
  const Place place = place_of(plan);
  const int rounds = (place.rows + 2 * plan.slices - 1) / (2 * plan.slices);
  const int own_row = 2 * place.slice + place.lane / UNITS; /* of the first round */
  const int col = place.unit + place.lane % UNITS;
  const bool tracked = pass.states().scale != nullptr;
  Circle circle = circle_at(plan, place, counters);
  unsigned parity = 0;
  unsigned exchanges = 0;
  for (int replica = place.team; replica < plan.replicas; replica += plan.teams) {
    float m[UNITS][INPUTS];
    pass.load_weights(m, plan, place, replica);
    arrange(m, place.lane);
    Inputs<T, INPUTS> x[2] = {}; /* inputs beyond n stay 0 */
    gs_scale before = pass.start(replica);
    auto slot_ahead = pass.fetch_slot(plan, replica, 0);
    auto ahead = pass.fetch(plan, place, replica, 0, own_row, col);
    for (int k = 0; k < plan.steps; k++) {
      const bool multiplies = pass.multiplies(k);
      Rows<T> rows = rows_of<T, INPUTS>(pass, plan, place, replica, k);
      gs_scale *slot =
          tracked ? &pass.states().scale[pass.source(k + 1) * plan.replicas + replica] : nullptr;
      const auto step_slot = slot_ahead;
      if (k + 1 < plan.steps) slot_ahead = pass.fetch_slot(plan, replica, k + 1);
      if (k > 0) {
        await(circle);
        if (tracked) {
          const gs_scale *last = &pass.states().scale[pass.source(k) * plan.replicas + replica];
          before.peak = peak_after(circle, last, peaks[parity ^ 1]);
        }
      }
      if (multiplies) {
        load_row<WHOLE>(x[0], rows);
        load_row<WHOLE>(x[1], rows);
      }
      const auto scale = pass.rescale(before, step_slot, k);
      float most = 0;
      for (int round = 0; round < rounds; round++) {
        const auto operands = ahead;
        const int row = own_row + round * 2 * plan.slices;
        if (round + 1 < rounds) {
          ahead = pass.fetch(plan, place, replica, k, row + 2 * plan.slices, col);
        } else if (k + 1 < plan.steps) {
          ahead = pass.fetch(plan, place, replica, k + 1, own_row, col);
        }
        float sum = 0;
        if (multiplies) {
          const int pairs = (place.rows + 1) / 2 - round * plan.slices;
          sum = round_sum<WHOLE>(m, x, rows, plan.slices, place,
                                 pairs < plan.slices ? pairs : plan.slices, parts[exchanges++ % 2]);
        }
        if (row < place.rows && col < plan.n) {
          raise_magnitude(most,
                          pass.finish(plan, place, replica, k, row, col, sum, operands, scale));
        }
      }
      end_step(place, circle, slot, most, peaks[parity], k + 1 < plan.steps);
      parity ^= 1;
      before.exponent = scale.exponent;
      if (tracked && place.leads) slot->exponent = scale.exponent;
    }
  }
  if (threadIdx.x == 0) leave(circle);
}

} // namespace gs::persistent

#endif
