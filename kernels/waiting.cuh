/* How the blocks of a cooperative launch wait for each other: by a counter in device
 * memory that counts arrivals, starting from 0, without end (modulo 2^32: what is due is
 * never far from it); the last block of the launch clears it. Only one thread of a block
 * counts, after __syncthreads. */
#ifndef GS_KERNELS_WAITING_CUH
#define GS_KERNELS_WAITING_CUH

#include "kernels/language.h"

namespace gs {

/* What the block wrote before is visible to those who awaited this. */
__device__ __forceinline__ void arrive(uint32_t *counter) { gs_flag_add(counter, 1u); }

/* Until `due` blocks have arrived since the launch began. */
__device__ __forceinline__ void await(const uint32_t *counter, uint32_t due) {
  while (static_cast<int32_t>(gs_flag_load(counter) - due) < 0) GS_SPIN_PAUSE();
}

/* A last arrival: who is the last of `all` knows that nobody waits any more. */
__device__ __forceinline__ void leave(uint32_t *counter, uint32_t all) {
  if (atomicAdd(counter, 1u) + 1 == all) atomicMin(counter, 0u);
}

} // namespace gs

#endif
