/* Summaries of a sample of numbers: replicas' logarithms, timings. */
#ifndef GS_MEASURE_SAMPLE_H
#define GS_MEASURE_SAMPLE_H

#include "base/json.h"

typedef struct gs_sample {
  int64_t count; /* finite values; the others are left out of everything */
  double mean;
  double sd;                      /* of the sample (n - 1); 0 for one value */
  double p05, p25, p50, p75, p95; /* linear interpolation between order statistics */
} gs_sample;

/* All fields NaN when there is no finite value. Sorts a copy. Errors: GS_ERR_MEMORY. */
gs_status gs_sample_of(const double *values, size_t count, gs_sample *sample, gs_error *error);

/* Value at quantile q in [0, 1] of ascending values; count > 0. */
double gs_quantile(const double *sorted, size_t count, double q);

#endif
