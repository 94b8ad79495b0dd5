/* The loop over all steps, as both passes run it (persistent.cu): in step k = 0 .. T - 1
 * a tile's blocks multiply the block of rows that step k - 1 wrote and turn the sums into
 * the next one, every block its own columns.
 *
 * Order between blocks: outputs and peaks of a step are written, then every thread of the
 * block meets (__syncthreads), then one counts the block as arrived (release); it waits
 * until the whole barrier group has been counted (acquire) and lets the block go on, whose loads
 * bypass L1 (load_fresh). Inside a block without others the meeting is enough. */
#ifndef GS_KERNELS_PERSISTENT_LOOP_CUH
#define GS_KERNELS_PERSISTENT_LOOP_CUH

#include "kernels/persistent_product.cuh"
#include "kernels/waiting.cuh"

namespace gs::persistent {

constexpr int MAX_PARTS = MAX_WARPS * MAX_WARPS * 32;

/* What a thread is there for. */
struct Place {
  int team;
  int barrier_group; /* index of its counter */
  bool leads;        /* the team */
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
  place.barrier_group = plan.coupled ? place.team : block / plan.blocks;
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

/* A barrier group has a counter of its own (waiting.cuh). */
template <typename U> __device__ __forceinline__ U *counter_of(U *counters, const Place &place) {
  return counters + place.barrier_group * COUNTER_WORDS;
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

__device__ __forceinline__ float largest(const float *peaks) {
  const int warps = static_cast<int>(blockDim.x) / 32;
  float max = peaks[0];
  for (int warp = 1; warp < warps; warp++) max = Larger{}(max, peaks[warp]);
  return max;
}

/* The block's threads meet; then one raises the step's slot to the block's peak and counts
 * the block as arrived, if another step follows. peaks: [MAX_WARPS], one of two in turn. */
__device__ __forceinline__ void end_step(const Plan &plan, const Place &place, uint32_t *counters,
                                         gs_scale *slot, float max, float *peaks, bool more) {
  if (slot) {
    max = warp_reduce(max, Larger{});
    if (place.lane == 0) peaks[threadIdx.x / 32] = max;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    if (slot) max = largest(peaks);
    if (slot && max > 0) atomicMax(&slot->peak, peak_of(max));
    if (more && plan.barrier_group > 1) arrive(counter_of(counters, place));
  }
}

/* Waits until the step before has ended everywhere. */
__device__ __forceinline__ void await_step(const Plan &plan, const Place &place,
                                           const uint32_t *counters, uint32_t due) {
  if (plan.barrier_group == 1) return;
  if (threadIdx.x == 0) await(counter_of(counters, place), due);
  __syncthreads();
}

/* The peak of the step before, if it has a slot; a block alone knows it without. */
__device__ __forceinline__ int32_t step_peak(const Plan &plan, const gs_scale *slot,
                                             const float *peaks) {
  if (!slot) return GS_PEAK_NONE;
  return plan.barrier_group == 1 ? peak_of(largest(peaks)) : __ldcg(&slot->peak);
}

/* ---- the loop ---- */

/* The element that a thread finishes in a round: its row in the first one, and column. */
__device__ __forceinline__ int first_row_of(const Place &place) {
  return 2 * place.slice + place.lane / UNITS;
}
__device__ __forceinline__ int col_of(const Place &place) {
  return place.unit + place.lane % UNITS;
}

/* The slot of what step k reads, NULL without slots. */
template <typename Pass>
__device__ __forceinline__ gs_scale *slot_of(const Pass &pass, const Plan &plan, int replica,
                                             int k) {
  gs_scale *slots = pass.states().scale;
  return slots ? &slots[pass.source(k) * plan.replicas + replica] : nullptr;
}

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

/* All rounds of step k. x: its first pair of rows, already loaded; rows: those behind it.
 * ahead: the operands of the first round, already fetched; afterwards those of the next
 * step's. */
template <bool WHOLE, typename T, int INPUTS, typename Pass, typename Scale, typename Operands>
__device__ __forceinline__ void run_rounds(const Pass &pass, const Plan &plan, const Place &place,
                                           int replica, int k, const float (&m)[UNITS][INPUTS],
                                           Inputs<T, INPUTS> (&x)[2], Rows<T> rows,
                                           const Scale &scale, Operands &ahead, float &max,
                                           float (&parts)[2][MAX_PARTS], unsigned &rounds_done) {
  const bool multiplies = pass.multiplies(k);
  const int col = col_of(place);
  int row = first_row_of(place);
  for (int first = 0; first < place.rows; first += 2 * plan.slices) { /* the round's first row */
    const Operands operands = ahead;
    if (first + 2 * plan.slices < place.rows) {
      ahead = pass.fetch(plan, place, replica, k, row + 2 * plan.slices, col);
    } else if (k + 1 < plan.steps) {
      ahead = pass.fetch(plan, place, replica, k + 1, first_row_of(place), col);
    }
    float sum = 0;
    if (multiplies) {
      const int pairs = (place.rows - first + 1) / 2;
      sum = round_sum<WHOLE>(m, x, rows, plan.slices, place,
                             pairs < plan.slices ? pairs : plan.slices, parts[rounds_done++ % 2]);
    }
    if (row < place.rows && col < plan.n) {
      raise_magnitude(max, pass.finish(plan, place, replica, k, row, col, sum, operands, scale));
    }
    row += 2 * plan.slices;
  }
}

template <bool WHOLE, typename T, int INPUTS, typename Pass>
__device__ __forceinline__ void run_loop(const Pass &pass, const Plan &plan, uint32_t *counters) {
  GS_SHARED_ARRAY(float, parts, [2][MAX_PARTS]);
  GS_SHARED_ARRAY(float, peaks, [2][MAX_WARPS]);
  const Place place = place_of(plan);
  unsigned rounds_done = 0; /* these choose between the two halves of shared memory */
  unsigned steps_done = 0;
  uint32_t due = 0;
  for (int replica = place.team; replica < plan.replicas; replica += plan.teams) {
    float m[UNITS][INPUTS];
    pass.load_weights(m, plan, place, replica);
    arrange(m, place.lane);
    Inputs<T, INPUTS> x[2] = {}; /* inputs beyond n stay 0 */
    gs_scale before = pass.start(replica);
    auto slot_ahead = pass.fetch_slot(plan, replica, 0);
    auto ahead = pass.fetch(plan, place, replica, 0, first_row_of(place), col_of(place));
    for (int k = 0; k < plan.steps; k++) {
      const bool more = k + 1 < plan.steps;
      const auto step_slot = slot_ahead;
      if (more) slot_ahead = pass.fetch_slot(plan, replica, k + 1);
      if (k > 0) await_step(plan, place, counters, due);
      Rows<T> rows = rows_of<T, INPUTS>(pass, plan, place, replica, k);
      if (pass.multiplies(k)) { /* on their way while the peak comes */
        load_row<WHOLE>(x[0], rows);
        load_row<WHOLE>(x[1], rows);
      }
      if (k > 0) {
        before.peak = step_peak(plan, slot_of(pass, plan, replica, k), peaks[(steps_done + 1) % 2]);
      }
      const auto scale = pass.rescale(before, step_slot, k);
      float max = 0;
      run_rounds<WHOLE>(pass, plan, place, replica, k, m, x, rows, scale, ahead, max, parts,
                        rounds_done);
      gs_scale *slot = slot_of(pass, plan, replica, k + 1);
      end_step(plan, place, counters, slot, max, peaks[steps_done % 2], more);
      if (slot && place.leads) slot->exponent = scale.exponent;
      before.exponent = scale.exponent;
      steps_done++;
      if (more) due += static_cast<uint32_t>(plan.barrier_group);
    }
  }
  if (threadIdx.x == 0 && plan.barrier_group > 1) {
    leave(counter_of(counters, place), due + static_cast<uint32_t>(plan.barrier_group));
  }
}

} // namespace gs::persistent

#endif
