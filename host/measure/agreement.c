/* Judging a cell: its decades, and every norm along the axis. */
#include "measure/agreement.h"

#include <math.h>
#include <stdlib.h>

#include "device/activation_scale.h"
#include "device/scale.h"
#include "measure/layers.h"
#include "measure/sample.h"
#include "measure/summary.h"
#include "net/model.h"

const gs_names gs_agreement_names = {"verdict", GS_NAMES(GS_AGREEMENT_LIST(GS_ROW_NAME)), NULL};

/* ---- measuring and judging ---- */

static gs_status measure(const double *values, int64_t networks, bool median, gs_measured *measured,
                         int64_t *dead, gs_error *error) {
  gs_sample sample;
  GS_TRY(gs_sample_of(values, (size_t)networks, &sample, error));
  *measured = (gs_measured){.networks = networks,
                            .finite = sample.count,
                            .centre = median ? sample.p50 : sample.mean,
                            .sd = sample.sd,
                            .median = median};
  *dead = sample.low;
  return GS_OK;
}

typedef struct comparison {
  const gs_config *config;
  const gs_theory *theory;
  gs_allowance allowance;
  bool median;    /* heavy tails: a mean of logarithms may still be a rare network's */
  double *values; /* [R] */
} comparison;

static gs_judgement judge(const gs_measured *measured, const gs_predicted *predicted,
                          gs_shape shape, const gs_deaths *deaths, const comparison *c) {
  gs_judgement judgement = gs_judge_shaped(measured, predicted, &c->allowance, shape);
  if (predicted->typical != -INFINITY) gs_judge_deaths(measured, deaths, &judgement);
  return judgement;
}

/* Whether the sd is too large even without the network furthest from the mean: logarithms
 * of a few units' norms have tails that no kurtosis describes. Spoils c->values. */
static gs_status judge_spread_again(const comparison *c, const gs_predicted *predicted,
                                    gs_shape shape, gs_agreement *made, gs_error *error) {
  const gs_measured *all = &made->decades;
  gs_measured rest;
  int64_t dead;
  int64_t furthest = -1;
  double max = -1;
  if (made->of_decades.sd_agrees || !(made->of_decades.sd_ratio > 1) || all->finite < 3) {
    return GS_OK;
  }
  for (int64_t r = 0; r < all->networks; r++) {
    if (!isfinite(c->values[r]) || !(fabs(c->values[r] - all->centre) > max)) continue;
    max = fabs(c->values[r] - all->centre);
    furthest = r;
  }
  if (furthest < 0) return GS_OK;
  c->values[furthest] = NAN;
  GS_TRY(measure(c->values, all->networks, c->median, &rest, &dead, error));
  made->of_decades.sd_agrees = gs_judge_shaped(&rest, predicted, &c->allowance, shape).sd_agrees;
  return GS_OK;
}

static gs_status judge_decades(const comparison *c, const gs_quantity_stats *ends,
                               gs_agreement *made, gs_error *error) {
  const double edge = 1.6448536269514722; /* of a normal's middle 90 % */
  const gs_theory *theory = c->theory;
  const int64_t R = c->config->replicas;
  const gs_predicted predicted = {theory->decades_rms, theory->decades_typical, theory->decades_sd};
  const gs_shape shape = {theory->decades_skew, theory->decades_kurtosis};
  int64_t inside = 0;
  gs_decades_of(ends, R, c->values);
  made->of_dead = (gs_deaths){R, 0, theory->decades_dead, theory->dead_law};
  GS_TRY(measure(c->values, R, c->median, &made->decades, &made->of_dead.dead, error));
  made->of_decades = judge(&made->decades, &predicted, shape, &made->of_dead, c);
  const double half = edge * predicted.sd + c->allowance.fixed;
  for (int64_t r = 0; r < R; r++) inside += fabs(c->values[r] - predicted.typical) <= half;
  made->in_band = NAN;
  if (made->decades.finite > 0 && isfinite(predicted.typical)) {
    made->in_band = (double)inside / (double)made->decades.finite;
  }
  return judge_spread_again(c, &predicted, shape, made, error);
}

/* In standard errors; of a count of the dead that few chances make, as many as have its
 * probability. NaN counts as the worst there is. */
static double severity(const gs_judgement *j) {
  const double rare = 1e-3;
  if (isnan(j->excess) || isnan(j->dead_p)) return INFINITY;
  return j->dead_p < rare ? fmax(j->excess, sqrt(-2 * log(j->dead_p))) : j->excess;
}

static bool worse(const gs_judgement *a, const gs_judgement *b) {
  if (a->lost != b->lost) return a->lost;
  if (severity(a) != severity(b)) return severity(a) > severity(b);
  return fabs(a->z) > fabs(b->z);
}

static gs_status judge_series(const comparison *c, const gs_quantity_stats *stats, int q,
                              gs_agreement *made, gs_error *error) {
  const int64_t R = c->config->replicas;
  const gs_theory_series *series = &c->theory->series[q];
  made->worst[q] = -1;
  if (stats->points != series->points) return GS_OK;
  for (int64_t i = 0; i < series->points; i++) {
    const gs_predicted predicted = {series->rms[i], series->typical[i], series->sd[i]};
    if (isnan(predicted.typical)) continue; /* not predicted */
    gs_measured measured;
    for (int64_t r = 0; r < R; r++) c->values[r] = gs_stats_log10_norm(&stats->stats[i * R + r]);
    gs_deaths deaths = {R, 0, series->dead[i], c->theory->dead_law};
    GS_TRY(measure(c->values, R, c->median, &measured, &deaths.dead, error));
    const gs_judgement judgement =
        judge(&measured, &predicted, (gs_shape){series->skew[i], 0}, &deaths, c);
    if (made->worst[q] >= 0 && !worse(&judgement, &made->of_worst[q])) continue;
    made->worst[q] = i;
    made->of_worst[q] = judgement;
    made->measured[q] = measured;
    made->dead[q] = deaths;
  }
  return GS_OK;
}

/* ---- what extended range cannot hold (scale.h) ---- */

/* Binades by which one layer or step may scale numbers of the dtype: what its range leaves
 * beside the window, for each of a product's two factors. */
static double max_growth(gs_dtype dtype) {
  const double range = dtype == GS_F64 ? 1022 : dtype == GS_F16 ? 24 : 126;
  return (range - gs_scale_window(dtype)) / 2;
}

/* Does a layer scale h, or delta, by more? The input's elements are about 1. */
static bool scales_too_far(const gs_quantity_stats *stats, const gs_config *config,
                           gs_quantity quantity) {
  const int64_t R = config->replicas;
  const double max = max_growth(config->dtype) * log10(2);
  for (int64_t i = 0; i < stats->points * R; i++) {
    const gs_stats *now = &stats->stats[i];
    double before = quantity == GS_ACTIVATION_H ? 0.5 * log10((double)now->count) : NAN;
    if (i >= R) before = gs_stats_log10_norm(&stats->stats[i - R]);
    const double growth = fabs(gs_stats_log10_norm(now) - before);
    if (growth > max && isfinite(growth)) return true; /* not what died or came back */
  }
  return false;
}

/* Lost, all of a tensor, where phi' is not 0: units are so far out that phi or phi' is below
 * what the dtype holds. Near 0 nothing is lost so. */
static bool loses_tails(const gs_quantity_stats *stats, const gs_config *config,
                        const gs_theory *theory) {
  const bool curved = !gs_activation_homogeneous(config->activation.kind) ||
                      !gs_activation_homogeneous(config->output_activation.kind);
  bool far = false;
  for (int64_t i = 0; i < theory->points; i++) far = far || !(theory->log10_q[i] < 1);
  if (!curved || !far) return false;
  for (int q = GS_ACTIVATION_H; q <= GS_DELTA; q++) {
    for (int64_t i = 0; i < stats[q].points * config->replicas; i++) {
      const gs_stats *s = &stats[q].stats[i];
      if (s->nan + s->inf > 0 || s->zero == s->count) return true;
    }
  }
  return false;
}

/* Why the run's numbers are not those of the network, or NULL. */
static const char *not_held(const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                            const gs_config *config, const gs_theory *theory) {
  if (config->range != GS_RANGE_EXTENDED) return NULL;
  if (scales_too_far(&stats[GS_ACTIVATION_H], config, GS_ACTIVATION_H) ||
      scales_too_far(&stats[GS_DELTA], config, GS_DELTA)) {
    return "one layer or step scales by more than extended range can follow";
  }
  if (loses_tails(stats, config, theory)) {
    return "units so far out that phi or phi' is below the dtype's range";
  }
  return NULL;
}

/* ---- the verdict and its words ---- */

/* Native range is predicted only as far as it is extended range. */
static bool leaves_native(const gs_quantity_stats *stats, const gs_config *config) {
  if (config->range != GS_RANGE_NATIVE) return false;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    for (int64_t i = 0; i < stats[q].points * config->replicas; i++) {
      const gs_stats *s = &stats[q].stats[i];
      if (s->subnormal + s->nan + s->inf > 0 || !(s->max_abs > 0)) return true;
    }
  }
  return false;
}

/* `errors`: of the limit that was passed. */
static void say_norm(const char *what, const gs_judgement *j, const gs_measured *measured,
                     const gs_deaths *deaths, double errors, char *message) {
  const long long networks = measured->networks;
  const long long lost = measured->networks - measured->finite - deaths->dead;
  if (lost > 0) {
    snprintf(message, GS_AGREEMENT_MESSAGE_BYTES, "%s: infinite or NaN in %lld of %lld networks",
             what, lost, networks);
  } else if (j->lost) {
    snprintf(message, GS_AGREEMENT_MESSAGE_BYTES, "%s: not zero against the prediction", what);
  } else if (!(j->dead_p >= exp(-0.5 * errors * errors))) {
    snprintf(message, GS_AGREEMENT_MESSAGE_BYTES,
             "%s: zero in %lld of %lld networks, expected %.3g (p = %.1g)", what,
             (long long)deaths->dead, networks, deaths->share * (double)networks, j->dead_p);
  } else {
    snprintf(message, GS_AGREEMENT_MESSAGE_BYTES,
             "%s: %.3g %s the prediction, %.1f standard errors", what, fabs(j->difference),
             j->difference < 0 ? "below" : "above", fabs(j->z));
  }
}

/* What is off, the plainest first; false when nothing is. */
static bool say_off(const gs_agreement *made, const gs_config *config, int64_t points,
                    char *message) {
  const double limit = gs_judge_limit(points);
  const char *axis = gs_model_row_of(config->model)->point;
  if (!gs_judgement_agrees(&made->of_decades, gs_judge_limit(1))) {
    say_norm("decades", &made->of_decades, &made->decades, &made->of_dead, gs_judge_limit(1),
             message);
    return true;
  }
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    char what[64];
    if (made->worst[q] < 0 || gs_judgement_agrees(&made->of_worst[q], limit)) continue;
    snprintf(what, sizeof what, "norm of %s at %s %lld",
             gs_name(&gs_quantity_names, (gs_quantity)q), axis, (long long)made->worst[q] + 1);
    say_norm(what, &made->of_worst[q], &made->measured[q], &made->dead[q], limit, message);
    return true;
  }
  if (!made->of_decades.sd_agrees) {
    snprintf(message, GS_AGREEMENT_MESSAGE_BYTES, "sd of decades: %.3g times the prediction",
             made->of_decades.sd_ratio);
    return true;
  }
  return false;
}

static void conclude(const comparison *c, const gs_quantity_stats *stats, gs_agreement *made) {
  const char *const lost = not_held(stats, c->config, c->theory);
  made->verdict = GS_AS_PREDICTED;
  made->message[0] = '\0';
  if (c->theory->validity == GS_VALIDITY_OUTSIDE) {
    made->verdict = GS_OUTSIDE_VALIDITY;
    for (int r = 0; r < GS_REASON_COUNT; r++) {
      if (!c->theory->reasons[r] || !gs_reason_outside((gs_reason)r)) continue;
      snprintf(made->message, sizeof made->message, "%s",
               gs_theory_message(c->theory, (gs_reason)r));
      return;
    }
  } else if (lost) {
    made->verdict = GS_OUTSIDE_VALIDITY;
    snprintf(made->message, sizeof made->message, "%s", lost);
  } else if (leaves_native(stats, c->config)) {
    made->verdict = GS_OUTSIDE_VALIDITY;
    snprintf(made->message, sizeof made->message,
             "native range: norms under- or overflow, which is not predicted");
  } else if (say_off(made, c->config, c->theory->points, made->message)) {
    made->verdict = GS_OFF;
  }
}

gs_status gs_agreement_of(const gs_quantity_stats stats[GS_QUANTITY_COUNT], const gs_config *config,
                          const gs_theory *theory, gs_agreement *agreement, gs_error *error) {
  comparison c = {.config = config,
                  .theory = theory,
                  .allowance = gs_allowance_of(config, theory),
                  .median = theory->reasons[GS_REASON_HEAVY_TAILS],
                  .values = calloc((size_t)config->replicas, sizeof *c.values)};
  if (!c.values) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the verdict");
  *agreement = (gs_agreement){0};
  gs_status status = judge_decades(&c, &stats[gs_model_decades(config)], agreement, error);
  for (int q = 0; status == GS_OK && q < GS_QUANTITY_COUNT; q++) {
    status = judge_series(&c, &stats[q], q, agreement, error);
  }
  if (status == GS_OK) conclude(&c, stats, agreement);
  free(c.values);
  return status;
}
