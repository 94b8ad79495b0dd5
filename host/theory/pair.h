/* Two examples in one network: moments of phi at two correlated normal
 * pre-activations (Poole et al. 2016, section 3). They decide how much of the
 * spread between networks remains when a batch is summed. */
#ifndef GS_THEORY_PAIR_H
#define GS_THEORY_PAIR_H

#include "base/status.h"
#include "theory/moments.h"

/* Ratios of moments at (z_a, z_b) of correlation c to those of one z. */
typedef struct gs_pair_moments {
  double hh;   /* E phi_a phi_b / V */
  double dd;   /* E phi'_a phi'_b / m1 */
  double h2h2; /* E phi_a^2 phi_b^2 / V^2 */
  double d2d2; /* E phi'_a^2 phi'_b^2 / m1^2 */
  double h2d2; /* E phi_a^2 phi'_b^2 / (V m1) */
} gs_pair_moments;

/* Exact for identity, relu and leaky_relu. For the others 48 Hermite
 * coefficients, remade where ln q has moved by 0.05: within a few per cent (10 % for
 * strongly saturated units near c = 1), enough for terms of order 1/n. */
typedef struct gs_pair_table gs_pair_table;

/* Errors: GS_ERR_MEMORY. */
gs_status gs_pair_table_create(gs_activation activation, gs_pair_table **table, gs_error *error);
void gs_pair_table_destroy(gs_pair_table *table);
/* 0 <= c <= 1, or a little outside by rounding. */
gs_pair_moments gs_pair_table_at(gs_pair_table *table, double log_q, double c);

#endif
