/* Jacobians over replicas, as JSON. */
#include "measure/jacobian_json.h"

#include <string.h>

#include "base/thin.h"
#include "measure/sample.h"

/* What is said of the replicas, in the order of the record; a logarithm may be that of a
 * zero, -infinity. */
enum { MEAN, SD, P05, P50, P95, FINITE, ZERO, NOT_FINITE, FIELDS };
static const char *const fields[FIELDS] = {"mean", "sd",     "p05",  "p50",
                                           "p95",  "finite", "zero", "not_finite"};

static bool has_field(int field, bool logarithms) { return field != ZERO || logarithms; }

static gs_status sample_fields(const double *values, int64_t replicas, double of[FIELDS],
                               gs_error *error) {
  gs_sample s;
  GS_TRY(gs_sample_of_all(values, (size_t)replicas, &s, error));
  const double all[FIELDS] = {s.mean,          s.sd,          s.p05,         s.p50, s.p95,
                              (double)s.count, (double)s.low, (double)s.high};
  memcpy(of, all, sizeof all);
  return GS_OK;
}

/* One quantity along the kept points of its axis: a column for each field. */
static gs_status put_axis(gs_json_writer *w, const char *key, bool logarithms, const double *values,
                          int64_t count, int64_t kept, int64_t replicas, gs_error *error) {
  cJSON *columns[FIELDS] = {NULL};
  double of[FIELDS];
  gs_json_open_object(w, key);
  for (int f = 0; f < FIELDS; f++) {
    if (has_field(f, logarithms)) columns[f] = gs_json_put_column(w, fields[f]);
  }
  gs_json_close(w);
  for (int64_t i = 0; i < kept; i++) {
    const int64_t at = gs_thin_at(i, kept, count);
    GS_TRY(sample_fields(values + at * replicas, replicas, of, error));
    for (int f = 0; f < FIELDS; f++) {
      if (columns[f]) gs_json_append_number(w, columns[f], of[f]);
    }
  }
  return GS_OK;
}

static gs_status put_layers(gs_json_writer *w, const gs_jacobian *jacobian, gs_error *error) {
  const int64_t points = jacobian->points;
  const struct {
    const char *key;
    const double *values;
  } parts[] = {{"mean", jacobian->mean},
               {"rms", jacobian->rms},
               {"largest", jacobian->largest},
               {"smallest", jacobian->smallest}};
  gs_json_open_object(w, "layers");
  gs_json_open_array(w, "index");
  for (int64_t i = 0; i < points; i++) gs_json_put_int(w, NULL, jacobian->index[i]);
  gs_json_close(w);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    GS_TRY(put_axis(w, parts[i].key, false, parts[i].values, points, points, jacobian->replicas,
                    error));
  }
  gs_json_close(w);
  return GS_OK;
}

static gs_status put_end_to_end(gs_json_writer *w, const gs_jacobian *jacobian, gs_error *error) {
  const struct {
    const char *key;
    const double *values;
  } parts[] = {{"log10_mean", jacobian->log10_mean},
               {"log10_rms", jacobian->log10_rms},
               {"log10_largest", jacobian->log10_largest},
               {"log10_smallest", jacobian->log10_smallest}};
  double of[FIELDS];
  gs_json_open_object(w, "end_to_end");
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    GS_TRY(sample_fields(parts[i].values, jacobian->replicas, of, error));
    gs_json_open_object(w, parts[i].key);
    for (int f = 0; f < FIELDS; f++) gs_json_put_number(w, fields[f], of[f]);
    gs_json_close(w);
  }
  gs_json_close(w);
  return GS_OK;
}

static gs_status put_lyapunov(gs_json_writer *w, const gs_jacobian *jacobian, int64_t max_points,
                              gs_error *error) {
  const int64_t count = jacobian->exponents;
  const int64_t kept = gs_thin_count(count, max_points);
  gs_json_open_object(w, "lyapunov");
  gs_json_open_array(w, "index");
  for (int64_t i = 0; i < kept; i++) gs_json_put_int(w, NULL, gs_thin_at(i, kept, count) + 1);
  gs_json_close(w);
  GS_TRY(put_axis(w, "exponent", true, jacobian->lyapunov, count, kept, jacobian->replicas, error));
  gs_json_close(w);
  return GS_OK;
}

gs_status gs_jacobian_put(gs_json_writer *w, const gs_jacobian *jacobian, int64_t max_points,
                          gs_error *error) {
  GS_TRY(put_layers(w, jacobian, error));
  GS_TRY(put_end_to_end(w, jacobian, error));
  GS_TRY(put_lyapunov(w, jacobian, max_points, error));
  return gs_json_writer_status(w, "the record", error);
}
