/* Sums of independent logarithms.
 *
 *   |h^l|^2 = |x|^2 prod_{k <= l} F_k,     |delta^l|^2 = |delta^L|^2 prod_{l <= k < L} R_k
 *
 * F_k and R_k are v chi^2_K with normal weights and Beta variates with orthogonal ones, K
 * = n_k or Binomial(n_k, 1/2) without K = 0 (ratio.h); |x|^2 ~ chi^2_{n_0} and the last
 * delta's square is chi^2_K. All are independent: turning rows of W turns masks, and
 * neither lengths nor g's symmetric law notice (Hanin & Nica 2020). |dW^l| =
 * |delta^l| |h^{l-1}|. Rms are of the living, too: those of all networks over the share
 * that lives, for the mean of a logarithm to lie below the logarithm of the mean. */
#include "theory/exact.h"

#include <math.h>
#include <stdlib.h>

#include "theory/chain.h"
#include "theory/ratio.h"
#include "theory/tails.h"

static bool homogeneous_exactly(gs_activation phi) {
  return phi.kind == GS_RELU || phi.kind == GS_IDENTITY;
}

bool gs_exact_holds(const gs_config *config) {
  return gs_chain_exact(config) && config->batch == 1 && config->loss == GS_LOSS_LINEAR &&
         !gs_config_has_biases(config) && homogeneous_exactly(config->activation) &&
         homogeneous_exactly(config->output_activation);
}

/* Of one factor, or of a product: ln of its mean over all networks; the mean of its
 * logarithm over the living less that, and the variance; ln of the share that lives. */
typedef struct factor {
  double log_mean;
  gs_ratio_law law;
  double log_alive;
  gs_tails tails;
} factor;

static factor times(factor a, factor b) {
  return (factor){a.log_mean + b.log_mean,
                  {a.law.mean + b.law.mean, a.law.variance + b.law.variance},
                  a.log_alive + b.log_alive,
                  {a.tails.third + b.tails.third, a.tails.fourth + b.tails.fourth}};
}

typedef struct laws {
  const gs_config *config;
  gs_ratio_memory memory;
  gs_ratio_memory tailed; /* the layer that `tails` are of */
  gs_tails tails;
} laws;

/* Of layer i: log_mean without its mask; the larger side of orthogonal weights that lead
 * to it, or 0. */
static factor factor_of(laws *of, int64_t i, double log_mean, int64_t orthogonal) {
  const int64_t n = gs_chain_units(of->config, i);
  const bool half = gs_chain_activation(of->config, i).kind == GS_RELU;
  const gs_ratio_law law = gs_ratio_recall(&of->memory, n, half, orthogonal);
  gs_ratio_memory *last = &of->tailed;
  if (last->n != n || last->half != half || last->larger != orthogonal) {
    *last = (gs_ratio_memory){.n = n, .half = half, .larger = orthogonal};
    of->tails = gs_tails_of(n, half, orthogonal);
  }
  if (!half) return (factor){log_mean, law, 0, of->tails};
  return (factor){log_mean - M_LN2, law, log1p(-exp2(-(double)n)), of->tails};
}

/* Of the mean square: where one network in 10^8 or more is dead. */
static double log_share(double log_alive) { return log_alive < -1e-8 ? log_alive : 0; }

static void put(const factor *product, double *rms, double *typical, double *sd) {
  if (product->log_mean == -INFINITY) return; /* weights of zero */
  *rms = 0.5 * (product->log_mean - log_share(product->log_alive)) / M_LN10;
  *typical = 0.5 * (product->log_mean + product->law.mean) / M_LN10;
  *sd = 0.5 * sqrt(product->law.variance) / M_LN10;
}

static double skew_of(const factor *product) {
  return gs_tails_skew(product->tails, product->law.variance);
}

static void put_at(gs_theory_series *series, int64_t i, factor product) {
  series->skew[i] = skew_of(&product);
  put(&product, &series->rms[i], &series->typical[i], &series->sd[i]);
}

/* R_i: delta^l from that of the layer above. */
static factor backward_factor(laws *of, int64_t i) {
  return factor_of(of, i, gs_chain_log_s(of->config, i + 1),
                   gs_chain_orthogonal(of->config, i + 1));
}

/* F_i */
static factor forward_factor(laws *of, int64_t i) {
  const double units = (double)gs_chain_units(of->config, i);
  const double below = (double)of->config->widths[i];
  return factor_of(of, i, gs_chain_log_s(of->config, i) + log(units / below),
                   gs_chain_orthogonal(of->config, i));
}

gs_status gs_exact_theory(const gs_config *config, gs_theory *theory, gs_error *error) {
  laws of = {.config = config};
  const int64_t last = theory->points - 1;
  factor *deltas = malloc((size_t)theory->points * sizeof *deltas);
  if (!deltas) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
  factor ratio = {0, {0, 0}, 0, {0, 0}};
  const factor start = factor_of(&of, last, log((double)gs_chain_units(config, last)), 0);
  for (int64_t i = last; i >= 0; i--) {
    if (i < last) ratio = times(ratio, backward_factor(&of, i));
    deltas[i] = times(start, ratio);
    put_at(&theory->series[GS_DELTA], i, deltas[i]);
  }
  put(&ratio, &theory->decades_rms, &theory->decades_typical, &theory->decades_sd);
  const double variance = ratio.law.variance;
  theory->decades_skew = skew_of(&ratio);
  if (variance > 1e-12) theory->decades_kurtosis = ratio.tails.fourth / (variance * variance);
  const int64_t inputs = config->widths[0];
  factor h = {log((double)inputs), gs_ratio_exact(inputs, false, 0), 0,
              gs_tails_of(inputs, false, 0)};
  for (int64_t i = 0; i <= last; i++) {
    put_at(&theory->series[GS_GRAD_WEIGHT], i, times(deltas[i], h));
    h = times(h, forward_factor(&of, i));
    put_at(&theory->series[GS_ACTIVATION_H], i, h);
  }
  free(deltas);
  return GS_OK;
}
