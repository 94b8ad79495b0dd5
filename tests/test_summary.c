/* Decades, verdicts, and the record's "layers" and "summary", from statistics
 * made by hand. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/scale.h"
#include "measure/sample.h"
#include "measure/summary.h"

/* Statistics of one quantity whose norms are 10^log10[point * R + r]; NaN there
 * makes an element NaN, -inf makes all elements zero. */
static gs_quantity_stats make_stats(int64_t points, int64_t replicas, const double *log10_norms,
                                    bool full) {
  const size_t entries = (size_t)(points * replicas);
  gs_quantity_stats made = {.points = points, .bins = gs_dtype_exponent_bins(GS_F32)};
  made.stats = calloc(entries, sizeof *made.stats);
  assert_non_null(made.stats);
  if (full) {
    made.histogram = calloc(entries * (size_t)made.bins, sizeof *made.histogram);
    assert_non_null(made.histogram);
  }
  for (size_t i = 0; i < entries; i++) {
    gs_stats *s = &made.stats[i];
    s->count = 100;
    if (isnan(log10_norms[i])) {
      s->nan = 1;
    } else if (isinf(log10_norms[i])) {
      s->zero = 100;
    } else {
      const double log2_square = 2 * log10_norms[i] / log10(2);
      const double whole = 2 * floor(log2_square / 2);
      s->sum_sq = gs_scaled_canonical(exp2(log2_square - whole), (int64_t)whole);
      s->exponent = (int64_t)(whole / 2);
      s->min_abs = 0.5;
      s->max_abs = 1;
      if (full) made.histogram[i * (size_t)made.bins + 149] = 100; /* digits of about 1 */
    }
  }
  return made;
}

static gs_config config_of(int64_t points, int64_t replicas) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, points, 50, &error), &error);
  config.replicas = replicas;
  return config;
}

/* ---- decades ---- */

static void test_decades(void **state) {
  (void)state;
  /* 3 points, 6 replicas: first, (middle), last */
  const double norms[] = {-6270.5, -INFINITY, NAN, 7, NAN, 2.25, //
                          0,       0,         0,   0, 0,   0,    //
                          2,       3,         1,   5, NAN, NAN};
  gs_quantity_stats stats = make_stats(3, 6, norms, false);
  double decades[6];
  gs_decades_of(&stats, 6, decades);
  assert_true(fabs(decades[0] + 6272.5) < 1e-9);
  assert_true(decades[1] == -INFINITY);
  assert_true(decades[2] == INFINITY);
  assert_true(fabs(decades[3] - 2) < 1e-12);
  assert_true(decades[4] == INFINITY); /* lost on the way or before: overflowed */
  assert_true(decades[5] == INFINITY); /* nothing to compare with */
  stats.stats[3].inf = 1;
  gs_decades_of(&stats, 6, decades);
  assert_true(decades[3] == INFINITY);
  gs_quantity_stats_clear(&stats);
  const double last_zero[] = {0, -INFINITY, -INFINITY, -INFINITY}; /* 2 points, 2 replicas */
  stats = make_stats(2, 2, last_zero, false);
  gs_decades_of(&stats, 2, decades);
  assert_true(decades[0] == INFINITY && decades[1] == -INFINITY);
  gs_quantity_stats_clear(&stats);
}

static void test_verdicts(void **state) {
  (void)state;
  const double inf = INFINITY;
  const struct {
    double decades[5];
    int64_t count;
    double threshold;
    const char *want;
  } cases[] = {
      {{-5, -4, -6}, 3, 1, "vanishing"},
      {{5, 4, 6}, 3, 1, "exploding"},
      {{0.5, -0.5, 0}, 3, 1, "stable"},
      {{1, 1, 1}, 3, 1, "stable"}, /* at the threshold is not past it */
      {{-1, -1, -1}, 3, 1, "stable"},
      {{1.001}, 1, 1, "exploding"},
      {{-1.001}, 1, 1, "vanishing"},
      {{0}, 1, 1, "stable"},
      {{5, 4, -6}, 3, 1, "mixed"},
      {{0.2, 0.1, -6, 0, 0.3}, 5, 1, "stable"}, /* one seed is not the median */
      {{0.2, -3, -6, 0, -4}, 5, 1, "vanishing"},
      {{5, 4, -6}, 3, 10, "stable"},
      {{-3, -3, 0.5}, 3, 2, "vanishing"},
      {{-inf, -inf, -3}, 3, 1, "vanishing"},
      {{inf, inf, 3}, 3, 1, "exploding"},
      {{inf, -inf}, 2, 1, "mixed"},
      {{-inf, 0.5}, 2, 1, "vanishing"}, /* the median is what the table shows: dead, */
      {{-1.5, 0.9}, 2, 1, "stable"},    /* -0.3, */
      {{-3, 0.9}, 2, 1, "vanishing"},   /* -1.05 */
      {{NAN, NAN}, 2, 1, "exploding"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gs_sample sample;
    gs_error error = {0};
    const size_t count = (size_t)cases[i].count;
    gs_support_ok(gs_sample_of_all(cases[i].decades, count, &sample, &error), &error);
    const gs_law law = gs_law_of(cases[i].decades, cases[i].count, sample.p50, cases[i].threshold);
    if (strcmp(gs_name(&gs_verdict_names, law.verdict), cases[i].want) != 0)
      fail_msg("case %d: %s, not %s", (int)i, gs_name(&gs_verdict_names, law.verdict),
               cases[i].want);
    assert_true(law.open[law.verdict]);
  }
}

/* ---- JSON ---- */

static const cJSON *item(const cJSON *json, const char *key) {
  const cJSON *found = cJSON_GetObjectItemCaseSensitive(json, key);
  if (!found) fail_msg("there is no %s", key);
  return found;
}

static double number_at(const cJSON *array, int index) {
  const cJSON *found = cJSON_GetArrayItem(array, index);
  assert_non_null(found);
  assert_true(cJSON_IsNumber(found));
  return found->valuedouble;
}

static bool null_at(const cJSON *array, int index) {
  return cJSON_IsNull(cJSON_GetArrayItem(array, index));
}

static cJSON *layers_of(const gs_quantity_stats *stats, const gs_config *config,
                        gs_quantity quantity, int64_t max_points) {
  gs_error error = {0};
  gs_kept_axis kept;
  gs_json_writer w = gs_json_writer_object();
  gs_support_ok(gs_kept_axis_of(stats, config, &kept, &error), &error);
  gs_support_ok(gs_layers_put(&w, stats, &kept, config, quantity, max_points, &error), &error);
  gs_kept_axis_clear(&kept);
  return gs_json_finish(&w);
}

/* Every array below the object has this many entries. */
static void assert_lengths(const cJSON *json, int length) {
  for (const cJSON *child = json->child; child; child = child->next) {
    if (cJSON_IsObject(child)) {
      assert_lengths(child, length);
    } else {
      assert_true(cJSON_IsArray(child));
      if (cJSON_GetArraySize(child) != length)
        fail_msg("%s has %d entries, not %d", child->string, cJSON_GetArraySize(child), length);
    }
  }
}

static void test_thinning(void **state) {
  (void)state;
  enum { POINTS = 1500 };
  double *norms = calloc(POINTS, sizeof *norms);
  assert_non_null(norms);
  for (int i = 0; i < POINTS; i++) norms[i] = -0.627 * i;
  gs_quantity_stats stats = make_stats(POINTS, 1, norms, true);
  gs_config config = config_of(POINTS, 1);
  static const int64_t wanted[][2] = {{1024, 1024}, {2, 2},       {7, 7},   {1499, 1499},
                                      {1500, 1500}, {9999, 1500}, {0, 1500}};
  for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
    const int kept = (int)wanted[k][1];
    cJSON *json = layers_of(&stats, &config, GS_DELTA, wanted[k][0]);
    const cJSON *index = item(json, "index");
    const cJSON *mean = item(item(json, "log10_norm"), "mean");
    assert_lengths(json, kept);
    assert_true(number_at(index, 0) == 1);
    assert_true(number_at(index, kept - 1) == POINTS);
    double before = 0, widest = 0;
    const cJSON *value = mean->child;
    for (const cJSON *at = index->child; at; at = at->next, value = value->next) {
      assert_true(at->valuedouble > before);
      if (before > 0) widest = fmax(widest, at->valuedouble - before);
      before = at->valuedouble;
      assert_true(fabs(value->valuedouble - -0.627 * (before - 1)) < 1e-9);
    }
    assert_true(widest <= ceil((double)(POINTS - 1) / (kept - 1)));
    cJSON_Delete(json);
  }
  free(norms);
  gs_quantity_stats_clear(&stats);
  gs_config_clear(&config);
}

static void test_layers(void **state) {
  (void)state;
  /* points: all finite, half zero, all NaN; two replicas */
  const double norms[] = {-3, -5, -INFINITY, 2, NAN, NAN};
  gs_quantity_stats stats = make_stats(3, 2, norms, true);
  gs_config config = config_of(3, 2);
  config.activation.kind = GS_RELU;
  stats.stats[0].dead = 20; /* of 2 x 50 units */
  stats.stats[1].subnormal = 7;
  stats.stats[5].inf = 3;
  cJSON *json = layers_of(&stats, &config, GS_ACTIVATION_H, 1024);
  assert_lengths(json, 3);
  const cJSON *norm = item(json, "log10_norm");
  assert_true(fabs(number_at(item(norm, "mean"), 0) + 4) < 1e-9);
  assert_true(fabs(number_at(item(norm, "sd"), 0) - sqrt(2)) < 1e-9);
  assert_true(number_at(item(norm, "finite"), 0) == 2);
  /* one of two is zero: half of the networks is the lower of them, 95 % the other */
  assert_true(null_at(item(norm, "p05"), 1) && null_at(item(norm, "p50"), 1));
  assert_true(fabs(number_at(item(norm, "p95"), 1) - 2) < 1e-9);
  assert_true(fabs(number_at(item(norm, "mean"), 1) - 2) < 1e-9);
  assert_true(number_at(item(norm, "zero"), 1) == 1);
  assert_true(number_at(item(norm, "not_finite"), 1) == 0);
  assert_true(number_at(item(norm, "finite"), 1) == 1);
  assert_true(null_at(item(norm, "mean"), 2) && null_at(item(norm, "p95"), 2));
  assert_true(number_at(item(norm, "finite"), 2) == 0);
  assert_true(number_at(item(norm, "not_finite"), 2) == 2);
  assert_true(number_at(item(json, "zero_share"), 1) == 0.5);
  assert_true(fabs(number_at(item(json, "subnormal_share"), 0) - 0.035) < 1e-12);
  assert_true(number_at(item(json, "nan"), 2) == 2 && number_at(item(json, "inf"), 2) == 3);
  assert_true(number_at(item(json, "dead_share"), 0) == 0.2);
  assert_true(null_at(item(json, "log10_max"), 2) && null_at(item(json, "log10_min"), 2));
  /* digits of 1 and 0.5 with exponents floor(-3 / log10 2) and the like */
  assert_true(fabs(number_at(item(json, "log10_max"), 0) - -10 * log10(2)) < 1e-9);
  assert_true(fabs(number_at(item(json, "log10_min"), 0) - (-17 - 1) * log10(2)) < 1e-9);
  assert_null(cJSON_GetObjectItemCaseSensitive(json, "saturated_share"));
  /* 100 elements of exponent -17 and 100 of -10 */
  const cJSON *histogram = item(json, "histogram");
  const cJSON *counts = cJSON_GetArrayItem(item(histogram, "counts"), 0);
  assert_true(number_at(item(histogram, "first_exponent"), 0) == -17);
  assert_int_equal(cJSON_GetArraySize(counts), 3); /* six empty bins between them */
  assert_true(number_at(counts, 0) == 100 && number_at(counts, 1) == -6);
  assert_true(number_at(counts, 2) == 100);
  assert_true(null_at(item(histogram, "first_exponent"), 2));
  const cJSON *kept = item(json, "kept");
  assert_true(number_at(item(item(kept, "e4m3"), "zero"), 0) == 0.5);
  assert_true(number_at(item(item(kept, "e4m3"), "subnormal"), 0) == 0.5);
  assert_true(number_at(item(item(kept, "f16"), "subnormal"), 0) == 0.5);
  assert_true(number_at(item(item(kept, "f32"), "zero"), 0) == 0);
  cJSON_Delete(json);
  gs_quantity_stats_clear(&stats);
  gs_config_clear(&config);
}

/* Columns that depend on the activation and on the level. */
static void test_optional_columns(void **state) {
  (void)state;
  const double norm = 0;
  gs_config config = config_of(1, 1);
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    gs_quantity_stats stats = make_stats(1, 1, &norm, kind % 2);
    const bool bounded = kind == GS_SIGMOID || kind == GS_TANH || kind == GS_SOFTSIGN;
    config.activation.kind = (gs_activation_kind)kind;
    for (int q = 0; q < 2; q++) {
      cJSON *json = layers_of(&stats, &config, q ? GS_DELTA : GS_ACTIVATION_H, 1024);
      assert_lengths(json, 1);
      assert_true(cJSON_HasObjectItem(json, "saturated_share") == (bounded && q == 0));
      assert_true(cJSON_HasObjectItem(json, "dead_share") == (kind == GS_RELU && q == 0));
      assert_true(cJSON_HasObjectItem(json, "kept") == kind % 2);
      assert_true(cJSON_HasObjectItem(json, "histogram") == kind % 2);
      cJSON_Delete(json);
    }
    gs_quantity_stats_clear(&stats);
  }
  gs_config_clear(&config);
}

static cJSON *summary_of(int64_t points, int64_t replicas, const double *norms, bool full) {
  gs_config config = config_of(points, replicas);
  gs_quantity_stats stats[GS_QUANTITY_COUNT] = {0};
  gs_json_writer w = gs_json_writer_object();
  gs_error error = {0};
  gs_kept_axis kept[GS_QUANTITY_COUNT] = {0};
  for (int q = 0; q <= GS_GRAD_WEIGHT; q++) {
    stats[q] = make_stats(points, replicas, norms, full);
    gs_support_ok(gs_kept_axis_of(&stats[q], &config, &kept[q], &error), &error);
  }
  gs_support_ok(gs_summary_put(&w, stats, kept, &config, 1, &error), &error);
  gs_kept_axes_clear(kept);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_quantity_stats_clear(&stats[q]);
  gs_config_clear(&config);
  return gs_json_finish(&w);
}

static void test_summary(void **state) {
  (void)state;
  /* 3 points, 4 replicas; norms fall towards the first point */
  const double norms[] = {-6, -8, -INFINITY, NAN, -3.5, -4, -20, 1, 0, 0, 0, 0};
  cJSON *json = summary_of(3, 4, norms, true);
  const cJSON *decades = item(json, "decades");
  assert_true(fabs(item(decades, "mean")->valuedouble + 7) < 1e-9);
  assert_true(fabs(item(decades, "sd")->valuedouble - sqrt(2)) < 1e-9);
  assert_true(item(decades, "dead")->valuedouble == 1);
  assert_true(item(decades, "not_finite")->valuedouble == 1);
  const cJSON *values = item(decades, "values");
  assert_int_equal(cJSON_GetArraySize(values), 4);
  assert_true(fabs(number_at(values, 1) + 8) < 1e-9);
  assert_true(null_at(values, 2) && null_at(values, 3));
  assert_true(fabs(item(item(json, "decades_per_layer"), "p50")->valuedouble + 3.5) < 1e-9);
  /* the quantiles have all four: dead, -8, -6, not finite */
  assert_true(item(decades, "finite")->valuedouble == 2);
  assert_true(cJSON_IsNull(item(decades, "p05")) && cJSON_IsNull(item(decades, "p95")));
  assert_true(fabs(item(decades, "p50")->valuedouble + 7) < 1e-9);
  const cJSON *classes = item(decades, "class");
  assert_string_equal(item(classes, "p05")->valuestring, "dead");
  assert_string_equal(item(classes, "p50")->valuestring, "finite");
  assert_string_equal(item(classes, "p95")->valuestring, "not_finite");
  const cJSON *each = item(classes, "values");
  assert_int_equal(cJSON_GetArraySize(each), 4);
  assert_string_equal(cJSON_GetArrayItem(each, 1)->valuestring, "finite");
  assert_string_equal(cJSON_GetArrayItem(each, 2)->valuestring, "dead");
  assert_string_equal(cJSON_GetArrayItem(each, 3)->valuestring, "not_finite");
  assert_string_equal(item(json, "verdict")->valuestring, "mixed");
  const cJSON *law = item(json, "law");
  assert_true(item(item(law, "below"), "count")->valuedouble == 3);
  assert_true(item(item(law, "above"), "share")->valuedouble == 0.25);
  assert_true(item(item(law, "dead"), "count")->valuedouble == 1);
  assert_true(item(item(law, "not_finite"), "count")->valuedouble == 1);
  assert_true(item(json, "threshold_decades")->valuedouble == 1);
  const cJSON *lost = item(json, "first_layer_lost");
  /* backward from point 3: point 2 holds exponents -12, -14, -67, 3 */
  assert_true(cJSON_IsNull(item(item(lost, "delta"), "f32")));
  assert_true(item(item(lost, "delta"), "e4m3")->valuedouble == 2);
  assert_true(item(item(lost, "activation"), "e4m3")->valuedouble == 1);
  assert_true(cJSON_HasObjectItem(lost, "grad_weight"));
  cJSON_Delete(json);
  json = summary_of(3, 4, norms, false); /* no histograms: nothing to say about formats */
  assert_int_equal(cJSON_GetArraySize(item(json, "first_layer_lost")), 0);
  cJSON_Delete(json);
}

static void test_summary_of_one_layer(void **state) {
  (void)state;
  const double norms[] = {-6, 8};
  cJSON *json = summary_of(1, 2, norms, true);
  assert_true(item(item(json, "decades"), "mean")->valuedouble == 0);
  assert_true(item(item(json, "decades_per_layer"), "mean")->valuedouble == 0);
  assert_false(cJSON_HasObjectItem(item(item(json, "decades"), "class"), "values"));
  assert_true(cJSON_IsNull(item(json, "verdict"))); /* there is no way to vanish on */
  cJSON_Delete(json);
  const double lost[] = {NAN, -INFINITY};
  json = summary_of(1, 2, lost, true);
  assert_true(cJSON_IsNull(item(json, "verdict")));
  assert_true(cJSON_IsNull(item(item(json, "decades"), "mean")));
  assert_true(cJSON_IsNull(item(item(json, "decades_per_layer"), "p95")));
  assert_true(item(item(json, "decades"), "not_finite")->valuedouble == 1);
  const cJSON *law = item(json, "law");
  assert_true(item(item(law, "dead"), "share")->valuedouble == 0.5);
  assert_false(cJSON_HasObjectItem(law, "below") || cJSON_HasObjectItem(law, "verdicts"));
  cJSON_Delete(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decades),
      cmocka_unit_test(test_verdicts),
      cmocka_unit_test(test_thinning),
      cmocka_unit_test(test_layers),
      cmocka_unit_test(test_optional_columns),
      cmocka_unit_test(test_summary),
      cmocka_unit_test(test_summary_of_one_layer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
