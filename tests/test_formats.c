/* Samples of numbers, what number formats keep, and where they lose a network:
 * against numbers worked out by hand. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/formats.h"
#include "measure/layers.h"
#include "measure/sample.h"

static gs_sample sample_of(const double *values, size_t count) {
  gs_sample sample;
  gs_error error = {0};
  gs_support_ok(gs_sample_of(values, count, &sample, &error), &error);
  return sample;
}

static void assert_close(double got, double want) {
  if (!(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)))) fail_msg("%.17g, not %.17g", got, want);
}

static void test_sample(void **state) {
  (void)state;
  const double values[] = {4, 1, 3, 2, 10};
  const gs_sample s = sample_of(values, 5);
  assert_int_equal(s.count, 5);
  assert_close(s.mean, 4);
  assert_close(s.sd, sqrt(50.0 / 4)); /* 0 + 9 + 1 + 4 + 36 over n - 1 */
  assert_close(s.p05, 1.2);           /* position 0.2 between 1 and 2 */
  assert_close(s.p25, 2);
  assert_close(s.p50, 3);
  assert_close(s.p75, 4);
  assert_close(s.p95, 8.8);                       /* position 3.8 between 4 and 10 */
  assert_true(values[0] == 4 && values[4] == 10); /* it sorted a copy */
  const double even[] = {2, 1};
  assert_close(sample_of(even, 2).p50, 1.5);
  assert_close(sample_of(even, 2).sd, sqrt(0.5));
}

static void test_sample_of_few(void **state) {
  (void)state;
  const double one = -7.5;
  const gs_sample s = sample_of(&one, 1);
  assert_int_equal(s.count, 1);
  assert_true(s.mean == one && s.p05 == one && s.p25 == one && s.p50 == one && s.p75 == one &&
              s.p95 == one);
  assert_true(s.sd == 0);
  const double none[] = {NAN, INFINITY, -INFINITY};
  for (size_t count = 0; count <= 3; count++) {
    const gs_sample empty = sample_of(none, count);
    assert_int_equal(empty.count, 0);
    const double fields[] = {empty.mean, empty.sd,  empty.p05, empty.p25,
                             empty.p50,  empty.p75, empty.p95};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) assert_true(isnan(fields[i]));
  }
  const double mixed[] = {NAN, 5, INFINITY, 3, -INFINITY, NAN, 4};
  const gs_sample finite = sample_of(mixed, 7);
  assert_int_equal(finite.count, 3);
  assert_close(finite.mean, 4);
  assert_close(finite.sd, 1);
  assert_close(finite.p50, 4);
}

/* Infinities have their places; there is nothing between one and its neighbour. */
static void test_sample_of_all(void **state) {
  (void)state;
  gs_sample s;
  gs_error error = {0};
  const double mixed[] = {NAN, 5, INFINITY, 3, -INFINITY, 4};
  gs_support_ok(gs_sample_of_all(mixed, 6, &s, &error), &error);
  assert_int_equal(s.count, 3);
  assert_int_equal(s.low, 1);
  assert_int_equal(s.high, 2);
  assert_close(s.mean, 4);
  assert_close(s.sd, 1);
  assert_true(s.p05 == -INFINITY); /* position 0.25 */
  assert_close(s.p25, 3.25);
  assert_close(s.p50, 4.5);
  assert_true(s.p75 == INFINITY && s.p95 == INFINITY); /* 3.75 and 4.75 */
  double dead[101];
  for (int i = 0; i <= 100; i++) dead[i] = i < 90 ? -(double)INFINITY : (double)i;
  gs_support_ok(gs_sample_of_all(dead, 101, &s, &error), &error);
  assert_true(s.p50 == -INFINITY && s.p75 == -INFINITY);
  assert_close(s.p95, 95);
  const double half[] = {2, -INFINITY}; /* as far from either: the lower */
  gs_support_ok(gs_sample_of_all(half, 2, &s, &error), &error);
  assert_true(s.p50 == -INFINITY);
  assert_close(s.p75, 2);
  gs_support_ok(gs_sample_of_all(half, 0, &s, &error), &error);
  assert_true(isnan(s.p50) && isnan(s.mean) && s.count == 0);
}

/* A large offset must not eat the deviation. */
static void test_sample_is_stable(void **state) {
  (void)state;
  double values[1000];
  for (int i = 0; i < 1000; i++) values[i] = 1e9 + (i % 2 ? 1 : -1);
  const gs_sample s = sample_of(values, 1000);
  assert_close(s.mean, 1e9);
  assert_close(s.sd, sqrt(1000.0 / 999));
  const double sorted[] = {0, 10, 20, 30};
  assert_close(gs_quantile(sorted, 4, 0), 0);
  assert_close(gs_quantile(sorted, 4, 1), 30);
  assert_close(gs_quantile(sorted, 4, 0.5), 15);
}

/* ---- formats ---- */

typedef struct format_case {
  gs_format format;
  const char *name;
  int min, normal, max;                          /* binary exponents */
  double log10_min, log10_normal, log10_largest; /* THEORY section 6; e4m3, e5m2: OCP */
  double significand;                            /* of the largest number */
} format_case;

static const format_case formats[] = {
    {GS_FORMAT_F32, "f32", -149, -126, 127, -44.85, -37.93, 38.53, 2 - 0x1p-23},
    {GS_FORMAT_BF16, "bf16", -133, -126, 127, -40.04, -37.93, 38.53, 2 - 0x1p-7},
    {GS_FORMAT_F16, "f16", -24, -14, 15, -7.22, -4.21, 4.82, 2 - 0x1p-10},
    {GS_FORMAT_E4M3, "e4m3", -9, -6, 8, -2.71, -1.81, 2.65, 1.75},
    {GS_FORMAT_E5M2, "e5m2", -16, -14, 15, -4.82, -4.21, 4.76, 1.75}};

/* One element of one exponent: what becomes of it? */
static gs_kept keep(gs_format format, int64_t exponent) {
  const uint32_t counts[3] = {0, 5, 0};
  gs_kept kept = {0};
  gs_kept_add(&kept, format, counts, 3, exponent - 1);
  assert_int_equal(gs_kept_total(&kept), 5);
  assert_int_equal(gs_kept_lost(&kept), kept.zero + kept.inf);
  return kept;
}

static void test_format_limits(void **state) {
  (void)state;
  assert_true((int)(sizeof formats / sizeof *formats) == GS_FORMAT_COUNT);
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const format_case *f = &formats[i];
    assert_string_equal(gs_name(&gs_format_names, f->format), f->name);
    assert_true(fabs(f->min * log10(2) - f->log10_min) < 0.006);
    assert_true(fabs(f->normal * log10(2) - f->log10_normal) < 0.006);
    assert_true(fabs(f->max * log10(2) + log10(f->significand) - f->log10_largest) < 0.006);
    assert_int_equal(keep(f->format, f->max).normal, 5);
    assert_int_equal(keep(f->format, f->max + 1).inf, 5);
    assert_int_equal(keep(f->format, f->normal).normal, 5);
    assert_int_equal(keep(f->format, f->normal - 1).subnormal, 5);
    assert_int_equal(keep(f->format, f->min).subnormal, 5);
    assert_int_equal(keep(f->format, f->min - 1).subnormal, 5); /* rounds up to it */
    assert_int_equal(keep(f->format, f->min - 2).zero, 5);
    assert_int_equal(keep(f->format, -1000000).zero, 5);
    assert_int_equal(keep(f->format, 1000000).inf, 5);
    assert_int_equal(keep(f->format, 0).normal, 5);
  }
}

/* A whole histogram at once: 277 bins of f32, bin i holding i + 1 elements. */
static void test_roundoff(void **state) {
  (void)state;
  assert_true(gs_dtype_roundoff(GS_F64) == DBL_EPSILON / 2);
  assert_true(gs_dtype_roundoff(GS_F32) == FLT_EPSILON / 2);
  assert_true(gs_dtype_roundoff(GS_TF32) == 0x1p-11 && gs_dtype_roundoff(GS_F16) == 0x1p-11);
  assert_true(gs_dtype_roundoff(GS_BF16) == 0x1p-8);
}

static void test_format_sums(void **state) {
  (void)state;
  uint32_t counts[277];
  for (uint32_t i = 0; i < 277; i++) counts[i] = i + 1;
  for (int64_t shift = -300; shift <= 300; shift += 100) {
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
      const format_case *f = &formats[k];
      gs_kept kept = {0}, want = {0};
      gs_kept_add(&kept, f->format, counts, 277, -149 + shift);
      for (int i = 0; i < 277; i++) {
        const int64_t e = -149 + shift + i;
        int64_t *count = e <= f->min - 2 ? &want.zero
                         : e < f->normal ? &want.subnormal
                         : e <= f->max   ? &want.normal
                                         : &want.inf;
        *count += i + 1;
      }
      assert_memory_equal(&kept, &want, sizeof kept);
      assert_int_equal(gs_kept_total(&kept), 277 * 278 / 2);
    }
  }
}

/* ---- the first layer lost ---- */

/* Points of R replicas whose elements all have one exponent each. */
typedef struct made_stats {
  gs_quantity_stats stats;
  gs_config config;
} made_stats;

static made_stats make_points(int64_t points, int64_t replicas, const int64_t *exponents) {
  const int bins = gs_dtype_exponent_bins(GS_F32);
  const size_t entries = (size_t)(points * replicas);
  made_stats made = {.config = {.model = GS_MLP, .replicas = replicas, .dtype = GS_F32}};
  made.stats = (gs_quantity_stats){.points = points, .bins = bins};
  made.stats.stats = calloc(entries, sizeof *made.stats.stats);
  made.stats.histogram = calloc(entries * (size_t)bins, sizeof *made.stats.histogram);
  assert_true(made.stats.stats && made.stats.histogram);
  for (size_t i = 0; i < entries; i++) {
    made.stats.stats[i].exponent = exponents[i]; /* digits are 1, the slot holds the rest */
    made.stats.histogram[i * (size_t)bins + 149] = 10;
  }
  return made;
}

static int64_t first_lost(const made_stats *made, gs_format format, bool backward) {
  gs_kept_axis axis;
  gs_error error = {0};
  gs_support_ok(gs_kept_axis_of(&made->stats, &made->config, &axis, &error), &error);
  assert_int_equal(axis.points, made->stats.points);
  const int64_t lost = gs_first_lost(&axis, format, backward);
  gs_kept_axis_clear(&axis);
  return lost;
}

static void test_first_lost(void **state) {
  (void)state;
  /* f16 keeps exponents -25..15 */
  const int64_t walk[] = {-40, -30, -10, 0, 10, 20, -10};
  made_stats m = make_points(7, 1, walk);
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, false), 1);
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, true), 6);
  assert_int_equal(first_lost(&m, GS_FORMAT_F32, false), 0);
  assert_int_equal(first_lost(&m, GS_FORMAT_F32, true), 0);
  assert_int_equal(first_lost(&m, GS_FORMAT_E4M3, true), 6);
  m.stats.stats[5].exponent = 15;
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, true), 2);
  m.stats.stats[0].exponent = m.stats.stats[1].exponent = -25;
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, true), 0);
  m.stats.stats[3].exponent = -20000; /* far beyond any format */
  for (int f = 0; f < GS_FORMAT_COUNT; f++) {
    const int64_t forward = first_lost(&m, (gs_format)f, false);
    assert_true(forward >= 1 && forward <= 4);
  }
  gs_quantity_stats_clear(&m.stats);
}

/* More than half, over all replicas together; nothing at all is not lost. */
static void test_first_lost_needs_majority(void **state) {
  (void)state;
  const int64_t halves[] = {0, -100, 0, -100};
  made_stats m = make_points(2, 2, halves);
  const size_t bins = (size_t)m.stats.bins;
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, false), 0);
  m.stats.histogram[3 * bins + 149]++; /* point 2, replica 2: one more that is lost */
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, false), 2);
  memset(m.stats.histogram, 0, 4 * bins * sizeof *m.stats.histogram);
  m.stats.stats[1].zero = 10; /* of the activation */
  assert_int_equal(first_lost(&m, GS_FORMAT_F16, false), 0);
  m.stats.stats[1].nan = 1; /* what is not finite is lost in every format */
  assert_int_equal(first_lost(&m, GS_FORMAT_BF16, false), 1);
  m.stats.histogram[149] = 2;
  assert_int_equal(first_lost(&m, GS_FORMAT_BF16, false), 0);
  m.stats.stats[0].inf = 2;
  assert_int_equal(first_lost(&m, GS_FORMAT_BF16, false), 1);
  gs_quantity_stats_clear(&m.stats);
}

/* What a run holds, against what there is: zeros of the activation are not lost. */
static void test_first_lost_by_run(void **state) {
  (void)state;
  const int64_t walk[] = {0, 0, 0};
  made_stats m = make_points(3, 1, walk); /* 10 elements a point that are not zero */
  gs_kept_axis axis;
  gs_error error = {0};
  gs_support_ok(gs_kept_axis_of(&m.stats, &m.config, &axis, &error), &error);
  for (int i = 0; i < 3; i++) m.stats.stats[i] = (gs_stats){.count = 15, .zero = 5};
  assert_int_equal(gs_first_lost_by_run(&m.stats, &m.config, &axis, false), 0);
  m.stats.stats[1].zero = 10; /* half of the ten are gone */
  assert_int_equal(gs_first_lost_by_run(&m.stats, &m.config, &axis, false), 0);
  m.stats.stats[1].nan = 1;
  assert_int_equal(gs_first_lost_by_run(&m.stats, &m.config, &axis, false), 2);
  m.stats.stats[2].inf = 6;
  assert_int_equal(gs_first_lost_by_run(&m.stats, &m.config, &axis, true), 3);
  m.stats.stats[0].zero = 15;
  assert_int_equal(gs_first_lost_by_run(&m.stats, &m.config, &axis, false), 1);
  gs_kept_axis_clear(&axis);
  gs_quantity_stats_clear(&m.stats);
}

static void test_log10_norm(void **state) {
  (void)state;
  assert_close(gs_log10_norm((gs_scaled){1, 0}), 0);
  assert_close(gs_log10_norm((gs_scaled){2.5, 2}), 0.5); /* 10 */
  assert_close(gs_log10_norm((gs_scaled){1, -40000}), -20000 * 0.30102999566398119521);
  assert_true(gs_log10_norm((gs_scaled){0, 0}) == -INFINITY);
  gs_stats stats = {.count = 3, .sum_sq = {1, 0}};
  assert_close(gs_stats_log10_norm(&stats), 0);
  stats.nan = 1;
  assert_true(isnan(gs_stats_log10_norm(&stats)));
  stats = (gs_stats){.count = 3, .inf = 1, .sum_sq = {1, 0}};
  assert_true(isnan(gs_stats_log10_norm(&stats)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sample),
      cmocka_unit_test(test_sample_of_few),
      cmocka_unit_test(test_sample_of_all),
      cmocka_unit_test(test_sample_is_stable),
      cmocka_unit_test(test_format_limits),
      cmocka_unit_test(test_roundoff),
      cmocka_unit_test(test_format_sums),
      cmocka_unit_test(test_first_lost),
      cmocka_unit_test(test_first_lost_needs_majority),
      cmocka_unit_test(test_first_lost_by_run),
      cmocka_unit_test(test_log10_norm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
