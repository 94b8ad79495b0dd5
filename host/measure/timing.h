/* Timing whole steps by device events: warm-up, then samples until their spread
 * settles or a time limit. Statistics are off; they are measured apart. The
 * network's `launch` says whether the step is replayed as a graph. */
#ifndef GS_MEASURE_TIMING_H
#define GS_MEASURE_TIMING_H

#include "base/json.h"
#include "measure/cost.h"
#include "measure/measure.h"
#include "net/network.h"

enum { GS_TIMING_MAX_SAMPLES = 1000 };

typedef struct gs_timing {
  double samples_ns[GS_TIMING_MAX_SAMPLES]; /* of one step each */
  int64_t count;
  int64_t steps_per_sample; /* short steps are timed several at a time */
  gs_launch launch;         /* what was done: GS_LAUNCH_GRAPH or GS_LAUNCH_EAGER */
} gs_timing;

/* with_statistics times the step with them (benchmarks); records never do.
 * At least one sample is taken, whatever the limit. Errors: of the device;
 * GS_ERR_UNSUPPORTED when a graph is asked for and it has none; GS_ERR_MEMORY. */
gs_status gs_timing_measure(gs_network *network, bool with_statistics, double time_limit_s,
                            double spread, gs_timing *timing, gs_error *error);

/* The record's "timing" object; floor may be NULL. Errors: GS_ERR_MEMORY. */
gs_status gs_timing_json(const gs_timing *timing, const gs_config *config, const gs_floor *floor,
                         cJSON **json, gs_error *error);

#endif
