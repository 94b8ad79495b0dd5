/* Statistics in tests: a tensor with a statistics job of its own, and the check
 * of the job's results against plain loops in long double. */
#ifndef GS_TESTS_SUPPORT_STATS_H
#define GS_TESTS_SUPPORT_STATS_H

#include "support.h"

/* A tensor with statistics: values are [R][rows][cols], row blocks are steps. */
typedef struct gs_subject {
  gs_stats_job job; /* its outputs are the device's */
  gs_stats *stats;  /* what gs_subject_fetch brought of them */
  uint32_t *histogram;
  double *values;
  gs_scale *scale; /* host copy of the slots, [steps][R]; NULL: none */
  int bins;
} gs_subject;

typedef struct gs_subject_shape {
  int64_t rows, cols, ld, replicas, steps;
} gs_subject_shape;

/* values: [R][rows][cols]; exponents: [steps][R] or NULL for a tensor without
 * slots. Padding between rows holds NaN, results hold rubbish before. */
gs_subject gs_subject_make(gs_device *device, gs_dtype dtype, gs_subject_shape s,
                           const double *values, const int32_t *exponents);
void gs_subject_drop(gs_device *device, gs_subject *s);

/* Runs the job alone, and fetches its results. */
void gs_subject_run(gs_device *device, gs_subject *s);
void gs_subject_fetch(gs_device *device, gs_subject *s);

/* Counts, extremes and histograms exact, sums within the rounding of float64
 * additions, sums canonical; for every step and replica. */
void gs_subject_assert(const gs_subject *s);

/* got is want * 2^exponent within a tolerance of want's scale, and canonical. */
void gs_support_assert_scaled(gs_scaled got, long double want, int64_t exponent,
                              long double tolerance);

void *gs_support_alloc(gs_device *device, size_t bytes);

#endif
