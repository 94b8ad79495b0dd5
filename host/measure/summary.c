/* Decades, verdict, first layer lost. */
#include "measure/summary.h"

#include <math.h>
#include <stdlib.h>

#include "measure/sample.h"

const char *gs_verdict_name(gs_verdict verdict) {
  static const char *const names[] = {"vanishing", "stable", "exploding", "mixed"};
  return names[verdict];
}

void gs_decades_of(const gs_quantity_stats *delta, int64_t replicas, double *decades) {
  const gs_stats *first = delta->stats;
  const gs_stats *last = delta->stats + (delta->points - 1) * replicas;
  for (int64_t r = 0; r < replicas; r++) {
    const double from = gs_stats_log10_norm(&last[r]);
    const double to = gs_stats_log10_norm(&first[r]);
    decades[r] = isnan(to) ? INFINITY : to == -INFINITY ? -INFINITY : to - from;
    if (isnan(from) && !isnan(to)) decades[r] = NAN; /* nothing to compare with */
  }
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

gs_status gs_verdict_of(const double *decades, int64_t replicas, double threshold,
                        gs_verdict *verdict, gs_error *error) {
  double *sorted = malloc((size_t)replicas * sizeof *sorted);
  if (!sorted) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the verdict");
  size_t count = 0;
  bool grown = false;
  bool shrunk = false;
  for (int64_t r = 0; r < replicas; r++) {
    if (isnan(decades[r])) continue;
    sorted[count++] = decades[r];
    grown = grown || decades[r] > threshold;
    shrunk = shrunk || decades[r] < -threshold;
  }
  qsort(sorted, count, sizeof *sorted, ascending);
  /* infinities have a place in the order but no midpoint: take the lower middle */
  const double median = count ? sorted[(count - 1) / 2] : INFINITY;
  *verdict = grown && shrunk       ? GS_MIXED
             : median > threshold  ? GS_EXPLODING
             : median < -threshold ? GS_VANISHING
                                   : GS_STABLE;
  free(sorted);
  return GS_OK;
}

static bool add_sample(cJSON *object, const gs_sample *sample, double scale) {
  return gs_json_add_number(object, "mean", sample->mean * scale) &&
         gs_json_add_number(object, "sd", sample->sd * scale) &&
         gs_json_add_number(object, "p05", sample->p05 * scale) &&
         gs_json_add_number(object, "p50", sample->p50 * scale) &&
         gs_json_add_number(object, "p95", sample->p95 * scale);
}

static bool add_decades(cJSON *json, const double *decades, const gs_config *config, int64_t points,
                        const gs_sample *sample) {
  const size_t replicas = (size_t)config->replicas;
  int64_t dead = 0;
  int64_t not_finite = 0;
  cJSON *whole = cJSON_AddObjectToObject(json, "decades");
  cJSON *per_layer = cJSON_AddObjectToObject(json, "decades_per_layer");
  for (size_t r = 0; r < replicas; r++) {
    if (decades[r] == -INFINITY) dead++;
    if (isnan(decades[r]) || decades[r] == INFINITY) not_finite++;
  }
  return add_sample(whole, sample, 1) && gs_json_add_int(whole, "dead", dead) &&
         gs_json_add_int(whole, "not_finite", not_finite) &&
         gs_json_add(whole, "values", gs_json_numbers(decades, replicas)) &&
         add_sample(per_layer, sample, points > 1 ? 1 / (double)(points - 1) : 0);
}

static bool add_first_lost(cJSON *json, const gs_kept_axis *kept) {
  static const struct {
    gs_quantity quantity;
    bool backward; /* the direction in which it is computed */
  } walks[] = {{GS_ACTIVATION_H, false}, {GS_DELTA, true}, {GS_GRAD_WEIGHT, true}};
  cJSON *all = cJSON_AddObjectToObject(json, "first_layer_lost");
  for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
    const gs_kept_axis *own = &kept[walks[i].quantity];
    if (own->points == 0) continue;
    cJSON *formats = cJSON_AddObjectToObject(all, gs_quantity_name(walks[i].quantity));
    for (int f = 0; f < GS_FORMAT_COUNT; f++) {
      const int64_t lost = gs_first_lost(own, (gs_format)f, walks[i].backward);
      const double value = lost ? (double)lost : NAN;
      if (!gs_json_add_number(formats, gs_format_name((gs_format)f), value)) return false;
    }
  }
  return all != NULL;
}

static gs_status fill_summary(cJSON *json, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                              const gs_config *config, double threshold, double *decades,
                              gs_error *error) {
  const gs_quantity_stats *delta = &stats[GS_DELTA];
  gs_sample sample;
  gs_verdict verdict;
  gs_decades_of(delta, config->replicas, decades);
  GS_TRY(gs_sample_of(decades, (size_t)config->replicas, &sample, error));
  GS_TRY(gs_verdict_of(decades, config->replicas, threshold, &verdict, error));
  if (!add_decades(json, decades, config, delta->points, &sample) ||
      !gs_json_add_string(json, "verdict", gs_verdict_name(verdict)) ||
      !gs_json_add_number(json, "threshold_decades", threshold) ||
      !add_first_lost(json, kept)) {
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
