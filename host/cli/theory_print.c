/* Predictions as tables. See theory_print.h. */
#include "cli/theory_print.h"

#include <math.h>
#include <stdlib.h>

#include "device/device.h"
#include "net/init.h"
#include "net/model.h"
#include "sweep/table_params.h"
#include "sweep/text.h"
#include "theory/critical.h"
#include "theory/recurrent.h"

/* ---- cells ---- */

static void print_shared(FILE *stream, const gs_table_params *params) {
  const int page = 110;
  int column = fprintf(stream, "%s:", gs_name(&gs_model_names, params->model));
  for (int i = 1; i < GS_PARAM_COUNT; i++) { /* 0 is the model */
    if (params->varies[i] || !params->first[i][0]) continue;
    if (column > page - 30) {
      (void)fputs("\n   ", stream);
      column = 3;
    }
    column += fprintf(stream, " %s=%s", gs_params[i].key, params->first[i]);
  }
  (void)fputs("\n", stream);
}

static void print_value(FILE *stream, const gs_table_params *params, int i, const char *text) {
  (void)fprintf(stream, params->right[i] ? "  %*s" : "  %-*s", params->width[i], text);
}

/* Decades of a gradient that is zero in every network are -infinity. */
static const char *decades_text(double value, int digits, char text[GS_NUMBER_BYTES]) {
  return value == -INFINITY ? "zero" : gs_text_fixed(value, digits, text);
}

static void print_headings(FILE *stream, const gs_table_params *params) {
  int width = 0;
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (params->varies[i]) width += params->width[i] + 2;
  }
  char unit[16];
  snprintf(unit, sizeof unit, "per %s", gs_model_row_of(params->model)->point);
  (void)fprintf(stream, "%*s  %9s  %9s  %8s  %9s  %9s\n", width, "", "decades", "decades", "",
                "decades", "depth");
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (params->varies[i]) print_value(stream, params, i, gs_params[i].key);
  }
  (void)fprintf(stream, "  %9s  %9s  %8s  %9s  %9s  %s\n", "rms", "typical", "sd", unit, "scale",
                "validity");
}

static gs_status print_row(FILE *stream, const gs_table_params *params, const gs_cell *cell,
                           const gs_theory *theory, gs_error *error) {
  char values[GS_PARAM_COUNT][GS_VALUE_BYTES];
  char texts[5][GS_NUMBER_BYTES];
  const int64_t points = gs_model_points(&cell->config);
  const double steps = points > 1 ? (double)(points - 1) : 1;
  GS_TRY(gs_table_params_values(&cell->config, values, error));
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (params->varies[i]) print_value(stream, params, i, values[i][0] ? values[i] : "-");
  }
  (void)fprintf(
      stream, "  %9s  %9s  %8s  %9s  %9s  %s", decades_text(theory->decades_rms, 2, texts[0]),
      decades_text(theory->decades_typical, 2, texts[1]),
      gs_text_fixed(theory->decades_sd, 3, texts[2]),
      decades_text(theory->decades_typical / steps, 4, texts[3]),
      gs_text_short(theory->depth_scale, texts[4]), gs_name(&gs_validity_names, theory->validity));
  const char *separator = ": ";
  for (int r = 0; r < GS_REASON_COUNT; r++) {
    if (!theory->reasons[r]) continue;
    (void)fprintf(stream, "%s%s", separator, gs_name(&gs_reason_names, (gs_reason)r));
    separator = ", ";
  }
  (void)fputs("\n", stream);
  return GS_OK;
}

static void print_legend(FILE *stream, const gs_sweep *sweep, const gs_theory *theories) {
  bool seen[GS_REASON_COUNT] = {false};
  (void)fputs(
      "\ndecades: log10 of the norm of delta, first layer or step over last; rms over networks,"
      " typical of one\nnetwork, sd between networks; per layer or step: typical; depth"
      " scale: layers in which the mean squared\nnorm changes by e where the signal has"
      " settled; -: nothing is predicted outside reach (log10 q and chi: the\nwide limit's)\n",
      stream);
  for (int64_t i = 0; i < sweep->count; i++) {
    for (int r = 0; r < GS_REASON_COUNT; r++) {
      if (!theories[i].reasons[r] || seen[r]) continue;
      seen[r] = true;
      (void)fprintf(stream, "%s: %s\n", gs_name(&gs_reason_names, (gs_reason)r),
                    gs_theory_message(&theories[i], (gs_reason)r));
    }
  }
}

/* ---- layers or steps of one cell ---- */

enum { RANGE_BYTES = 2 * GS_NUMBER_BYTES + 8 };

/* Of identity weights only the rms may be known. */
static const char *range_text(const gs_theory_series *series, int64_t at, char text[RANGE_BYTES]) {
  char middle[GS_NUMBER_BYTES];
  char sd[GS_NUMBER_BYTES];
  if (isfinite(series->typical[at])) {
    snprintf(text, RANGE_BYTES, "%s +- %s", gs_text_fixed(series->typical[at], 2, middle),
             gs_text_fixed(series->sd[at], 2, sd));
  } else if (isfinite(series->rms[at])) {
    snprintf(text, RANGE_BYTES, "rms %s", gs_text_fixed(series->rms[at], 2, middle));
  } else {
    snprintf(text, RANGE_BYTES, "%s", series->rms[at] == -INFINITY ? "zero" : "-");
  }
  return text;
}

static void print_point(FILE *stream, const gs_theory *theory, int64_t at) {
  char range[RANGE_BYTES];
  char q[GS_NUMBER_BYTES];
  char chi[GS_NUMBER_BYTES];
  (void)fprintf(stream, "%9lld  %9s  %9s", (long long)at + 1,
                gs_text_fixed(theory->log10_q[at], 3, q),
                gs_text_fixed(theory->log10_chi[at], 4, chi));
  for (int k = 0; k <= GS_GRAD_BIAS; k++) {
    const gs_theory_series *series = &theory->series[k];
    if (series->points != theory->points) continue;
    (void)fprintf(stream, "  %18s", range_text(series, at, range));
  }
  (void)fputs("\n", stream);
}

static void print_single(FILE *stream, const gs_theory_series *series, gs_quantity quantity) {
  if (isnan(series->rms[0])) {
    (void)fprintf(stream, "%s of all steps: -\n", gs_name(&gs_quantity_names, quantity));
    return;
  }
  char texts[3][GS_NUMBER_BYTES];
  (void)fprintf(stream, "%s of all steps: rms %s, typical %s, sd %s\n",
                gs_name(&gs_quantity_names, quantity), gs_text_fixed(series->rms[0], 2, texts[0]),
                gs_text_fixed(series->typical[0], 2, texts[1]),
                gs_text_fixed(series->sd[0], 2, texts[2]));
}

static void print_layers(FILE *stream, const gs_config *config, const gs_theory *theory,
                         int64_t max) {
  const int64_t points = theory->points;
  const int64_t kept = points > max ? max : points;
  (void)fprintf(stream, "\n%9s  %9s  %9s", gs_model_row_of(config->model)->point, "log10 q",
                "log10 chi");
  for (int k = 0; k <= GS_GRAD_BIAS; k++) {
    if (theory->series[k].points != points) continue;
    (void)fprintf(stream, "  %18s", gs_name(&gs_quantity_names, (gs_quantity)k));
  }
  (void)fputs("\n", stream);
  for (int64_t i = 0; i < kept; i++) {
    print_point(stream, theory, kept == points ? i : i * (points - 1) / (kept - 1));
  }
  for (int k = GS_GRAD_WEIGHT; k < GS_QUANTITY_COUNT; k++) {
    if (theory->series[k].points != 1 || points == 1) continue;
    print_single(stream, &theory->series[k], (gs_quantity)k);
  }
}

/* ---- facts about the cell's map ---- */

static void print_critical(FILE *stream, const gs_config *config) {
  gs_critical critical;
  if (gs_model_is_recurrent(config->model)) return;
  const double sigma_b2 = exp(gs_bias_log_variance(config, config->depth));
  if (gs_critical_of(config->activation, sigma_b2, &critical)) {
    (void)fprintf(stream, "critical:  chi = 1 at fan_in Var(W) = %.6g\n", critical.sigma_w2);
  } else {
    (void)fputs("critical:  chi is never 1\n", stream);
  }
}

static void print_recurrent(FILE *stream, const gs_config *config) {
  if (!gs_model_is_recurrent(config->model)) return;
  const gs_pascanu bound = gs_pascanu_of(config);
  (void)fprintf(
      stream,
      "recurrent: spectral radius %.4g, largest singular value %.4g (wide limit); times the"
      " steepest slope %.4g: %s\n",
      bound.spectral_radius, bound.singular, bound.gamma,
      bound.vanishes ? "below 1, so delta must vanish (Pascanu et al. 2013)"
                     : "not below 1, no bound");
}

gs_status gs_theory_print(FILE *stream, const gs_sweep *sweep, const gs_theory *theories,
                          int64_t points, gs_error *error) {
  gs_outcome *outcomes = calloc((size_t)sweep->count, sizeof *outcomes);
  if (!outcomes) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the table");
  for (int64_t i = 0; i < sweep->count; i++) outcomes[i].status = GS_CELL_OK;
  gs_status status = GS_OK;
  bool printed = false;
  for (int m = 0; status == GS_OK && m < GS_MODEL_COUNT; m++) {
    const gs_model model = (gs_model)m;
    gs_table_params params;
    status = gs_table_params_find(sweep, outcomes, model, &params, error);
    if (status != GS_OK || params.rows == 0) continue;
    if (printed) (void)fputs("\n", stream);
    printed = true;
    print_shared(stream, &params);
    print_headings(stream, &params);
    for (int64_t i = 0; status == GS_OK && i < sweep->count; i++) {
      if (sweep->cells[i].config.model != model) continue;
      status = print_row(stream, &params, &sweep->cells[i], &theories[i], error);
    }
  }
  free(outcomes);
  if (status != GS_OK) return status;
  if (sweep->count == 1) {
    (void)fputs("\n", stream);
    if (!theories[0].no_theory) {
      print_critical(stream, &sweep->cells[0].config);
      print_recurrent(stream, &sweep->cells[0].config);
    }
    print_layers(stream, &sweep->cells[0].config, &theories[0], points);
  }
  print_legend(stream, sweep, theories);
  return GS_OK;
}

/* ---- realised matrices ---- */

static void print_spectra(FILE *stream, const gs_cell *cell, const gs_spectrum *spectra) {
  double radius = 0;
  double singular = 0;
  double log_radius = 0;
  const double replicas = (double)cell->config.replicas;
  for (int64_t r = 0; r < cell->config.replicas; r++) {
    radius += spectra[r].radius / replicas;
    singular += spectra[r].singular / replicas;
    log_radius += log10(spectra[r].radius) / replicas;
  }
  (void)fprintf(
      stream,
      "%s: realised spectral radius %.6g (%.4f decades a step), largest singular value %.6g"
      " (means of %lld)\n",
      cell->name, radius, log_radius, singular, (long long)cell->config.replicas);
}

gs_status gs_theory_print_realised(FILE *stream, const gs_sweep *sweep, gs_error *error) {
  gs_device *device = NULL;
  GS_TRY(gs_cpu_device_create(0, &device, error));
  gs_status status = GS_OK;
  for (int64_t i = 0; status == GS_OK && i < sweep->count; i++) {
    const gs_config *config = &sweep->cells[i].config;
    if (!gs_model_is_recurrent(config->model)) continue;
    gs_spectrum *spectra = calloc((size_t)config->replicas, sizeof *spectra);
    if (!spectra) status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the spectra");
    if (status == GS_OK) status = gs_spectra_realised(device, config, spectra, error);
    if (status == GS_OK) print_spectra(stream, &sweep->cells[i], spectra);
    free(spectra);
  }
  device->ops->destroy(device);
  return status;
}
