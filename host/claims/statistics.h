/* Distributions and intervals by which claims are judged. */
#ifndef GS_CLAIMS_STATISTICS_H
#define GS_CLAIMS_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* Phi(x), and its inverse for 0 < p < 1, to 1e-14. */
double gs_normal_cdf(double x);
double gs_normal_quantile(double p);

/* The regularised incomplete beta function I_x(a, b); a, b > 0, 0 <= x <= 1. */
double gs_beta_share(double a, double b, double x);

/* The p-quantile of Student's t with so many degrees of freedom (> 0). */
double gs_student_quantile(double p, double freedom);

/* A measured number, its standard error (0: exact), the degrees of freedom that the error
 * is known by (Student's t; INFINITY where it is not estimated) and the 95 % confidence
 * interval. All are NaN where there is nothing to measure. */
typedef struct gs_estimate {
  double value;
  double error;
  double freedom;
  double low, high;
} gs_estimate;

/* How far the number may be off by chance, to either side together once in 1/p times:
 * 3.9 errors for p = 1e-4, of 16 networks 5.2. */
double gs_estimate_reach(const gs_estimate *estimate, double p);

/* A number without a sampling error. */
gs_estimate gs_estimate_exact(double value);
/* A normal estimate with this standard error, which is known and not estimated. */
gs_estimate gs_estimate_normal(double value, double error);
/* Of a mean: Student's interval. A value that is not finite makes all NaN, as does a
 * sample of fewer than two. */
gs_estimate gs_estimate_mean(const double *values, int64_t count);
/* Of a variance: the interval is that of a normal estimate whose error follows from the
 * sample's own fourth moment. */
gs_estimate gs_estimate_variance(const double *values, int64_t count);
/* Of 1/2 log10 of (mean of 10^(2 a)) / (mean of 10^(2 b)): a ratio of root mean squares
 * over replicas from logarithms of any size; the error is the delta method's. */
gs_estimate gs_estimate_rms_ratio(const double *a, const double *b, int64_t count);
/* Of a share: Clopper and Pearson's exact interval. 0 <= successes <= trials > 0. */
gs_estimate gs_estimate_share(int64_t successes, int64_t trials);
/* The smallest and the largest count of so many trials that are each no rarer than
 * p / 2 with what lies beyond them, for a probability of success in (0, 1). Walks from 0:
 * for expected counts of some thousands at most. */
void gs_binomial_range(int64_t trials, double success, double p, int64_t *low, int64_t *high);
/* factor * estimate + shift. */
gs_estimate gs_estimate_linear(gs_estimate estimate, double factor, double shift);

/* Where a straight line through the means of y at `count` points x crosses y = 0, by
 * least squares. y[i * samples + r]: sample r at point i, which may depend on sample r at
 * the other points (same random numbers), but not on other samples. With one sample the
 * error is 0. */
gs_estimate gs_estimate_crossing(const double *x, const double *y, int64_t count, int64_t samples);

/* Kolmogorov and Smirnov: the largest distance between a sample, ascending, and N(0,1);
 * and how probable a distance as large is (Stephens's form for finite samples). */
double gs_ks_distance(const double *sorted, int64_t count);
double gs_ks_probability(double distance, int64_t count);

#endif
