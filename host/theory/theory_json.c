/* A prediction as JSON. */
#include "theory/theory_json.h"

#include <math.h>

#include "base/thin.h"
#include "net/model.h"
#include "theory/recurrent.h"

/* One column; NULL values: the 1-based indices themselves. */
static bool add_column(cJSON *object, const char *key, const double *values, int64_t points,
                       int64_t max_points) {
  const int64_t kept = gs_thin_count(points, max_points);
  cJSON *list = cJSON_AddArrayToObject(object, key);
  bool added = list != NULL;
  for (int64_t i = 0; added && i < kept; i++) {
    const int64_t at = gs_thin_at(i, kept, points);
    added = gs_json_append(list, gs_json_number(values ? values[at] : (double)(at + 1)));
  }
  return added;
}

static bool add_series(cJSON *json, const gs_theory *theory, int64_t max_points) {
  cJSON *all = cJSON_AddObjectToObject(json, "layers");
  for (int q = 0; all && q < GS_QUANTITY_COUNT; q++) {
    const gs_theory_series *series = &theory->series[q];
    if (series->points == 0) continue;
    cJSON *one = cJSON_AddObjectToObject(all, gs_name(&gs_quantity_names, (gs_quantity)q));
    if (!one || !add_column(one, "index", NULL, series->points, max_points) ||
        !add_column(one, "rms", series->rms, series->points, max_points) ||
        !add_column(one, "typical", series->typical, series->points, max_points) ||
        !add_column(one, "sd", series->sd, series->points, max_points) ||
        !add_column(one, "dead", series->dead, series->points, max_points)) {
      return false;
    }
  }
  return all != NULL;
}

static bool add_validity(cJSON *json, const gs_theory *theory) {
  cJSON *reasons = NULL;
  if (!gs_json_add_string(json, "validity", gs_name(&gs_validity_names, theory->validity)))
    return false;
  reasons = cJSON_AddArrayToObject(json, "reasons");
  for (int r = 0; reasons && r < GS_REASON_COUNT; r++) {
    if (!theory->reasons[r]) continue;
    if (!gs_json_append(reasons, cJSON_CreateString(gs_name(&gs_reason_names, (gs_reason)r))))
      return false;
  }
  return reasons != NULL;
}

static bool add_recurrent(cJSON *json, const gs_config *config, const gs_theory *theory) {
  if (!gs_model_is_recurrent(config->model) || theory->no_theory) return true;
  const gs_pascanu bound = gs_pascanu_of(config);
  cJSON *object = cJSON_AddObjectToObject(json, "recurrent");
  return object && gs_json_add_number(object, "steepest", bound.gamma) &&
         gs_json_add_number(object, "singular", bound.singular) &&
         gs_json_add_number(object, "spectral_radius", bound.spectral_radius) &&
         gs_json_add_bool(object, "must_vanish", bound.vanishes);
}

gs_status gs_theory_json(const gs_config *config, const gs_theory *theory, int64_t max_points,
                         cJSON **json, gs_error *error) {
  *json = cJSON_CreateObject();
  cJSON *decades = *json ? cJSON_AddObjectToObject(*json, "decades") : NULL;
  if (decades && gs_json_add_number(decades, "rms", theory->decades_rms) &&
      gs_json_add_number(decades, "typical", theory->decades_typical) &&
      gs_json_add_number(decades, "sd", theory->decades_sd) &&
      gs_json_add_number(decades, "dead", theory->decades_dead) &&
      gs_json_add_string(*json, "dead_law", gs_name(&gs_dead_law_names, theory->dead_law)) &&
      gs_json_add_number(*json, "depth_scale", theory->depth_scale) &&
      add_validity(*json, theory) && add_recurrent(*json, config, theory) &&
      add_column(*json, "index", NULL, theory->points, max_points) &&
      add_column(*json, "log10_q", theory->log10_q, theory->points, max_points) &&
      add_column(*json, "log10_chi", theory->log10_chi, theory->points, max_points) &&
      add_series(*json, theory, max_points)) {
    return GS_OK;
  }
  cJSON_Delete(*json);
  *json = NULL;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
}
