/* Activations and their derivatives, as the CPU's row functions compute them,
 * against long double references over [-200, 200] and at special values.
 *
 * Wanted of f32: a relative error of 4e-7 in phi and phi' everywhere that the
 * exact value is normal; below that an absolute one of two units of the smallest
 * subnormal (times |z| where z multiplies a tail). gelu' and silu' have a zero:
 * there the error is relative to the two terms that cancel. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu_internal.h"
#include "support_wide.h"

/* ---- evaluation ---- */

typedef struct evaluated {
  double h, slope;
} evaluated;

static const double SLOPE = 0.01;

static gs_activation activation_of(gs_activation_kind kind) { return (gs_activation){kind, SLOPE}; }

/* phi(z) and phi'(z) of n values; the slope is what backward makes of a 1. */
static void evaluate_f32(gs_activation_kind kind, const float *z, int64_t n, evaluated *out) {
  float *h = malloc((size_t)n * sizeof *h);
  float *saved = malloc((size_t)n * sizeof *saved);
  float *delta = malloc((size_t)n * sizeof *delta);
  assert_true(h && saved && delta);
  memcpy(h, z, (size_t)n * sizeof *h);
  for (int64_t i = 0; i < n; i++) delta[i] = 1;
  const bool needs = gs_activation_needs_saved(kind);
  gs_cpu_rows_f32.activate(activation_of(kind), h, needs ? saved : NULL, n);
  gs_cpu_rows_f32.backward(activation_of(kind), delta, needs ? saved : NULL, h, n);
  for (int64_t i = 0; i < n; i++) out[i] = (evaluated){(double)h[i], (double)delta[i]};
  free(h);
  free(saved);
  free(delta);
}

static void evaluate_f64(gs_activation_kind kind, const double *z, int64_t n, evaluated *out) {
  double *h = malloc((size_t)n * sizeof *h);
  double *saved = malloc((size_t)n * sizeof *saved);
  double *delta = malloc((size_t)n * sizeof *delta);
  assert_true(h && saved && delta);
  memcpy(h, z, (size_t)n * sizeof *h);
  for (int64_t i = 0; i < n; i++) delta[i] = 1;
  const bool needs = gs_activation_needs_saved(kind);
  gs_cpu_rows_f64.activate(activation_of(kind), h, needs ? saved : NULL, n);
  gs_cpu_rows_f64.backward(activation_of(kind), delta, needs ? saved : NULL, h, n);
  for (int64_t i = 0; i < n; i++) out[i] = (evaluated){h[i], delta[i]};
  free(h);
  free(saved);
  free(delta);
}

static evaluated evaluate_one(gs_activation_kind kind, gs_dtype dtype, double z) {
  evaluated out;
  const float narrow = (float)z;
  if (dtype == GS_F64) {
    evaluate_f64(kind, &z, 1, &out);
  } else {
    evaluate_f32(kind, &narrow, 1, &out);
  }
  return out;
}

/* ---- accuracy ---- */

/* Half of [-200, 200] evenly, half of it by powers, down to subnormals. */
enum { POINTS = 160001 };

static double point(int64_t i, double min_exponent) {
  if (i % 2) return -200 + 400.0 * (double)i / (POINTS - 1);
  const double exponent = min_exponent + (7.6 - min_exponent) * (double)i / (POINTS - 1);
  return i % 4 ? exp2(exponent) : -exp2(exponent);
}

typedef struct precision {
  double relative;
  long double min_normal, min; /* of the storage type */
} precision;

static void assert_near(const char *what, gs_activation_kind kind, double z, double got,
                        long double want, long double scale, const precision *p) {
  const long double factor = fmaxl(1, fabsl((long double)z));
  const long double error = fabsl((long double)got - want);
  const long double absolute = scale < p->min_normal * factor ? 2 * factor * p->min : 0;
  if (!(error <= (long double)p->relative * scale + absolute))
    fail_msg("%s of %s at %.9g is %.9g, not %.9Lg", what, gs_name(&gs_activation_names, kind), z,
             got, want);
}

static void assert_precision(gs_activation_kind kind, const double *z, const evaluated *out,
                             const precision *p) {
  for (int64_t i = 0; i < POINTS; i++) {
    const gs_wide_slope e = gs_wide_activation(activation_of(kind), (long double)z[i]);
    assert_near("phi", kind, z[i], out[i].h, e.h, fabsl(e.h), p);
    assert_near("phi'", kind, z[i], out[i].slope, e.slope, e.slope_scale, p);
  }
}

static void test_f32_accuracy(void **state) {
  (void)state;
  static float z[POINTS];
  static double wide[POINTS];
  static evaluated out[POINTS];
  const precision p = {4e-7, 0x1p-126L, 0x1p-149L};
  for (int64_t i = 0; i < POINTS; i++) {
    z[i] = (float)point(i, -149);
    wide[i] = (double)z[i];
  }
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    evaluate_f32((gs_activation_kind)kind, z, POINTS, out);
    assert_precision((gs_activation_kind)kind, wide, out, &p);
  }
}

static void test_f64_accuracy(void **state) {
  (void)state;
  static double z[POINTS];
  static evaluated out[POINTS];
  const precision p = {2e-15, 0x1p-1022L, 0x1p-1074L};
  for (int64_t i = 0; i < POINTS; i++) z[i] = point(i, -1074) * (i % 3 ? 1 : 3.6); /* to 720 */
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    evaluate_f64((gs_activation_kind)kind, z, POINTS, out);
    assert_precision((gs_activation_kind)kind, z, out, &p);
  }
}

/* The reference's derivatives are those of its functions: central differences,
 * away from the kinks at 0. */
static void test_reference_derivatives(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (int i = 1; i < 2000; i++) {
      const long double z = (i % 2 ? 1 : -1) * (long double)i / 100;
      const long double step = 1e-6L;
      const gs_activation phi = activation_of((gs_activation_kind)kind);
      const long double numeric =
          (gs_wide_activation(phi, z + step).h - gs_wide_activation(phi, z - step).h) / (2 * step);
      const long double error = fabsl(numeric - gs_wide_activation(phi, z).slope);
      if (!(error <= 1e-10L))
        fail_msg("%s at %Lg", gs_name(&gs_activation_names, (gs_activation_kind)kind), z);
    }
  }
}

/* ---- digits with exponents (activation_scale.h) ---- */

/* phi and phi' of `count` digits 2^scale.z, h's with scale.exponent. */
static void evaluate_scaled(gs_activation_kind kind, bool wide, gs_activate_scale scale,
                            const double *digits, int64_t count, evaluated *out) {
  double h[64], slope[64];
  float narrow_h[64], narrow_slope[64];
  assert_true(count <= 64);
  for (int64_t i = 0; i < count; i++) h[i] = digits[i];
  for (int64_t i = 0; i < count; i++) narrow_h[i] = (float)digits[i];
  if (wide)
    gs_cpu_rows_f64.activate_scaled(activation_of(kind), scale, h, slope, count);
  else
    gs_cpu_rows_f32.activate_scaled(activation_of(kind), scale, narrow_h, narrow_slope, count);
  for (int64_t i = 0; i < count; i++)
    out[i] = wide ? (evaluated){h[i], slope[i]}
                  : (evaluated){(double)narrow_h[i], (double)narrow_slope[i]};
}

/* Exponents of h for z of this exponent: for phi(0) = 0 and unbounded phi z's own. */
static gs_activate_scale scale_of(gs_activation_kind kind, int32_t z) {
  const gs_scale in = {z, 0};
  return gs_activate_scale_of(in, GS_F32, kind, true, false);
}

/* At magnitudes up to 2^+-5000, with digits of several sizes, both sides of 0. */
static void test_any_magnitude(void **state) {
  (void)state;
  static const int digit[] = {-40, -3, 0, 17, 60};
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (int wide = 0; gs_activation_needs_saved((gs_activation_kind)kind) && wide < 2; wide++)
      for (int exponent = -5000; exponent <= 5000; exponent += abs(exponent) <= 200 ? 1 : 97)
        for (size_t d = 0; d < sizeof digit / sizeof *digit; d++) {
          double digits[4];
          evaluated out[4];
          const precision p = {wide ? 2e-15 : 4e-7, wide ? 0x1p-1022L : 0x1p-126L,
                               wide ? 0x1p-1074L : 0x1p-149L};
          const gs_activate_scale scale = scale_of((gs_activation_kind)kind, exponent - digit[d]);
          if (scale.z == 0) continue;
          for (int i = 0; i < 4; i++)
            digits[i] = ldexp(i % 2 ? -1 : 1, digit[d]) * (double)(float)(1 + 0.317 * i);
          evaluate_scaled((gs_activation_kind)kind, wide, scale, digits, 4, out);
          for (int i = 0; i < 4; i++) {
            const long double z = ldexpl((long double)digits[i], scale.z);
            const gs_wide_slope e = gs_wide_activation(activation_of((gs_activation_kind)kind), z);
            const long double h = ldexpl(e.h, -scale.exponent);
            /* tails that underflow before h is moved back are 0 */
            const long double lift = fmaxl(1, ldexpl(1, -scale.exponent));
            const precision of_h = {p.relative, p.min_normal * lift, p.min * lift};
            assert_near("phi", (gs_activation_kind)kind, (double)exponent, out[i].h, h, fabsl(h),
                        of_h.min < 1 ? &of_h : &p);
            assert_near("phi'", (gs_activation_kind)kind, (double)exponent, out[i].slope, e.slope,
                        e.slope_scale, &p);
          }
        }
}

/* Where plain arithmetic has the range, exponents change no bit. */
static void check_same_bits(gs_activation_kind kind, bool wide, double z, int32_t exponent) {
  const double min = wide ? DBL_MIN : (double)FLT_MIN, max = wide ? DBL_MAX : (double)FLT_MAX;
  const gs_activate_scale scale = scale_of(kind, exponent);
  const double digits = ldexp(z, -exponent);
  if (scale.z == 0 || fabs(digits) < min || fabs(digits) > max) return;
  const evaluated plain = evaluate_one(kind, wide ? GS_F64 : GS_F32, z);
  evaluated out;
  evaluate_scaled(kind, wide, scale, &digits, 1, &out);
  const double h = ldexp(plain.h, -scale.exponent);
  assert_true(plain.slope == out.slope);
  if (h != 0 && (fabs(h) < min || fabs(h) > max || fabs(plain.h) < min)) return;
  if (!(h == out.h))
    fail_msg("%s(%a) with exponent %d", gs_name(&gs_activation_names, kind), z, exponent);
}

static void test_same_bits(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (int wide = 0; gs_activation_needs_saved((gs_activation_kind)kind) && wide < 2; wide++)
      for (int binade = wide ? -1000 : -125; binade < (wide ? 1000 : 125); binade++)
        for (int i = 0; i < 6; i++) {
          const double mantissa = (double)(float)(1 + 0.731 * i / 5);
          const double z = ldexp(i % 2 ? -mantissa : mantissa, binade);
          check_same_bits((gs_activation_kind)kind, wide, z, binade + 7 * i - 20);
          check_same_bits((gs_activation_kind)kind, wide, z, wide ? binade / 2 : 40 - 16 * i);
        }
}

/* ---- special values ---- */

static void test_nan_passes(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (int d = 0; d < 2; d++) {
      const gs_dtype dtype = d ? GS_F64 : GS_F32;
      assert_true(isnan(evaluate_one((gs_activation_kind)kind, dtype, NAN).h));
      assert_true(isnan(evaluate_one((gs_activation_kind)kind, dtype, -NAN).h));
      /* where the slope follows from h's sign, NaN counts as above zero: as PyTorch's relu */
      const double slope = evaluate_one((gs_activation_kind)kind, dtype, NAN).slope;
      assert_true(gs_activation_needs_saved((gs_activation_kind)kind) ? isnan(slope) : slope == 1);
    }
  }
}

/* At +-infinity: the limits, or NaN where PyTorch's formula gives inf/inf or
 * 0 * inf, and far out finite values the limits. */
static void test_far_out(void **state) {
  (void)state;
  static const double lambda = 1.0507009873554805, floor = -1.7580993408473766;
  static const struct {
    gs_activation_kind kind;
    double below, above; /* phi at -inf and +inf; 9: NaN by formula */
  } limits[] = {{GS_IDENTITY, -INFINITY, INFINITY},
                {GS_SIGMOID, 0, 1},
                {GS_TANH, -1, 1},
                {GS_RELU, 0, INFINITY},
                {GS_ELU, -1, INFINITY},
                {GS_GELU, 9, INFINITY},
                {GS_LEAKY_RELU, -INFINITY, INFINITY},
                {GS_SILU, 9, INFINITY},
                {GS_SOFTSIGN, 9, 9},
                {GS_SOFTPLUS, 0, INFINITY},
                {GS_SELU, floor, INFINITY}};
  assert_true((int)(sizeof limits / sizeof *limits) == GS_ACTIVATION_COUNT);
  for (int i = 0; i < GS_ACTIVATION_COUNT; i++) {
    for (int d = 0; d < 4; d++) {
      const double want = d % 2 ? limits[i].above : limits[i].below;
      const double z = d % 2 ? INFINITY : -INFINITY;
      const double h = evaluate_one(limits[i].kind, d / 2 ? GS_F64 : GS_F32, z).h;
      const bool right = want == 9 ? isnan(h) : isinf(want) ? h == want : fabs(h - want) <= 2e-7;
      if (!right) fail_msg("%s(%g) = %g", gs_name(&gs_activation_names, limits[i].kind), z, h);
    }
  }
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (int d = 0; d < 4; d++) { /* the largest numbers there are */
      const double z = (d % 2 ? 1 : -1) * (d / 2 ? DBL_MAX : (double)FLT_MAX);
      const evaluated e = evaluate_one((gs_activation_kind)kind, d / 2 ? GS_F64 : GS_F32, z);
      assert_true(!isnan(e.h));
      assert_true(isfinite(e.slope) && e.slope >= 0 && e.slope < 1.8);
    }
  }
  assert_true(fabs(lambda * -1.6732632423543772 - floor) < 1e-15);
}

/* The derivatives at 0 are PyTorch's: 0 for relu, the slope for leaky_relu. */
static void test_zero(void **state) {
  (void)state;
  for (int d = 0; d < 4; d++) {
    const gs_dtype dtype = d / 2 ? GS_F64 : GS_F32;
    const double z = d % 2 ? -0.0 : 0.0;
    const double leaky = dtype == GS_F64 ? SLOPE : (double)(float)SLOPE;
    assert_true(evaluate_one(GS_RELU, dtype, z).slope == 0);
    assert_true(evaluate_one(GS_RELU, dtype, z).h == 0);
    assert_true(evaluate_one(GS_LEAKY_RELU, dtype, z).slope == leaky);
    assert_true(evaluate_one(GS_LEAKY_RELU, dtype, z).h == 0);
    assert_true(evaluate_one(GS_SIGMOID, dtype, z).h == 0.5);
    assert_true(evaluate_one(GS_SIGMOID, dtype, z).slope == 0.25);
    assert_true(evaluate_one(GS_TANH, dtype, z).h == 0);
    assert_true(evaluate_one(GS_TANH, dtype, z).slope == 1);
    assert_true(evaluate_one(GS_ELU, dtype, z).slope == 1);
    assert_true(evaluate_one(GS_GELU, dtype, z).h == 0);
    assert_true(fabs(evaluate_one(GS_GELU, dtype, z).slope - 0.5) <= 2e-7);
    assert_true(evaluate_one(GS_SILU, dtype, z).slope == 0.5);
    assert_true(evaluate_one(GS_SOFTSIGN, dtype, z).slope == 1);
  }
}

/* Tails fall steadily and reach zero only where the storage type has nothing
 * smaller: sigmoid' and tanh' as e^-|z| and 4 e^-2|z| do. */
static void test_tails(void **state) {
  (void)state;
  static const gs_activation_kind kinds[] = {GS_SIGMOID, GS_TANH, GS_ELU, GS_SOFTPLUS, GS_SOFTSIGN};
  static const double last[] = {-103, -51.9, -103, -103, -200}; /* e^z, e^2z > 2^-150 */
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    double before = 2;
    for (int i = 0; i <= 20000; i++) {
      const double z = -1 - (double)i / 100;
      const evaluated e = evaluate_one(kinds[k], GS_F32, (double)(float)z);
      if (z >= last[k]) assert_true(e.slope > 0);
      /* steadily, but for the last digits */
      assert_true(e.slope <= before * (1 + 4e-7) + 0x1p-149);
      before = e.slope;
    }
    const double end = kinds[k] == GS_SOFTSIGN ? 1e-4 : 0;
    assert_true(before <= end);
    assert_true(evaluate_one(kinds[k], GS_F64, -300).slope > 0);
  }
}

/* Rows of every length, the vectors' remainders included, give the same bits as
 * one element at a time. */
static void test_lengths(void **state) {
  (void)state;
  enum { MAX = 67 };
  float z[MAX];
  evaluated out[MAX];
  for (int i = 0; i < MAX; i++) z[i] = (float)(0.37 * i - 12);
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (int n = 1; n <= MAX; n++) {
      evaluate_f32((gs_activation_kind)kind, z, n, out);
      const evaluated one = evaluate_one((gs_activation_kind)kind, GS_F32, (double)z[n - 1]);
      assert_true(out[n - 1].h == one.h && out[n - 1].slope == one.slope);
      assert_true(out[0].h == evaluate_one((gs_activation_kind)kind, GS_F32, (double)z[0]).h);
    }
  }
}

/* backward multiplies: delta = phi' eps, with eps of any kind. */
static void test_backward_multiplies(void **state) {
  (void)state;
  const float slopes[4] = {0.5f, 0.25f, 1, 0};
  float delta[4] = {-3, INFINITY, NAN, 7};
  gs_cpu_rows_f32.backward(activation_of(GS_TANH), delta, slopes, slopes, 4);
  assert_true(delta[0] == -1.5f && delta[1] == INFINITY && isnan(delta[2]) && delta[3] == 0);
  const double h[4] = {0, -1, 2, 3};
  for (int wide = 0; wide < 2; wide++) { /* a unit that is off passes nothing, not even inf * 0 */
    float narrow_h[4], narrow[4] = {INFINITY, NAN, -2, INFINITY};
    double full[4] = {INFINITY, NAN, -2, INFINITY};
    for (int i = 0; i < 4; i++) narrow_h[i] = (float)h[i];
    if (wide) {
      gs_cpu_rows_f64.backward(activation_of(GS_RELU), full, NULL, h, 4);
    } else {
      gs_cpu_rows_f32.backward(activation_of(GS_RELU), narrow, NULL, narrow_h, 4);
      for (int i = 0; i < 4; i++) full[i] = (double)narrow[i];
    }
    assert_true(full[0] == 0 && full[1] == 0 && full[2] == -2 && full[3] == INFINITY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reference_derivatives),
      cmocka_unit_test(test_f32_accuracy),
      cmocka_unit_test(test_f64_accuracy),
      cmocka_unit_test(test_any_magnitude),
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_nan_passes),
      cmocka_unit_test(test_far_out),
      cmocka_unit_test(test_zero),
      cmocka_unit_test(test_tails),
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_backward_multiplies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
