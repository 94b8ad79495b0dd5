/* Third and fourth cumulants: psi'' and its derivative, mixed over K. See tails.h. */
#include "theory/tails.h"

#include <math.h>

#include "theory/ratio.h"

/* Beyond so many units logarithms are as good as normal. */
enum { MAX_TAILED = 2048 };

/* The second and third derivatives of psi: recurrence to x >= 16, then the asymptotic
 * series (Abramowitz & Stegun 6.4.6, 6.4.13, 6.4.14). */
static void higher_polygamma(double x, double *second, double *third) {
  *second = *third = 0;
  while (x < 16) {
    *second -= 2 / (x * x * x);
    *third += 6 / (x * x * x * x);
    x += 1;
  }
  const double y = 1 / x;
  *second -= y * y * (1 + y * (1 + y * (0.5 - y * y / 6)));
  *third += y * y * y * (2 + y * (3 + y * (2 - y * y)));
}

/* Of ln chi^2_K (normal weights) or of the logarithm of a Beta variate, given K. */
typedef struct cumulants {
  double mean, variance, third, fourth;
} cumulants;

static cumulants given(double k, double larger) {
  cumulants c = {gs_digamma(k / 2), gs_trigamma(k / 2), 0, 0};
  higher_polygamma(k / 2, &c.third, &c.fourth);
  if (larger > 0) { /* ln chi^2_K = ln Beta + ln chi^2_N, which are independent */
    double third = 0;
    double fourth = 0;
    higher_polygamma(larger / 2, &third, &fourth);
    c.variance = fmax(c.variance - gs_trigamma(larger / 2), 0);
    c.third -= third;
    c.fourth -= fourth;
  }
  return c;
}

/* ln of the weight of k among k >= 1 of Binomial(n, 1/2). */
static double log_weight(double k, double n) {
  return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * M_LN2 - log1p(-exp2(-n));
}

static gs_tails mixed(int64_t n, double larger) {
  double mean = 0;
  double m[5] = {0}; /* central moments */
  for (int64_t k = 1; k <= n; k++) {
    mean += exp(log_weight((double)k, (double)n)) * gs_digamma(0.5 * (double)k);
  }
  for (int64_t k = 1; k <= n; k++) {
    const double weight = exp(log_weight((double)k, (double)n));
    if (weight < 1e-18) continue;
    const cumulants c = given((double)k, larger);
    const double d = c.mean - mean;
    m[2] += weight * (c.variance + d * d);
    m[3] += weight * (c.third + 3 * c.variance * d + d * d * d);
    m[4] += weight * (c.fourth + 3 * c.variance * c.variance + 4 * c.third * d +
                      6 * c.variance * d * d + d * d * d * d);
  }
  return (gs_tails){m[3], m[4] - 3 * m[2] * m[2]};
}

gs_tails gs_tails_of(int64_t n, bool half, int64_t larger) {
  if (n > MAX_TAILED) return (gs_tails){0, 0};
  if (half) return mixed(n, (double)larger);
  const cumulants c = given((double)n, (double)larger);
  return (gs_tails){c.third, c.fourth};
}

double gs_tails_skew(gs_tails tails, double variance) {
  return variance > 1e-12 ? tails.third / pow(variance, 1.5) : 0;
}
