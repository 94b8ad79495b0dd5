/* The order of cells in a round of an interleaved run (--interleave). */
#ifndef GS_SWEEP_ORDER_H
#define GS_SWEEP_ORDER_H

#include <stdint.h>

/* order[0..count): a random permutation of 0 .. count - 1 that depends on seed and round
 * alone: Fisher and Yates from the end, the other index for i from word 0 of Philox4x32-10 at
 * counter (i, 0, round) under the seed (base/random.h), times i + 1, divided by 2^32. */
void gs_order_shuffle(int64_t *order, int64_t count, uint64_t seed, int64_t round);

#endif
