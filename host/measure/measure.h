/* One cell, measured: statistics of one step, timing of many, cost, and what
 * follows from them, as the JSON record of results/README.md. */
#ifndef GS_MEASURE_MEASURE_H
#define GS_MEASURE_MEASURE_H

#include "base/json.h"
#include "device/facts.h"
#include "measure/timing_json.h"
#include "net/config.h"

/* The device's own limits, which every timing is held against, measured in this run; takes
 * about half a second. */
gs_status gs_roofline_measure(gs_device *device, gs_roofline *roofline, gs_error *error);

typedef struct gs_measure_options {
  gs_timing_limits timing;
  int64_t max_points;       /* longest layer axis in the record; longer ones are thinned */
  double threshold_decades; /* of the verdict */
  int64_t round;            /* of a run in several; those after 0 time and do nothing else */
  int64_t steps_per_sample; /* of round 0, for the others; 0: not known yet */
} gs_measure_options;
gs_measure_options gs_measure_defaults(void); /* 1 s, 0.5 s, 10, 0.01; 1024; 1; 0, 0 */

/* Runs the cell and builds its record without "id" and "params", which the
 * caller adds: status, error, backend, weights_hash, layers, summary, timing,
 * memory. A cell that the device can never run (more memory than it has, dtype)
 * yields a record with status "skipped" and GS_OK; a failure of the device, "failed",
 * and so does a device that is lost afterwards, whatever came of the cell. Errors:
 * GS_ERR_MEMORY, without a record, when the host's or the device's memory ran out on the
 * way or would: another time there may be more. The timing is not held against a
 * floor yet: gs_timing_compose does that. The caller owns *record. */
gs_status gs_measure_cell(gs_device *device, const gs_config *config,
                          const gs_measure_options *options, cJSON **record, gs_error *error);

#endif
