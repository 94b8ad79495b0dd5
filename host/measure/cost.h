/* What one step costs on paper: the floor that timings are held against. */
#ifndef GS_MEASURE_COST_H
#define GS_MEASURE_COST_H

#include "net/config.h"

typedef struct gs_cost {
  double flops;    /* multiply-adds count two; products only */
  double bytes;    /* least traffic between memory and processor, nothing fused */
  double launches; /* fewest operations that must wait for each other */
  double samples;  /* batch x replicas */
} gs_cost;

/* One step: forward, loss, backward, without statistics. */
gs_cost gs_cost_of(const gs_config *config);

#endif
