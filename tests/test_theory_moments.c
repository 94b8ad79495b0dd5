/* Moments of activations against a quadrature that shares nothing with theirs:
 * exp-sinh, in long double, of formulas written down here again. Wanted: 1e-10
 * for every activation (1e-12 is promised and asked for), 1e-12 <= q <= 1e12. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "theory/moments.h"

/* ---- the reference ---- */

typedef struct exact {
  long double h, d;
} exact;

static long double logistic(long double z) {
  return z >= 0 ? 1 / (1 + expl(-z)) : expl(z) / (1 + expl(z));
}

static exact exponential(long double lambda, long double alpha, long double z) {
  return z > 0 ? (exact){lambda * z, lambda}
               : (exact){lambda * alpha * expm1l(z), lambda * alpha * expl(z)};
}

static exact phi(gs_activation activation, long double z) {
  const long double s = logistic(z);
  const long double s_slope = s * logistic(-z);
  const long double below = erfcl(-z * sqrtl(0.5L)) / 2; /* the normal distribution function */
  const long double density = expl(-z * z / 2) * 0.39894228040143267793994605993438L;
  const long double r = 1 / (1 + fabsl(z));
  switch (activation.kind) {
  case GS_SIGMOID: return (exact){s, s_slope};
  case GS_TANH: return (exact){tanhl(z), 4 * logistic(2 * z) * logistic(-2 * z)};
  case GS_RELU: return z > 0 ? (exact){z, 1} : (exact){0, 0};
  case GS_LEAKY_RELU:
    return z > 0 ? (exact){z, 1} : (exact){activation.slope * z, activation.slope};
  case GS_ELU: return exponential(1, 1, z);
  case GS_SELU:
    return exponential(1.0507009873554804934193349852946L, 1.6732632423543772848170429916717L, z);
  case GS_GELU: return (exact){z * below, below + z * density};
  case GS_SILU: return (exact){z * s, s + z * s_slope};
  case GS_SOFTSIGN: return (exact){z * r, r * r};
  case GS_SOFTPLUS: return (exact){(z > 0 ? z : 0) + log1pl(expl(-fabsl(z))), s};
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  return (exact){z, 1};
}

typedef struct reference {
  long double V, m1, m2, h4, cross, x2V, x2m1;
} reference;

static void add(reference *sum, gs_activation activation, long double s, long double x,
                long double weight) {
  const exact v = phi(activation, s * x);
  const long double h2 = v.h * v.h;
  const long double d2 = v.d * v.d;
  sum->V += weight * h2;
  sum->m1 += weight * d2;
  sum->m2 += weight * d2 * d2;
  sum->h4 += weight * h2 * h2;
  sum->cross += weight * h2 * d2;
  sum->x2V += weight * x * x * h2;
  sum->x2m1 += weight * x * x * d2;
}

/* int_0^inf f = sum f(x_k) x_k' h with x = exp(pi/2 sinh t) (Takahasi & Mori
 * 1974): all scales of x alike, doubly exponential ends. */
static reference integrate(gs_activation activation, long double s, long double step) {
  const long double half_pi = 1.57079632679489661923132169163975144L;
  reference sum;
  memset(&sum, 0, sizeof sum);
  for (long double t = -4.25L; t <= 1.4L; t += step) {
    const long double x = expl(half_pi * sinhl(t));
    const long double weight =
        step * half_pi * coshl(t) * x * expl(-x * x / 2) * 0.39894228040143267793994605993438L;
    add(&sum, activation, s, x, weight);
    add(&sum, activation, s, -x, weight);
  }
  return sum;
}

/* ---- comparison ---- */

enum { FIELDS = 7 };

static void relative_errors(const gs_moments *m, const reference *r, double errors[FIELDS]) {
  const long double h4 = r->h4 / (r->V * r->V);
  const long double cross = r->cross / (r->V * r->m1);
  errors[0] = (double)fabsl(expm1l(m->log_V - logl(r->V)));
  errors[1] = (double)fabsl(expm1l(m->log_m1 - logl(r->m1)));
  errors[2] = (double)fabsl(expm1l(m->log_m2 - logl(r->m2)));
  errors[3] = (double)fabsl(m->h4 / h4 - 1);
  errors[4] = (double)fabsl(m->cross / cross - 1);
  errors[5] = (double)fabsl(m->gain_V - (r->x2V / r->V - 1) / 2);
  errors[6] = (double)fabsl(m->gain_m1 - (r->x2m1 / r->m1 - 1) / 2);
}

static void raise(double max[FIELDS], const double errors[FIELDS]) {
  for (int f = 0; f < FIELDS; f++) {
    if (!(errors[f] <= max[f])) max[f] = errors[f];
  }
}

static void check_activation(gs_activation activation) {
  double own = 0;
  double direct[FIELDS] = {0};
  double table_max[FIELDS] = {0};
  gs_moment_table *table = NULL;
  gs_error error = {0};
  gs_support_ok(gs_moment_table_create(activation, &table, &error), &error);
  for (int i = 0; i <= 72; i++) {
    const double log_q = (i / 3.0 - 12) * log(10);
    const long double s = expl(log_q / 2.0L);
    const reference r = integrate(activation, s, 1 / 128.0L);
    const reference coarse = integrate(activation, s, 1 / 96.0L);
    const gs_moments m = gs_moments_at(activation, log_q);
    const gs_moments t = gs_moment_table_at(table, log_q);
    double errors[FIELDS];
    own = fmax(own, (double)fabsl(coarse.V / r.V - 1));
    own = fmax(own, (double)fabsl(coarse.m2 / r.m2 - 1));
    relative_errors(&m, &r, errors);
    raise(direct, errors);
    relative_errors(&t, &r, errors);
    raise(table_max, errors);
  }
  gs_moment_table_destroy(table);
  print_message("%-10s V %.1e m1 %.1e m2 %.1e, table %.1e %.1e %.1e, rest %.1e %.1e %.1e %.1e, "
                "reference %.1e\n",
                gs_name(&gs_activation_names, activation.kind), direct[0], direct[1], direct[2],
                table_max[0], table_max[1], table_max[2], table_max[3], table_max[4], table_max[5],
                table_max[6], own);
  assert_true(own <= 1e-14);
  for (int f = 0; f < FIELDS; f++) {
    assert_true(direct[f] <= 1e-12);
    assert_true(table_max[f] <= 1e-12);
  }
}

static void test_against_quadrature(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    check_activation((gs_activation){(gs_activation_kind)kind, 0.01});
  }
  check_activation((gs_activation){GS_LEAKY_RELU, 0});
  check_activation((gs_activation){GS_LEAKY_RELU, 0.3});
  check_activation((gs_activation){GS_LEAKY_RELU, 4});
}

/* ---- known values ---- */

static double relative(double log_value, double expected) {
  return fabs(exp(log_value) / expected - 1);
}

/* int sech^4 = 4/3, int sech^8 = 32/35; int (s(1-s))^2 = 1/6, its square's 1/140;
 * int 1/(1+|u|)^4 = 2/3: the share of units that are not saturated. */
static void test_saturated(void **state) {
  (void)state;
  const struct {
    gs_activation_kind kind;
    double m1, m2;
  } cases[] = {{GS_TANH, 4 / 3.0, 32 / 35.0},
               {GS_SIGMOID, 1 / 6.0, 1 / 140.0},
               {GS_SOFTSIGN, 2 / 3.0, 2 / 7.0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (double log10_q = 26; log10_q < 400; log10_q += 40) {
      const double log_q = log10_q * log(10);
      const gs_moments m = gs_moments_at((gs_activation){cases[i].kind, 0}, log_q);
      const double log_near = -0.5 * log(2 * M_PI) - 0.5 * log_q;
      assert_true(fabs(m.log_m1 - log(cases[i].m1) - log_near) <= 1e-12 * fabs(m.log_m1));
      assert_true(fabs(m.log_m2 - log(cases[i].m2) - log_near) <= 1e-12 * fabs(m.log_m2));
      assert_true(relative(m.log_V, cases[i].kind == GS_SIGMOID ? 0.5 : 1) <= 1e-11);
    }
  }
}

/* Tiny q: the tangent at 0; huge q: the line. */
static void test_ends(void **state) {
  (void)state;
  const double far = 1e4;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    const gs_activation activation = {(gs_activation_kind)kind, 0.01};
    const gs_moments low = gs_moments_at(activation, -far);
    const gs_moments zero = gs_moments_at(activation, -INFINITY);
    const gs_moments high = gs_moments_at(activation, far);
    const gs_moments nothing = gs_moments_at(activation, NAN);
    assert_true(isfinite(low.log_V) && isfinite(low.log_m1) && isfinite(low.log_m2));
    assert_true(isfinite(high.log_V) && isfinite(high.log_m1) && isfinite(high.log_m2));
    assert_true(isfinite(zero.log_m1) && zero.log_V < 0 && !isnan(zero.log_V));
    assert_true(isnan(nothing.log_V) && isnan(nothing.log_m1));
  }
  const gs_moments sigmoid = gs_moments_at((gs_activation){GS_SIGMOID, 0}, -INFINITY);
  const gs_moments tanh_low = gs_moments_at((gs_activation){GS_TANH, 0}, -far);
  const gs_moments silu = gs_moments_at((gs_activation){GS_SILU, 0}, far);
  const gs_moments slope = gs_moments_at((gs_activation){GS_LEAKY_RELU, 1e200}, 0);
  assert_true(relative(sigmoid.log_V, 0.25) <= 1e-12);
  assert_true(relative(sigmoid.log_m1, 1 / 16.0) <= 1e-12);
  assert_true(fabs(tanh_low.log_V + far) <= 1e-9 && fabs(tanh_low.log_m1) <= 1e-12);
  assert_true(fabs(silu.log_V - far + log(2)) <= 1e-9 && relative(silu.log_m1, 0.5) <= 1e-12);
  assert_true(fabs(slope.log_m2 - 800 * log(10) + log(2)) <= 1e-9);
}

/* The table and the direct way agree everywhere, seams of cells included. */
static void test_table_seams(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    const gs_activation activation = {(gs_activation_kind)kind, 0.01};
    gs_moment_table *table = NULL;
    gs_error error = {0};
    gs_support_ok(gs_moment_table_create(activation, &table, &error), &error);
    for (double octave = -140; octave <= 140; octave += 0.5) {
      const double log_q = octave * log(2);
      const gs_moments m = gs_moments_at(activation, log_q);
      const gs_moments t = gs_moment_table_at(table, log_q);
      assert_true(fabs(m.log_V - t.log_V) <= 1e-12);
      assert_true(fabs(m.log_m1 - t.log_m1) <= 1e-12);
      assert_true(fabs(m.log_m2 - t.log_m2) <= 1e-12);
    }
    gs_moment_table_destroy(table);
  }
}

/* Abramowitz & Stegun 7.1.13: 2/(x + sqrt(x^2 + 2)) < sqrt(pi) erfcx <= the same
 * with 4/pi; and values of the function itself. */
static void test_erfcx(void **state) {
  (void)state;
  for (double x = 0; x < 1e150; x = x < 1 ? x + 0.01 : x * 1.01) {
    const double scaled = sqrt(M_PI) * gs_erfcx(x);
    assert_true(scaled >= 2 / (x + sqrt(x * x + 2)) * (1 - 4e-15));
    assert_true(scaled <= 2 / (x + sqrt(x * x + 4 / M_PI)) * (1 + 4e-15));
  }
  for (double x = 0; x < 26; x += 0.0625) {
    const double expected = (double)(expl((long double)x * x) * erfcl(x));
    assert_true(fabs(gs_erfcx(x) / expected - 1) <= 2e-15);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_quadrature),
      cmocka_unit_test(test_saturated),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_table_seams),
      cmocka_unit_test(test_erfcx),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
