/* Running networks for claims. */
#include "claims/trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims/setup.h"
#include "measure/layers.h"
#include "net/model.h"

gs_init gs_trial_scaled(double sigma_w2) {
  gs_init init = gs_init_default(GS_INIT_SCALED);
  init.sigma_w2 = sigma_w2;
  return init;
}

static void set_common(const gs_claim_run *run, gs_activation_kind activation, gs_init init,
                       gs_config *config) {
  config->activation.kind = config->output_activation.kind = activation;
  config->init = init;
  config->seed = run->seed;
  config->batch = 1;
  config->stats = GS_STATS_NORMS;
}

static gs_status make_network(const gs_claim_run *run, gs_model model, int64_t points,
                              int64_t units, gs_activation_kind activation, gs_init init,
                              gs_config *config, gs_error *error) {
  GS_TRY(gs_config_default(model, config, error));
  set_common(run, activation, init, config);
  const gs_status status = gs_model_row_of(model)->set_sizes(config, points, units, error);
  if (status != GS_OK) gs_config_clear(config);
  return status;
}

gs_status gs_trial_mlp(const gs_claim_run *run, int64_t depth, int64_t width,
                       gs_activation_kind activation, gs_init init, gs_config *config,
                       gs_error *error) {
  return make_network(run, GS_MLP, depth, width, activation, init, config, error);
}

gs_status gs_trial_rnn(const gs_claim_run *run, int64_t steps, int64_t units,
                       gs_activation_kind activation, gs_init init, gs_config *config,
                       gs_error *error) {
  return make_network(run, GS_RNN, steps, units, activation, init, config, error);
}

gs_status gs_trial_widths(gs_config *config, const int64_t *widths, int64_t depth,
                          gs_error *error) {
  GS_TRY(gs_config_set_widths(config, depth, widths[0], error));
  memcpy(config->widths, widths, (size_t)(depth + 1) * sizeof *widths);
  config->width = 0;
  return GS_OK;
}

/* ---- running ---- */

static gs_status step_and_read(const gs_claim_run *run, gs_trial *trial, gs_error *error) {
  gs_network *network = NULL;
  GS_TRY(gs_network_create(run->device, &trial->config, NULL, &network, error));
  gs_status status = gs_network_step(network, true, error);
  for (int q = 0; status == GS_OK && q < GS_QUANTITY_COUNT; q++) {
    status = gs_network_stats(network, (gs_quantity)q, &trial->stats[q], error);
  }
  gs_network_destroy(network);
  return status;
}

gs_status gs_trial_run(const gs_claim_run *run, gs_config *config, gs_trial *trial,
                       gs_error *error) {
  memset(trial, 0, sizeof *trial);
  trial->config = *config;
  trial->seeds = 1;
  memset(config, 0, sizeof *config);
  trial->scratch = calloc((size_t)trial->config.replicas, 3 * sizeof *trial->scratch);
  gs_status status = trial->scratch ? gs_config_check(&trial->config, error)
                                    : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the replicas");
  if (status == GS_OK) status = gs_theory_of(&trial->config, &trial->theory, error);
  if (status == GS_OK) status = step_and_read(run, trial, error);
  if (status != GS_OK) gs_trial_clear(trial);
  return status;
}

void gs_trial_clear(gs_trial *trial) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_quantity_stats_clear(&trial->stats[q]);
  gs_theory_clear(&trial->theory);
  gs_config_clear(&trial->config);
  free(trial->scratch);
  memset(trial, 0, sizeof *trial);
}

/* Puts the replicas of a part behind those of the parts before it. */
static gs_status append_part(gs_trial *all, const gs_trial *part, gs_error *error) {
  const int64_t before = all->config.replicas;
  const int64_t more = part->config.replicas;
  const size_t scratch = 3 * (size_t)(before + more) * sizeof *all->scratch;
  double *room = realloc(all->scratch, scratch);
  if (!room) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the replicas");
  all->scratch = room;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats *stats = &all->stats[q];
    const int64_t points = stats->points;
    if (points == 0) continue;
    gs_stats *joined = malloc((size_t)(points * (before + more)) * sizeof *joined);
    if (!joined) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the statistics");
    for (int64_t i = 0; i < points; i++) {
      gs_stats *to = joined + i * (before + more);
      memcpy(to, stats->stats + i * before, (size_t)before * sizeof *to);
      memcpy(to + before, part->stats[q].stats + i * more, (size_t)more * sizeof *to);
    }
    free(stats->stats);
    stats->stats = joined;
  }
  all->config.replicas += more;
  all->seeds++;
  return GS_OK;
}

static gs_status run_part(const gs_claim_run *run, const gs_config *config, int seed,
                          gs_trial *trial, gs_error *error) {
  gs_config own;
  GS_TRY(gs_config_copy(config, &own, error));
  own.seed += (uint64_t)seed;
  return gs_trial_run(run, &own, trial, error);
}

gs_status gs_trial_run_seeds(const gs_claim_run *run, gs_config *config, int seeds, gs_trial *trial,
                             gs_error *error) {
  gs_status status = run_part(run, config, 0, trial, error);
  for (int s = 1; status == GS_OK && s < seeds; s++) {
    gs_trial part;
    status = run_part(run, config, s, &part, error);
    if (status == GS_OK) status = append_part(trial, &part, error);
    gs_trial_clear(&part);
  }
  gs_config_clear(config);
  if (status != GS_OK) gs_trial_clear(trial);
  return status;
}

void gs_trial_command(const gs_trial *trial, const char *axis, const char *values,
                      char text[GS_CHECK_SETUP_BYTES]) {
  gs_config each = trial->config;
  each.replicas /= trial->seeds;
  if (trial->seeds > 1) each.seed = 1; /* which is not written */
  gs_setup_command(&each, axis, values, text, GS_CHECK_SETUP_BYTES);
  for (int s = 0; trial->seeds > 1 && s < trial->seeds; s++) {
    const size_t length = strlen(text);
    snprintf(text + length, GS_CHECK_SETUP_BYTES - length, "%s%" PRIu64, s == 0 ? " --seed " : ",",
             trial->config.seed + (uint64_t)s);
  }
}

gs_status gs_trial_conclude(gs_claim_run *run, gs_trial *trial, gs_check *check, gs_error *error) {
  gs_trial_command(trial, NULL, NULL, check->setup);
  gs_trial_clear(trial);
  return gs_claim_add(run, check, error);
}

/* ---- reading ---- */

static int64_t index_of(const gs_trial *trial, gs_quantity quantity, int64_t point) {
  return (point == GS_TRIAL_LAST ? trial->stats[quantity].points : point) - 1;
}

const gs_stats *gs_trial_stats(const gs_trial *trial, gs_quantity quantity, int64_t point,
                               int64_t replica) {
  const int64_t index = index_of(trial, quantity, point);
  return &trial->stats[quantity].stats[index * trial->config.replicas + replica];
}

static void norms(const gs_trial *trial, gs_quantity quantity, int64_t point, double *logs) {
  for (int64_t r = 0; r < trial->config.replicas; r++) {
    logs[r] = gs_stats_log10_norm(gs_trial_stats(trial, quantity, point, r));
  }
}

void gs_trial_gaps(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to,
                   double *gaps) {
  for (int64_t r = 0; r < trial->config.replicas; r++) {
    gaps[r] = gs_stats_log10_norm(gs_trial_stats(trial, quantity, from, r)) -
              gs_stats_log10_norm(gs_trial_stats(trial, quantity, to, r));
  }
}

gs_estimate gs_trial_gap(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to) {
  gs_trial_gaps(trial, quantity, from, to, trial->scratch);
  return gs_estimate_mean(trial->scratch, trial->config.replicas);
}

gs_estimate gs_trial_rms_gap(const gs_trial *trial, gs_quantity quantity, int64_t from,
                             int64_t to) {
  const int64_t replicas = trial->config.replicas;
  double *first = trial->scratch + replicas;
  double *second = first + replicas;
  norms(trial, quantity, from, first);
  norms(trial, quantity, to, second);
  return gs_estimate_rms_ratio(first, second, replicas);
}

double gs_trial_typical(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to) {
  const double *typical = trial->theory.series[quantity].typical;
  return typical[index_of(trial, quantity, from)] - typical[index_of(trial, quantity, to)];
}

double gs_trial_rms(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to) {
  const double *rms = trial->theory.series[quantity].rms;
  return rms[index_of(trial, quantity, from)] - rms[index_of(trial, quantity, to)];
}

/* ---- the commonest check ---- */

static gs_status make_config(const gs_claim_run *run, const gs_decades_case *wanted,
                             gs_config *config, gs_error *error) {
  GS_TRY(make_network(run, wanted->model, wanted->depth, wanted->width, wanted->activation,
                      wanted->init, config, error));
  config->replicas = wanted->replicas;
  return GS_OK;
}

static const char *quantity_text(const gs_decades_case *wanted) {
  if (!wanted->per_layer) return "decades of delta, mean over networks";
  return gs_model_is_recurrent(wanted->model) ? "decades of delta per step, mean over networks"
                                              : "decades of delta per layer, mean over networks";
}

gs_status gs_trial_check_decades(gs_claim_run *run, const gs_decades_case *wanted,
                                 gs_error *error) {
  gs_config config;
  gs_trial trial;
  gs_check check = {.sentence = wanted->sentence,
                    .source = wanted->source,
                    .quantity = quantity_text(wanted),
                    .finding = wanted->finding};
  const double unit = wanted->per_layer ? 1 / (double)(wanted->depth - 1) : 1;
  GS_TRY(make_config(run, wanted, &config, error));
  GS_TRY(gs_trial_run(run, &config, &trial, error));
  const double typical = trial.theory.decades_typical * unit;
  gs_setup_command(&trial.config, NULL, NULL, check.setup, sizeof check.setup);
  check.measured = gs_estimate_linear(gs_trial_gap(&trial, GS_DELTA, 1, GS_TRIAL_LAST), unit, 0);
  if (wanted->low < wanted->high) {
    check.expected = gs_expect_inside(wanted->low, wanted->high);
    snprintf(check.from, sizeof check.from, "the statement; theory: %.4g", typical);
  } else {
    check.expected = gs_expect_near(typical, wanted->allowance, wanted->resolution);
    snprintf(check.from, sizeof check.from, "theory, a typical network (%s)",
             gs_name(&gs_validity_names, trial.theory.validity));
  }
  if (wanted->remark) snprintf(check.remark, sizeof check.remark, "%s", wanted->remark);
  gs_trial_clear(&trial);
  return gs_claim_add(run, &check, error);
}
