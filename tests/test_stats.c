/* The statistics operation against plain loops in long double, and against
 * numbers worked out by hand: special values, strides, exponents, tensors of
 * several parts, several jobs at once. */
#include "support_stats.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device/device.h"

enum { MAX_ELEMENTS = 1 << 18 };

typedef struct fixture {
  gs_device *device;
  void *workspace;
} fixture;

static void check(gs_device *device, gs_dtype dtype, gs_subject_shape s, const double *values,
                  const int32_t *exponents) {
  gs_subject made = gs_subject_make(device, dtype, s, values, exponents);
  gs_subject_run(device, &made);
  gs_subject_assert(&made);
  gs_subject_drop(device, &made);
}

/* ---- values ---- */

/* Normals, times 10^[-spread, spread], with a special value now and then. */
static double *draw(int64_t count, double spread, bool specials, uint32_t id) {
  static const double special[] = {NAN,      INFINITY,  -INFINITY, 0.0,     -0.0,
                                   0x1p-149, -0x1p-130, 0x1p-126,  0x1p127, -0x1.8p127};
  double *values = malloc((size_t)count * sizeof *values);
  assert_non_null(values);
  for (int64_t i = 0; i < count; i++) {
    const gs_random_words w = gs_random_philox(7, (uint64_t)i, id, 0);
    const double x = (double)gs_random_normal_at((uint64_t)i, 7, id, 1);
    values[i] = (double)(float)(x * pow(10, spread * (double)gs_random_symmetric(w.word[0])));
    if (specials && w.word[1] % 16 == 0) values[i] = special[w.word[2] % 10];
  }
  return values;
}

static void check_drawn(gs_device *device, gs_dtype dtype, gs_subject_shape s, double spread,
                        bool specials, const int32_t *exponents) {
  double *values = draw(s.rows * s.cols * s.replicas, spread, specials, (uint32_t)s.cols);
  check(device, dtype, s, values, exponents);
  free(values);
}

static void test_specials_by_hand(void **state) {
  gs_device *device = ((fixture *)*state)->device;
  const double values[] = {NAN,  INFINITY, -INFINITY,       0.0,
                           -0.0, 0x1p-149, -0x1p-127,       0x1p-126,
                           1,    -3,       (double)FLT_MAX, -(double)FLT_MAX};
  gs_subject s = gs_subject_make(device, GS_F32, (gs_subject_shape){3, 4, 4, 1, 1}, values, NULL);
  gs_subject_run(device, &s);
  gs_subject_assert(&s);
  const gs_stats *got = s.stats;
  assert_int_equal(got->count, 12);
  assert_int_equal(got->nan, 1);
  assert_int_equal(got->inf, 2);
  assert_int_equal(got->zero, 2);
  assert_int_equal(got->subnormal, 2);
  assert_true(got->min_abs == 0x1p-149);
  assert_true(got->max_abs == (double)FLT_MAX);
  static const int filled[][2] = {{-149, 1}, {-127, 1}, {-126, 1}, {0, 1}, {1, 1}, {127, 2}};
  uint32_t total = 0;
  for (int i = 0; i < s.bins; i++) total += s.histogram[i];
  assert_int_equal(total, 7);
  for (size_t i = 0; i < sizeof filled / sizeof *filled; i++) {
    assert_int_equal(s.histogram[filled[i][0] + 149], filled[i][1]);
  }
  gs_subject_drop(device, &s);
  check(device, GS_F64, (gs_subject_shape){3, 4, 4, 1, 1}, values, NULL);
}

/* 3 and 4: sum 7, sum of squares 25, with every kind of exponent. */
static void test_exponents_by_hand(void **state) {
  static const int32_t exponents[] = {0, 1, -1, 7, 30, -20000, 20001, -2000000000, 2000000000};
  gs_device *device = ((fixture *)*state)->device;
  const double values[] = {3, 4};
  for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
    for (int k = 0; k < 2; k++) {
      gs_subject s = gs_subject_make(device, k ? GS_F64 : GS_F32, (gs_subject_shape){1, 2, 2, 1, 1},
                                     values, &exponents[i]);
      gs_subject_run(device, &s);
      const gs_stats *got = s.stats;
      const int64_t e = exponents[i];
      assert_int_equal(got->exponent, e);
      /* 7 2^e is 1.75 2^(e+2) or 3.5 2^(e+1), whichever is even; 25 is 1.5625 2^4 */
      assert_true(got->sum.value == (e % 2 ? 3.5 : 1.75));
      assert_int_equal(got->sum.exponent, e % 2 ? e + 1 : e + 2);
      assert_true(got->sum_sq.value == 1.5625);
      assert_int_equal(got->sum_sq.exponent, 2 * e + 4);
      assert_true(got->min_abs == 3 && got->max_abs == 4); /* of the digits */
      gs_subject_drop(device, &s);
    }
  }
}

static void test_uniform_tensors(void **state) {
  static const double all[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 0x1p-149, 1, 0x1p127};
  static const int64_t sizes[] = {1, 5, 16, 17, 1023, 1024, 1025, 3000};
  gs_device *device = ((fixture *)*state)->device;
  for (size_t v = 0; v < sizeof all / sizeof *all; v++) {
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
      double values[3000];
      for (int i = 0; i < 3000; i++) values[i] = all[v];
      check(device, GS_F32, (gs_subject_shape){1, sizes[n], sizes[n], 1, 1}, values, NULL);
      check(device, GS_F64, (gs_subject_shape){sizes[n], 1, 1, 1, 1}, values, NULL);
    }
  }
}

static void test_strides_replicas_steps(void **state) {
  static const int32_t exponents[] = {0, -3, 20000, -20001, 5, 6, 7, 8, 9, -9, 1, -1};
  static const gs_subject_shape shapes[] = {{4, 7, 7, 3, 4},  {4, 7, 11, 3, 4},
                                            {12, 5, 6, 2, 6}, {8, 33, 64, 4, 2},
                                            {1, 1, 1, 12, 1}, {6, 1000, 1001, 2, 3}};
  gs_device *device = ((fixture *)*state)->device;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check_drawn(device, GS_F32, shapes[i], 5, true, NULL);
    check_drawn(device, GS_F32, shapes[i], 5, true, exponents);
    check_drawn(device, GS_F64, shapes[i], 5, true, NULL);
    check_drawn(device, GS_F64, shapes[i], 5, true, exponents);
  }
}

/* More than one part of 65,536 elements, of sizes that no power of two divides. */
static void test_several_parts(void **state) {
  static const int32_t exponents[] = {-40, 41};
  static const gs_subject_shape shapes[] = {
      {300, 257, 257, 1, 1}, {65537, 1, 1, 1, 1},  {1, 65537, 65537, 2, 1}, {3, 66001, 66001, 1, 1},
      {257, 300, 311, 1, 1}, {131073, 1, 2, 1, 1}, {1000, 67, 67, 2, 1},    {512, 256, 256, 1, 1}};
  gs_device *device = ((fixture *)*state)->device;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check_drawn(device, GS_F32, shapes[i], i % 2 ? 20 : 0, i % 3 == 0, exponents);
    check_drawn(device, GS_F64, shapes[i], i % 2 ? 20 : 0, i % 3 == 0, NULL);
  }
}

/* Float64 where squares leave its range, and where nothing but subnormals is left. */
static void test_f64_limits(void **state) {
  static const double sizes[] = {1e300, 1e-300, DBL_MAX, DBL_MIN, 0x1p-1074, 0x1p-1060, 0x1p-1030};
  gs_device *device = ((fixture *)*state)->device;
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    double values[1001];
    for (int i = 0; i < 1001; i++) {
      const double x = (double)gs_random_normal_at((uint64_t)i, 1, 1, 0);
      values[i] = sizes[k] >= 1e300 ? sizes[k] * copysign(fmin(fabs(x), 1), x) : sizes[k] * x;
    }
    values[17] = sizes[k];
    check(device, GS_F64, (gs_subject_shape){7, 143, 143, 1, 1}, values, NULL);
    check(device, GS_F64, (gs_subject_shape){143, 7, 7, 1, 1}, values, (const int32_t[]){-20000});
  }
}

static void test_saturation(void **state) {
  static const gs_activation_kind kinds[] = {GS_SIGMOID, GS_TANH, GS_SOFTSIGN};
  gs_device *device = ((fixture *)*state)->device;
  for (size_t k = 0; k < 3; k++) {
    double low, high;
    assert_true(gs_activation_saturation(kinds[k], &low, &high));
    assert_true(low == (kinds[k] == GS_SIGMOID ? 0.01 : -0.98));
    assert_true(high == (kinds[k] == GS_SIGMOID ? 0.99 : 0.98));
    for (int wide = 0; wide < 2; wide++) {
      const double l = wide ? low : (double)(float)low, h = wide ? high : (double)(float)high;
      const double in_l = wide ? nextafter(l, 1) : (double)nextafterf((float)l, 1);
      const double in_h = wide ? nextafter(h, 0) : (double)nextafterf((float)h, 0);
      const double values[] = {l, in_l, h, in_h, 0.5, 1, -1, INFINITY, -INFINITY, NAN};
      gs_subject s = gs_subject_make(device, wide ? GS_F64 : GS_F32,
                                     (gs_subject_shape){2, 5, 5, 1, 1}, values, NULL);
      s.job.saturation = true;
      s.job.saturation_low = low;
      s.job.saturation_high = high;
      gs_subject_run(device, &s);
      gs_subject_assert(&s);
      assert_int_equal(s.stats->saturated, 6);
      gs_subject_drop(device, &s);
    }
  }
  double low, high;
  assert_false(gs_activation_saturation(GS_RELU, &low, &high));
  assert_false(gs_activation_saturation(GS_GELU, &low, &high));
}

static void test_dead_columns(void **state) {
  gs_device *device = ((fixture *)*state)->device;
  for (int wide = 0; wide < 2; wide++) {
    enum { COLS = 600, ROWS = 5 };
    static double values[ROWS * COLS];
    for (int i = 0; i < ROWS * COLS; i++) values[i] = i % COLS % 3 ? 0.0 : 1e-3;
    values[4 * COLS + 1] = -0.0;     /* still dead */
    values[3 * COLS + 2] = 0x1p-149; /* alive */
    values[2 * COLS + 299] = NAN;    /* not zero: alive */
    values[COLS + 599] = -INFINITY;  /* alive */
    gs_subject s = gs_subject_make(device, wide ? GS_F64 : GS_F32,
                                   (gs_subject_shape){ROWS, COLS, COLS + wide, 1, 1}, values, NULL);
    s.job.dead = true;
    gs_subject_run(device, &s);
    gs_subject_assert(&s);
    assert_int_equal(s.stats->dead, 400 - 3);
    gs_subject_drop(device, &s);
  }
}

static void test_norms_only(void **state) {
  static const gs_subject_shape shapes[] = {{4, 50, 53, 2, 2}, {300, 257, 257, 1, 1}};
  gs_device *device = ((fixture *)*state)->device;
  for (int i = 0; i < 4; i++) {
    const gs_subject_shape s = shapes[i % 2];
    double *values = draw(s.rows * s.cols * s.replicas, 10, true, 3);
    gs_subject full = gs_subject_make(device, i / 2 ? GS_F64 : GS_F32, s, values, NULL);
    gs_subject norms = gs_subject_make(device, i / 2 ? GS_F64 : GS_F32, s, values, NULL);
    device->ops->free(device, norms.job.histogram);
    norms.job.histogram = NULL;
    gs_subject_run(device, &full);
    gs_subject_run(device, &norms);
    gs_subject_assert(&norms);
    assert_memory_equal(norms.stats, full.stats, (size_t)(s.steps * s.replicas) * sizeof(gs_stats));
    gs_subject_drop(device, &full);
    gs_subject_drop(device, &norms);
    free(values);
  }
}

/* Small and large ones in one call; one thread and four give the same bits. */
static void test_jobs_together(void **state) {
  static const gs_subject_shape shapes[] = {{6, 10, 10, 3, 3}, {300, 257, 257, 2, 1},
                                            {2, 5, 9, 1, 2},   {131074, 1, 1, 1, 2},
                                            {1, 1, 1, 1, 1},   {9, 40000, 40001, 1, 3}};
  enum { JOBS = sizeof shapes / sizeof *shapes };
  gs_device *devices[2] = {((fixture *)*state)->device, gs_support_device(4)};
  gs_stats *first[JOBS];
  const gs_workspace_need need = {.rows = 1, .columns = 1, .elements = 9 * 40000, .replicas = 3};
  const size_t bytes = devices[1]->ops->workspace_bytes(devices[1], &need);
  void *workspace = gs_support_alloc(devices[1], bytes);
  devices[1]->ops->set_workspace(devices[1], workspace, &need);
  for (int d = 0; d < 2; d++) {
    gs_subject subjects[JOBS];
    gs_stats_job jobs[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
      double *values =
          draw(shapes[i].rows * shapes[i].cols * shapes[i].replicas, 15, true, (uint32_t)i);
      subjects[i] =
          gs_subject_make(devices[d], i % 4 == 2 ? GS_F64 : GS_F32, shapes[i], values, NULL);
      subjects[i].job.dead = i % 2;
      jobs[i] = subjects[i].job;
      free(values);
    }
    gs_support_ok(devices[d]->ops->stats(devices[d], jobs, JOBS), &devices[d]->error);
    for (size_t i = 0; i < JOBS; i++) gs_subject_fetch(devices[d], &subjects[i]);
    for (size_t i = 0; i < JOBS; i++) {
      const size_t size = (size_t)(shapes[i].steps * shapes[i].replicas) * sizeof(gs_stats);
      gs_subject_assert(&subjects[i]);
      if (d == 0) {
        first[i] = malloc(size);
        assert_non_null(first[i]);
        memcpy(first[i], subjects[i].stats, size);
      } else {
        assert_memory_equal(subjects[i].stats, first[i], size);
        free(first[i]);
      }
      gs_subject_drop(devices[d], &subjects[i]);
    }
  }
  devices[1]->ops->set_workspace(devices[1], NULL, NULL);
  devices[1]->ops->free(devices[1], workspace);
  devices[1]->ops->destroy(devices[1]);
}

static void test_canonical(void **state) {
  (void)state;
  static const double values[] = {1, -1, 2, 3.999, 4, 5e-324, DBL_MAX, -DBL_MIN, 0.1, 1e-310};
  static const int64_t exponents[] = {0, 1, -1, 2, -3, 1001, -20001, INT64_C(1) << 40};
  for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
    for (size_t e = 0; e < sizeof exponents / sizeof *exponents; e++) {
      const gs_scaled got = gs_scaled_canonical(values[v], exponents[e]);
      gs_support_assert_scaled(got, (long double)values[v], exponents[e], 0);
    }
  }
  assert_true(gs_scaled_canonical(0, 12345).value == 0);
  assert_int_equal(gs_scaled_canonical(0, 12345).exponent, 0);
  assert_true(isnan(gs_scaled_canonical(NAN, 3).value));
  assert_true(gs_scaled_canonical(-INFINITY, 3).value == -INFINITY);
}

static int setup(void **state) {
  static fixture f;
  const gs_workspace_need need = {
      .rows = 1, .columns = 1, .elements = MAX_ELEMENTS * 2, .replicas = 3, .dtype = GS_F64};
  f.device = gs_support_device(1);
  const size_t bytes = f.device->ops->workspace_bytes(f.device, &need);
  f.workspace = gs_support_alloc(f.device, bytes);
  f.device->ops->set_workspace(f.device, f.workspace, &need);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  f->device->ops->free(f->device, f->workspace);
  f->device->ops->destroy(f->device);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_canonical),
      cmocka_unit_test(test_specials_by_hand),
      cmocka_unit_test(test_exponents_by_hand),
      cmocka_unit_test(test_uniform_tensors),
      cmocka_unit_test(test_strides_replicas_steps),
      cmocka_unit_test(test_several_parts),
      cmocka_unit_test(test_f64_limits),
      cmocka_unit_test(test_saturation),
      cmocka_unit_test(test_dead_columns),
      cmocka_unit_test(test_norms_only),
      cmocka_unit_test(test_jobs_together),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
