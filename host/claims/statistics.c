/* Special functions and tests.
 *
 *   Phi^-1     the rational starting value of Abramowitz & Stegun 26.2.23, then
 *              Newton's steps on erfc
 *   I_x(a, b)  the continued fraction of Abramowitz & Stegun 26.5.8, by Lentz's method
 *   t          I_x(f/2, 1/2) = 2 P(T > t), x = f/(f + t^2) (26.7.1), by bisection
 *   KS         P(D > d) ~ 2 sum (-1)^(j-1) exp(-2 j^2 u^2),
 *              u = (sqrt(n) + 0.12 + 0.11/sqrt(n)) d (Stephens 1970) */
#include "claims/statistics.h"

#include <math.h>

static const double CONFIDENCE = 0.975; /* one side of a 95 % interval */

/* ---- distributions ---- */

double gs_normal_cdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

double gs_normal_quantile(double p) {
  const int steps = 4; /* from 5e-4 to rounding */
  if (!(p > 0 && p < 1)) return NAN;
  const double q = fmin(p, 1 - p);
  const double t = sqrt(-2 * log(q));
  double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                     (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int i = 0; i < steps; i++) { /* of the upper tail, where nothing cancels */
    const double density = exp(-0.5 * x * x) / sqrt(2 * M_PI);
    x += (0.5 * erfc(x * M_SQRT1_2) - q) / density;
  }
  return p < 0.5 ? -x : x;
}

static double beta_fraction(double a, double b, double x) {
  const double tiny = 1e-300;
  const int max = 10000;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < tiny ? tiny : d);
  double value = d;
  for (int i = 1; i <= max; i++) {
    const double m = i;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + even * d;
    c = 1 + even / c;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    c = fabs(c) < tiny ? tiny : c;
    value *= c * d;
    d = 1 + odd * d;
    c = 1 + odd / c;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    c = fabs(c) < tiny ? tiny : c;
    value *= c * d;
    if (fabs(c * d - 1) < 1e-15) break;
  }
  return value;
}

double gs_beta_share(double a, double b, double x) {
  if (!(x >= 0 && x <= 1)) return NAN;
  if (x == 0 || x == 1) return x;
  const double log_front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x);
  if (x < (a + 1) / (a + b + 2)) return exp(log_front) * beta_fraction(a, b, x) / a;
  return 1 - exp(log_front) * beta_fraction(b, a, 1 - x) / b;
}

double gs_student_quantile(double p, double freedom) {
  const int halvings = 200;
  if (!(p > 0 && p < 1 && freedom > 0)) return NAN;
  const double tail = 2 * fmin(p, 1 - p);
  double low = 0;
  double high = 1;
  while (gs_beta_share(0.5 * freedom, 0.5, freedom / (freedom + high * high)) > tail) high *= 2;
  for (int i = 0; i < halvings; i++) {
    const double t = 0.5 * (low + high);
    if (t <= low || t >= high) break;
    if (gs_beta_share(0.5 * freedom, 0.5, freedom / (freedom + t * t)) > tail) {
      low = t;
    } else {
      high = t;
    }
  }
  return p < 0.5 ? -high : high;
}

void gs_binomial_range(int64_t trials, double success, double p, int64_t *low, int64_t *high) {
  const double n = (double)trials;
  double log_term = n * log1p(-success); /* of k successes */
  double below = 0;                      /* P(fewer than k) */
  int64_t k = 0;
  *low = *high = -1;
  for (; k <= trials; k++) {
    const double through = below + exp(log_term);
    if (*low < 0 && through > 0.5 * p) *low = k;
    if (1 - through < 0.5 * p) break;
    below = through;
    log_term += log(((double)(trials - k)) / ((double)k + 1)) + log(success) - log1p(-success);
  }
  *high = k < trials ? k : trials;
}

/* ---- estimates ---- */

static double quantile_of(double p, double freedom) {
  return isinf(freedom) ? gs_normal_quantile(p) : gs_student_quantile(p, freedom);
}

static gs_estimate estimate_of(double value, double error, double freedom) {
  const double half = error > 0 ? quantile_of(CONFIDENCE, freedom) * error : error;
  return (gs_estimate){value, error, freedom, value - half, value + half};
}

static gs_estimate nothing(void) { return (gs_estimate){NAN, NAN, NAN, NAN, NAN}; }

double gs_estimate_reach(const gs_estimate *estimate, double p) {
  if (!(estimate->error > 0)) return estimate->error;
  return quantile_of(1 - 0.5 * p, estimate->freedom) * estimate->error;
}

gs_estimate gs_estimate_exact(double value) { return estimate_of(value, 0, INFINITY); }

gs_estimate gs_estimate_normal(double value, double error) {
  return estimate_of(value, error, INFINITY);
}

static double mean_of(const double *values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += values[i];
  return sum / (double)count;
}

static double central_moment(const double *values, int64_t count, double mean, int power) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += pow(values[i] - mean, power);
  return sum / (double)count;
}

gs_estimate gs_estimate_mean(const double *values, int64_t count) {
  const double n = (double)count;
  if (count < 2) return nothing();
  const double mean = mean_of(values, count);
  if (!isfinite(mean)) return nothing();
  const double variance = central_moment(values, count, mean, 2) * n / (n - 1);
  return estimate_of(mean, sqrt(variance / n), n - 1);
}

gs_estimate gs_estimate_variance(const double *values, int64_t count) {
  const double n = (double)count;
  if (count < 2) return nothing();
  const double mean = mean_of(values, count);
  if (!isfinite(mean)) return nothing();
  const double m2 = central_moment(values, count, mean, 2);
  const double m4 = central_moment(values, count, mean, 4);
  return estimate_of(m2 * n / (n - 1), sqrt(fmax(m4 - m2 * m2, 0) / n), n - 1);
}

gs_estimate gs_estimate_rms_ratio(const double *a, const double *b, int64_t count) {
  const double n = (double)count;
  double max[2] = {-INFINITY, -INFINITY};
  double sum[2] = {0, 0};
  double squares = 0;
  if (count < 2) return nothing();
  for (int64_t i = 0; i < count; i++) {
    if (isnan(a[i]) || isnan(b[i])) return nothing();
    max[0] = fmax(max[0], a[i]);
    max[1] = fmax(max[1], b[i]);
  }
  if (!isfinite(max[0]) || !isfinite(max[1])) return nothing();
  for (int64_t i = 0; i < count; i++) {
    sum[0] += exp(2 * M_LN10 * (a[i] - max[0])) / n;
    sum[1] += exp(2 * M_LN10 * (b[i] - max[1])) / n;
  }
  for (int64_t i = 0; i < count; i++) { /* of ln mean a - ln mean b, to first order */
    const double influence =
        exp(2 * M_LN10 * (a[i] - max[0])) / sum[0] - exp(2 * M_LN10 * (b[i] - max[1])) / sum[1];
    squares += influence * influence / (n - 1);
  }
  const double value = max[0] - max[1] + 0.5 * log10(sum[0] / sum[1]);
  return estimate_of(value, 0.5 * sqrt(squares / n) / M_LN10, n - 1);
}

/* The p-quantile of the beta distribution. */
static double beta_quantile(double p, double a, double b) {
  const int halvings = 200;
  double low = 0;
  double high = 1;
  for (int i = 0; i < halvings; i++) {
    const double x = 0.5 * (low + high);
    if (x <= low || x >= high) break;
    if (gs_beta_share(a, b, x) < p) {
      low = x;
    } else {
      high = x;
    }
  }
  return 0.5 * (low + high);
}

gs_estimate gs_estimate_share(int64_t successes, int64_t trials) {
  const double k = (double)successes;
  const double n = (double)trials;
  gs_estimate estimate = {.value = k / n, .freedom = INFINITY, .low = 0, .high = 1};
  estimate.error = sqrt(estimate.value * (1 - estimate.value) / n);
  if (successes > 0) estimate.low = beta_quantile(1 - CONFIDENCE, k, n - k + 1);
  if (successes < trials) estimate.high = beta_quantile(CONFIDENCE, k + 1, n - k);
  return estimate;
}

gs_estimate gs_estimate_linear(gs_estimate estimate, double factor, double shift) {
  const double ends[] = {factor * estimate.low + shift, factor * estimate.high + shift};
  return (gs_estimate){.value = factor * estimate.value + shift,
                       .error = fabs(factor) * estimate.error,
                       .freedom = estimate.freedom,
                       .low = factor < 0 ? ends[1] : ends[0],
                       .high = factor < 0 ? ends[0] : ends[1]};
}

/* Least squares through one point after the other of sample r, or (r < 0) of their means. */
typedef struct line {
  double height; /* at the centre of x */
  double slope;
} line;

static line line_of(const double *x, const double *y, int64_t count, int64_t samples, int64_t r) {
  const double centre = mean_of(x, count);
  line fit = {0, 0};
  double spread = 0;
  for (int64_t i = 0; i < count; i++) {
    const double value = r < 0 ? mean_of(y + i * samples, samples) : y[i * samples + r];
    fit.height += value / (double)count;
    fit.slope += (x[i] - centre) * value;
    spread += (x[i] - centre) * (x[i] - centre);
  }
  fit.slope /= spread;
  return fit;
}

gs_estimate gs_estimate_crossing(const double *x, const double *y, int64_t count, int64_t samples) {
  const double n = (double)samples;
  const line mean = line_of(x, y, count, samples, -1);
  const double value = mean_of(x, count) - mean.height / mean.slope;
  double variance = 0;
  for (int64_t r = 0; samples > 1 && r < samples; r++) { /* delta method */
    const line own = line_of(x, y, count, samples, r);
    const double influence =
        (mean.height * (own.slope - mean.slope) / mean.slope - (own.height - mean.height)) /
        mean.slope;
    variance += influence * influence / (n * (n - 1));
  }
  return samples > 1 ? estimate_of(value, sqrt(variance), n - 1) : gs_estimate_exact(value);
}

/* ---- Kolmogorov and Smirnov ---- */

double gs_ks_distance(const double *sorted, int64_t count) {
  const double n = (double)count;
  double distance = 0;
  for (int64_t i = 0; i < count; i++) {
    const double expected = gs_normal_cdf(sorted[i]);
    if (isnan(expected)) return NAN;
    distance = fmax(distance, fmax((double)(i + 1) / n - expected, expected - (double)i / n));
  }
  return distance;
}

double gs_ks_probability(double distance, int64_t count) {
  const double root = sqrt((double)count);
  const double u = (root + 0.12 + 0.11 / root) * distance;
  const double certain = 0.2; /* below, it is 1 to 1e-12 and the series converges slowly */
  double sum = 0;
  if (isnan(u)) return NAN;
  if (u < certain) return 1;
  for (int j = 1; j <= 100; j++) {
    const double term = exp(-2 * j * j * u * u);
    sum += j % 2 ? term : -term;
    if (term < 1e-17) break;
  }
  return fmin(fmax(2 * sum, 0), 1);
}
