/* The squared norm of a batch: a sum of B squared norms of examples that share
 * their weights. */
#ifndef GS_THEORY_BATCH_H
#define GS_THEORY_BATCH_H

#include <stdint.h>

/* A variance for one example, and the covariance of two of them. */
typedef struct gs_spread {
  double own;
  double pair;
} gs_spread;

/* ln of a squared norm over networks: of its mean; the mean of its ln less that;
 * the variance of its ln. */
typedef struct gs_log_norm {
  double log_mean;
  double shift;
  double variance;
} gs_log_norm;

/* Mean and variance of ln of the average of B independent lognormals, by their
 * deviation, as far as they have been asked for. */
enum { GS_BATCH_POINTS = 40 };
typedef struct gs_batch_law {
  int64_t batch;
  double mean[GS_BATCH_POINTS]; /* NaN: not yet */
  double variance[GS_BATCH_POINTS];
} gs_batch_law;

void gs_batch_law_start(gs_batch_law *law, int64_t batch);

/* The norm of the batch; ln of each example's squared norm is normal with this
 * mean (less log_mean, which counts the whole batch) and spread. */
gs_log_norm gs_batch_norm(gs_batch_law *law, double log_mean, double mean, gs_spread spread);

#endif
