/* A prediction as JSON. */
#include "theory/theory_json.h"

#include <math.h>

#include "base/json_writer.h"
#include "base/thin.h"
#include "net/model.h"
#include "theory/recurrent.h"

/* One column; NULL values: the 1-based indices themselves. */
static void put_column(gs_json_writer *w, const char *key, const double *values, int64_t points,
                       int64_t max_points) {
  const int64_t kept = gs_thin_count(points, max_points);
  gs_json_open_array(w, key);
  for (int64_t i = 0; i < kept; i++) {
    const int64_t at = gs_thin_at(i, kept, points);
    gs_json_put_number(w, NULL, values ? values[at] : (double)(at + 1));
  }
  gs_json_close(w);
}

static void put_series(gs_json_writer *w, const gs_theory *theory, int64_t max_points) {
  gs_json_open_object(w, "layers");
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    const gs_theory_series *series = &theory->series[q];
    if (series->points == 0) continue;
    gs_json_open_object(w, gs_name(&gs_quantity_names, (gs_quantity)q));
    put_column(w, "index", NULL, series->points, max_points);
    put_column(w, "rms", series->rms, series->points, max_points);
    put_column(w, "typical", series->typical, series->points, max_points);
    put_column(w, "sd", series->sd, series->points, max_points);
    put_column(w, "dead", series->dead, series->points, max_points);
    gs_json_close(w);
  }
  gs_json_close(w);
}

static void put_validity(gs_json_writer *w, const gs_theory *theory) {
  gs_json_put_string(w, "validity", gs_name(&gs_validity_names, theory->validity));
  gs_json_open_array(w, "reasons");
  for (int r = 0; r < GS_REASON_COUNT; r++) {
    if (theory->reasons[r]) gs_json_put_string(w, NULL, gs_name(&gs_reason_names, (gs_reason)r));
  }
  gs_json_close(w);
}

static void put_recurrent(gs_json_writer *w, const gs_config *config, const gs_theory *theory) {
  if (!gs_model_is_recurrent(config->model) || theory->no_theory) return;
  const gs_pascanu bound = gs_pascanu_of(config);
  gs_json_open_object(w, "recurrent");
  gs_json_put_number(w, "steepest", bound.gamma);
  gs_json_put_number(w, "singular", bound.singular);
  gs_json_put_number(w, "spectral_radius", bound.spectral_radius);
  gs_json_put_bool(w, "must_vanish", bound.vanishes);
  gs_json_close(w);
}

gs_status gs_theory_json(const gs_config *config, const gs_theory *theory, int64_t max_points,
                         cJSON **json, gs_error *error) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_open_object(&w, "decades");
  gs_json_put_number(&w, "rms", theory->decades_rms);
  gs_json_put_number(&w, "typical", theory->decades_typical);
  gs_json_put_number(&w, "sd", theory->decades_sd);
  gs_json_put_number(&w, "dead", theory->decades_dead);
  gs_json_close(&w);
  gs_json_put_string(&w, "dead_law", gs_name(&gs_dead_law_names, theory->dead_law));
  gs_json_put_number(&w, "depth_scale", theory->depth_scale);
  put_validity(&w, theory);
  put_recurrent(&w, config, theory);
  put_column(&w, "index", NULL, theory->points, max_points);
  put_column(&w, "log10_q", theory->log10_q, theory->points, max_points);
  put_column(&w, "log10_chi", theory->log10_chi, theory->points, max_points);
  put_series(&w, theory, max_points);
  return gs_json_finish_as(&w, "the theory", json, error);
}
