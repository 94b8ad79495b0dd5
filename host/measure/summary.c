/* Decades, the verdict and what it stands on, first layer lost. */
#include "measure/summary.h"

#include <math.h>
#include <stdlib.h>

#include "measure/sample.h"
#include "net/model.h"

void gs_decades_of(const gs_quantity_stats *ends, int64_t replicas, double *decades) {
  const gs_stats *first = ends->stats;
  const gs_stats *last = ends->stats + (ends->points - 1) * replicas;
  for (int64_t r = 0; r < replicas; r++) {
    const double from = gs_stats_log10_norm(&last[r]);
    const double to = gs_stats_log10_norm(&first[r]);
    decades[r] = to == -INFINITY ? -INFINITY : isnan(to) || isnan(from) ? INFINITY : to - from;
  }
}

/* ---- decades ---- */

static const char *class_of(double decades) {
  return decades == -INFINITY ? "dead" : isfinite(decades) ? "finite" : "not_finite";
}

static bool add_sample(cJSON *object, const gs_sample *sample, double scale) {
  return gs_json_add_number(object, "mean", sample->mean * scale) &&
         gs_json_add_number(object, "sd", sample->sd * scale) &&
         gs_json_add_number(object, "p05", sample->p05 * scale) &&
         gs_json_add_number(object, "p50", sample->p50 * scale) &&
         gs_json_add_number(object, "p95", sample->p95 * scale);
}

/* What stands behind each null; the list of all networks only where some has one. */
static bool add_classes(cJSON *json, const double *decades, int64_t replicas,
                        const gs_sample *sample) {
  cJSON *classes = cJSON_AddObjectToObject(json, "class");
  bool added = gs_json_add_string(classes, "p05", class_of(sample->p05)) &&
               gs_json_add_string(classes, "p50", class_of(sample->p50)) &&
               gs_json_add_string(classes, "p95", class_of(sample->p95));
  if (!added || sample->count == replicas) return added;
  cJSON *values = cJSON_AddArrayToObject(classes, "values");
  for (int64_t r = 0; added && r < replicas; r++) {
    added = gs_json_append(values, cJSON_CreateString(class_of(decades[r])));
  }
  return added;
}

static bool add_decades(cJSON *json, const double *decades, int64_t replicas, int64_t points,
                        const gs_sample *sample) {
  cJSON *whole = cJSON_AddObjectToObject(json, "decades");
  cJSON *per_layer = cJSON_AddObjectToObject(json, "decades_per_layer");
  return add_sample(whole, sample, 1) && gs_json_add_int(whole, "finite", sample->count) &&
         gs_json_add_int(whole, "dead", sample->low) &&
         gs_json_add_int(whole, "not_finite", sample->high) &&
         add_classes(whole, decades, replicas, sample) &&
         gs_json_add(whole, "values", gs_json_numbers(decades, (size_t)replicas)) &&
         add_sample(per_layer, sample, points > 1 ? 1 / (double)(points - 1) : 0);
}

/* ---- the verdict ---- */

static bool add_share(cJSON *json, const char *key, const gs_share *share) {
  cJSON *object = cJSON_AddObjectToObject(json, key);
  return gs_json_add_int(object, "count", share->count) &&
         gs_json_add_number(object, "share", share->share) &&
         gs_json_add_number(object, "low", share->low) &&
         gs_json_add_number(object, "high", share->high);
}

/* From one point to itself there is no way to vanish: no verdict, no sides. */
static bool add_verdict(cJSON *json, const gs_law *law, bool asked, double threshold) {
  cJSON *verdict =
      asked ? cJSON_CreateString(gs_name(&gs_verdict_names, law->verdict)) : cJSON_CreateNull();
  if (!gs_json_add(json, "verdict", verdict)) return false;
  cJSON *object = cJSON_AddObjectToObject(json, "law");
  if (!gs_json_add_number(json, "threshold_decades", threshold) ||
      !gs_json_add_number(object, "confidence", GS_LAW_CONFIDENCE) ||
      !add_share(object, "dead", &law->dead) ||
      !add_share(object, "not_finite", &law->not_finite)) {
    return false;
  }
  if (!asked) return true;
  if (!add_share(object, "below", &law->below) || !add_share(object, "above", &law->above)) {
    return false;
  }
  cJSON *open = cJSON_AddArrayToObject(object, "verdicts");
  for (int v = 0; v < GS_VERDICT_COUNT; v++) {
    if (law->open[v] &&
        !gs_json_append(open, cJSON_CreateString(gs_name(&gs_verdict_names, (gs_verdict)v)))) {
      return false;
    }
  }
  return true;
}

/* ---- the summary ---- */

static const struct walk {
  gs_quantity quantity;
  bool backward; /* the direction in which it is computed */
} walks[] = {{GS_ACTIVATION_H, false}, {GS_DELTA, true}, {GS_GRAD_WEIGHT, true}};

enum { WALKS = sizeof walks / sizeof *walks };

static bool add_layer(cJSON *json, const char *key, int64_t layer) {
  return gs_json_add_number(json, key, layer ? (double)layer : (double)NAN);
}

static bool add_first_lost(cJSON *json, const gs_kept_axis *kept) {
  cJSON *all = cJSON_AddObjectToObject(json, "first_layer_lost");
  for (size_t i = 0; i < WALKS; i++) {
    const gs_kept_axis *own = &kept[walks[i].quantity];
    if (own->points == 0) continue;
    cJSON *formats = cJSON_AddObjectToObject(all, gs_name(&gs_quantity_names, walks[i].quantity));
    for (int f = 0; f < GS_FORMAT_COUNT; f++) {
      const int64_t lost = gs_first_lost(own, (gs_format)f, walks[i].backward);
      if (!add_layer(formats, gs_name(&gs_format_names, (gs_format)f), lost)) return false;
    }
  }
  return all != NULL;
}

/* What became of a run in native range. */
static bool add_lost_by_run(cJSON *json, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                            const gs_config *config) {
  if (config->range != GS_RANGE_NATIVE || kept[GS_DELTA].points == 0) return true;
  cJSON *all = cJSON_AddObjectToObject(json, "first_layer_lost_by_run");
  for (size_t i = 0; i < WALKS; i++) {
    const gs_quantity q = walks[i].quantity;
    const int64_t lost = gs_first_lost_by_run(&stats[q], config, &kept[q], walks[i].backward);
    if (!add_layer(all, gs_name(&gs_quantity_names, q), lost)) return false;
  }
  return true;
}

static gs_status fill_summary(cJSON *json, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                              const gs_config *config, double threshold, double *decades,
                              gs_error *error) {
  const gs_quantity_stats *ends = &stats[gs_model_decades(config)];
  const int64_t replicas = config->replicas;
  gs_sample sample;
  gs_decades_of(ends, replicas, decades);
  GS_TRY(gs_sample_of_all(decades, (size_t)replicas, &sample, error));
  const gs_law law = gs_law_of(decades, replicas, sample.p50, threshold);
  if (!add_decades(json, decades, replicas, ends->points, &sample) ||
      !add_verdict(json, &law, ends->points > 1, threshold) || !add_first_lost(json, kept) ||
      !add_lost_by_run(json, stats, kept, config)) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
  }
  return GS_OK;
}

gs_status gs_summary_json(const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                          const gs_kept_axis kept[GS_QUANTITY_COUNT], const gs_config *config,
                          double threshold, cJSON **json, gs_error *error) {
  double *decades = calloc((size_t)config->replicas, sizeof *decades);
  *json = cJSON_CreateObject();
  gs_status status = GS_OK;
  if (!decades || !*json) status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
  if (status == GS_OK) status = fill_summary(*json, stats, kept, config, threshold, decades, error);
  free(decades);
  if (status != GS_OK) {
    cJSON_Delete(*json);
    *json = NULL;
  }
  return status;
}
