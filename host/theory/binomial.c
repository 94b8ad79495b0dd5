/* Tails of the binomial distribution. The terms of a tail fall from its inner end
 * outwards once that end is past the mean; the other side is one less such a tail. */
#include "theory/binomial.h"

#include <math.h>

/* ln P(X = count) */
static double log_term(double k, double n, double p) {
  const double ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
  return ways + (k > 0 ? k * log(p) : 0) + (k < n ? (n - k) * log1p(-p) : 0);
}

/* P(X >= k) for k above the mean: next/this = (n - k)/(k + 1) p/(1 - p) < 1. */
static double sum_above(double k, double n, double p) {
  double term = 1;
  double sum = 0;
  const double first = exp(log_term(k, n, p));
  for (; k <= n && term > 1e-17 * sum; k++) {
    sum += term;
    term *= (n - k) / (k + 1) * (p / (1 - p));
  }
  return fmin(first * sum, 1);
}

double gs_binomial_upper(int64_t count, int64_t n, double p) {
  const double k = (double)count;
  const double of = (double)n;
  if (isnan(p)) return p;
  if (count <= 0 || p >= 1) return 1;
  if (p <= 0) return 0;
  if (k > of * p) return sum_above(k, of, p);
  return 1 - sum_above(of - k + 1, of, 1 - p); /* fewer than k: more than n - k failures */
}

double gs_binomial_lower(int64_t count, int64_t n, double p) {
  return gs_binomial_upper(n - count, n, 1 - p);
}

double gs_binomial_two_sided(int64_t count, int64_t n, double p) {
  const double upper = gs_binomial_upper(count, n, p);
  const double lower = gs_binomial_lower(count, n, p);
  return fmin(2 * fmin(upper, lower), 1);
}
