/* Roberts, Yaida & Hanin 2022: at its critical variance, sigma_w^2 = 1 without biases, a
 * tanh network's signal and gradient fall by a power of depth.
 *
 * With V(q) = q - 2 q^2 + 17/3 q^3 ..., m1(q) = 1 - 2 q + 7 q^2 ... the maps of THEORY
 * section 1 are q^(l+1) = V(q^l), 1/q^l = 2 l - (5/6) ln l + ..., and
 *
 *   E|delta^1|^2/|delta^L|^2 = prod_{l<L} m1(q^l) = (q^L/q^1) prod m1(q^l) q^l/V(q^l),
 *
 * whose last factors are 1 + 4/3 q^2 ...: their product converges. So decades of delta are
 * 1/2 log10(C/(2 L)), C = 1.41215 for inputs of variance 1 (q^1 = 1).
 *
 * That is the root mean square over networks in the wide limit. One network lies lower by
 * a multiple of L/n, an exponential; theory has it to first order (rms less typical), which
 * is taken off, and is checked by itself. */
#include <math.h>
#include <stdio.h>

#include "claims/trial.h"
#include "measure/layers.h"
#include "theory/critical.h"

enum { SHALLOW = 12, DEEP = 100, WIDTH = 128, SEEDS = 8, REPLICAS = 32 * SEEDS };

static const gs_activation TANH = {.kind = GS_TANH};
static const char *const SECTION = "on criticality of the K* = 0 class";

static gs_status run_networks(gs_claim_run *run, double sigma_w2, int64_t depth, int64_t width,
                              int seeds, gs_trial *trial, gs_error *error) {
  gs_config config;
  GS_TRY(gs_trial_mlp(run, depth, width, GS_TANH, gs_trial_scaled(sigma_w2), &config, error));
  config.replicas = REPLICAS / SEEDS;
  return gs_trial_run_seeds(run, &config, seeds, trial, error);
}

/* What theory of order 1/n has a typical network lie below the wide limit. */
static double finite_width(const gs_trial *trial, gs_quantity quantity, int64_t from) {
  return gs_trial_rms(trial, quantity, from, GS_TRIAL_LAST) -
         gs_trial_typical(trial, quantity, from, GS_TRIAL_LAST);
}

/* Terms beyond: measured, 4 to 6 % of that in L/n, for L/n from 0.8 to 1.6. */
static double beyond(double finite) { return 0.1 * finite; }

/* ---- the wide limit ---- */

typedef struct wide {
  double log_q;      /* of the last layer */
  double log_square; /* of |delta^1|^2/|delta^L|^2 */
} wide;

static wide wide_limit(int64_t depth) {
  wide limit = {0, 0};
  for (int64_t l = 1; l < depth; l++) {
    const gs_moments moments = gs_moments_at(TANH, limit.log_q);
    limit.log_square += moments.log_m1;
    limit.log_q = moments.log_V;
  }
  return limit;
}

/* C: what is left of a product to L is e^(1/(3 L)). */
static double constant(void) {
  enum { LAYERS = 4000 };
  const wide limit = wide_limit(LAYERS);
  return exp(limit.log_square - limit.log_q + 1 / (3.0 * LAYERS));
}

static double decades_of(int64_t depth) { return 0.5 * wide_limit(depth).log_square / M_LN10; }

/* ---- power laws ---- */

/* h^l has the variance q^(l+1). */
static gs_status check_signal(gs_claim_run *run, const gs_trial *trial, gs_error *error) {
  gs_check check = {.sentence = "The signal's variance falls as 1/(2 l).",
                    .source = SECTION,
                    .quantity = "log10 of |h|/n^(1/2) in the last layer, less the term in L/n",
                    .finding = GS_HOLDS_ONLY_WHEN};
  const gs_theory_series *h = &trial->theory.series[GS_ACTIVATION_H];
  const double finite = h->rms[DEEP - 1] - h->typical[DEEP - 1];
  const double expected = 0.5 * wide_limit(DEEP + 1).log_q / M_LN10;
  for (int r = 0; r < REPLICAS; r++) {
    const gs_stats *stats = gs_trial_stats(trial, GS_ACTIVATION_H, DEEP, r);
    trial->scratch[r] = gs_stats_log10_norm(stats) - 0.5 * log10(WIDTH) + finite;
  }
  check.measured = gs_estimate_mean(trial->scratch, REPLICAS);
  check.expected = gs_expect_near(expected, beyond(finite), 0.1);
  snprintf(check.from, sizeof check.from, "the map q -> V(q); of 1/(2 l): %.4f",
           -0.5 * log10(2.0 * (DEEP + 1)));
  snprintf(check.remark, sizeof check.remark,
           "the network is deep: 1/q is 2 l - (5/6) ln l, and a constant");
  gs_trial_command(trial, NULL, NULL, check.setup);
  return gs_claim_add(run, &check, error);
}

static gs_status check_constant(gs_claim_run *run, const gs_trial *trial, gs_error *error) {
  gs_check check = {.sentence = "The gradient falls as a power of depth, not exponentially.",
                    .source = SECTION,
                    .quantity = "decades of delta, mean over networks, less the term in L/n"};
  const double finite = finite_width(trial, GS_DELTA, 1);
  const double law = 0.5 * log10(constant() / (2.0 * DEEP));
  check.measured = gs_estimate_linear(gs_trial_gap(trial, GS_DELTA, 1, GS_TRIAL_LAST), 1, finite);
  check.expected = gs_expect_near(law, fabs(decades_of(DEEP) - law) + beyond(finite), 0.12);
  snprintf(check.from, sizeof check.from, "1/2 log10(C/(2 L)), C = %.5f; layer by layer: %.4f",
           constant(), decades_of(DEEP));
  gs_trial_command(trial, NULL, NULL, check.setup);
  return gs_claim_add(run, &check, error);
}

/* Networks of two depths, replica by replica. */
static gs_status check_exponent(gs_claim_run *run, const gs_trial *deep, gs_error *error) {
  gs_trial shallow;
  double gaps[REPLICAS];
  gs_check check = {.sentence = "Its power is -1/2.",
                    .source = SECTION,
                    .quantity = "slope of decades of delta against log10 of depth"};
  const double span = log10((double)DEEP / SHALLOW);
  const double expected = (decades_of(DEEP) - decades_of(SHALLOW)) / span;
  gs_trial_gaps(deep, GS_DELTA, 1, GS_TRIAL_LAST, gaps);
  GS_TRY(run_networks(run, 1, SHALLOW, WIDTH, SEEDS, &shallow, error));
  const double finite = finite_width(deep, GS_DELTA, 1) - finite_width(&shallow, GS_DELTA, 1);
  gs_trial_gaps(&shallow, GS_DELTA, 1, GS_TRIAL_LAST, shallow.scratch);
  for (int r = 0; r < REPLICAS; r++) gaps[r] = (gaps[r] - shallow.scratch[r] + finite) / span;
  gs_trial_clear(&shallow);
  check.measured = gs_estimate_mean(gaps, REPLICAS);
  check.expected = gs_expect_near(expected, beyond(finite) / span, 0.12);
  snprintf(check.from, sizeof check.from, "-1/2, and of ln L/L between these depths %.4f",
           expected + 0.5);
  gs_trial_command(deep, "depth", "12,100", check.setup);
  return gs_claim_add(run, &check, error);
}

/* ---- what one network shows ---- */

static gs_status check_one_network(gs_claim_run *run, gs_error *error) {
  enum { NARROW = 64, LAYERS = 64 };
  gs_trial trial;
  gs_check check = {.sentence = "A network shows this power law.",
                    .source = "a reading of it for one network",
                    .quantity = "decades of delta above the wide limit's, mean over networks",
                    .from = "theory: the terms in L/n",
                    .finding = GS_HOLDS_ONLY_WHEN};
  GS_TRY(run_networks(run, 1, LAYERS, NARROW, SEEDS, &trial, error));
  const double finite = finite_width(&trial, GS_DELTA, 1);
  check.measured =
      gs_estimate_linear(gs_trial_gap(&trial, GS_DELTA, 1, GS_TRIAL_LAST), 1, -decades_of(LAYERS));
  check.expected = gs_expect_near(-finite, beyond(finite), 0.12);
  snprintf(check.remark, sizeof check.remark,
           "L/n is small: a typical one falls as e^(-L/(2 n)) beside it, and only the root mean "
           "square over networks by the power alone");
  return gs_trial_conclude(run, &trial, &check, error);
}

/* ---- off the critical line ---- */

static gs_status check_rate(gs_claim_run *run, const char *sentence, double sigma_w2,
                            gs_error *error) {
  enum { SETTLED = 40, LAYERS = 80, NARROW = 64 };
  gs_trial trial;
  gs_check check = {.sentence = sentence,
                    .source = SECTION,
                    .quantity = "decades of delta per layer, less the term in 1/n"};
  const double unit = 1.0 / (LAYERS - SETTLED);
  const double rate = 0.5 * log10(gs_fixed_point_of(TANH, sigma_w2, 0).chi);
  GS_TRY(run_networks(run, sigma_w2, LAYERS, NARROW, SEEDS, &trial, error));
  const double finite = finite_width(&trial, GS_DELTA, SETTLED) * unit;
  check.measured =
      gs_estimate_linear(gs_trial_gap(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST), unit, finite);
  check.expected = gs_expect_near(rate, 0.0002 + beyond(finite), 0.15 * fabs(rate));
  snprintf(check.from, sizeof check.from, "theory: 1/2 log10 chi at the fixed point");
  snprintf(check.remark, sizeof check.remark, "layers %d to %d", SETTLED, LAYERS);
  return gs_trial_conclude(run, &trial, &check, error);
}

gs_status gs_claim_roberts2022(gs_claim_run *run, gs_error *error) {
  gs_trial deep;
  GS_TRY(run_networks(run, 1, DEEP, WIDTH, SEEDS, &deep, error));
  gs_status status = check_signal(run, &deep, error);
  if (status == GS_OK) status = check_constant(run, &deep, error);
  if (status == GS_OK) status = check_exponent(run, &deep, error);
  gs_trial_clear(&deep);
  if (status == GS_OK) status = check_one_network(run, error);
  if (status == GS_OK) {
    status =
        check_rate(run, "Below the critical variance it falls exponentially (0.8).", 0.8, error);
  }
  if (status != GS_OK) return status;
  return check_rate(run, "Above it it grows exponentially (2).", 2, error);
}
