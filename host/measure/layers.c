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

static gs_status no_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
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
  gs_json_writer *w;
  cJSON *columns[COLUMNS]; /* NULL: does not apply */
  cJSON *kept[GS_FORMAT_COUNT][3];
  cJSON *first_exponent, *counts;
} table;

static bool same_group(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

static void open_columns(table *t, const gs_config *config, gs_quantity quantity) {
  const char *group = NULL;
  for (int i = 0; i < COLUMNS; i++) {
    if (columns[i].applies && !columns[i].applies(config, quantity)) continue;
    if (!same_group(columns[i].group, group)) {
      if (group) gs_json_close(t->w);
      group = columns[i].group;
      if (group) gs_json_open_object(t->w, group);
    }
    t->columns[i] = gs_json_put_column(t->w, columns[i].key);
  }
  if (group) gs_json_close(t->w);
}

static table open_table(gs_json_writer *w, const gs_config *config, gs_quantity quantity,
                        bool full) {
  static const char *const kinds[3] = {"zero", "subnormal", "inf"};
  table t = {.w = w};
  open_columns(&t, config, quantity);
  if (!full) return t;
  gs_json_open_object(w, "kept");
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    gs_json_open_object(w, gs_name(&gs_format_names, (gs_format)f));
    for (int k = 0; k < 3; k++) t.kept[f][k] = gs_json_put_column(w, kinds[k]);
    gs_json_close(w);
  }
  gs_json_close(w);
  gs_json_open_object(w, "histogram");
  t.first_exponent = gs_json_put_column(w, "first_exponent");
  t.counts = gs_json_put_column(w, "counts");
  gs_json_close(w);
  return t;
}

static void add_row(const table *t, const row *r) {
  for (int i = 0; i < COLUMNS; i++) {
    if (t->columns[i]) gs_json_append_number(t->w, t->columns[i], columns[i].value(r));
  }
}

static void add_kept(const table *t, const gs_kept kept[GS_FORMAT_COUNT]) {
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    const int64_t total = gs_kept_total(&kept[f]);
    const double all = total > 0 ? (double)total : 1;
    gs_json_append_number(t->w, t->kept[f][0], (double)kept[f].zero / all);
    gs_json_append_number(t->w, t->kept[f][1], (double)kept[f].subnormal / all);
    gs_json_append_number(t->w, t->kept[f][2], (double)kept[f].inf / all);
  }
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
static gs_status add_histogram(const table *t, const point *p, gs_error *error) {
  int64_t min;
  int64_t max;
  cJSON *counts = gs_json_append_column(t->w, t->counts);
  if (!exponent_range(p, &min, &max)) {
    gs_json_append_number(t->w, t->first_exponent, NAN);
    return GS_OK;
  }
  double *sums = calloc((size_t)(max - min + 1), sizeof *sums);
  if (!sums) return no_memory(error);
  for (int64_t r = 0; r < p->replicas; r++) {
    for (int i = 0; i < p->bins; i++) {
      if (counts_of(p, r)[i] > 0) sums[first_exponent_of(p, r) + i - min] += counts_of(p, r)[i];
    }
  }
  gs_json_append_number(t->w, t->first_exponent, (double)min);
  for (int64_t i = 0; i <= max - min; i++) {
    int64_t empty = 0; /* the last bin is not */
    while (sums[i + empty] == 0) empty++;
    gs_json_append_number(t->w, counts, empty > 1 ? -(double)empty : sums[i]);
    if (empty > 1) i += empty - 1;
  }
  free(sums);
  return GS_OK;
}

static gs_status add_point(const table *t, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                           const gs_config *config, gs_quantity quantity, int64_t index,
                           double *norms, gs_error *error) {
  const point p = point_of(stats, config, index);
  row r = {.index = gs_model_first_index(quantity) + index,
           .sum = totals_of(&p),
           .units = (double)(gs_model_units_of(config, quantity, index) * p.replicas)};
  for (int64_t i = 0; i < p.replicas; i++) norms[i] = gs_stats_log10_norm(&p.stats[i]);
  GS_TRY(gs_sample_of_all(norms, (size_t)p.replicas, &r.norm, error));
  add_row(t, &r);
  if (!p.histogram) return GS_OK;
  add_kept(t, kept->at[index]);
  return add_histogram(t, &p, error);
}

gs_status gs_layers_put(gs_json_writer *w, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                        const gs_config *config, gs_quantity quantity, int64_t max_points,
                        gs_error *error) {
  const int64_t points = gs_thin_count(stats->points, max_points);
  double *norms = malloc((size_t)config->replicas * sizeof *norms);
  if (!norms) return no_memory(error);
  const table t = open_table(w, config, quantity, stats->histogram != NULL);
  gs_status status = GS_OK;
  for (int64_t i = 0; status == GS_OK && i < points; i++) {
    const int64_t index = gs_thin_at(i, points, stats->points);
    status = add_point(&t, stats, kept, config, quantity, index, norms, error);
  }
  free(norms);
  return status == GS_OK ? gs_json_writer_status(w, "the record", error) : status;
}
