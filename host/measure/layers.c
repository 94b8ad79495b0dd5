/* Reducing statistics over replicas, and writing them along the axis. */
#include "measure/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/thin.h"
#include "measure/sample.h"

static const double LOG10_2 = 0.30102999566398119521;

double gs_log10_norm(gs_scaled sum_sq) {
  return 0.5 * (log10(sum_sq.value) + (double)sum_sq.exponent * LOG10_2);
}

double gs_stats_log10_norm(const gs_stats *stats) {
  return stats->nan + stats->inf > 0 ? NAN : gs_log10_norm(stats->sum_sq);
}

/* ---- one point, all replicas ---- */

/* The statistics of all replicas at one point. */
typedef struct point {
  const gs_stats *stats; /* [R] */
  const uint32_t *histogram;
  int64_t replicas;
  int bins;
  gs_dtype dtype;
} point;

static point point_of(const gs_quantity_stats *stats, const gs_config *config, int64_t index) {
  const int64_t entry = index * config->replicas;
  return (point){.stats = stats->stats + entry,
                 .histogram = stats->histogram ? stats->histogram + entry * stats->bins : NULL,
                 .replicas = config->replicas,
                 .bins = stats->bins,
                 .dtype = config->dtype};
}

static const uint32_t *counts_of(const point *p, int64_t replica) {
  return p->histogram + replica * p->bins;
}

/* True exponent of the first bin of a replica. */
static int64_t first_exponent_of(const point *p, int64_t replica) {
  return p->stats[replica].exponent + gs_dtype_min_exponent(p->dtype);
}

/* ---- columns of the table ---- */

/* Sums of one count over replicas, as a share of all elements or as such. */
typedef struct totals {
  int64_t count, nan, inf, zero, subnormal, saturated, dead;
  double log10_max, log10_min;
} totals;

static totals totals_of(const point *p) {
  totals sum = {.log10_max = -INFINITY, .log10_min = INFINITY};
  for (int64_t r = 0; r < p->replicas; r++) {
    const gs_stats *s = &p->stats[r];
    sum.count += s->count;
    sum.nan += s->nan;
    sum.inf += s->inf;
    sum.zero += s->zero;
    sum.subnormal += s->subnormal;
    sum.saturated += s->saturated;
    sum.dead += s->dead;
    const double max = log10(s->max_abs) + (double)s->exponent * LOG10_2;
    const double min = log10(s->min_abs) + (double)s->exponent * LOG10_2;
    if (max > sum.log10_max) sum.log10_max = max;
    if (s->min_abs > 0 && min < sum.log10_min) sum.log10_min = min;
  }
  return sum;
}

typedef struct table {
  cJSON *index, *mean, *sd, *p05, *p50, *p95, *finite, *norm_zero, *not_finite;
  cJSON *log10_max, *log10_min, *zero, *subnormal, *nan, *inf, *saturated, *dead;
  cJSON *kept[GS_FORMAT_COUNT][3];
  cJSON *first_exponent, *counts;
  bool complete; /* every column that may be left out and was wanted is there */
} table;

static cJSON *add_array(cJSON *object, const char *key) {
  return object ? cJSON_AddArrayToObject(object, key) : NULL;
}

static cJSON *add_object(cJSON *object, const char *key) {
  return object ? cJSON_AddObjectToObject(object, key) : NULL;
}

static table open_table(cJSON *json, const gs_config *config, gs_quantity quantity, bool full) {
  static const char *const kinds[3] = {"zero", "subnormal", "inf"};
  double low;
  double high;
  table t = {.index = add_array(json, "index"), .complete = true};
  cJSON *norm = add_object(json, "log10_norm");
  t.mean = add_array(norm, "mean");
  t.sd = add_array(norm, "sd");
  t.p05 = add_array(norm, "p05");
  t.p50 = add_array(norm, "p50");
  t.p95 = add_array(norm, "p95");
  t.finite = add_array(norm, "finite");
  t.norm_zero = add_array(norm, "zero");
  t.not_finite = add_array(norm, "not_finite");
  t.log10_max = add_array(json, "log10_max");
  t.log10_min = add_array(json, "log10_min");
  t.zero = add_array(json, "zero_share");
  t.subnormal = add_array(json, "subnormal_share");
  t.nan = add_array(json, "nan");
  t.inf = add_array(json, "inf");
  if (quantity == GS_ACTIVATION_H) {
    if (gs_activation_saturation(config->activation.kind, &low, &high)) {
      t.saturated = add_array(json, "saturated_share");
      t.complete = t.saturated != NULL;
    }
    if (config->activation.kind == GS_RELU) {
      t.dead = add_array(json, "dead_share");
      t.complete = t.dead != NULL;
    }
  }
  if (!full) return t;
  cJSON *kept = add_object(json, "kept");
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    cJSON *format = add_object(kept, gs_format_name((gs_format)f));
    for (int k = 0; k < 3; k++) t.kept[f][k] = add_array(format, kinds[k]);
  }
  cJSON *histogram = add_object(json, "histogram");
  t.first_exponent = add_array(histogram, "first_exponent");
  t.counts = add_array(histogram, "counts");
  return t;
}

static bool add_norms(table *t, const point *p, double *norms, gs_error *error) {
  gs_sample sample;
  for (int64_t r = 0; r < p->replicas; r++) norms[r] = gs_stats_log10_norm(&p->stats[r]);
  return gs_sample_of_all(norms, (size_t)p->replicas, &sample, error) == GS_OK &&
         gs_json_append(t->mean, gs_json_number(sample.mean)) &&
         gs_json_append(t->sd, gs_json_number(sample.sd)) &&
         gs_json_append(t->p05, gs_json_number(sample.p05)) &&
         gs_json_append(t->p50, gs_json_number(sample.p50)) &&
         gs_json_append(t->p95, gs_json_number(sample.p95)) &&
         gs_json_append(t->finite, gs_json_number((double)sample.count)) &&
         gs_json_append(t->norm_zero, gs_json_number((double)sample.low)) &&
         gs_json_append(t->not_finite, gs_json_number((double)sample.high));
}

static bool add_counts(table *t, const point *p, int64_t columns) {
  const totals sum = totals_of(p);
  const double count = (double)sum.count;
  const double units = (double)(columns * p->replicas);
  return gs_json_append(t->log10_max, gs_json_number(sum.log10_max)) &&
         gs_json_append(t->log10_min, gs_json_number(sum.log10_min)) &&
         gs_json_append(t->zero, gs_json_number((double)sum.zero / count)) &&
         gs_json_append(t->subnormal, gs_json_number((double)sum.subnormal / count)) &&
         gs_json_append(t->nan, gs_json_number((double)sum.nan)) &&
         gs_json_append(t->inf, gs_json_number((double)sum.inf)) &&
         (!t->saturated ||
          gs_json_append(t->saturated, gs_json_number((double)sum.saturated / count))) &&
         (!t->dead || gs_json_append(t->dead, gs_json_number((double)sum.dead / units)));
}

static bool add_kept(table *t, const gs_kept kept[GS_FORMAT_COUNT]) {
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    const int64_t total = gs_kept_total(&kept[f]);
    const double all = total > 0 ? (double)total : 1;
    if (!gs_json_append(t->kept[f][0], gs_json_number((double)kept[f].zero / all)) ||
        !gs_json_append(t->kept[f][1], gs_json_number((double)kept[f].subnormal / all)) ||
        !gs_json_append(t->kept[f][2], gs_json_number((double)kept[f].inf / all))) {
      return false;
    }
  }
  return true;
}

/* Range of true exponents that occur; false when nothing does. */
static bool exponent_range(const point *p, int64_t *least, int64_t *most) {
  *least = INT64_MAX;
  *most = INT64_MIN;
  for (int64_t r = 0; r < p->replicas; r++) {
    const uint32_t *counts = counts_of(p, r);
    for (int i = 0; i < p->bins; i++) {
      const int64_t exponent = first_exponent_of(p, r) + i;
      if (counts[i] == 0) continue;
      if (exponent < *least) *least = exponent;
      if (exponent > *most) *most = exponent;
    }
  }
  return *least <= *most;
}

/* Replicas may lie thousands of binades apart: a run of empty bins is one number. */
static bool add_histogram(table *t, const point *p) {
  int64_t least;
  int64_t most;
  cJSON *counts = cJSON_CreateArray();
  if (!gs_json_append(t->counts, counts)) return false;
  if (!exponent_range(p, &least, &most))
    return gs_json_append(t->first_exponent, cJSON_CreateNull());
  double *sums = calloc((size_t)(most - least + 1), sizeof *sums);
  if (!sums) return false;
  for (int64_t r = 0; r < p->replicas; r++) {
    for (int i = 0; i < p->bins; i++) {
      if (counts_of(p, r)[i] > 0) sums[first_exponent_of(p, r) + i - least] += counts_of(p, r)[i];
    }
  }
  bool added = gs_json_append(t->first_exponent, gs_json_number((double)least));
  for (int64_t i = 0; added && i <= most - least; i++) {
    int64_t empty = 0; /* the last bin is not */
    while (sums[i + empty] == 0) empty++;
    added = gs_json_append(counts, gs_json_number(empty > 1 ? -(double)empty : sums[i]));
    if (empty > 1) i += empty - 1;
  }
  free(sums);
  return added;
}

/* Units of a layer or step, for the share of dead ones. */
static int64_t units_at(const gs_config *config, int64_t index) {
  return config->model == GS_MLP ? config->widths[index + 1] : config->hidden;
}

static bool add_point(table *t, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                      const gs_config *config, int64_t index, double *norms, gs_error *error) {
  const point p = point_of(stats, config, index);
  return gs_json_append(t->index, gs_json_number((double)(index + 1))) &&
         add_norms(t, &p, norms, error) && add_counts(t, &p, units_at(config, index)) &&
         (!p.histogram || (add_kept(t, kept->at[index]) && add_histogram(t, &p)));
}

gs_status gs_layers_json(const gs_quantity_stats *stats, const gs_kept_axis *kept,
                         const gs_config *config, gs_quantity quantity, int64_t max_points,
                         cJSON **json, gs_error *error) {
  const int64_t points = gs_thin_count(stats->points, max_points);
  double *norms = malloc((size_t)config->replicas * sizeof *norms);
  *json = cJSON_CreateObject();
  table t = open_table(*json, config, quantity, stats->histogram != NULL);
  bool added = norms && *json && t.complete;
  for (int64_t i = 0; added && i < points; i++) {
    const int64_t index = gs_thin_at(i, points, stats->points);
    added = add_point(&t, stats, kept, config, index, norms, error);
  }
  free(norms);
  if (added) return GS_OK;
  cJSON_Delete(*json);
  *json = NULL;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
}
