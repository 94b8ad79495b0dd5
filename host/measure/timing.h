/* Timing whole steps by device events: warm-up, then samples until the rule of
 * measure/timing_rule.h ends it. Statistics are off; they are measured apart. The
 * network's `launch` says whether the step is replayed as a graph. Where the host only
 * enqueues, short steps are timed behind one more of them: the host's launch is no part. */
#ifndef GS_MEASURE_TIMING_H
#define GS_MEASURE_TIMING_H

#include "measure/timing_rule.h"
#include "net/network.h"

typedef struct gs_timing {
  double samples_ns[GS_TIMING_MAX_SAMPLES]; /* of one step each */
  bool disturbed[GS_TIMING_MAX_SAMPLES];    /* a thread lost its processor (measure/machine.h) */
  int64_t count;
  int64_t steps_per_sample; /* short steps are timed several at a time */
  gs_launch launch;         /* what was done: GS_LAUNCH_GRAPH or GS_LAUNCH_EAGER */
  gs_timing_stop stopped;
  unsigned lacks;    /* bits of gs_timing_lack */
  double wall_ns;    /* all samples together, by the host's clock */
  double held_up_ns; /* of it threads waited for a processor (machine.h); NaN: not known */
  int64_t taken;     /* times that a thread lost its processor */
} gs_timing;

/* with_statistics times the step with them (benchmarks); records never do.
 * At least one sample is taken, whatever the limit. steps_per_sample 0: as many as
 * gs_timing_group says. Errors: of the device; GS_ERR_UNSUPPORTED when a graph is
 * asked for and it has none; GS_ERR_MEMORY. */
gs_status gs_timing_measure(gs_network *network, bool with_statistics,
                            const gs_timing_limits *limits, int64_t steps_per_sample,
                            gs_timing *timing, gs_error *error);

#endif
