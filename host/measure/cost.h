/* What one step costs on paper: the floor that timings are held against. */
#ifndef GS_MEASURE_COST_H
#define GS_MEASURE_COST_H

#include "device/device.h"
#include "net/config.h"

typedef struct gs_cost {
  double flops;     /* multiply-adds count two; products only */
  double bytes;     /* least traffic between memory and processor, nothing fused */
  double dependent; /* products of which each needs the one before */
  double barriers;  /* of those, the ones before which a block's warps must meet */
  double launches;  /* what today's implementation launches for them, one after the other */
  double samples;   /* batch x replicas */
} gs_cost;

/* What a cost takes at a device's measured limits. */
typedef struct gs_least_time {
  double arithmetic_ns; /* NaN: the dtype's peak was not measured */
  double traffic_ns;
  double barriers_ns; /* 0 where nothing was measured to wait for */
  double floor_ns;    /* the largest of these three: no device of such limits is faster */
  double launches_ns; /* of today's implementation; not part of the floor */
} gs_least_time;

/* One step: forward, loss, backward, without statistics. */
gs_cost gs_cost_of(const gs_config *config);

/* 1 where a product that reads so many units of a row has to wait until a block's warps
 * have met, else 0. */
double gs_cost_takes_barrier(int64_t units_read);

gs_least_time gs_cost_least_time(const gs_cost *cost, gs_dtype dtype, const gs_floor *floor);

#endif
