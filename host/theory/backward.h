/* The backward pass in the wide limit and its spread at finite width, from the
 * last point to the first. */
#ifndef GS_THEORY_BACKWARD_H
#define GS_THEORY_BACKWARD_H

#include "theory/chain.h"
#include "theory/ratio.h"

/* How a squared norm's ln spreads at given q of this point, and its mean less the
 * wide limit's. */
typedef struct gs_backward_state {
  double reach; /* its derivative by ln q of this point: all chi above depend on it */
  gs_spread noise;
  double mean;
  double moved;   /* of mean, what the noise makes where the loss of other steps enters */
  double steps;   /* rnn: steps above whose noise repeats that of this one ... */
  double through; /* ... and how much the noise of |h|^2 in them weighs, all together */
} gs_backward_state;

typedef struct gs_backward {
  const gs_chain *chain;
  int64_t i;               /* the point it stands at */
  double log_delta;        /* ln E |delta|^2 over the batch */
  double log_chi;          /* ln of E|delta^i|^2 / E|delta^{i+1}|^2; NaN at the last point */
  double alignment;        /* n cos^2 of the angle between W h and delta, less 1 */
  double rho2;             /* mean squared cosine between two examples' deltas */
  gs_backward_state norm;  /* of |delta^i|^2 */
  gs_backward_state ratio; /* of |delta^i|^2 / |delta^last|^2 */
  double largest_variance; /* of any ln R so far */
  double sensitive;        /* largest variance of ln |delta^i|^2 through q of one point */
  double moved;            /* most of the mean of ln |h|^2 or ln |delta|^2 at any point */
  double aligned;          /* ln of what alignment above 0 has multiplied |delta|^2 by */
  double carry;            /* share of eps that came from the point above; 1 with one loss */
  double carried;          /* share of the last point's delta in this one: 1 with one loss */
  gs_spread last;          /* noise of |delta^last|^2 */
  gs_ratio_memory memory;
  gs_batch_law *law; /* borrowed */
} gs_backward;

/* At the last point. */
gs_backward gs_backward_start(const gs_chain *chain, gs_batch_law *law);
/* One point further back. */
void gs_backward_step(gs_backward *at);

/* Here: delta, the gradient delta h^T of the weights into this point (mlp or untied
 * rnn) and of its bias. */
gs_log_norm gs_backward_delta(gs_backward *at);
gs_log_norm gs_backward_weight(gs_backward *at);
gs_log_norm gs_backward_bias(gs_backward *at);
/* An rnn's gradient delta x^T of the input weights. */
gs_log_norm gs_backward_input(gs_backward *at);

/* The squared ratio of this delta to the last point's: variance and what raises it. */
gs_log_norm gs_backward_ratio(gs_backward *at);

#endif
