/* Schoenholz et al. 2017, sections 3 and 4: with sigma_b^2 = 0.05, tanh networks are
 * ordered (chi < 1, gradients vanish) below a critical sigma_w^2 and chaotic (chi > 1,
 * gradients explode) above; E|delta^l|^2 = chi E|delta^{l+1}|^2.
 *
 * chi is read off layers that the variance q has settled in, of one network after the
 * other: the mean of ln |delta| falls by ln chi/2 a layer, and by a term in 1/n, which
 * theory has (rms less typical) and which is taken off. */
#include <math.h>
#include <stdio.h>

#include "claims/trial.h"
#include "theory/critical.h"

enum { DEPTH = 90, SETTLED = 30, WIDTH = 256, SEEDS = 4, REPLICAS = 32 * SEEDS };

static const double SIGMA_B2 = 0.05;
static const gs_activation TANH = {.kind = GS_TANH};

/* ln chi of each network, and the words for the set-up. */
static gs_status log_chi(gs_claim_run *run, double sigma_w2, const char *axis, const char *values,
                         double chi[REPLICAS], char setup[GS_CHECK_SETUP_BYTES], gs_error *error) {
  gs_config config;
  gs_trial trial;
  GS_TRY(gs_trial_mlp(run, DEPTH, WIDTH, GS_TANH, gs_trial_scaled(sigma_w2), &config, error));
  config.bias_std = sqrt(SIGMA_B2);
  config.replicas = REPLICAS / SEEDS;
  GS_TRY(gs_trial_run_seeds(run, &config, SEEDS, &trial, error));
  const double finite = gs_trial_rms(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST) -
                        gs_trial_typical(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST);
  const double unit = 2 * M_LN10 / (DEPTH - SETTLED);
  gs_trial_gaps(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST, chi);
  for (int r = 0; r < REPLICAS; r++) chi[r] = (chi[r] + finite) * unit;
  gs_trial_command(&trial, axis, values, setup);
  gs_trial_clear(&trial);
  return GS_OK;
}

static gs_estimate exponential(gs_estimate e) {
  return (gs_estimate){exp(e.value), exp(e.value) * e.error, e.freedom, exp(e.low), exp(e.high)};
}

static gs_status check_chi(gs_claim_run *run, const char *sentence, double sigma_w2,
                           gs_error *error) {
  const double chi = gs_fixed_point_of(TANH, sigma_w2, SIGMA_B2).chi;
  double logs[REPLICAS];
  gs_check check = {.sentence = sentence,
                    .source = "section 4",
                    .quantity = "chi: the squared norm of delta over that of the layer above",
                    .expected = gs_expect_near(chi, 0.003, 0.03)};
  GS_TRY(log_chi(run, sigma_w2, NULL, NULL, logs, check.setup, error));
  const gs_estimate measured = gs_estimate_mean(logs, REPLICAS);
  check.measured = exponential(measured);
  snprintf(check.from, sizeof check.from, "theory: sigma_w^2 E phi'^2 at the fixed point");
  snprintf(check.remark, sizeof check.remark,
           "layers %d to %d; depth scale 1/|ln chi| = %.2f layers, in theory %.2f", SETTLED, DEPTH,
           1 / fabs(measured.value), 1 / fabs(log(chi)));
  return gs_claim_add(run, &check, error);
}

static gs_status check_critical(gs_claim_run *run, gs_error *error) {
  enum { POINTS = 3 };
  static const double variances[POINTS] = {1.6, 1.75, 1.9};
  gs_critical critical;
  double chi[POINTS * REPLICAS];
  gs_check check = {.sentence = "At the critical line gradients neither vanish nor explode.",
                    .source = "sections 3 and 4",
                    .quantity = "sigma_w^2 at which ln chi passes 0",
                    .from = "theory: sigma_w^2 E phi'^2 = 1 at the fixed point"};
  for (int i = 0; i < POINTS; i++) {
    GS_TRY(log_chi(run, variances[i], "init",
                   "scaled:sigma_w2=1.6,scaled:sigma_w2=1.75,scaled:sigma_w2=1.9",
                   chi + (ptrdiff_t)i * REPLICAS, check.setup, error));
  }
  if (!gs_critical_of(TANH, SIGMA_B2, &critical)) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "tanh has no critical variance");
  }
  check.measured = gs_estimate_crossing(variances, chi, POINTS, REPLICAS);
  check.expected = gs_expect_near(critical.sigma_w2, 0.005, 0.05);
  return gs_claim_add(run, &check, error);
}

gs_status gs_claim_schoenholz2017(gs_claim_run *run, gs_error *error) {
  GS_TRY(check_chi(run, "Ordered networks (sigma_w^2 = 1) vanish at the rate chi.", 1, error));
  GS_TRY(check_chi(run, "Chaotic networks (sigma_w^2 = 4) explode at the rate chi.", 4, error));
  return check_critical(run, error);
}
