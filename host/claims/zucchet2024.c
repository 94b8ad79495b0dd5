/* Zucchet & Orvieto 2024: with W = lambda I, without an activation, delta_t falls as
 * lambda^(T-t) and yet the gradient of W explodes as lambda -> 1, the longer the memory the
 * more: every step's contribution has the same sign. With v_t = U x_t,
 *
 *   dW = delta_T w^T,   w = sum_{k=1}^{T-1} k lambda^(k-1) v_{T-k} = dh_T/dlambda,
 *
 * so that for elements of U x of variance sigma_u^2
 *
 *   E |dW|^2/(n |delta_T|^2) = sigma_u^2 sum_k k^2 lambda^(2k-2)
 *                           -> sigma_u^2 (1 + lambda^2)/(1 - lambda^2)^3,  T -> infinity.
 *
 * Given U and x it is |w|^2/n, the product of two averages of squares, of n units and of n
 * inputs: of relative variance (1 + 2/n)^2 - 1 between networks at every lambda and T.
 *
 * With W = lambda Q, Q orthogonal, contributions of two steps at a distance d meet with
 * (tr Q^d)^2/n^2 in place of 1, of mean min(d, n)/n^2 (1 more for even d) over Haar's Q:
 *
 *   sum_k lambda^(2k-2) (k + 2 sum_{d<k} (k - d) E (tr Q^d)^2/n^2) -> 1/(1 - lambda^2)^2
 *
 * for wide W: eigenvalues all round the circle cancel most of it. */
#include <math.h>
#include <stdio.h>

#include "claims/trial.h"
#include "measure/layers.h"

static const char *const SECTION = "on the curse of memory";

typedef struct memory_case {
  const char *sentence;
  gs_init_kind kind; /* of W, lambda the gain */
  double lambda;
  int64_t steps, units, replicas;
  double input; /* sigma_u^2 */
  gs_finding finding;
} memory_case;

static gs_status run_case(gs_claim_run *run, const memory_case *wanted, gs_trial *trial,
                          gs_error *error) {
  gs_config config;
  gs_init init = gs_init_default(wanted->kind);
  init.gain = wanted->lambda;
  GS_TRY(gs_trial_rnn(run, wanted->steps, wanted->units, GS_IDENTITY, init, &config, error));
  config.input_init = gs_trial_scaled(wanted->input);
  config.replicas = wanted->replicas;
  return gs_trial_run(run, &config, trial, error);
}

/* E |dW|^2/(n |delta_T|^2), of T steps. */
static double squares_of(const memory_case *wanted) {
  const double l2 = wanted->lambda * wanted->lambda;
  const double n = (double)wanted->units;
  double sum = 0;
  double power = 1;
  for (int64_t k = 1; k < wanted->steps; k++) {
    const double m = (double)k;
    double pairs = m;
    for (int64_t i = 1; wanted->kind == GS_INIT_ORTHOGONAL && i < k; i++) {
      const double d = (double)i;
      pairs += 2 * (m - d) * (fmin(d, n) + (i % 2 == 0)) / (n * n);
    }
    sum += power * (wanted->kind == GS_INIT_ORTHOGONAL ? pairs : m * m);
    power *= l2;
  }
  return wanted->input * sum;
}

/* With the law's own error where that is known: estimated, it goes with the mean. */
static gs_estimate mean_squares(const memory_case *wanted, const gs_trial *trial) {
  const int64_t replicas = trial->config.replicas;
  const double spread = 1 + 2 / (double)wanted->units;
  for (int64_t r = 0; r < replicas; r++) {
    const double whole = gs_stats_log10_norm(gs_trial_stats(trial, GS_GRAD_WEIGHT, 1, r));
    const double last = gs_stats_log10_norm(gs_trial_stats(trial, GS_DELTA, GS_TRIAL_LAST, r));
    trial->scratch[r] = pow(10, 2 * (whole - last)) / (double)wanted->units;
  }
  const gs_estimate mean = gs_estimate_mean(trial->scratch, replicas);
  if (wanted->kind == GS_INIT_ORTHOGONAL) return mean;
  return gs_estimate_normal(mean.value,
                            squares_of(wanted) * sqrt((spread * spread - 1) / (double)replicas));
}

/* Where the expected number comes from, and what else there is to say. */
static void explain(const memory_case *wanted, gs_check *check) {
  const double l2 = wanted->lambda * wanted->lambda;
  const double paper = wanted->input * (1 + l2) / pow(1 - l2, 3);
  if (wanted->kind == GS_INIT_ORTHOGONAL) {
    snprintf(check->from, sizeof check->from,
             "1/(1 - lambda^2)^2 = %.4g, and terms of 1/n^2 from E (tr Q^d)^2",
             wanted->input / pow(1 - l2, 2));
    snprintf(check->remark, sizeof check->remark,
             "the eigenvalues are alike: here they lie all round the circle, and two powers of "
             "1 - lambda^2 are left of three (%.4g)",
             paper);
  } else if (wanted->lambda < 1) {
    snprintf(check->from, sizeof check->from, "%s(1 + lambda^2)/(1 - lambda^2)^3 = %.5g",
             wanted->input < 1 ? "(1 - lambda^2) times " : "", paper);
  } else {
    snprintf(check->from, sizeof check->from, "sum of k^2: (T - 1) T (2 T - 1)/6");
    snprintf(check->remark, sizeof check->remark,
             "the sequence is endless: of %lld steps it is about T^3/3", (long long)wanted->steps);
  }
}

static gs_status check_weights(gs_claim_run *run, const memory_case *wanted, gs_error *error) {
  gs_trial trial;
  gs_check check = {.sentence = wanted->sentence,
                    .source =
                        wanted->kind == GS_INIT_ORTHOGONAL ? "a wider reading of it" : SECTION,
                    .quantity = "|dW|^2/(n |delta_T|^2), the square of dh/dlambda: mean",
                    .finding = wanted->finding};
  const double expected = squares_of(wanted);
  const double allowance = wanted->kind == GS_INIT_ORTHOGONAL ? 0.01 : 0; /* of 1/n^2 */
  GS_TRY(run_case(run, wanted, &trial, error));
  check.measured = mean_squares(wanted, &trial);
  check.expected = gs_expect_near(expected, allowance * expected, 0.15 * expected);
  explain(wanted, &check);
  return gs_trial_conclude(run, &trial, &check, error);
}

/* The most that any network's delta_1 is off lambda^(T-1) |delta_T|, in decades. */
static gs_status check_delta(gs_claim_run *run, const memory_case *wanted, gs_error *error) {
  gs_trial trial;
  gs_check check = {.sentence = wanted->sentence,
                    .source = SECTION,
                    .quantity = "decades of delta, of the network that is furthest from expected",
                    .from = "(T - 1) log10 lambda, exactly; rounding: 1e-7 a step"};
  const double expected = (double)(wanted->steps - 1) * log10(wanted->lambda);
  double furthest = expected;
  GS_TRY(run_case(run, wanted, &trial, error));
  gs_trial_gaps(&trial, GS_DELTA, 1, GS_TRIAL_LAST, trial.scratch);
  for (int64_t r = 0; r < trial.config.replicas; r++) {
    const double gap = trial.scratch[r];
    if (!(fabs(gap - expected) <= fabs(furthest - expected))) furthest = gap;
  }
  check.measured = gs_estimate_exact(furthest);
  check.expected = gs_expect_near(expected, 1e-7 * (double)wanted->steps, 0);
  return gs_trial_conclude(run, &trial, &check, error);
}

gs_status gs_claim_zucchet2024(gs_claim_run *run, gs_error *error) {
  static const memory_case deltas[] = {
      {"Derivatives that go back through time do not explode: lambda = 0.99.", GS_INIT_IDENTITY,
       0.99, 1000, 16, 32, 1, GS_HOLDS},
      {"Nor with lambda = 1: they stay as they are.", GS_INIT_IDENTITY, 1, 1000, 16, 32, 1,
       GS_HOLDS}};
  static const memory_case weights[] = {
      {"The gradient of W explodes with the memory, as (1 + lambda^2)/(1 - lambda^2)^3: 0.5.",
       GS_INIT_IDENTITY, 0.5, 60, 16, 512, 1, GS_HOLDS},
      {"lambda = 0.9.", GS_INIT_IDENTITY, 0.9, 200, 16, 512, 1, GS_HOLDS},
      {"lambda = 0.99.", GS_INIT_IDENTITY, 0.99, 1000, 16, 512, 1, GS_HOLDS},
      {"lambda = 1: without end.", GS_INIT_IDENTITY, 1, 100, 16, 512, 1, GS_HOLDS_ONLY_WHEN},
      {"Inputs scaled by (1 - lambda^2)^(1/2), for |h| to stay, leave a power of 2 of it.",
       GS_INIT_IDENTITY, 0.9, 200, 16, 512, 1 - 0.9 * 0.9, GS_HOLDS},
      {"Any W of a memory as long does the same: lambda = 0.9 times an orthogonal one.",
       GS_INIT_ORTHOGONAL, 0.9, 200, 32, 256, 1, GS_HOLDS_ONLY_WHEN}};
  for (size_t i = 0; i < sizeof deltas / sizeof *deltas; i++) {
    GS_TRY(check_delta(run, &deltas[i], error));
  }
  for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
    GS_TRY(check_weights(run, &weights[i], error));
  }
  return GS_OK;
}
