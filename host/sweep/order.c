/* The order of cells in a round. See order.h. */
#include "sweep/order.h"

#include "base/random.h"

void gs_order_shuffle(int64_t *order, int64_t count, uint64_t seed, int64_t round) {
  for (int64_t i = 0; i < count; i++) order[i] = i;
  for (int64_t i = count - 1; i > 0; i--) {
    const gs_random_words drawn = gs_random_philox(seed, (uint64_t)i, 0, (uint32_t)round);
    const int64_t other = (int64_t)((uint64_t)drawn.word[0] * (uint64_t)(i + 1) >> 32);
    const int64_t kept = order[i];
    order[i] = order[other];
    order[other] = kept;
  }
}
