/* The squared norm of a batch: a sum of B squared norms of examples that share
 * their weights. */
#ifndef GS_THEORY_BATCH_H
#define GS_THEORY_BATCH_H

#include <stdint.h>

/* The ln of a squared norm: variance for one example, covariance of two of them, and
 * `skew`: with E X = 1, mean of ln X + own / 2. 0 for a lognormal; for the chi-square
 * laws of single layers positive, because their ln leans to the left. Skews of
 * independent factors add, as variances do. */
typedef struct gs_spread {
  double own;
  double pair;
  double skew;
  double repeats; /* the part of own and pair that steps which share weights repeat */
} gs_spread;

/* ln of a squared norm over networks: of its mean in the wide limit; the mean of its ln
 * less that; the variance of its ln; what terms of order 1/n add to ln of its mean (shift
 * is not above it: E log <= log E). */
typedef struct gs_log_norm {
  double log_mean;
  double shift;
  double variance;
  double raised;
  double repeats;
} gs_log_norm;

/* Mean and variance of ln of the average of B independent variates of mean 1, by the
 * deviation of their ln and by its shape, skew / variance: 0 a lognormal, else a
 * product of gamma variates; as far as they have been asked for. */
enum { GS_BATCH_POINTS = 40, GS_BATCH_SHAPES = 24 };
typedef struct gs_batch_law {
  int64_t batch;
  double mean[GS_BATCH_SHAPES][GS_BATCH_POINTS]; /* NaN: not yet */
  double variance[GS_BATCH_SHAPES][GS_BATCH_POINTS];
  double steepness[GS_BATCH_SHAPES]; /* of ln of the mean square, by the variance of the ln */
} gs_batch_law;

void gs_batch_law_start(gs_batch_law *law, int64_t batch);

/* The norm of the batch; ln of each example's squared norm has this mean (less
 * log_mean, which counts the whole batch) and spread. */
gs_log_norm gs_batch_norm(gs_batch_law *law, double log_mean, double mean, gs_spread spread);

#endif
