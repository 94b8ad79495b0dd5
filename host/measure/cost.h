/* What one step costs on paper: the floor that timings are held against. */
#ifndef GS_MEASURE_COST_H
#define GS_MEASURE_COST_H

#include "device/device.h"
#include "net/cost.h"

/* What a cost takes at a device's measured limits. */
typedef struct gs_least_time {
  double arithmetic_ns; /* NaN: the dtype's peak was not measured */
  double traffic_ns;
  double barriers_ns; /* 0 where nothing was measured to wait for */
  double floor_ns;    /* the largest of these three: no device of such limits is faster */
  double launches_ns; /* of today's implementation; not part of the floor */
} gs_least_time;

gs_least_time gs_cost_least_time(const gs_cost *cost, gs_dtype dtype, const gs_floor *floor);

#endif
