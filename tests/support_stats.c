/* Reference statistics. */
#include "support_stats.h"
#include "device/device.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *gs_support_alloc(gs_device *device, size_t bytes) {
  void *memory = NULL;
  gs_support_ok(device->ops->alloc(device, bytes, &memory), &device->error);
  return memory;
}

/* Device memory full of rubbish, and as much of the host's. */
static void *poisoned(gs_device *device, size_t bytes, void **on_device) {
  void *memory = malloc(bytes);
  assert_non_null(memory);
  memset(memory, 0xa5, bytes);
  *on_device = gs_support_alloc(device, bytes);
  gs_support_ok(device->ops->upload(device, *on_device, memory, bytes), &device->error);
  return memory;
}

gs_subject gs_subject_make(gs_device *device, gs_dtype dtype, gs_subject_shape s,
                           const double *values, const int32_t *exponents) {
  const size_t stride = (size_t)(s.rows * s.ld);
  const size_t count = (size_t)(s.rows * s.cols * s.replicas);
  const size_t entries = (size_t)(s.steps * s.replicas);
  const size_t bytes = stride * (size_t)s.replicas * gs_dtype_bytes(dtype);
  gs_subject made = {.bins = gs_dtype_exponent_bins(dtype)};
  gs_stats_job *job = &made.job;
  void *poison = malloc(bytes);
  made.values = malloc(count * sizeof *made.values);
  assert_non_null(poison);
  assert_non_null(made.values);
  for (size_t i = 0; i < count; i++) {
    made.values[i] = gs_support_round(dtype, values[i]);
  }
  memset(poison, 0xff, bytes);
  job->steps = s.steps;
  job->tensor = (gs_tensor){gs_support_alloc(device, bytes),
                            NULL,
                            s.rows,
                            s.cols,
                            s.ld,
                            (int64_t)stride,
                            s.replicas,
                            dtype};
  gs_support_ok(device->ops->upload(device, job->tensor.data, poison, bytes), &device->error);
  gs_support_upload(device, &job->tensor, values);
  if (exponents) {
    made.scale = malloc(entries * sizeof *made.scale);
    assert_non_null(made.scale);
    for (size_t i = 0; i < entries; i++) made.scale[i] = (gs_scale){exponents[i], 0};
    job->tensor.scale = gs_support_alloc(device, entries * sizeof *made.scale);
    gs_support_ok(
        device->ops->upload(device, job->tensor.scale, made.scale, entries * sizeof *made.scale),
        &device->error);
  }
  made.stats = poisoned(device, entries * sizeof *made.stats, (void **)&job->stats);
  made.histogram = poisoned(device, entries * (size_t)made.bins * sizeof *made.histogram,
                            (void **)&job->histogram);
  free(poison);
  return made;
}

void gs_subject_drop(gs_device *device, gs_subject *s) {
  device->ops->free(device, s->job.tensor.data);
  device->ops->free(device, s->job.tensor.scale);
  device->ops->free(device, s->job.stats);
  device->ops->free(device, s->job.histogram);
  free(s->stats);
  free(s->histogram);
  free(s->values);
  free(s->scale);
}

/* ---- the reference ---- */

typedef struct expected {
  gs_stats stats; /* all but the sums */
  long double sum, sum_abs, sum_sq;
  uint32_t histogram[2100];
} expected;

/* The bound as the storage type sees it. */
static double bound_of(double bound, gs_dtype dtype) {
  return dtype == GS_F64 ? bound : (double)(float)bound; /* 16 bits are compared as f32 */
}

static double min_normal(gs_dtype dtype) {
  return dtype == GS_F64 ? DBL_MIN : dtype == GS_F16 ? 0x1p-14 : (double)FLT_MIN;
}

/* digits 2^exponent, which saturates at 2^+-4000 */
static long double true_value(double digits, int32_t exponent) {
  return ldexpl((long double)digits, exponent > 4000 ? 4000 : exponent < -4000 ? -4000 : exponent);
}

static void count_value(expected *e, const gs_stats_job *job, double x, int32_t exponent) {
  const gs_dtype dtype = job->tensor.dtype;
  const double magnitude = fabs(x);
  gs_stats *s = &e->stats;
  s->count++;
  const long double value = true_value(x, exponent);
  s->saturated += job->saturation && (value <= bound_of(job->saturation_low, dtype) ||
                                      value >= bound_of(job->saturation_high, dtype));
  if (isnan(x)) {
    s->nan++;
  } else if (isinf(x)) {
    s->inf++;
  } else if (magnitude > 0) {
    s->subnormal += magnitude < min_normal(dtype);
    if (s->min_abs == 0 || magnitude < s->min_abs) s->min_abs = magnitude;
    if (magnitude > s->max_abs) s->max_abs = magnitude;
    e->sum += (long double)x;
    e->sum_abs += (long double)magnitude;
    e->sum_sq += (long double)x * (long double)x;
    e->histogram[ilogb(magnitude) - gs_dtype_min_exponent(dtype)]++;
  } else {
    s->zero++;
  }
}

static expected *expect(const gs_subject *s, int64_t step, int64_t replica) {
  const gs_tensor *t = &s->job.tensor;
  const int64_t rows = t->rows / s->job.steps;
  const double *values = s->values + (replica * t->rows + step * rows) * t->cols;
  expected *e = calloc(1, sizeof *e);
  assert_non_null(e);
  e->stats.exponent = s->scale ? s->scale[step * t->replicas + replica].exponent : 0;
  for (int64_t i = 0; i < rows * t->cols; i++) {
    count_value(e, &s->job, values[i], (int32_t)e->stats.exponent);
  }
  for (int64_t col = 0; s->job.dead && col < t->cols; col++) {
    bool dead = true;
    for (int64_t row = 0; row < rows; row++) dead = dead && values[row * t->cols + col] == 0;
    e->stats.dead += dead;
  }
  return e;
}

static void assert_canonical(gs_scaled x) {
  if (x.value == 0) {
    assert_int_equal(x.exponent, 0);
    return;
  }
  assert_true(fabs(x.value) >= 1 && fabs(x.value) < 4);
  assert_int_equal(x.exponent % 2, 0);
}

void gs_support_assert_scaled(gs_scaled got, long double want, int64_t exponent,
                              long double tolerance) {
  assert_canonical(got);
  const long double value = ldexpl((long double)got.value, (int)(got.exponent - exponent));
  const long double error = got.value == 0 ? fabsl(want) : fabsl(value - want);
  if (!(error <= tolerance)) fail_msg("%.17Lg is not %.17Lg within %.3Lg", value, want, tolerance);
}

static void assert_entry(const gs_subject *s, int64_t step, int64_t replica) {
  const int64_t entry = step * s->job.tensor.replicas + replica;
  const gs_stats *got = &s->stats[entry];
  expected *e = expect(s, step, replica);
  assert_int_equal(got->count, e->stats.count);
  assert_int_equal(got->nan, e->stats.nan);
  assert_int_equal(got->inf, e->stats.inf);
  assert_int_equal(got->zero, e->stats.zero);
  assert_int_equal(got->subnormal, e->stats.subnormal);
  assert_int_equal(got->saturated, e->stats.saturated);
  assert_int_equal(got->dead, e->stats.dead);
  assert_int_equal(got->exponent, e->stats.exponent);
  assert_true(got->min_abs == e->stats.min_abs);
  assert_true(got->max_abs == e->stats.max_abs);
  /* a lane adds count / 16 values, then 16 lanes and the parts; a tiny value may
   * underflow beside one 2^1000 times larger */
  const long double unit = 0x1p-53L * ((long double)e->stats.count / 16 + 40);
  gs_support_assert_scaled(got->sum, e->sum, got->exponent, unit * e->sum_abs);
  gs_support_assert_scaled(got->sum_sq, e->sum_sq, 2 * got->exponent, unit * e->sum_sq);
  if (s->job.histogram) {
    assert_memory_equal(s->histogram + entry * s->bins, e->histogram,
                        (size_t)s->bins * sizeof *e->histogram);
  }
  free(e);
}

void gs_subject_assert(const gs_subject *s) {
  for (int64_t step = 0; step < s->job.steps; step++) {
    for (int64_t r = 0; r < s->job.tensor.replicas; r++) assert_entry(s, step, r);
  }
}

void gs_subject_fetch(gs_device *device, gs_subject *s) {
  const size_t entries = (size_t)(s->job.steps * s->job.tensor.replicas);
  const size_t bytes = entries * (size_t)s->bins * sizeof *s->histogram;
  gs_support_ok(device->ops->sync(device), &device->error);
  gs_support_ok(device->ops->download(device, s->stats, s->job.stats, entries * sizeof *s->stats),
                &device->error);
  if (s->job.histogram)
    gs_support_ok(device->ops->download(device, s->histogram, s->job.histogram, bytes),
                  &device->error);
}

void gs_subject_run(gs_device *device, gs_subject *s) {
  gs_support_ok(device->ops->stats(device, &s->job, 1), &device->error);
  gs_subject_fetch(device, s);
}
