/* Averages over a batch.
 *
 * ln of example b's squared norm is Y + Z_b: Y, which the examples share, has the
 * variance `pair`, Z_b the rest. What is left is S = mean_b e^(Z_b), Z_b
 * independent. Let E be a unit exponential variate: P(E > t S) = E e^(-t S) is
 * the B-th power of L(t) = E e^(-t e^Z / B), so W = ln E - ln S has the survival
 * function L(e^u)^B, and ln E is known:
 *   mean of ln S = -gamma - mean of W,   Var ln S = Var W - pi^2/6.
 * One quadrature in u around one in Z, both of smooth functions: trapezoids.
 *
 * The law of e^Z is a product of m gamma variates of shape k and mean 1, m real: what a
 * linear network of 2k units shows after m layers, for m = 1 exactly chi-square. Z has
 *   Var = m psi'(k),   mean + Var/2 = m (psi(k) - ln k + psi'(k)/2),
 * so the shape, the second over the first, gives k, and the variance m. k -> infinity,
 * shape 0, is the lognormal. Its density by a saddle point, which for m = 1 is exact
 * (Daniels 1954): with K(s) = m (ln Gamma(k+s) - ln Gamma(k) - s ln k), at z = K'(s),
 * in proportion to exp(K(s) - s z) / sqrt(K''(s)). */
#include "theory/batch.h"

#include <math.h>
#include <stdbool.h>

#include "theory/ratio.h"

static const double EULER_GAMMA = 0.57721566490153286061;
static const double POINT_STEP = 0.75; /* of the deviation of Z */

/* Shapes of the table: 0, then in a geometric series up to where a gamma variate has
 * k = 0.13. */
static const double SHAPE_MIN = 0.0075;
static const double SHAPE_MAX = 0.4;

void gs_batch_law_start(gs_batch_law *law, int64_t batch) {
  law->batch = batch;
  for (int s = 0; s < GS_BATCH_SHAPES; s++) {
    law->steepness[s] = NAN;
    for (int i = 0; i < GS_BATCH_POINTS; i++) law->mean[s][i] = law->variance[s][i] = NAN;
  }
}

/* ---- nodes ---- */

enum { MAX_NODES = 1024 }; /* for every entry of the table */

/* Nodes of Z and their weights, which sum to 1. */
typedef struct nodes {
  double z[MAX_NODES];
  double weights[MAX_NODES];
  int count;
} nodes;

static const double NORMAL_END = 8.5;

/* Steps of 1.5 at most in the exponent: exp(-e^x) falls over about 4. */
static double node_step(double d) { return fmin(0.25 * d, 1.5); }

/* Makes the weights sum to 1. */
static void normalise(nodes *at) {
  double total = 0;
  for (int k = 0; k < at->count; k++) total += at->weights[k];
  for (int k = 0; k < at->count; k++) at->weights[k] /= total;
}

static void normal_nodes(nodes *at, double d) {
  const double step = node_step(d) / d;
  at->count = (int)fmin(floor(2 * NORMAL_END / step), MAX_NODES - 1) + 1;
  for (int k = 0; k < at->count; k++) {
    const double z = k * step - NORMAL_END;
    at->z[k] = d * (z - 0.5 * d);
    at->weights[k] = exp(-0.5 * z * z);
  }
  normalise(at);
}

/* (psi(k) - ln k + psi'(k)/2) / psi'(k): 1/2 for small k, 1/(6k) for large. */
static double shape_of(double k) { return 0.5 + (gs_digamma(k) - log(k)) / gs_trigamma(k); }

/* k of a shape: bisection in ln k. */
static double gamma_of(double shape) {
  double low = log(1e-3);
  double high = log(1e3);
  for (int i = 0; i < 60; i++) {
    const double middle = 0.5 * (low + high);
    if (shape_of(exp(middle)) > shape) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return exp(low);
}

/* x with psi(x) = y: Newton's iteration in ln x from Minka's start. */
static double inverse_digamma(double y) {
  double x = y >= -2.22 ? exp(y) + 0.5 : -1 / (y + EULER_GAMMA);
  for (int i = 0; i < 5; i++) x *= exp((y - gs_digamma(x)) / (x * gs_trigamma(x)));
  return x;
}

/* From the mode outwards to where the density has fallen by e^-36; `up`: the nodes
 * above it, from the second on, are added behind those below. */
static void gamma_side(nodes *at, double k, double m, double step, double mode, bool up) {
  for (int i = up ? 1 : 0; at->count < MAX_NODES; i++) {
    const double z = mode + (up ? i : -i) * step;
    const double x = inverse_digamma(log(k) + z / m);
    const double power = m * (lgamma(x) - lgamma(k) - (x - k) * log(k)) - (x - k) * z;
    if (!(power > -36) && i > 2) return;
    at->z[at->count] = z;
    at->weights[at->count++] = exp(power) / sqrt(m * gs_trigamma(x));
  }
}

static void gamma_nodes(nodes *at, double d, double shape) {
  const double k = gamma_of(shape);
  const double m = d * d / gs_trigamma(k);
  const double mean = m * (gs_digamma(k) - log(k));
  at->count = 0;
  gamma_side(at, k, m, node_step(d), mean, false);
  gamma_side(at, k, m, node_step(d), mean, true);
  normalise(at);
  /* what makes E e^Z lies at K'(1); where nodes reach it, they make it exactly 1 */
  if (m * (gs_digamma(k + 1) - log(k)) > 25) return;
  double whole = 0;
  for (int i = 0; i < at->count; i++) whole += at->weights[i] * exp(at->z[i]);
  for (int i = 0; i < at->count; i++) at->z[i] -= log(whole);
}

/* ---- one entry ---- */

/* L(e^u) to the power B, for the mean of B variates; grown[k] = e^(z_k - max). */
static double survival_at(const nodes *at, const double *grown, double u, double B) {
  const double t = exp(fmin(u - log(B), 700));
  double sum = 0;
  for (int k = 0; k < at->count; k++) {
    const double x = t * grown[k];
    if (x < 55) sum += at->weights[k] * (x < 1e-17 ? 1 : exp(-x));
  }
  return sum > 0 ? exp(B * log(sum)) : 0;
}

static double shape_at(int s) {
  const double ratio = SHAPE_MAX / SHAPE_MIN;
  return s == 0 ? 0 : SHAPE_MIN * pow(ratio, (double)(s - 1) / (GS_BATCH_SHAPES - 2));
}

/* Mean and variance of ln mean_b e^(Z_b): E W = u0 + int S, E (W - u0)^2 =
 * 2 int (u - u0) S, from a u0 below which W does not come: S <= max e^Z. */
static void make_point(gs_batch_law *law, int s, int i) {
  const double d = i * POINT_STEP;
  const double step = 0.125 + 0.02 * d;
  nodes at;
  double grown[MAX_NODES];
  double min = INFINITY;
  double max = -INFINITY;
  double first = 0;
  double second = 0;
  if (s == 0) {
    normal_nodes(&at, d);
  } else {
    gamma_nodes(&at, d, shape_at(s));
  }
  for (int k = 0; k < at.count; k++) {
    min = fmin(min, at.z[k]);
    max = fmax(max, at.z[k]);
  }
  for (int k = 0; k < at.count; k++) grown[k] = exp(at.z[k] - max);
  const double start = -40 - max;
  const double length = 45 + max - min + log((double)law->batch);
  for (int k = 0; k <= (int)(length / step); k++) {
    const double u = k * step;
    const double survival = survival_at(&at, grown, start + u + max, (double)law->batch);
    const double weight = k == 0 ? 0.5 * step : step;
    first += weight * survival;
    second += 2 * weight * u * survival;
    if (survival < 1e-16) break;
  }
  second += step * step / 6; /* the integrand rises from 0 with slope 2 (Euler-Maclaurin) */
  law->mean[s][i] = fmin(-EULER_GAMMA - (start + first), 0);
  law->variance[s][i] = fmax(second - first * first - M_PI * M_PI / 6, 0);
}

/* ---- between entries ---- */

/* ln of 1 + (E e^2Z - 1)/B, what ln of the mean square of the average is: the variance of
 * its ln where that is small, and minus twice the mean. */
static double measure_of(gs_batch_law *law, int s, double d) {
  if (isnan(law->steepness[s])) {
    const double k = s ? gamma_of(shape_at(s)) : 0;
    law->steepness[s] = s ? log1p(1 / k) / gs_trigamma(k) : 1;
  }
  const double growth = law->steepness[s] * d * d; /* ln E e^2Z */
  return growth > 40 ? gs_log_add(0, growth - log((double)law->batch))
                     : log1p(expm1(growth) / (double)law->batch);
}

/* A law's value in that measure; at d = 0 the limits. */
static double scaled(gs_batch_law *law, bool variance, int s, int i) {
  if (i == 0) return variance ? 1 : -0.5;
  if (isnan(law->mean[s][i])) make_point(law, s, i);
  return (variance ? law->variance[s][i] : law->mean[s][i]) / measure_of(law, s, i * POINT_STEP);
}

/* Linear between the points; beyond the last, where the largest of the B decides, as
 * there. */
static double along_deviation(gs_batch_law *law, bool variance, int s, double d) {
  const double at = d / POINT_STEP;
  const int i = (int)fmin(floor(at), GS_BATCH_POINTS - 2);
  const double part = fmin(at - i, 1);
  const double value =
      (1 - part) * scaled(law, variance, s, i) + part * scaled(law, variance, s, i + 1);
  return value * measure_of(law, s, d);
}

/* Linear between shapes. */
static double interpolate(gs_batch_law *law, bool variance, double d, double shape) {
  const double little = 1e-3; /* of ln: less than this does not show */
  if (!(shape * d * d > little)) return along_deviation(law, variance, 0, d);
  const double up = log(shape / SHAPE_MIN) / log(SHAPE_MAX / SHAPE_MIN);
  const double at = up < 0 ? 0 : 1 + up * (GS_BATCH_SHAPES - 2);
  const int s = (int)fmin(floor(at), GS_BATCH_SHAPES - 2);
  const double low = shape_at(s);
  const double part = fmin((shape - low) / (shape_at(s + 1) - low), 1);
  return (1 - part) * along_deviation(law, variance, s, d) +
         part * along_deviation(law, variance, s + 1, d);
}

gs_log_norm gs_batch_norm(gs_batch_law *law, double log_mean, double mean, gs_spread spread) {
  /* what repeats spreads rates, of which the wide limit's mean square knows nothing */
  const double raised = mean + 0.5 * (spread.own - spread.repeats) - spread.skew;
  gs_log_norm norm = {log_mean, mean, spread.own, raised, spread.repeats};
  const double shared = fmin(fmax(spread.pair, 0), spread.own);
  const double apart = spread.own - shared;
  if (law->batch == 1 || !(apart > 0)) return norm;
  const double d = sqrt(apart);
  const double shape = fmax(spread.skew / spread.own, 0);
  /* an example's own part has the mean -apart/2 + shape apart where the average has the law's */
  norm.shift = mean + (0.5 - shape) * apart + interpolate(law, false, d, shape);
  norm.variance = shared + interpolate(law, true, d, shape);
  return norm;
}
