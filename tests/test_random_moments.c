/* Do the streams have the distributions they promise? Over 2^23 elements each:
 * moments and tail counts within four and a half standard errors of theory, a
 * Kolmogorov-Smirnov distance below its 0.1 % quantile, and no correlation
 * between neighbours, lanes, tensors, replicas, seeds or attempts. The seeds are
 * fixed, so the answers are too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"

enum { COUNT = 1 << 23, BINS = 1 << 14 };

#define LIMIT 4.5 /* standard errors */

typedef double distribution(double x);

/* Mean of x^1..x^4, counts of |x| > 1..6, extremes and the KS distance. */
typedef struct summary {
  double moment[5];
  double beyond[7];
  double min_abs;
  double max_abs;
  double distance;
} summary;

static double normal_cdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

static double uniform_cdf(double x) { return 0.5 * (x + 1); }

static double truncated_cdf(double x) {
  return (normal_cdf(x) - normal_cdf(-2)) / (1 - 2 * normal_cdf(-2));
}

/* Largest gap between a histogram's cumulative count and the CDF, at bin edges
 * spread over [-low, low]. */
static double ks_distance(const float *values, double low, distribution *cdf) {
  int64_t *bins = calloc(BINS + 1, sizeof *bins);
  assert_non_null(bins);
  for (size_t i = 0; i < COUNT; i++) {
    const double bin = ((double)values[i] + low) / (2 * low) * BINS;
    bins[bin < 0 ? 0 : bin >= BINS ? BINS : (int)ceil(bin)]++;
  }
  double distance = 0;
  int64_t below = 0;
  for (int b = 0; b <= BINS; b++) {
    below += bins[b];
    if (b == BINS) break; /* the last bin also takes what lies beyond */
    const double edge = ((double)b / BINS * 2 - 1) * low;
    distance = fmax(distance, fabs((double)below / COUNT - cdf(edge)));
  }
  free(bins);
  return distance;
}

static summary summarise(const float *values, double low, distribution *cdf) {
  summary s = {.min_abs = INFINITY};
  for (size_t i = 0; i < COUNT; i++) {
    const double x = (double)values[i];
    const double square = x * x;
    s.moment[1] += x;
    s.moment[2] += square;
    s.moment[3] += square * x;
    s.moment[4] += square * square;
    for (int k = 1; k <= 6 && fabs(x) > k; k++) s.beyond[k]++;
    s.min_abs = fmin(s.min_abs, fabs(x));
    s.max_abs = fmax(s.max_abs, fabs(x));
  }
  for (int k = 1; k <= 4; k++) s.moment[k] /= COUNT;
  s.distance = ks_distance(values, low, cdf);
  return s;
}

/* theory[k] = E x^k for k = 0..8: the standard error of the mean of x^k is
 * sqrt((E x^2k - (E x^k)^2) / COUNT). */
static void check_moments(const summary *s, const double theory[9]) {
  for (int k = 1; k <= 4; k++) {
    const double error = sqrt((theory[2 * k] - theory[k] * theory[k]) / COUNT);
    assert_false(!(fabs(s->moment[k] - theory[k]) <= LIMIT * error));
  }
  assert_false(!(s->distance * sqrt(COUNT) <= 1.95)); /* exceeded once in a thousand */
}

static float *draw(void (*generate)(float *, uint64_t, size_t, uint64_t, uint32_t, uint32_t)) {
  float *values = malloc(COUNT * sizeof *values);
  assert_non_null(values);
  generate(values, 0, COUNT, 20240607, 3, 1);
  return values;
}

static void test_normal(void **state) {
  (void)state;
  static const double theory[9] = {1, 0, 1, 0, 3, 0, 15, 0, 105};
  float *values = draw(gs_random_normal);
  const summary s = summarise(values, 8, normal_cdf);
  check_moments(&s, theory);
  for (int k = 1; k <= 6; k++) {
    const double expected = COUNT * 2 * normal_cdf(-k);
    assert_false(!(fabs(s.beyond[k] - expected) <= LIMIT * sqrt(expected) + 1));
  }
  assert_true(s.max_abs > 5 && s.max_abs < 6.764);
  free(values);
}

static void test_uniform(void **state) {
  (void)state;
  static const double theory[9] = {1, 0, 1.0 / 3, 0, 0.2, 0, 1.0 / 7, 0, 1.0 / 9};
  float *values = draw(gs_random_uniform);
  const summary s = summarise(values, 1, uniform_cdf);
  check_moments(&s, theory);
  assert_true(s.min_abs >= 0x1p-24 && s.min_abs < 20.0 / COUNT);
  assert_true(s.max_abs < 1 && s.max_abs > 1 - 20.0 / COUNT);
  free(values);
}

/* E x^k of N(0, 1) given |x| < 2: m_k = (k - 1) m_{k-2} - 2^{k-1} 2 phi(2) / Z. */
static void test_truncated(void **state) {
  (void)state;
  double theory[9] = {1};
  const double edge = 2 * exp(-2) / sqrt(2 * M_PI) / (1 - 2 * normal_cdf(-2));
  for (int k = 2; k <= 8; k += 2) theory[k] = (k - 1) * theory[k - 2] - ldexp(edge, k - 1);
  assert_true(fabs(sqrt(theory[2]) - 0.87962566103423978) < 1e-12); /* Keras's constant */
  float *values = draw(gs_random_truncated);
  const summary s = summarise(values, 2, truncated_cdf);
  check_moments(&s, theory);
  assert_true(s.max_abs < 2 && s.max_abs > 1.9999);
  free(values);
}

/* Correlation of two streams (or one with itself, shifted) and of their squares,
 * in standard errors of independent normals. */
static void check_independent(const float *a, const float *b, size_t count) {
  double products = 0;
  double squares = 0;
  for (size_t i = 0; i < count; i++) {
    const double x = (double)a[i];
    const double y = (double)b[i];
    products += x * y;
    squares += (x * x - 1) * (y * y - 1);
  }
  const double n = (double)count;
  assert_false(!(fabs(products) <= LIMIT * sqrt(n)));
  assert_false(!(fabs(squares) <= LIMIT * 2 * sqrt(n)));
}

static void test_independence(void **state) {
  (void)state;
  enum { N = 1 << 20 };
  float *a = malloc(N * sizeof *a);
  float *b = malloc(N * sizeof *b);
  assert_non_null(a);
  assert_non_null(b);
  gs_random_normal(a, 0, N, 77, 1, 1);
  for (size_t shift = 1; shift <= 8; shift++) check_independent(a, a + shift, N - shift);
  gs_random_normal(b, 0, N, 77, 1, 2);
  check_independent(a, b, N);
  gs_random_normal(b, 0, N, 77, 2, 1);
  check_independent(a, b, N);
  gs_random_normal(b, 0, N, 78, 1, 1);
  check_independent(a, b, N);
  gs_random_normal(b, UINT64_C(1) << 34, N, 77, 1, 1);
  check_independent(a, b, N);
  for (size_t i = 0; i < N; i++) b[i] = gs_random_normal_attempt(i, 1, 77, 1, 1);
  check_independent(a, b, N);
  free(a);
  free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normal),
      cmocka_unit_test(test_uniform),
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_independence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
