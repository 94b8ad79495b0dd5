// Barriers, fences and warp operations of device code.
#ifndef GS_CUDA_ON_CPU_WARPS_H
#define GS_CUDA_ON_CPU_WARPS_H

#include <cstring>
#include <type_traits>

#include "device.h"

// The place of a call, as default arguments see it.
#define GS_SIM_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace gs_sim {

// The lane that a shuffle reads: `width` lanes, a power of two, form a group of
// their own; a source outside it is the lane itself.
inline int group_of(int width) { return static_cast<int>(lane_number()) & ~(width - 1); }
inline int within(int source, int width) {
  const int group = group_of(width);
  return source >= group && source < group + width ? source : static_cast<int>(lane_number());
}

template <class T> T shuffle(unsigned mask, T value, int source, Site site) {
  static_assert(sizeof(T) <= sizeof(ShuffleValue) && std::is_trivially_copyable<T>::value,
                "shuffles move small plain values");
  ShuffleValue moved = {};
  std::memcpy(&moved, &value, sizeof(T));
  moved = warp_shuffle(mask, moved, static_cast<unsigned>(source), site);
  std::memcpy(&value, &moved, sizeof(T));
  return value;
}

} // namespace gs_sim

inline void __syncthreads(GS_SIM_HERE) { gs_sim::block_barrier({file, line}); }
inline void __syncwarp(unsigned mask = 0xffffffffu, GS_SIM_HERE) {
  gs_sim::warp_barrier(mask, {file, line});
}
inline void __threadfence() { gs_sim::fence(); }
inline void __threadfence_block() { gs_sim::fence(); }
inline void __threadfence_system() { gs_sim::fence(); }

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32, GS_SIM_HERE) {
  const int lane = gs_sim::group_of(width) + (source & (width - 1));
  return gs_sim::shuffle(mask, value, lane, {file, line});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, GS_SIM_HERE) {
  const int lane = static_cast<int>(gs_sim::lane_number()) ^ bits;
  // Lanes of a later group cannot be read; those of an earlier one can.
  const int source = lane < gs_sim::group_of(width) + width ? lane : gs_sim::within(lane, width);
  return gs_sim::shuffle(mask, value, source, {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, GS_SIM_HERE) {
  const int lane = static_cast<int>(gs_sim::lane_number() + distance);
  return gs_sim::shuffle(mask, value, gs_sim::within(lane, width), {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, GS_SIM_HERE) {
  const int lane = static_cast<int>(gs_sim::lane_number()) - static_cast<int>(distance);
  return gs_sim::shuffle(mask, value, gs_sim::within(lane, width), {file, line});
}

inline unsigned __ballot_sync(unsigned mask, int predicate, GS_SIM_HERE) {
  return gs_sim::warp_ballot(mask, predicate != 0, {file, line});
}
inline int __any_sync(unsigned mask, int predicate, GS_SIM_HERE) {
  return gs_sim::warp_ballot(mask, predicate != 0, {file, line}) != 0;
}
inline int __all_sync(unsigned mask, int predicate, GS_SIM_HERE) {
  return gs_sim::warp_ballot(mask, predicate != 0, {file, line}) == mask;
}

// Clusters, as kernels/language.h has them.
inline void gs_cluster_barrier(GS_SIM_HERE) { gs_sim::cluster_barrier({file, line}); }
template <class T> T *gs_cluster_shared(T *shared, unsigned block) {
  return static_cast<T *>(gs_sim::cluster_shared(shared, block));
}

#undef GS_SIM_HERE

#endif
