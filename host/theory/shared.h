/* The gradient of weights that all steps of an rnn share: a sum over steps. */
#ifndef GS_THEORY_SHARED_H
#define GS_THEORY_SHARED_H

#include <stdint.h>

#include "theory/batch.h"

/* ln of one step's squared norm: typical value, variance, and the part of it that steps
 * repeat. */
typedef struct gs_shared_term {
  double typical;
  double variance;
  double repeats;
} gs_shared_term;

typedef struct gs_shared_sum {
  int64_t steps;
  double log_mean;       /* of the steps added so far, in the wide limit */
  gs_shared_term *terms; /* [steps], borrowed */
} gs_shared_sum;

gs_shared_sum gs_shared_start(gs_shared_term *terms, int64_t steps);

/* Step i's squared norm, with ln of its mean square. Each step once. */
void gs_shared_add(gs_shared_sum *sum, int64_t i, gs_log_norm norm, double log_mean);

/* The whole sum's norm; carries[i]: how much of the noise of step i + 1 is in step i. */
gs_log_norm gs_shared_norm(const gs_shared_sum *sum, const double *carries);

#endif
