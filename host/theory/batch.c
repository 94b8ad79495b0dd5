/* Sums of lognormals.
 *
 * ln of example b's squared norm is Y + Z_b: Y, which the examples share, has the
 * variance `pair`, Z_b the rest. What is left is S = mean_b e^(Z_b), Z_b
 * independent. Let E be a unit exponential variate: P(E > t S) = E e^(-t S) is
 * the B-th power of L(t) = E e^(-t e^Z / B), so W = ln E - ln S has the survival
 * function L(e^u)^B, and ln E is known:
 *   mean of ln S = -gamma - mean of W,   Var ln S = Var W - pi^2/6.
 * One quadrature in u around one in Z, both of smooth functions: trapezoids. */
#include "theory/batch.h"

#include <math.h>
#include <stdbool.h>

static const double EULER_GAMMA = 0.57721566490153286061;
static const double POINT_STEP = 0.75; /* of the deviation of Z */

void gs_batch_law_start(gs_batch_law *law, int64_t batch) {
  law->batch = batch;
  for (int i = 0; i < GS_BATCH_POINTS; i++) law->mean[i] = law->variance[i] = NAN;
}

enum { MOST_NODES = 512 }; /* for every deviation of the table */

/* Nodes of Z and their weights, which sum to 1. */
typedef struct normal_nodes {
  double z[MOST_NODES];
  double weights[MOST_NODES];
  int count;
} normal_nodes;

/* Steps of 1.5 at most in the exponent: exp(-e^x) falls over about 4. */
static void make_nodes(normal_nodes *nodes, double d) {
  const double end = 8.5;
  const double step = fmin(0.25, 1.5 / d);
  double total = 0;
  nodes->count = (int)fmin(floor(2 * end / step), MOST_NODES - 1) + 1;
  for (int k = 0; k < nodes->count; k++) {
    const double z = k * step - end;
    nodes->z[k] = d * (z - 0.5 * d);
    nodes->weights[k] = exp(-0.5 * z * z);
    total += nodes->weights[k];
  }
  for (int k = 0; k < nodes->count; k++) nodes->weights[k] /= total;
}

/* L(e^u) to the power B, for the mean of B variates. */
static double survival_at(const normal_nodes *nodes, double u, double B) {
  const double shifted = u - log(B);
  double sum = 0;
  for (int k = 0; k < nodes->count; k++) {
    const double x = shifted + nodes->z[k];
    if (x < 4) sum += nodes->weights[k] * (x < -40 ? 1 : exp(-exp(x)));
  }
  return sum > 0 ? exp(B * log(sum)) : 0;
}

/* Mean and variance of ln mean_b e^(Z_b): E W = u0 + int S, E (W - u0)^2 =
 * 2 int (u - u0) S, from a u0 below which W does not come: S <= max e^Z. */
static void make_point(gs_batch_law *law, int i) {
  const double d = i * POINT_STEP;
  const double least = -40 - 8.5 * d + 0.5 * d * d;
  const double length = 45 + 17 * d + log((double)law->batch);
  const double step = 0.125 + 0.02 * d;
  normal_nodes nodes;
  double first = 0;
  double second = 0;
  make_nodes(&nodes, d);
  for (int k = 0; k <= (int)(length / step); k++) {
    const double u = k * step;
    const double survival = survival_at(&nodes, least + u, (double)law->batch);
    const double weight = k == 0 ? 0.5 * step : step;
    first += weight * survival;
    second += 2 * weight * u * survival;
    if (survival < 1e-16) break;
  }
  second += step * step / 6; /* the integrand rises from 0 with slope 2 (Euler-Maclaurin) */
  law->mean[i] = -EULER_GAMMA - (least + first);
  law->variance[i] = fmax(second - first * first - M_PI * M_PI / 6, 0);
}

/* A law's value over d^2; at d = 0 the limits -1/(2B) and 1/B. */
static double scaled(gs_batch_law *law, bool variance, int i) {
  const double B = (double)law->batch;
  const double d = i * POINT_STEP;
  if (i == 0) return variance ? 1 / B : -0.5 / B;
  if (isnan(law->mean[i])) make_point(law, i);
  return (variance ? law->variance[i] : law->mean[i]) / (d * d);
}

/* Linear between the points; beyond the last, where the largest of the B decides,
 * in proportion to d^2. */
static double interpolate(gs_batch_law *law, bool variance, double d) {
  const double at = d / POINT_STEP;
  const int i = (int)fmin(floor(at), GS_BATCH_POINTS - 2);
  const double part = fmin(at - i, 1);
  return d * d * ((1 - part) * scaled(law, variance, i) + part * scaled(law, variance, i + 1));
}

gs_log_norm gs_batch_norm(gs_batch_law *law, double log_mean, double mean, gs_spread spread) {
  if (law->batch == 1) return (gs_log_norm){log_mean, mean, spread.own};
  const double shared = fmin(fmax(spread.pair, 0), spread.own);
  const double apart = spread.own - shared;
  if (!(apart > 0)) return (gs_log_norm){log_mean, mean, spread.own};
  /* one example has mean -apart/2 where the average has the law's */
  const double d = sqrt(apart);
  return (gs_log_norm){log_mean, mean + 0.5 * apart + interpolate(law, false, d),
                       shared + interpolate(law, true, d)};
}
