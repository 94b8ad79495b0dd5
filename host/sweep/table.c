/* The readable end of a run. See table.h. */
#include "sweep/table.h"

#include <math.h>
#include <string.h>

#include "base/printable.h"
#include "net/model.h"
#include "sweep/table_params.h"
#include "sweep/table_timing.h"
#include "sweep/text.h"

enum { PAGE_COLUMNS = 110, RESULT_COLUMNS = 85 };

typedef struct table_page {
  FILE *stream;
  bool colour;
  const gs_table_params *params;
  bool dead, not_finite; /* some cell has such networks: a column for their share */
} table_page;

/* ---- headings ---- */

/* Parameters that all cells share, in lines of PAGE_COLUMNS. */
static void print_shared(const table_page *page) {
  const gs_table_params *params = page->params;
  int column = fprintf(page->stream, "\n%s, %lld cells:", gs_name(&gs_model_names, params->model),
                       (long long)params->rows);
  for (int i = 1; i < GS_PARAM_COUNT; i++) { /* 0 is the model */
    if (params->varies[i] || !params->first[i][0]) continue;
    const int length = (int)(strlen(gs_params[i].key) + strlen(params->first[i])) + 2;
    if (column + length > PAGE_COLUMNS) {
      (void)fputs("\n   ", page->stream);
      column = 3;
    }
    column += fprintf(page->stream, " %s=%s", gs_params[i].key, params->first[i]);
  }
  (void)fputs("\n", page->stream);
}

static void print_value(const table_page *page, int i, const char *text) {
  const int width = page->params->width[i];
  (void)fprintf(page->stream, page->params->right[i] ? "  %*s" : "  %-*s", width, text);
}

static int params_width(const table_page *page) {
  int width = 0;
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (page->params->varies[i]) width += page->params->width[i] + 2;
  }
  return width;
}

static void print_headings(const table_page *page) {
  const int width = params_width(page);
  const char *point = gs_model_row_of(page->params->model)->point;
  char lost[16];
  char per_point[16];
  snprintf(lost, sizeof lost, "%s lost", point);
  snprintf(per_point, sizeof per_point, "a %s", point);
  (void)fprintf(page->stream, "%*s  %7s %14s %7s %-9s%s%s %6s %10s %7s %5s %11s\n", width, "",
                "decades", "decades", "decades", "", page->dead ? "       " : "",
                page->not_finite ? "  inf or" : "", "theory", lost, "samples", "% of", "timing ");
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (page->params->varies[i]) print_value(page, i, gs_params[i].key);
  }
  (void)fprintf(page->stream, "  %7s %14s %7s %-9s%s%s %6s %5s %5s %6s %5s %5s %5s\n", "median",
                "p05..p95", per_point, "verdict", page->dead ? "   dead" : "",
                page->not_finite ? "     NaN" : "", "z", "f16", "f32", "per s", "floor", "timed",
                "noise");
}

/* ---- rows ---- */

static const char *verdict_colour(const table_page *page, const char *verdict) {
  static const struct {
    const char *verdict;
    const char *colour;
  } colours[] = {{"vanishing", "\033[34m"}, {"stable", "\033[32m"}, {"exploding", "\033[31m"}};
  if (!page->colour) return "";
  for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
    if (strcmp(verdict, colours[i].verdict) == 0) return colours[i].colour;
  }
  return "\033[33m";
}

/* decades, or what has taken their place. */
static const char *decades_text(double decades, char text[GS_NUMBER_BYTES]) {
  if (decades == -INFINITY) return strcpy(text, "dead");
  if (decades == INFINITY) return strcpy(text, "inf");
  return gs_text_fixed(decades, 2, text);
}

static const char *range_text(const gs_outcome *outcome, char text[2 * GS_NUMBER_BYTES + 4]) {
  char low[GS_NUMBER_BYTES];
  char high[GS_NUMBER_BYTES];
  if (isnan(outcome->decades_p05) || isnan(outcome->decades_p95)) return strcpy(text, "-");
  snprintf(text, 2 * GS_NUMBER_BYTES + 4, "%s..%s", decades_text(outcome->decades_p05, low),
           decades_text(outcome->decades_p95, high));
  return text;
}

static const char *share_text(double share, char text[GS_NUMBER_BYTES]) {
  if (!isfinite(share)) return strcpy(text, "-");
  snprintf(text, GS_NUMBER_BYTES, share < 0.0995 ? "%.1f%%" : "%.0f%%", share * 100);
  return text;
}

/* The share of a cell's networks in its column, never rounded to none or all. */
static void print_networks(const table_page *page, bool column, double share, int width) {
  char text[GS_NUMBER_BYTES];
  if (!column) return;
  share_text(share > 0 ? share : NAN, text);
  if (share > 0 && share < 0.0005) strcpy(text, "<0.1%");
  if (share < 1 && share >= 0.995) strcpy(text, ">99%");
  (void)fprintf(page->stream, "  %*s", width, text);
}

/* The z of a cell that is as predicted; outside the theory's reach there is none. */
static const char *theory_text(const gs_outcome *outcome, char text[GS_NUMBER_BYTES]) {
  switch (outcome->agreement) {
  case GS_AS_PREDICTED: return gs_text_fixed(outcome->theory_z, 1, text);
  case GS_OFF: return strcpy(text, "OFF");
  case GS_OUTSIDE_VALIDITY: return strcpy(text, "none");
  case GS_AGREEMENT_VERDICT_COUNT: break;
  }
  return strcpy(text, "-");
}

/* A share that cannot be is marked. */
static const char *floor_text(const gs_outcome *outcome, char text[GS_NUMBER_BYTES]) {
  share_text(outcome->fraction_of_floor, text);
  return outcome->floor_wrong ? strcat(text, "!") : text;
}

static void print_measured(const table_page *page, const gs_outcome *outcome) {
  char texts[9][GS_NUMBER_BYTES];
  char range[2 * GS_NUMBER_BYTES + 4];
  const char *verdict = outcome->verdict[0] ? outcome->verdict : "-";
  (void)fprintf(page->stream, "  %7s %14s %7s %s%-9s%s",
                decades_text(outcome->decades_p50, texts[0]), range_text(outcome, range),
                gs_text_fixed(outcome->decades_per_layer, 4, texts[1]),
                verdict_colour(page, verdict), verdict, page->colour ? "\033[0m" : "");
  print_networks(page, page->dead, outcome->dead, 5);
  print_networks(page, page->not_finite, outcome->not_finite, 6);
  (void)fprintf(page->stream, " %6s %5s %5s %6s %5s %5s %5s\n", theory_text(outcome, texts[6]),
                gs_text_fixed(outcome->lost_f16, 0, texts[2]),
                gs_text_fixed(outcome->lost_f32, 0, texts[3]),
                gs_text_short(outcome->samples_per_s, texts[4]), floor_text(outcome, texts[5]),
                gs_timing_samples_text(outcome, texts[7]), gs_timing_noise_text(outcome, texts[8]));
}

static void print_lost(const table_page *page, const gs_outcome *outcome) {
  char reason[RESULT_COLUMNS - 8];
  gs_printable(outcome->reason, reason, sizeof reason);
  (void)fprintf(page->stream, "  %s%s%s: %s\n", page->colour ? "\033[33m" : "",
                gs_name(&gs_cell_status_names, outcome->status), page->colour ? "\033[0m" : "",
                reason);
}

static gs_status print_params(const table_page *page, const gs_cell *cell, gs_error *error) {
  char values[GS_PARAM_COUNT][GS_VALUE_BYTES];
  GS_TRY(gs_table_params_values(&cell->config, values, error));
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (page->params->varies[i]) print_value(page, i, values[i][0] ? values[i] : "-");
  }
  return GS_OK;
}

static gs_status print_row(const table_page *page, const gs_cell *cell, const gs_outcome *outcome,
                           gs_error *error) {
  GS_TRY(print_params(page, cell, error));
  if (outcome->status == GS_CELL_OK) {
    print_measured(page, outcome);
  } else {
    print_lost(page, outcome);
  }
  return GS_OK;
}

/* ---- Jacobians ---- */

static const char *jacobian_text(double value, int digits, char text[GS_NUMBER_BYTES]) {
  return value == INFINITY ? strcpy(text, "inf") : gs_text_fixed(value, digits, text);
}

static void print_jacobian_headings(const table_page *page) {
  (void)fprintf(page->stream,
                "\n%*s  singular values of %s, log10      Lyapunov  (-: zero; inf: or NaN)\n",
                params_width(page), "", gs_model_row_of(page->params->model)->whole);
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    if (page->params->varies[i]) print_value(page, i, gs_params[i].key);
  }
  (void)fprintf(page->stream, "  %10s  %10s  %10s  %12s\n", "rms", "largest", "smallest",
                "largest");
}

static gs_status print_jacobians(const table_page *page, const gs_sweep *sweep,
                                 const gs_outcome *outcomes, gs_error *error) {
  bool printed = false;
  for (int64_t i = 0; i < sweep->count && !ferror(page->stream); i++) {
    char texts[4][GS_NUMBER_BYTES];
    const gs_outcome *outcome = &outcomes[i];
    if (!outcome->has_jacobian || sweep->cells[i].config.model != page->params->model) continue;
    if (!printed) print_jacobian_headings(page);
    printed = true;
    GS_TRY(print_params(page, &sweep->cells[i], error));
    (void)fprintf(page->stream, "  %10s  %10s  %10s  %12s\n",
                  jacobian_text(outcome->jacobian_rms, 2, texts[0]),
                  jacobian_text(outcome->jacobian_largest, 2, texts[1]),
                  jacobian_text(outcome->jacobian_smallest, 2, texts[2]),
                  jacobian_text(outcome->lyapunov, 4, texts[3]));
  }
  return GS_OK;
}

/* ---- below the tables ---- */

/* How many cells are as predicted, and what is not about those that are off. */
static void print_agreement(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes) {
  int64_t counts[GS_AGREEMENT_VERDICT_COUNT + 1] = {0};
  for (int64_t i = 0; i < sweep->count; i++) counts[outcomes[i].agreement]++;
  if (counts[GS_AGREEMENT_VERDICT_COUNT] == sweep->count) return;
  (void)fprintf(stream, "theory: %lld cells as predicted, %lld off, %lld outside its reach\n",
                (long long)counts[GS_AS_PREDICTED], (long long)counts[GS_OFF],
                (long long)counts[GS_OUTSIDE_VALIDITY]);
  for (int64_t i = 0; i < sweep->count && !ferror(stream); i++) {
    char message[GS_REASON_BYTES];
    if (outcomes[i].agreement != GS_OFF) continue;
    (void)fprintf(stream, "  off: %s: %s\n", sweep->cells[i].name,
                  gs_printable(outcomes[i].reason, message, sizeof message));
  }
}

/* Whether a cell's decades are not delta's. */
static bool has_residual(const gs_sweep *sweep) {
  for (int64_t i = 0; i < sweep->count; i++) {
    if (gs_model_decades(&sweep->cells[i].config) == GS_GRAD_STREAM) return true;
  }
  return false;
}

static void print_legend(FILE *stream, bool networks, bool residual) {
  (void)fputs("\ndecades: log10 of the norm of delta, first layer or step over last, over replicas;"
              " z: standard errors\nfrom the predicted mean; lost: where, going back, over half of"
              " delta would be zero or infinite in f16, f32;\nfloor: the least time a step can"
              " take here (!: not trustworthy); timed: how many samples; noise: their\n5th to 95th"
              " percentile over the median (?: one sample has none)\n",
              stream);
  if (residual) {
    (void)fputs("decades of residual networks: of the stream's gradient, first point over last\n",
                stream);
  }
  if (networks) {
    (void)fputs(
        "dead: networks whose first delta is zero; inf or NaN: whose delta is not finite; both"
        " have their place\nat the ends of median and p05..p95\n",
        stream);
  }
}

/* Which shares a model's cells have. */
static void find_networks(table_page *page, const gs_sweep *sweep, const gs_outcome *outcomes) {
  for (int64_t i = 0; i < sweep->count; i++) {
    if (sweep->cells[i].config.model != page->params->model) continue;
    page->dead = page->dead || outcomes[i].dead > 0;
    page->not_finite = page->not_finite || outcomes[i].not_finite > 0;
  }
}

gs_status gs_table_print(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes,
                         bool colour, gs_error *error) {
  bool printed = false;
  bool networks = false;
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    const gs_model model = (gs_model)m;
    gs_table_params params;
    table_page page = {.stream = stream, .colour = colour, .params = &params};
    GS_TRY(gs_table_params_find(sweep, outcomes, model, &params, error));
    if (params.rows == 0) continue;
    find_networks(&page, sweep, outcomes);
    networks = networks || page.dead || page.not_finite;
    print_shared(&page);
    print_headings(&page);
    printed = true;
    for (int64_t i = 0; i < sweep->count && !ferror(stream); i++) {
      const gs_cell *cell = &sweep->cells[i];
      if (outcomes[i].status == GS_CELL_PENDING || cell->config.model != model) continue;
      GS_TRY(print_row(&page, cell, &outcomes[i], error));
    }
    GS_TRY(print_jacobians(&page, sweep, outcomes, error));
  }
  if (printed) {
    print_legend(stream, networks, has_residual(sweep));
    print_agreement(stream, sweep, outcomes);
    gs_table_timing_print(stream, sweep, outcomes);
  }
  return GS_OK;
}
