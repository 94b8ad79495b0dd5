/* The forward pass in the wide limit, as one chain of points for both models:
 * the layers of an mlp or the steps of an rnn.
 *
 *   mlp  q^1 = s_1 |x|^2/n_0 + sigma_b^2;  q^{l+1} = s_{l+1} V(q^l) + sigma_b^2
 *   rnn  q_1 = sigma_u^2 + sigma_b^2;      q_{t+1} = s V(q_t) + sigma_u^2 + sigma_b^2
 *
 * s = fan_in Var(W_ij), sigma_u^2 = n_x Var(U_ij), |x|^2/n_0 = 1 (THEORY sections
 * 1 and 5). Examples of a batch have independent inputs; their pre-activations'
 * correlation follows q c' = s E phi_a phi_b + sigma_b^2. */
#ifndef GS_THEORY_CHAIN_H
#define GS_THEORY_CHAIN_H

#include "net/config.h"
#include "theory/batch.h"
#include "theory/pair.h"

typedef struct gs_link {
  double log_q;
  double share;   /* of q that W h^{l-1} brings (mlp, first layer: W x) */
  double slope;   /* mean derivative of ln q by ln |h^{l-1}|^2: share, where that hardly varies */
  double c;       /* correlation of two examples' z */
  double c_var;   /* its variance at finite width */
  double cosine2; /* mean square of the cosine of two examples' h */
  gs_moments m;
  double curve_V; /* second derivatives of ln V and ln m1 by ln q */
  double curve_m1;
  gs_pair_moments pair;  /* two examples */
  gs_pair_moments steps; /* two steps of an rnn, this one and a later, that share W or only U, b */
  /* at finite width: spread and mean of ln q and of ln |h|^2 about the wide limit */
  gs_spread input;    /* of ln q from the randomness of the inputs that enter here */
  gs_spread q;        /* of ln q altogether */
  gs_spread noise_h;  /* of ln |h|^2 at given q */
  gs_spread h;        /* of ln |h|^2 altogether */
  double noise_steps; /* rnn: covariance of noise_h with a later step's */
  double repeated;    /* rnn: covariance of ln |h|^2 with the next step's noise_h */
  double mean_q;
  double mean_h;
  double moved; /* of mean_h, what the spread of |h|^2 makes where new inputs or biases enter */
} gs_link;

typedef struct gs_chain {
  const gs_config *config; /* borrowed */
  int64_t points;
  gs_link *links; /* [points] */
} gs_chain;

/* Errors: GS_ERR_MEMORY. */
gs_status gs_chain_make(const gs_config *config, gs_chain *chain, gs_error *error);
void gs_chain_clear(gs_chain *chain);

/* Of point i = 0..points-1: units, activation, and ln s of the weights that lead
 * to it (mlp: W^{i+1} with fan_in n_i; rnn: W). */
int64_t gs_chain_units(const gs_config *config, int64_t i);
int64_t gs_chain_fan_in(const gs_config *config, int64_t i); /* rnn: of W */
gs_activation gs_chain_activation(const gs_config *config, int64_t i);
double gs_chain_log_s(const gs_config *config, int64_t i);
double gs_chain_log_input(const gs_config *config); /* rnn: ln of n_x Var(U_ij) */
/* The larger side of those weights when they are orthogonal, else 0. */
int64_t gs_chain_orthogonal(const gs_config *config, int64_t i);
/* Orthogonal weights put z on a sphere, whose radius would else have the relative
 * variance 2/n: the mean of f's ln less that for normal z, given the first and
 * second derivatives of ln E f by ln q. */
double gs_chain_sphere(const gs_config *config, int64_t i, double share, double gain, double curve);
/* Whether relu's and linear layers follow the exact laws: normal or orthogonal
 * weights, drawn anew for every layer. */
bool gs_chain_exact(const gs_config *config);

#endif
