/* Jacobians over replicas, as JSON. */
#include "measure/jacobian_json.h"

#include "base/thin.h"
#include "measure/sample.h"

/* "mean", "sd", ... of the replicas: arrays along an axis, or numbers. */
static bool add_field(cJSON *object, const char *key, bool axis, double value) {
  cJSON *number = gs_json_number(value);
  if (!axis) return gs_json_add(object, key, number);
  cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key);
  if (!array) array = cJSON_AddArrayToObject(object, key);
  return gs_json_append(array, number);
}

/* A logarithm may be that of a zero, -infinity. */
static bool add_sample(cJSON *object, bool axis, bool logarithms, const double *values,
                       int64_t replicas, gs_error *error) {
  gs_sample sample;
  return object && gs_sample_of_all(values, (size_t)replicas, &sample, error) == GS_OK &&
         add_field(object, "mean", axis, sample.mean) && add_field(object, "sd", axis, sample.sd) &&
         add_field(object, "p05", axis, sample.p05) && add_field(object, "p50", axis, sample.p50) &&
         add_field(object, "p95", axis, sample.p95) &&
         add_field(object, "finite", axis, (double)sample.count) &&
         (!logarithms || add_field(object, "zero", axis, (double)sample.low)) &&
         add_field(object, "not_finite", axis, (double)sample.high);
}

/* One quantity along the kept points of its axis. */
static bool add_axis(cJSON *parent, const char *key, bool logarithms, const double *values,
                     int64_t count, int64_t kept, int64_t replicas, gs_error *error) {
  cJSON *object = cJSON_AddObjectToObject(parent, key);
  bool added = object != NULL;
  for (int64_t i = 0; added && i < kept; i++) {
    const int64_t at = gs_thin_at(i, kept, count);
    added = add_sample(object, true, logarithms, values + at * replicas, replicas, error);
  }
  return added;
}

static bool add_layers(cJSON *json, const gs_jacobian *jacobian, gs_error *error) {
  const int64_t points = jacobian->points;
  const struct {
    const char *key;
    const double *values;
  } parts[] = {{"mean", jacobian->mean},
               {"rms", jacobian->rms},
               {"largest", jacobian->largest},
               {"smallest", jacobian->smallest}};
  cJSON *layers = cJSON_AddObjectToObject(json, "layers");
  cJSON *index = layers ? cJSON_AddArrayToObject(layers, "index") : NULL;
  bool added = index != NULL;
  for (int64_t i = 0; added && i < points; i++) {
    added = gs_json_append(index, gs_json_number((double)jacobian->index[i]));
  }
  for (size_t i = 0; added && i < sizeof parts / sizeof *parts; i++) {
    added = add_axis(layers, parts[i].key, false, parts[i].values, points, points,
                     jacobian->replicas, error);
  }
  return added;
}

static bool add_end_to_end(cJSON *json, const gs_jacobian *jacobian, gs_error *error) {
  const struct {
    const char *key;
    const double *values;
  } parts[] = {{"log10_mean", jacobian->log10_mean},
               {"log10_rms", jacobian->log10_rms},
               {"log10_largest", jacobian->log10_largest},
               {"log10_smallest", jacobian->log10_smallest}};
  cJSON *object = cJSON_AddObjectToObject(json, "end_to_end");
  bool added = object != NULL;
  for (size_t i = 0; added && i < sizeof parts / sizeof *parts; i++) {
    added = add_sample(cJSON_AddObjectToObject(object, parts[i].key), false, true, parts[i].values,
                       jacobian->replicas, error);
  }
  return added;
}

static bool add_lyapunov(cJSON *json, const gs_jacobian *jacobian, int64_t max_points,
                         gs_error *error) {
  const int64_t count = jacobian->exponents;
  const int64_t kept = gs_thin_count(count, max_points);
  cJSON *object = cJSON_AddObjectToObject(json, "lyapunov");
  cJSON *index = object ? cJSON_AddArrayToObject(object, "index") : NULL;
  bool added = index != NULL;
  for (int64_t i = 0; added && i < kept; i++) {
    added = gs_json_append(index, gs_json_number((double)(gs_thin_at(i, kept, count) + 1)));
  }
  return added && add_axis(object, "exponent", true, jacobian->lyapunov, count, kept,
                           jacobian->replicas, error);
}

gs_status gs_jacobian_json(const gs_jacobian *jacobian, int64_t max_points, cJSON **json,
                           gs_error *error) {
  *json = cJSON_CreateObject();
  if (*json && add_layers(*json, jacobian, error) && add_end_to_end(*json, jacobian, error) &&
      add_lyapunov(*json, jacobian, max_points, error)) {
    return GS_OK;
  }
  cJSON_Delete(*json);
  *json = NULL;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
}
