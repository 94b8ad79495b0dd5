/* Hanin & Nica 2020: in a rectifier network with variance 2/fan_in, ln of
 * |delta^1|^2/|delta^L|^2 is nearly normal, of mean -beta/2 and variance beta, beta = 5
 * times the sum of 1/n over the layers between.
 *
 * The law is that of many wide layers. The exact one is known at every width (THEORY
 * section 2), so that both are checked: the distribution against the paper's normal by
 * Kolmogorov and Smirnov, mean and variance against the exact values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "claims/trial.h"

/* Many networks: `replicas` with each of `seeds` seeds. */
typedef struct population {
  int64_t width, depth;
  int seeds;
  int64_t replicas;
  double *logs; /* ln of the squared ratio where it is finite */
  int64_t count;
  int64_t dead;                /* networks in which some layer passes nothing */
  double beta, mean, variance; /* the paper's, and the exact law's */
  char setup[GS_CHECK_SETUP_BYTES];
} population;

static double beta_of(const gs_config *config) {
  double beta = 0;
  for (int64_t l = 1; l < config->depth; l++) beta += 5 / (double)config->widths[l];
  return beta;
}

static void take(population *all, const gs_trial *trial) {
  gs_trial_gaps(trial, GS_DELTA, 1, GS_TRIAL_LAST, trial->scratch);
  for (int64_t r = 0; r < trial->config.replicas; r++) {
    const double log = 2 * M_LN10 * trial->scratch[r];
    if (isfinite(log)) {
      all->logs[all->count++] = log;
    } else {
      all->dead++;
    }
  }
  const double deviation = 2 * M_LN10 * trial->theory.decades_sd;
  all->beta = beta_of(&trial->config);
  all->mean = 2 * M_LN10 * trial->theory.decades_typical;
  all->variance = deviation * deviation;
  gs_trial_command(trial, NULL, NULL, all->setup);
}

/* widths: n_0..n_depth, or NULL for equal ones. */
static gs_status draw(gs_claim_run *run, const int64_t *widths, population *all, gs_error *error) {
  gs_config config;
  gs_trial trial;
  all->logs = calloc((size_t)all->seeds * (size_t)all->replicas, sizeof *all->logs);
  if (!all->logs) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the networks' ratios");
  GS_TRY(gs_trial_mlp(run, all->depth, all->width, GS_RELU, gs_init_default(GS_INIT_HE_NORMAL),
                      &config, error));
  config.replicas = all->replicas;
  if (widths) {
    const gs_status status = gs_trial_widths(&config, widths, all->depth, error);
    if (status != GS_OK) {
      gs_config_clear(&config);
      return status;
    }
  }
  GS_TRY(gs_trial_run_seeds(run, &config, all->seeds, &trial, error));
  take(all, &trial);
  gs_trial_clear(&trial);
  return GS_OK;
}

/* Kolmogorov and Smirnov against N(-beta/2, beta). */
static gs_status check_law(gs_claim_run *run, const population *all, gs_check *check,
                           gs_error *error) {
  double *standard = malloc((size_t)all->count * sizeof *standard);
  if (!standard) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the networks' ratios");
  for (int64_t i = 0; i < all->count; i++) {
    standard[i] = (all->logs[i] + 0.5 * all->beta) / sqrt(all->beta);
  }
  gs_sort(standard, (size_t)all->count);
  const double distance = gs_ks_distance(standard, all->count);
  free(standard);
  check->measured = gs_estimate_exact(gs_ks_probability(distance, all->count));
  memcpy(check->setup, all->setup, sizeof check->setup);
  const size_t length = strlen(check->remark);
  snprintf(check->remark + length, sizeof check->remark - length,
           "%sD = %.4f over %lld networks, beta = %.3g; %lld more were dead",
           length > 0 ? "; " : "", distance, (long long)all->count, all->beta,
           (long long)all->dead);
  return gs_claim_add(run, check, error);
}

static gs_status check_moments(gs_claim_run *run, const population *all, gs_error *error) {
  gs_check mean = {.sentence = "Its mean is -beta/2.",
                   .source = "main theorem, for rectifier networks",
                   .quantity = "mean of ln |delta^1|^2/|delta^L|^2 over networks",
                   .finding = GS_HOLDS_ONLY_WHEN,
                   .measured = gs_estimate_mean(all->logs, all->count)};
  gs_check variance = {.sentence = "Its variance is beta.",
                       .source = "main theorem, for rectifier networks",
                       .quantity = "variance of ln |delta^1|^2/|delta^L|^2 over networks",
                       .finding = GS_HOLDS_ONLY_WHEN,
                       .measured = gs_estimate_variance(all->logs, all->count)};
  const char *const source = "the exact law: ln of chi-squared over binomially many units";
  mean.expected = gs_expect_near(all->mean, 0, 0.2);
  variance.expected = gs_expect_near(all->variance, 0, 0.1 * all->variance);
  snprintf(mean.from, sizeof mean.from, "%s", source);
  snprintf(variance.from, sizeof variance.from, "%s", source);
  snprintf(mean.remark, sizeof mean.remark,
           "terms of order L/n^2 are small: -beta/2 is %.4f, the exact mean %.4f", -0.5 * all->beta,
           all->mean);
  snprintf(variance.remark, sizeof variance.remark,
           "terms of order L/n^2 are small: beta is %.4f, the exact variance %.4f", all->beta,
           all->variance);
  memcpy(mean.setup, all->setup, sizeof mean.setup);
  memcpy(variance.setup, all->setup, sizeof variance.setup);
  GS_TRY(gs_claim_add(run, &mean, error));
  return gs_claim_add(run, &variance, error);
}

static gs_status with_population(gs_claim_run *run, const int64_t *widths, population *all,
                                 gs_check *check, gs_error *error) {
  gs_status status = draw(run, widths, all, error);
  if (status == GS_OK) status = check_law(run, all, check, error);
  if (status == GS_OK) status = check_moments(run, all, error);
  free(all->logs);
  return status;
}

gs_status gs_claim_hanin2020(gs_claim_run *run, gs_error *error) {
  static const int64_t widths[] = {100, 80, 120, 150, 90, 200, 110, 160, 100, 180, 130};
  const char *const quantity = "p-value of Kolmogorov-Smirnov against N(-beta/2, beta)";
  population equal = {.width = 128, .depth = 17, .seeds = 16, .replicas = 640};
  population unequal = {.width = 100, .depth = 10, .seeds = 16, .replicas = 640};
  population narrow = {.width = 16, .depth = 41, .seeds = 1, .replicas = 10240};
  gs_check equal_law = {.sentence = "ln of the squared gradient is normal.",
                        .source = "main theorem, for rectifier networks",
                        .quantity = quantity,
                        .from = "less only once in ten thousand times",
                        .expected = gs_expect_inside(GS_CHECK_CHANCE, 1)};
  gs_check unequal_law = equal_law;
  gs_check narrow_law = {.sentence = "It is normal for narrow and deep networks, too.",
                         .source = "main theorem, for rectifier networks",
                         .quantity = quantity,
                         .from = "the exact law is not normal: L/n^2 is 41/256",
                         .expected = gs_expect_inside(0, 1e-6),
                         .finding = GS_HOLDS_NOT,
                         .remark = "off where L/n^2 is not small; mean and variance follow the "
                                   "exact law still"};
  unequal_law.sentence = "Only the sum of 1/n counts: unequal widths.";
  GS_TRY(with_population(run, NULL, &equal, &equal_law, error));
  GS_TRY(with_population(run, widths, &unequal, &unequal_law, error));
  return with_population(run, NULL, &narrow, &narrow_law, error);
}
