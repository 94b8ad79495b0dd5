/* Pascanu et al. 2013, section 2.1: |delta_t| <= (gamma lambda_1)^(T-t) |delta_T|, gamma
 * the largest |phi'|, so that lambda_1 < 1/gamma suffices to vanish and lambda_1 > 1/gamma
 * is necessary to explode. The proof bounds a norm, so lambda_1 is W's largest singular
 * value. Each network's own is computed from the weights it drew. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "claims/setup.h"
#include "claims/trial.h"
#include "theory/recurrent.h"

enum { STEPS = 60, UNITS = 64, NETWORKS = 48 };

static const char *const SECTION = "section 2.1";

typedef struct networks {
  gs_trial trial;
  gs_spectrum spectra[NETWORKS];
  double gamma;
} networks;

static gs_status run_networks(gs_claim_run *run, gs_activation_kind activation, double sigma_w2,
                              networks *all, gs_error *error) {
  gs_config config;
  GS_TRY(gs_trial_rnn(run, STEPS, UNITS, activation, gs_trial_scaled(sigma_w2), &config, error));
  config.replicas = NETWORKS;
  all->gamma = gs_activation_steepest(config.activation);
  GS_TRY(gs_trial_run(run, &config, &all->trial, error));
  const gs_status status =
      gs_spectra_realised(run->device, &all->trial.config, all->spectra, error);
  if (status != GS_OK) gs_trial_clear(&all->trial);
  return status;
}

/* The most that any network at any step lies above (gamma lambda)^(T-t), in decades. */
static double max_above(const networks *all, bool by_radius) {
  double gaps[NETWORKS];
  double max = -INFINITY;
  for (int64_t t = 1; t < STEPS; t++) {
    gs_trial_gaps(&all->trial, GS_DELTA, t, GS_TRIAL_LAST, gaps);
    for (int r = 0; r < NETWORKS; r++) {
      const double lambda = by_radius ? all->spectra[r].radius : all->spectra[r].singular;
      const double above = gaps[r] - (double)(STEPS - t) * log10(all->gamma * lambda);
      if (!(above <= max)) max = above; /* NaN stays */
    }
  }
  return max;
}

static double largest_product(const networks *all) {
  double max = 0;
  for (int r = 0; r < NETWORKS; r++) max = fmax(max, all->gamma * all->spectra[r].singular);
  return max;
}

/* ---- the bound ---- */

static gs_status check_bound(gs_claim_run *run, gs_activation_kind activation, double sigma_w2,
                             const char *sentence, gs_error *error) {
  networks all;
  const double rounding = 1e-4; /* of 60 steps in float32 */
  gs_check check = {.sentence = sentence,
                    .source = SECTION,
                    .quantity = "most decades by which any step of any network is above the bound",
                    .from = "the norm of a product of matrices: none",
                    .expected = gs_expect_inside(-INFINITY, rounding)};
  GS_TRY(run_networks(run, activation, sigma_w2, &all, error));
  check.measured = gs_estimate_exact(max_above(&all, false));
  const gs_estimate decades = gs_trial_gap(&all.trial, GS_DELTA, 1, GS_TRIAL_LAST);
  snprintf(check.remark, sizeof check.remark,
           "gamma lambda_1 is %.3f at most, which allows %.2f decades; the mean is %.2f",
           largest_product(&all), (STEPS - 1) * log10(largest_product(&all)), decades.value);
  if (!(largest_product(&all) < 1)) check.measured = gs_estimate_exact(NAN); /* not the case */
  return gs_trial_conclude(run, &all.trial, &check, error);
}

/* ---- what the bound is not ---- */

static gs_status check_radius(gs_claim_run *run, gs_error *error) {
  networks all;
  gs_check check = {.sentence = "lambda_1 may be read as the largest modulus of an eigenvalue.",
                    .source = "a common reading of section 2.1",
                    .quantity = "most decades by which any step of any network is above that bound",
                    .from = "norms obey singular values alone",
                    .expected = gs_expect_inside(0.01, INFINITY),
                    .finding = GS_HOLDS_NOT};
  GS_TRY(run_networks(run, GS_IDENTITY, 0.81, &all, error));
  check.measured = gs_estimate_exact(max_above(&all, true));
  snprintf(check.remark, sizeof check.remark,
           "the bound by the spectral radius is passed on the way; for the limit of many steps "
           "of a linear network it is right");
  return gs_trial_conclude(run, &all.trial, &check, error);
}

static gs_status check_converse(gs_claim_run *run, gs_error *error) {
  networks all;
  gs_check check = {.sentence = "lambda_1 > 1/gamma suffices to explode.",
                    .source = "section 2.1: necessary, not sufficient",
                    .quantity = "decades of delta, mean over networks",
                    .from = "theory: chi < 1",
                    .expected = gs_expect_inside(-INFINITY, -1),
                    .finding = GS_HOLDS_NOT};
  GS_TRY(run_networks(run, GS_TANH, 1, &all, error));
  double min = INFINITY;
  for (int r = 0; r < NETWORKS; r++) {
    min = fmin(min, all.gamma * all.spectra[r].singular);
  }
  check.measured = gs_trial_gap(&all.trial, GS_DELTA, 1, GS_TRIAL_LAST);
  if (!(min > 1)) check.measured = gs_estimate_exact(NAN); /* not the case */
  snprintf(check.remark, sizeof check.remark,
           "gamma lambda_1 is %.3f at least, yet all vanish: driven units are not at their "
           "steepest",
           min);
  return gs_trial_conclude(run, &all.trial, &check, error);
}

/* ---- necessary to explode ---- */

typedef struct tally {
  int exploded;  /* networks with more than 0 decades */
  int below;     /* of these, gamma lambda_1 <= 1 */
  int vanishing; /* networks with gamma lambda_1 <= 1 */
} tally;

static void count(const networks *all, tally *counts) {
  double gaps[NETWORKS];
  gs_trial_gaps(&all->trial, GS_DELTA, 1, GS_TRIAL_LAST, gaps);
  for (int r = 0; r < NETWORKS; r++) {
    const bool allowed = all->gamma * all->spectra[r].singular > 1;
    const bool exploded = !(gaps[r] <= 0);
    counts->exploded += exploded;
    counts->below += exploded && !allowed;
    counts->vanishing += !allowed;
  }
}

static gs_status check_necessary(gs_claim_run *run, gs_error *error) {
  static const double variances[] = {0.125, 0.25, 1, 4, 8, 16};
  tally counts = {0, 0, 0};
  gs_check check = {.sentence = "lambda_1 > 1/gamma is necessary to explode.",
                    .source = SECTION,
                    .quantity = "exploding networks in which it is not larger",
                    .from = "the same bound: none",
                    .expected = gs_expect_near(0, 0, 0)};
  for (size_t i = 0; i < sizeof variances / sizeof *variances; i++) {
    networks all;
    GS_TRY(run_networks(run, GS_TANH, variances[i], &all, error));
    count(&all, &counts);
    gs_setup_command(&all.trial.config, "init",
                     "scaled:sigma_w2=0.125,scaled:sigma_w2=0.25,scaled:sigma_w2=1,"
                     "scaled:sigma_w2=4,scaled:sigma_w2=8,scaled:sigma_w2=16",
                     check.setup, sizeof check.setup);
    gs_trial_clear(&all.trial);
  }
  check.measured = gs_estimate_exact(counts.below);
  if (counts.exploded == 0 || counts.vanishing == 0) {
    check.measured = gs_estimate_exact(NAN); /* nothing was put to the test */
  }
  snprintf(check.remark, sizeof check.remark,
           "%d of %d networks exploded; in %d gamma lambda_1 was 1 or less", counts.exploded,
           NETWORKS * (int)(sizeof variances / sizeof *variances), counts.vanishing);
  return gs_claim_add(run, &check, error);
}

gs_status gs_claim_pascanu2013(gs_claim_run *run, gs_error *error) {
  GS_TRY(check_bound(run, GS_TANH, 0.2, "lambda_1 < 1/gamma suffices to vanish: tanh, gamma = 1.",
                     error));
  GS_TRY(check_bound(run, GS_SIGMOID, 3,
                     "lambda_1 < 1/gamma suffices to vanish: sigmoid, gamma = 1/4.", error));
  GS_TRY(check_radius(run, error));
  GS_TRY(check_necessary(run, error));
  return check_converse(run, error);
}
