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

static void put_sample(gs_json_writer *w, const gs_sample *sample, double scale) {
  gs_json_put_number(w, "mean", sample->mean * scale);
  gs_json_put_number(w, "sd", sample->sd * scale);
  gs_json_put_number(w, "p05", sample->p05 * scale);
  gs_json_put_number(w, "p50", sample->p50 * scale);
  gs_json_put_number(w, "p95", sample->p95 * scale);
}

/* What stands behind each null; the list of all networks only where some has one. */
static void put_classes(gs_json_writer *w, const double *decades, int64_t replicas,
                        const gs_sample *sample) {
  gs_json_open_object(w, "class");
  gs_json_put_string(w, "p05", class_of(sample->p05));
  gs_json_put_string(w, "p50", class_of(sample->p50));
  gs_json_put_string(w, "p95", class_of(sample->p95));
  if (sample->count < replicas) {
    gs_json_open_array(w, "values");
    for (int64_t r = 0; r < replicas; r++) gs_json_put_string(w, NULL, class_of(decades[r]));
    gs_json_close(w);
  }
  gs_json_close(w);
}

static void put_decades(gs_json_writer *w, const double *decades, int64_t replicas, int64_t points,
                        const gs_sample *sample) {
  gs_json_open_object(w, "decades");
  put_sample(w, sample, 1);
  gs_json_put_int(w, "finite", sample->count);
  gs_json_put_int(w, "dead", sample->low);
  gs_json_put_int(w, "not_finite", sample->high);
  put_classes(w, decades, replicas, sample);
  gs_json_put_numbers(w, "values", decades, (size_t)replicas);
  gs_json_close(w);
  gs_json_open_object(w, "decades_per_layer");
  put_sample(w, sample, points > 1 ? 1 / (double)(points - 1) : 0);
  gs_json_close(w);
}

/* ---- the verdict ---- */

static void put_share(gs_json_writer *w, const char *key, const gs_share *share) {
  gs_json_open_object(w, key);
  gs_json_put_int(w, "count", share->count);
  gs_json_put_number(w, "share", share->share);
  gs_json_put_number(w, "low", share->low);
  gs_json_put_number(w, "high", share->high);
  gs_json_close(w);
}

/* What laws are possible, by the shares on either side. */
static void put_sides(gs_json_writer *w, const gs_law *law) {
  put_share(w, "below", &law->below);
  put_share(w, "above", &law->above);
  gs_json_open_array(w, "verdicts");
  for (int v = 0; v < GS_VERDICT_COUNT; v++) {
    if (law->open[v]) gs_json_put_string(w, NULL, gs_name(&gs_verdict_names, (gs_verdict)v));
  }
  gs_json_close(w);
}

/* From one point to itself there is no way to vanish: no verdict, no sides. */
static void put_verdict(gs_json_writer *w, const gs_law *law, bool asked, double threshold) {
  gs_json_put_string(w, "verdict", asked ? gs_name(&gs_verdict_names, law->verdict) : NULL);
  gs_json_open_object(w, "law");
  gs_json_put_number(w, "confidence", GS_LAW_CONFIDENCE);
  put_share(w, "dead", &law->dead);
  put_share(w, "not_finite", &law->not_finite);
  if (asked) put_sides(w, law);
  gs_json_close(w);
  gs_json_put_number(w, "threshold_decades", threshold);
}

/* ---- the summary ---- */

static const struct walk {
  gs_quantity quantity;
  bool backward; /* the direction in which it is computed */
} walks[] = {{GS_ACTIVATION_H, false}, {GS_DELTA, true}, {GS_GRAD_WEIGHT, true}};

enum { WALKS = sizeof walks / sizeof *walks };

static void put_layer(gs_json_writer *w, const char *key, int64_t layer) {
  gs_json_put_number(w, key, layer ? (double)layer : (double)NAN);
}

static void put_first_lost(gs_json_writer *w, const gs_kept_axis *kept) {
  gs_json_open_object(w, "first_layer_lost");
  for (size_t i = 0; i < WALKS; i++) {
    const gs_kept_axis *own = &kept[walks[i].quantity];
    if (own->points == 0) continue;
    gs_json_open_object(w, gs_name(&gs_quantity_names, walks[i].quantity));
    for (int f = 0; f < GS_FORMAT_COUNT; f++) {
      const int64_t lost = gs_first_lost(own, (gs_format)f, walks[i].backward);
      put_layer(w, gs_name(&gs_format_names, (gs_format)f), lost);
    }
    gs_json_close(w);
  }
  gs_json_close(w);
}

/* What became of a run in native range. */
static void put_lost_by_run(gs_json_writer *w, const gs_quantity_stats *stats,
                            const gs_kept_axis *kept, const gs_config *config) {
  if (config->range != GS_RANGE_NATIVE || kept[GS_DELTA].points == 0) return;
  gs_json_open_object(w, "first_layer_lost_by_run");
  for (size_t i = 0; i < WALKS; i++) {
    const gs_quantity q = walks[i].quantity;
    put_layer(w, gs_name(&gs_quantity_names, q),
              gs_first_lost_by_run(&stats[q], config, &kept[q], walks[i].backward));
  }
  gs_json_close(w);
}

gs_status gs_summary_put(gs_json_writer *w, const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                         const gs_kept_axis kept[GS_QUANTITY_COUNT], const gs_config *config,
                         double threshold, gs_error *error) {
  const gs_quantity_stats *ends = &stats[gs_model_decades(config)];
  const int64_t replicas = config->replicas;
  gs_sample sample;
  double *decades = calloc((size_t)replicas, sizeof *decades);
  if (!decades) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
  gs_decades_of(ends, replicas, decades);
  const gs_status status = gs_sample_of_all(decades, (size_t)replicas, &sample, error);
  if (status == GS_OK) {
    const gs_law law = gs_law_of(decades, replicas, sample.p50, threshold);
    put_decades(w, decades, replicas, ends->points, &sample);
    put_verdict(w, &law, ends->points > 1, threshold);
    put_first_lost(w, kept);
    put_lost_by_run(w, stats, kept, config);
  }
  free(decades);
  return status;
}
