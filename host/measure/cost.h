/* What one step costs on paper, and the floor: a lower bound on its time, by the ceilings of
 * the device's roofline. "% of floor" is that bound's share of the time measured. */
#ifndef GS_MEASURE_COST_H
#define GS_MEASURE_COST_H

#include "device/facts.h"
#include "net/cost.h"

/* What a cost takes at a device's measured limits, at least. */
typedef struct gs_time_bound {
  double arithmetic_ns; /* NaN: the dtype's peak was not measured */
  double traffic_ns;
  double barriers_ns; /* 0 where nothing was measured to wait for */
  double floor_ns;    /* the largest of these three: no device of such limits is faster */
  double launches_ns; /* of today's implementation; not part of the floor */
} gs_time_bound;

gs_time_bound gs_cost_time_bound(const gs_cost *cost, gs_dtype dtype, const gs_roofline *roofline);

#endif
