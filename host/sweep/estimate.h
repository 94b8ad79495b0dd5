/* How long a cell will take, before it is run: for --dry-run and the time left.
 * An estimate; nothing is decided by it. */
#ifndef GS_SWEEP_ESTIMATE_H
#define GS_SWEEP_ESTIMATE_H

#include "measure/measure.h"

/* Share of the measured limits that a step is expected to reach. */
#define GS_ESTIMATE_SHARE 0.5

/* Seconds for setting up, one step with statistics, and timing, at
 * GS_ESTIMATE_SHARE of the roofline (NULL: of a modest processor), and for Jacobians. */
double gs_estimate_seconds(const gs_config *config, const gs_measure_options *options,
                           const gs_roofline *roofline);

#endif
