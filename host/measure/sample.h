/* Summaries of a sample of numbers: replicas' logarithms, timings. */
#ifndef GS_MEASURE_SAMPLE_H
#define GS_MEASURE_SAMPLE_H

#include "base/json.h"

typedef struct gs_sample {
  int64_t count; /* finite values; mean and sd are theirs */
  int64_t low;   /* values that are -infinity */
  int64_t high;  /* ... +infinity or NaN */
  double mean;
  double sd;                      /* of the sample (n - 1); 0 for one value */
  double p05, p25, p50, p75, p95; /* linear interpolation between order statistics */
} gs_sample;

/* Of the finite values: the others are left out of everything but their counts. All
 * numbers are NaN when there is none. Sorts a copy. Errors: GS_ERR_MEMORY. */
gs_status gs_sample_of(const double *values, size_t count, gs_sample *sample, gs_error *error);

/* Quantiles of all values, infinities in their places and NaN as +infinity: with
 * most networks dead the median is that of a dead network. */
gs_status gs_sample_of_all(const double *values, size_t count, gs_sample *sample, gs_error *error);

/* Value at quantile q in [0, 1] of ascending values; count > 0. Between an infinity
 * and its neighbour there is nothing to interpolate: the nearer of the two, of two
 * equally near the lower. */
double gs_quantile(const double *sorted, size_t count, double q);

#endif
