// What device code calls: the runtime's side of cuda_on_cpu.h.
#ifndef GS_CUDA_ON_CPU_DEVICE_H
#define GS_CUDA_ON_CPU_DEVICE_H

#include <cstddef>
#include <cstdint>

#include "site.h"

namespace gs_sim {

// The largest value that a shuffle moves.
struct ShuffleValue {
  uint64_t word[2];
};

enum class WarpKind { shuffle, ballot, barrier };

void block_barrier(Site site);
ShuffleValue warp_shuffle(uint32_t mask, ShuffleValue value, unsigned source, Site site);
uint32_t warp_ballot(uint32_t mask, bool predicate, Site site);
void warp_barrier(uint32_t mask, Site site);
unsigned lane_number();
void *shared_object(const void *declaration, size_t bytes);
void *dynamic_shared();
void spin_pause();
void fence();
void cluster_barrier(Site site);
void *cluster_shared(const void *shared, unsigned block);

} // namespace gs_sim

#endif
