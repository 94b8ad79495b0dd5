/* One-pass statistics of a run of elements: what cpu_stats.c adds up over the
 * parts of a tensor. */
#ifndef GS_DEVICE_CPU_STATS_ACCUMULATE_H
#define GS_DEVICE_CPU_STATS_ACCUMULATE_H

#include "device/device.h"

enum { GS_STATS_LANES = 16 };

/* Sums in progress. Element i of a part goes to lane i mod GS_STATS_LANES, so
 * the order of additions is fixed and vectors can do it. Values are multiplied
 * by 2^-prescale first (f64 near its limits, where squares would overflow). */
typedef struct gs_stats_sums {
  double sum[GS_STATS_LANES];
  double sum_sq[GS_STATS_LANES];
  double min_abs; /* inf while there is none */
  double max_abs;
  int64_t nan, inf, zero, subnormal, saturated;
  int prescale;
} gs_stats_sums;

typedef struct gs_stats_options {
  bool saturation;
  double low, high;
  uint32_t *histogram; /* added to; NULL: none */
} gs_stats_options;

void gs_stats_sums_start(gs_stats_sums *sums, int prescale);
void gs_stats_accumulate_f32(gs_stats_sums *sums, const float *x, int64_t count,
                             const gs_stats_options *options);
void gs_stats_accumulate_f64(gs_stats_sums *sums, const double *x, int64_t count,
                             const gs_stats_options *options);
/* a += b, lane by lane, at the larger of the two prescales. */
void gs_stats_sums_merge(gs_stats_sums *a, const gs_stats_sums *b);

#endif
