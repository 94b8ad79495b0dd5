/* What one step costs on paper. Operations add their own (op_*.c); measure/cost.c says what is
 * counted, and why. */
#ifndef GS_NET_COST_H
#define GS_NET_COST_H

#include "net/config.h"

typedef struct gs_cost {
  double flops;     /* multiply-adds count two; products only */
  double bytes;     /* least traffic between memory and processor, nothing fused */
  double dependent; /* products of which each needs the one before */
  double barriers;  /* of those, the ones before which a block's warps must meet */
  double launches;  /* what today's implementation launches for them, one after the other */
  double samples;   /* batch x replicas */
} gs_cost;

/* One step: forward, loss, backward, without statistics. */
gs_cost gs_cost_of(const gs_config *config);

/* 1 where a product that reads so many units of a row has to wait until a block's warps have
 * met, else 0: a warp alone carries a unit in each of its lanes. */
static inline double gs_cost_takes_barrier(int64_t units_read) { return units_read > 32 ? 1 : 0; }

#endif
