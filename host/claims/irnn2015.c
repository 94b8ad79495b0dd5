/* Le et al. 2015: with W = I, rectifiers and no bias, derivatives that go back through
 * time stay constant. Exactly so for a unit that stays above zero; but every unit is a
 * random walk held at zero, and of n units C(2T, T)/4^T n are above it all the way
 * (Sparre Andersen; THEORY section 5): a power law, no exponential. */
#include <math.h>
#include <stdio.h>

#include "claims/trial.h"
#include "theory/identity.h"

enum { UNITS = 128 };

static const char *const SECTION = "section 3";

static gs_status run_irnn(gs_claim_run *run, int64_t steps, int64_t replicas, int seeds,
                          gs_trial *trial, gs_error *error) {
  gs_config config;
  GS_TRY(
      gs_trial_rnn(run, steps, UNITS, GS_RELU, gs_init_default(GS_INIT_IDENTITY), &config, error));
  config.replicas = replicas;
  return gs_trial_run_seeds(run, &config, seeds, trial, error);
}

/* ---- units that stay above zero ---- */

static gs_status check_survivors(gs_claim_run *run, const gs_trial *trial, int64_t step,
                                 const char *sentence, gs_error *error) {
  const int64_t T = trial->config.seq_len;
  gs_check check = {.sentence = sentence,
                    .source = SECTION,
                    .quantity = "share of non-zero elements of delta, mean over networks",
                    .finding = GS_HOLDS_ONLY_WHEN};
  const double expected = exp(gs_irnn_log_survival(step, T));
  for (int64_t r = 0; r < trial->config.replicas; r++) {
    const gs_stats *stats = gs_trial_stats(trial, GS_DELTA, step, r);
    trial->scratch[r] = 1 - (double)stats->zero / (double)stats->count;
  }
  check.measured = gs_estimate_mean(trial->scratch, trial->config.replicas);
  check.expected = gs_expect_near(expected, 0, 0.01);
  snprintf(check.from, sizeof check.from, "random walks held at zero: %s, step %lld of %lld",
           step == 1 ? "C(2T,T)/4^T" : "discrete arc-sine law", (long long)step, (long long)T);
  snprintf(check.remark, sizeof check.remark,
           "a unit stays above zero from step %lld to %lld: %.2f %% of them do", (long long)step,
           (long long)T, 100 * check.measured.value);
  gs_trial_command(trial, NULL, NULL, check.setup);
  return gs_claim_add(run, &check, error);
}

/* Where it is not zero delta_1 is the loss's own gradient, N(0,1). */
static gs_status check_constant(gs_claim_run *run, const gs_trial *trial, gs_error *error) {
  gs_check check = {.sentence = "Derivatives of units above zero stay constant.",
                    .source = SECTION,
                    .quantity = "mean square of the non-zero elements of delta_1",
                    .from = "the loss's gradient is N(0,1): 1"};
  int64_t alive = 0;
  double squares = 0;
  for (int64_t r = 0; r < trial->config.replicas; r++) {
    const gs_stats *stats = gs_trial_stats(trial, GS_DELTA, 1, r);
    alive += stats->count - stats->zero;
    squares += ldexp(stats->sum_sq.value, (int)stats->sum_sq.exponent);
  }
  const double n = (double)alive;
  check.measured = gs_estimate_normal(squares / n, sqrt(2 / n)); /* E g^4 = 3 */
  check.expected = gs_expect_near(1, 0, 0.1);
  gs_trial_command(trial, NULL, NULL, check.setup);
  return gs_claim_add(run, &check, error);
}

/* ---- decades ---- */

static gs_status check_decades(gs_claim_run *run, const gs_trial *trial, const char *sentence,
                               gs_error *error) {
  gs_check check = {.sentence = sentence,
                    .source = SECTION,
                    .quantity = "log10 of the rms of |delta_1| over that of |delta_T|",
                    .from = "1/2 log10(a/(1 - a)), a = C(2T,T)/4^T"};
  const int64_t T = trial->config.seq_len;
  const double log_ratio = gs_irnn_log_survival(1, T) - gs_irnn_log_survival(T, T);
  check.measured = gs_trial_rms_gap(trial, GS_DELTA, 1, GS_TRIAL_LAST);
  check.expected = gs_expect_near(0.5 * log_ratio / M_LN10, 0, 0.1);
  gs_trial_command(trial, NULL, NULL, check.setup);
  return gs_claim_add(run, &check, error);
}

static gs_status short_sequences(gs_claim_run *run, gs_error *error) {
  gs_trial trial;
  GS_TRY(run_irnn(run, 100, 1024, 1, &trial, error));
  gs_status status = check_survivors(
      run, &trial, 1, "Derivatives that go back through time stay constant: to step 1.", error);
  if (status == GS_OK) {
    status = check_survivors(
        run, &trial, 50, "Derivatives that go back through time stay constant: half way.", error);
  }
  if (status == GS_OK) status = check_constant(run, &trial, error);
  if (status == GS_OK) {
    status = check_decades(run, &trial, "100 steps do not make the gradient vanish.", error);
  }
  gs_trial_clear(&trial);
  return status;
}

static gs_status long_sequences(gs_claim_run *run, gs_error *error) {
  gs_trial trial;
  GS_TRY(run_irnn(run, 1600, 128, 4, &trial, error));
  const gs_status status = check_decades(
      run, &trial, "1600 steps do not either: it falls as the root of the root of T.", error);
  gs_trial_clear(&trial);
  return status;
}

gs_status gs_claim_irnn2015(gs_claim_run *run, gs_error *error) {
  const gs_decades_case contrast = {
      .sentence = "A tanh network of scaled Gaussian weights vanishes exponentially.",
      .source = SECTION,
      .model = GS_RNN,
      .depth = 1600,
      .width = UNITS,
      .activation = GS_TANH,
      .init = gs_trial_scaled(1),
      .replicas = 16,
      .low = -INFINITY,
      .high = -100};
  GS_TRY(short_sequences(run, error));
  GS_TRY(long_sequences(run, error));
  return gs_trial_check_decades(run, &contrast, error);
}
