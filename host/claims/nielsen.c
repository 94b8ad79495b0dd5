/* Nielsen 2015, chapter 5: sigmoid networks of 30 units a layer, weights N(0, 1/fan_in),
 * biases N(0, 1). At the start of training he finds for the norms of the hidden layers'
 * bias gradients, which are deltas,
 *   0.07, 0.31   0.012, 0.060, 0.283   0.003, 0.017, 0.070, 0.285:
 * each layer learns at 0.18 to 0.25 times the speed of the one above. His are gradients
 * averaged over 1000 images of digits; here there is one example of N(0,1) inputs, which
 * changes the first layer's share, and no rate between hidden layers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "claims/setup.h"
#include "claims/trial.h"
#include "measure/sample.h"
#include "theory/critical.h"

/* ten to the estimate */
static gs_estimate power(gs_estimate e) {
  const double value = pow(10, e.value);
  return (gs_estimate){value, M_LN10 * value * e.error, e.freedom, pow(10, e.low), pow(10, e.high)};
}

static gs_status wide(gs_claim_run *run, gs_error *error) {
  enum { DEPTH = 30, SETTLED = 8 };
  const gs_activation sigmoid = {.kind = GS_SIGMOID};
  gs_config config;
  gs_trial trial;
  gs_check check = {.sentence = "Each layer's gradient is a constant factor below the next's.",
                    .source = "Why the vanishing gradient problem occurs",
                    .quantity = "factor per layer of |delta|, geometric mean less its 1/n term"};
  GS_TRY(gs_trial_mlp(run, DEPTH, 256, GS_SIGMOID, gs_trial_scaled(1), &config, error));
  config.bias_std = 1;
  config.replicas = 48;
  GS_TRY(gs_trial_run(run, &config, &trial, error));
  const double unit = 1.0 / (DEPTH - SETTLED);
  const double finite = gs_trial_rms(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST) -
                        gs_trial_typical(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST);
  check.measured = power(gs_estimate_linear(gs_trial_gap(&trial, GS_DELTA, SETTLED, GS_TRIAL_LAST),
                                            unit, finite * unit));
  check.expected = gs_expect_near(sqrt(gs_fixed_point_of(sigmoid, 1, 1).chi), 0.0005, 0.002);
  snprintf(check.from, sizeof check.from, "theory, wide limit: sqrt(E sigmoid'(z)^2)");
  snprintf(check.remark, sizeof check.remark, "layers %d to %d", SETTLED, DEPTH);
  return gs_trial_conclude(run, &trial, &check, error);
}

/* ---- his own networks ---- */

enum { HIDDEN = 4, NETWORKS = 2048 };

static gs_status his_networks(gs_claim_run *run, gs_trial *trial, gs_error *error) {
  static const int64_t widths[] = {784, 30, 30, 30, 30, 10};
  gs_config config;
  GS_TRY(gs_trial_mlp(run, HIDDEN + 1, 30, GS_SIGMOID, gs_trial_scaled(1), &config, error));
  config.bias_std = 1;
  config.replicas = NETWORKS;
  const gs_status status = gs_trial_widths(&config, widths, HIDDEN + 1, error);
  if (status != GS_OK) {
    gs_config_clear(&config);
    return status;
  }
  return gs_trial_run(run, &config, trial, error);
}

static gs_status mean_factor(gs_claim_run *run, const gs_trial *trial, gs_error *error) {
  gs_check check = {.sentence = "The layers of [784, 30, 30, 30, 30, 10] learn at 0.18 to 0.25 "
                                "times the speed of the next.",
                    .source = "Unstable gradients: the measured speeds",
                    .quantity = "factor between hidden layers of |delta|, geometric mean",
                    .expected = gs_expect_inside(0.003 / 0.017, 0.070 / 0.285)};
  const gs_estimate gap = gs_trial_gap(trial, GS_DELTA, 1, HIDDEN);
  const double typical = gs_trial_typical(trial, GS_DELTA, 1, HIDDEN) / (HIDDEN - 1);
  check.measured = power(gs_estimate_linear(gap, 1.0 / (HIDDEN - 1), 0));
  snprintf(check.from, sizeof check.from, "his smallest and largest; theory: %.4f",
           pow(10, typical));
  gs_setup_command(&trial->config, NULL, NULL, check.setup, sizeof check.setup);
  return gs_claim_add(run, &check, error);
}

/* His six factors against the middle 99 % of the factors of single layers. */
static gs_status single_factors(gs_claim_run *run, const gs_trial *trial, double *factors,
                                gs_error *error) {
  static const double his[] = {0.07 / 0.31,   0.012 / 0.060, 0.060 / 0.283,
                               0.003 / 0.017, 0.017 / 0.070, 0.070 / 0.285};
  const int count = sizeof his / sizeof *his;
  int inside = 0;
  gs_sample sample;
  gs_check check = {.sentence = "His six factors are what such networks show.",
                    .source = "Unstable gradients: the measured speeds",
                    .quantity = "how many of the six lie in the middle 90 % of factors",
                    .from = "90 % of six, two less at most",
                    .expected = gs_expect_inside(4, 6)};
  for (int l = 1; l < HIDDEN; l++) {
    gs_trial_gaps(trial, GS_DELTA, l, l + 1, factors + (size_t)(l - 1) * NETWORKS);
  }
  GS_TRY(gs_sample_of(factors, (size_t)(HIDDEN - 1) * NETWORKS, &sample, error));
  for (int i = 0; i < count; i++) {
    inside += log10(his[i]) >= sample.p05 && log10(his[i]) <= sample.p95;
  }
  check.measured = gs_estimate_exact(inside);
  snprintf(check.remark, sizeof check.remark,
           "factors from %.3f to %.3f, median %.3f: one network's layers differ",
           pow(10, sample.p05), pow(10, sample.p95), pow(10, sample.p50));
  gs_setup_command(&trial->config, NULL, NULL, check.setup, sizeof check.setup);
  return gs_claim_add(run, &check, error);
}

gs_status gs_claim_nielsen(gs_claim_run *run, gs_error *error) {
  gs_trial trial;
  GS_TRY(wide(run, error));
  GS_TRY(his_networks(run, &trial, error));
  double *factors = malloc((size_t)(HIDDEN - 1) * NETWORKS * sizeof *factors);
  gs_status status =
      factors ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for %d factors", NETWORKS);
  if (status == GS_OK) status = mean_factor(run, &trial, error);
  if (status == GS_OK) status = single_factors(run, &trial, factors, error);
  free(factors);
  gs_trial_clear(&trial);
  return status;
}
