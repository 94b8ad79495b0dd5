/* Moments of activations.
 *
 * Exact: identity, relu, leaky_relu (powers of q); elu and selu from
 *   E[e^(k z); z < 0] = 1/2 e^(k^2 q / 2) erfc(k sqrt(q/2)) = 1/2 erfcx(k sqrt(q/2))
 * (complete the square), which neither over- nor underflows.
 * The others: Gauss-Legendre on panels (quadrature.c), either side of 0 apart.
 * Gains from d/dq E f(sqrt(q) x) = E[(x^2 - 1) f] / (2q) (integrate by parts
 * twice; kinks do no harm). */
#include "theory/moments.h"

#include <math.h>

#include "device/activation_f64.h"
#include "device/types.h"
#include "theory/quadrature.h"

/* For |z| beyond this, all but softsign are constant or linear in double. */
#define FAR_Z 64.0

/* ---- e^(x^2) erfc(x) ---- */

/* Large x: the asymptotic series (Abramowitz & Stegun 7.1.23), 1e-17 from 12 on. */
static double erfcx_far(double x) {
  const double y = 1 / (2 * x * x);
  double term = 1;
  double sum = 1;
  for (int k = 1; k <= 14; k++) {
    term *= -(2 * k - 1) * y;
    sum += term;
  }
  return sum / (x * 1.7724538509055160273); /* sqrt(pi) */
}

double gs_erfcx(double x) {
  if (x >= 12) return erfcx_far(x);
  const double square = x * x;
  const double rest = fma(x, x, -square); /* what rounding lost of the square */
  return exp(square) * (1 + rest) * erfc(x);
}

/* ---- elu and selu ---- */

/* E[(e^z - 1)^2; z < 0] with s = sqrt(q). Small s: the series of erfcx,
 * sum (-x)^n / Gamma(n/2 + 1), in which the powers 0 and 1 of s cancel. */
static double expm1_square_below(double s) {
  if (s >= 0.5) return 0.5 * (gs_erfcx(2 * s * M_SQRT1_2) - 2 * gs_erfcx(s * M_SQRT1_2) + 1);
  double sum = 0;
  double power = 1;
  for (int n = 1; n <= 40; n++) {
    power *= -s * M_SQRT1_2;
    sum += power * (ldexp(1, n) - 2) / tgamma(0.5 * n + 1);
  }
  return 0.5 * sum;
}

static void set_exponential(gs_activation_kind kind, double s, gs_moments *m) {
  const bool selu = kind == GS_SELU;
  const double lambda = selu ? 1.0507009873554804934193349852946 : 1;
  const double alpha = selu ? 1.6732632423543772848170429916717 : 1;
  const double below = alpha * alpha;
  const double l2 = lambda * lambda;
  m->log_V = log(l2 * (0.5 * s * s + below * expm1_square_below(s)));
  m->log_m1 = log(l2 * 0.5 * (1 + below * gs_erfcx(2 * s * M_SQRT1_2)));
  m->log_m2 = log(l2 * l2 * 0.5 * (1 + below * below * gs_erfcx(4 * s * M_SQRT1_2)));
}

/* ---- positively homogeneous ---- */

static gs_moments homogeneous(double slope, double log_q) {
  const double a2 = slope * slope;
  const double b2 = slope > 1 ? 1 / a2 : a2; /* the ratio below is the same for both */
  const double log_mean = (slope > 1 ? 2 * log(slope) : 0) + log1p(b2) - GS_LOG_2;
  const double ratio = 2 * (1 + b2 * b2) / ((1 + b2) * (1 + b2)); /* m2 / m1^2 */
  return (gs_moments){.log_V = log_q + log_mean,
                      .log_m1 = log_mean,
                      .log_m2 = 2 * log_mean + log(ratio),
                      .h4 = 3 * ratio,
                      .cross = ratio,
                      .gain_V = 1,
                      .gain_m1 = 0};
}

/* ---- quadrature ---- */

typedef struct sums {
  double h2, d2, d4, h4, h2d2, x2h2, x2d2;
} sums;

static void add_value(sums *sum, gs_f64_slope v, double x2, double weight) {
  const double h2 = v.h * v.h;
  const double d2 = v.slope * v.slope;
  sum->h2 += weight * h2;
  sum->d2 += weight * d2;
  sum->d4 += weight * d2 * d2;
  sum->h4 += weight * h2 * h2;
  sum->h2d2 += weight * h2 * d2;
  sum->x2h2 += weight * x2 * h2;
  sum->x2d2 += weight * x2 * d2;
}

static sums integrate(gs_activation activation, double s) {
  const double density = 0.39894228040143267794; /* 1 / sqrt(2 pi) */
  const gs_panels panels = gs_panels_make(s, activation.kind == GS_SOFTSIGN ? INFINITY : FAR_Z);
  gs_quadrature_rule rule;
  sums total = {0};
  gs_quadrature_rule_make(&rule);
  for (int p = panels.count - 1; p >= 0; p--) { /* small terms first */
    const double half = 0.5 * (panels.edges[p + 1] - panels.edges[p]);
    const double middle = panels.edges[p] + half;
    for (int i = 0; i < GS_QUADRATURE_NODES; i++) {
      const double x = middle + half * rule.nodes[i];
      const double weight = half * rule.weights[i] * density * exp(-0.5 * x * x);
      add_value(&total, gs_f64_activation(activation, s * x), x * x, weight);
      add_value(&total, gs_f64_activation(activation, -s * x), x * x, weight);
    }
  }
  return total;
}

static gs_moments inside(gs_activation activation, double log_q) {
  const double s = exp(0.5 * log_q);
  const sums sum = integrate(activation, s);
  gs_moments m = {.log_V = log(sum.h2),
                  .log_m1 = log(sum.d2),
                  .log_m2 = log(sum.d4),
                  .h4 = sum.h4 / (sum.h2 * sum.h2),
                  .cross = sum.h2d2 / (sum.h2 * sum.d2),
                  .gain_V = 0.5 * (sum.x2h2 / sum.h2 - 1),
                  .gain_m1 = 0.5 * (sum.x2d2 / sum.d2 - 1)};
  if (activation.kind == GS_ELU || activation.kind == GS_SELU) {
    set_exponential(activation.kind, s, &m);
  }
  return m;
}

gs_moments gs_moments_extrapolate(gs_activation activation, double log_q, const gs_moments *end) {
  double low;
  double high;
  gs_moments m = *end;
  const bool bounded =
      activation.kind == GS_SOFTSIGN || gs_activation_saturation(activation.kind, &low, &high);
  if (log_q < GS_LOG_Q_MIN) { /* phi is its tangent at 0 */
    if (gs_f64_activation(activation, 0).h == 0) m.log_V += log_q - GS_LOG_Q_MIN;
  } else if (bounded) { /* the share of units near 0 falls like 1/s */
    m.log_m1 -= 0.5 * (log_q - GS_LOG_Q_MAX);
    m.log_m2 -= 0.5 * (log_q - GS_LOG_Q_MAX);
  } else {
    m.log_V += log_q - GS_LOG_Q_MAX;
  }
  return m;
}

gs_moments gs_moments_at(gs_activation activation, double log_q) {
  if (isnan(log_q)) return (gs_moments){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
  switch (activation.kind) {
  case GS_IDENTITY: return homogeneous(1, log_q);
  case GS_RELU: return homogeneous(0, log_q);
  case GS_LEAKY_RELU: return homogeneous(activation.slope, log_q);
  default: break;
  }
  const double held = fmin(fmax(log_q, GS_LOG_Q_MIN), GS_LOG_Q_MAX);
  const gs_moments m = inside(activation, held);
  return held == log_q ? m : gs_moments_extrapolate(activation, log_q, &m);
}
