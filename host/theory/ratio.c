/* Laws of ratios of squared norms.
 *
 * delta^l = D W^T delta^{l+1} with W normal: W^T delta is normal with variance
 * v |delta|^2 in every component, so |delta^l|^2 / |delta^{l+1}|^2 = v chi^2_K, K
 * the number of units that pass it on. For relu, K ~ Binomial(n, 1/2)
 * independent of everything above, because rows of W and the signs of z can be
 * flipped together (Hanin & Nica 2020). E ln chi^2_K = psi(K/2) + ln 2,
 * Var ln chi^2_K = psi'(K/2). For Haar-orthogonal W the direction of W^T delta is
 * uniform: a Beta variate, ln of whose mean is psi(K/2) - psi(N/2). */
#include "theory/ratio.h"

#include <math.h>

enum { MAX_EXACT_UNITS = 2048 };

/* Recurrence to x >= 16, then the asymptotic series (Abramowitz & Stegun 6.3.18,
 * 6.4.12). */
double gs_digamma(double x) {
  double shift = 0;
  while (x < 16) {
    shift += 1 / x;
    x += 1;
  }
  const double y = 1 / (x * x);
  const double series =
      y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y * (1.0 / 132)))));
  return log(x) - 0.5 / x - series - shift;
}

double gs_trigamma(double x) {
  double shift = 0;
  while (x < 16) {
    shift += 1 / (x * x);
    x += 1;
  }
  const double y = 1 / (x * x);
  const double series =
      y * (1.0 / 6 - y * (1.0 / 30 - y * (1.0 / 42 - y * (1.0 / 30 - y * (5.0 / 66)))));
  return 1 / x + 0.5 * y + series / x + shift;
}

double gs_log_add(double a, double b) {
  const double max = fmax(a, b);
  return max == -INFINITY ? max : max + log1p(exp(fmin(a, b) - max));
}

double gs_ratio_skew(gs_ratio_law law) { return law.mean + 0.5 * law.variance; }

gs_ratio_law gs_ratio_gamma(double variance) {
  if (!(variance > 0)) return (gs_ratio_law){variance == 0 ? 0 : variance, variance};
  const double shape = 1 / variance;
  if (shape > 1e8) return (gs_ratio_law){-0.5 * variance, variance};
  return (gs_ratio_law){gs_digamma(shape) - log(shape), gs_trigamma(shape)};
}

/* Rows are uniform on the sphere, E w_1^2 w_2^2 = 1/(N (N + 2)), and sums over all N x N
 * pairs of rows are 1 and c: what i = j leaves, i != j have. */
gs_haar gs_haar_of(int64_t larger, double c) {
  const double N = (double)larger;
  if (larger == 0) return (gs_haar){1, 1, c};
  const double same = N / (N + 2);
  if (larger == 1) return (gs_haar){same, 1, c};
  return (gs_haar){same, same * (N + 1 - 2 * c) / (N - 1), same * (N * c - 1) / (N - 1)};
}

const gs_normal_node gs_normal_nodes[GS_NORMAL_NODES] = {
    {-4.5127458633997826, 2.2345844007746607e-05},
    {-3.2054290028564698, 0.0027891413212317692},
    {-2.0768479786778302, 0.049916406765217823},
    {-1.0232556637891326, 0.24409750289493953},
    {0, 0.40634920634920635},
    {1.0232556637891326, 0.24409750289493953},
    {2.0768479786778302, 0.049916406765217823},
    {3.2054290028564698, 0.0027891413212317692},
    {4.5127458633997826, 2.2345844007746607e-05},
};

/* To second order where X hardly varies. */
gs_log_sum gs_log_sum_of(double share, double mean, double variance) {
  const double rest = 1 - share;
  gs_log_sum sum = {0, 0, 0};
  double square = 0;
  if (share == 1) return (gs_log_sum){mean, variance, 1};
  if (variance < 1e-2 && fabs(mean) < 0.1) {
    const double bent = 0.5 * share * rest;
    return (gs_log_sum){share * mean + bent * variance, share * share * variance, share};
  }
  for (int i = 0; i < GS_NORMAL_NODES; i++) {
    const gs_normal_node node = gs_normal_nodes[i];
    const double log_grown = log(share) + mean + node.x * sqrt(variance);
    const double y = gs_log_add(log(rest), log_grown);
    sum.mean += node.weight * y;
    square += node.weight * y * y;
    sum.slope += node.weight * exp(log_grown - y);
  }
  sum.variance = fmax(square - sum.mean * sum.mean, 0);
  return sum;
}

/* Mean of psi(K/2), and of psi'(K/2) plus the variance of psi(K/2), over
 * K ~ Binomial(n, 1/2) without K = 0: outwards from the middle, where the weights
 * are largest, as far as they matter. */
static gs_ratio_law half_of(int64_t n) {
  const int64_t middle = (n + 1) / 2;
  double weight[2] = {1, 1}; /* upwards, downwards */
  double total = 0;
  double mean = 0;
  double square = 0;
  double within = 0;
  for (int64_t step = 0; step <= middle; step++) {
    for (int down = 0; down < (step ? 2 : 1); down++) {
      const int64_t k = down ? middle - step : middle + step;
      if (k < 1 || k > n) continue;
      const double w = weight[down];
      const double psi = gs_digamma(0.5 * (double)k);
      total += w;
      mean += w * psi;
      square += w * psi * psi;
      within += w * gs_trigamma(0.5 * (double)k);
    }
    if (weight[0] < 1e-18 && weight[1] < 1e-18) break;
    weight[0] *= (double)(n - middle - step) / (double)(middle + step + 1);
    weight[1] *= (double)(middle - step) / (double)(n - middle + step + 1);
  }
  mean /= total;
  return (gs_ratio_law){mean, within / total + (square / total - mean * mean)};
}

gs_ratio_law gs_ratio_exact(int64_t n, bool half, int64_t larger) {
  const double units = (double)n;
  const double all = (double)larger;
  if (half && n > MAX_EXACT_UNITS) {
    const double variance = 5 / units - (larger ? 2 / all : 0);
    return (gs_ratio_law){-0.5 * variance, variance};
  }
  gs_ratio_law law = {gs_digamma(0.5 * units), gs_trigamma(0.5 * units)};
  if (half) law = half_of(n);
  const double log_mean = log((half ? 0.5 : 1) * units);
  if (!larger) {
    law.mean += log(2) - log_mean;
    return law;
  }
  law.mean += log(all) - gs_digamma(0.5 * all) - log_mean;
  law.variance = fmax(law.variance - gs_trigamma(0.5 * all), 0);
  return law;
}

gs_ratio_law gs_ratio_recall(gs_ratio_memory *memory, int64_t n, bool half, int64_t larger) {
  if (memory->n != n || memory->half != half || memory->larger != larger) {
    *memory = (gs_ratio_memory){n, half, larger, gs_ratio_exact(n, half, larger)};
  }
  return memory->law;
}
