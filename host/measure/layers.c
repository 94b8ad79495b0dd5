/* Reducing statistics over replicas, and writing them along the axis. */
#include "measure/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/thin.h"
#include "measure/sample.h"
#include "net/model.h"

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

/* What the columns of one point are made of. */
typedef struct row {
  int64_t index;
  gs_sample norm; /* log10, over replicas */
  totals sum;
  double units; /* of all replicas */
} row;

static double index_of(const row *r) { return (double)r->index; }
static double mean_of(const row *r) { return r->norm.mean; }
static double sd_of(const row *r) { return r->norm.sd; }
static double p05_of(const row *r) { return r->norm.p05; }
static double p50_of(const row *r) { return r->norm.p50; }
static double p95_of(const row *r) { return r->norm.p95; }
static double finite_of(const row *r) { return (double)r->norm.count; }
static double norm_zero_of(const row *r) { return (double)r->norm.low; }
static double not_finite_of(const row *r) { return (double)r->norm.high; }
static double max_of(const row *r) { return r->sum.log10_max; }
static double min_of(const row *r) { return r->sum.log10_min; }
static double zero_of(const row *r) { return (double)r->sum.zero / (double)r->sum.count; }
static double subnormal_of(const row *r) { return (double)r->sum.subnormal / (double)r->sum.count; }
static double nan_of(const row *r) { return (double)r->sum.nan; }
static double inf_of(const row *r) { return (double)r->sum.inf; }
static double saturated_of(const row *r) { return (double)r->sum.saturated / (double)r->sum.count; }
static double dead_of(const row *r) { return (double)r->sum.dead / r->units; }

static bool saturates(const gs_config *config, gs_quantity quantity) {
  double low;
  double high;
  return quantity == GS_ACTIVATION_H &&
         gs_activation_saturation(config->activation.kind, &low, &high);
}

static bool dies(const gs_config *config, gs_quantity quantity) {
  return quantity == GS_ACTIVATION_H && config->activation.kind == GS_RELU;
}

/* In the order of the record. */
static const struct {
  const char *group; /* the object it is in; NULL: the table itself */
  const char *key;
  double (*value)(const row *row);
  bool (*applies)(const gs_config *config, gs_quantity quantity); /* NULL: always */
} columns[] = {
    {NULL, "index", index_of, NULL},
    {"log10_norm", "mean", mean_of, NULL},
    {"log10_norm", "sd", sd_of, NULL},
    {"log10_norm", "p05", p05_of, NULL},
    {"log10_norm", "p50", p50_of, NULL},
    {"log10_norm", "p95", p95_of, NULL},
    {"log10_norm", "finite", finite_of, NULL},
    {"log10_norm", "zero", norm_zero_of, NULL},
    {"log10_norm", "not_finite", not_finite_of, NULL},
    {NULL, "log10_max", max_of, NULL},
    {NULL, "log10_min", min_of, NULL},
    {NULL, "zero_share", zero_of, NULL},
    {NULL, "subnormal_share", subnormal_of, NULL},
    {NULL, "nan", nan_of, NULL},
    {NULL, "inf", inf_of, NULL},
    {NULL, "saturated_share", saturated_of, saturates},
    {NULL, "dead_share", dead_of, dies},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

typedef struct table {
  cJSON *columns[COLUMNS]; /* NULL: does not apply */
  cJSON *kept[GS_FORMAT_COUNT][3];
  cJSON *first_exponent, *counts;
  bool failed; /* no memory for one of them */
} table;

/* An array or an object in an object. */
static cJSON *open_in(table *t, cJSON *object, const char *key, cJSON *(*create)(void)) {
  cJSON *item = object ? create() : NULL;
  if (!object || !gs_json_add(object, key, item)) t->failed = true;
  return t->failed ? NULL : item;
}

static void open_columns(table *t, cJSON *json, const gs_config *config, gs_quantity quantity) {
  for (int i = 0; i < COLUMNS; i++) {
    const char *group = columns[i].group;
    cJSON *object = group ? cJSON_GetObjectItemCaseSensitive(json, group) : json;
    if (columns[i].applies && !columns[i].applies(config, quantity)) continue;
    if (!object) object = open_in(t, json, group, cJSON_CreateObject);
    t->columns[i] = open_in(t, object, columns[i].key, cJSON_CreateArray);
  }
}

static table open_table(cJSON *json, const gs_config *config, gs_quantity quantity, bool full) {
  static const char *const kinds[3] = {"zero", "subnormal", "inf"};
  table t = {.failed = json == NULL};
  open_columns(&t, json, config, quantity);
  if (!full) return t;
  cJSON *kept = open_in(&t, json, "kept", cJSON_CreateObject);
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    cJSON *format = open_in(&t, kept, gs_name(&gs_format_names, (gs_format)f), cJSON_CreateObject);
    for (int k = 0; k < 3; k++) t.kept[f][k] = open_in(&t, format, kinds[k], cJSON_CreateArray);
  }
  cJSON *histogram = open_in(&t, json, "histogram", cJSON_CreateObject);
  t.first_exponent = open_in(&t, histogram, "first_exponent", cJSON_CreateArray);
  t.counts = open_in(&t, histogram, "counts", cJSON_CreateArray);
  return t;
}

static bool add_row(table *t, const row *r) {
  for (int i = 0; i < COLUMNS; i++) {
    cJSON *column = t->columns[i];
    if (column && !gs_json_append(column, gs_json_number(columns[i].value(r)))) return false;
  }
  return true;
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
static bool exponent_range(const point *p, int64_t *min, int64_t *max) {
  *min = INT64_MAX;
  *max = INT64_MIN;
  for (int64_t r = 0; r < p->replicas; r++) {
    const uint32_t *counts = counts_of(p, r);
    for (int i = 0; i < p->bins; i++) {
      const int64_t exponent = first_exponent_of(p, r) + i;
      if (counts[i] == 0) continue;
      if (exponent < *min) *min = exponent;
      if (exponent > *max) *max = exponent;
    }
  }
  return *min <= *max;
}

/* Replicas may lie thousands of binades apart: a run of empty bins is one number. */
static bool add_histogram(table *t, const point *p) {
  int64_t min;
  int64_t max;
  cJSON *counts = cJSON_CreateArray();
  if (!gs_json_append(t->counts, counts)) return false;
  if (!exponent_range(p, &min, &max)) return gs_json_append(t->first_exponent, cJSON_CreateNull());
  double *sums = calloc((size_t)(max - min + 1), sizeof *sums);
  if (!sums) return false;
  for (int64_t r = 0; r < p->replicas; r++) {
    for (int i = 0; i < p->bins; i++) {
      if (counts_of(p, r)[i] > 0) sums[first_exponent_of(p, r) + i - min] += counts_of(p, r)[i];
    }
  }
  bool added = gs_json_append(t->first_exponent, gs_json_number((double)min));
  for (int64_t i = 0; added && i <= max - min; i++) {
    int64_t empty = 0; /* the last bin is not */
    while (sums[i + empty] == 0) empty++;
    added = gs_json_append(counts, gs_json_number(empty > 1 ? -(double)empty : sums[i]));
    if (empty > 1) i += empty - 1;
  }
  free(sums);
  return added;
}

static bool add_point(table *t, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                      const gs_config *config, gs_quantity quantity, int64_t index, double *norms,
                      gs_error *error) {
  const point p = point_of(stats, config, index);
  row r = {.index = gs_model_first_index(quantity) + index,
           .sum = totals_of(&p),
           .units = (double)(gs_model_units_of(config, quantity, index) * p.replicas)};
  for (int64_t i = 0; i < p.replicas; i++) norms[i] = gs_stats_log10_norm(&p.stats[i]);
  return gs_sample_of_all(norms, (size_t)p.replicas, &r.norm, error) == GS_OK && add_row(t, &r) &&
         (!p.histogram || (add_kept(t, kept->at[index]) && add_histogram(t, &p)));
}

gs_status gs_layers_json(const gs_quantity_stats *stats, const gs_kept_axis *kept,
                         const gs_config *config, gs_quantity quantity, int64_t max_points,
                         cJSON **json, gs_error *error) {
  const int64_t points = gs_thin_count(stats->points, max_points);
  double *norms = malloc((size_t)config->replicas * sizeof *norms);
  *json = cJSON_CreateObject();
  table t = open_table(*json, config, quantity, stats->histogram != NULL);
  bool added = norms && !t.failed;
  for (int64_t i = 0; added && i < points; i++) {
    const int64_t index = gs_thin_at(i, points, stats->points);
    added = add_point(&t, stats, kept, config, quantity, index, norms, error);
  }
  free(norms);
  if (added) return GS_OK;
  cJSON_Delete(*json);
  *json = NULL;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
}
