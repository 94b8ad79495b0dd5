/* Fixed points and criticality.
 *
 * Every q is the fixed point of one sigma_w^2 = (q - sigma_b^2)/V(q), so chi along
 * fixed points is a function of q alone,
 *   chi(q) = (q - sigma_b^2) m1(q)/V(q),
 * and criticality a root of ln chi in one variable. Without biases and with
 * phi(0) = 0 the map also has the fixed point q = 0, where chi = sigma_w^2
 * phi'(0)^2. */
#include "theory/critical.h"

#include <math.h>

#include "device/activation_f64.h"
#include "device/activation_scale.h"

enum { HALVINGS = 200 };

/* ln of what the map multiplies q by. */
static double log_growth(gs_activation activation, double log_w2, double sigma_b2, double log_q) {
  const double log_V = gs_moments_at(activation, log_q).log_V;
  const double from_bias = sigma_b2 > 0 ? log(sigma_b2) : -INFINITY;
  const double from_below = log_w2 + log_V;
  const double max = fmax(from_bias, from_below);
  return max + log1p(exp(fmin(from_bias, from_below) - max)) - log_q;
}

gs_fixed_point gs_fixed_point_of(gs_activation activation, double sigma_w2, double sigma_b2) {
  const double log_w2 = log(sigma_w2);
  double low = GS_LOG_Q_MIN;
  double high = GS_LOG_Q_MAX;
  if (log_growth(activation, log_w2, sigma_b2, high) > 0) {
    return (gs_fixed_point){INFINITY, sigma_w2 * exp(gs_moments_at(activation, high).log_m1)};
  }
  if (log_growth(activation, log_w2, sigma_b2, low) < 0) {
    return (gs_fixed_point){-INFINITY, sigma_w2 * exp(gs_moments_at(activation, low).log_m1)};
  }
  for (int i = 0; i < HALVINGS && low < high; i++) {
    const double middle = low + 0.5 * (high - low);
    if (middle <= low || middle >= high) break;
    if (log_growth(activation, log_w2, sigma_b2, middle) > 0) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return (gs_fixed_point){high, sigma_w2 * exp(gs_moments_at(activation, high).log_m1)};
}

/* ln chi at the fixed point q > sigma_b^2. */
static double log_chi(gs_activation activation, double sigma_b2, double log_q) {
  const gs_moments m = gs_moments_at(activation, log_q);
  return log_q + log1p(-sigma_b2 * exp(-log_q)) + m.log_m1 - m.log_V;
}

static double between(gs_activation activation, double sigma_b2, double low, double high) {
  const bool rising = log_chi(activation, sigma_b2, low) < 0;
  for (int i = 0; i < HALVINGS; i++) {
    const double middle = low + 0.5 * (high - low);
    if (middle <= low || middle >= high) break;
    if ((log_chi(activation, sigma_b2, middle) < 0) == rising) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static double weight_variance(gs_activation activation, double sigma_b2, double log_q) {
  const double log_V = gs_moments_at(activation, log_q).log_V;
  return exp(log_q + log1p(-sigma_b2 * exp(-log_q)) - log_V);
}

/* The first sign change above sigma_b^2; less than 1e-9 is no sign. */
static bool search(gs_activation activation, double sigma_b2, gs_critical *critical) {
  const double step = 0.25;
  const double min = 1e-9;
  const double max = log(1e12);
  double at = sigma_b2 > 0 ? log(sigma_b2) + 1e-6 : log(1e-6);
  double before = log_chi(activation, sigma_b2, at);
  const double first = at + 1e-3;
  const int steps = (int)ceil((max - first) / step);
  for (int i = 0; i < steps; i++) {
    const double next = first + i * step;
    const double value = log_chi(activation, sigma_b2, next);
    if (fabs(value) > min && fabs(before) > min && (value < 0) != (before < 0)) {
      critical->log_q = between(activation, sigma_b2, at, next);
      critical->sigma_w2 = weight_variance(activation, sigma_b2, critical->log_q);
      return true;
    }
    at = next;
    before = value;
  }
  return false;
}

bool gs_critical_of(gs_activation activation, double sigma_b2, gs_critical *critical) {
  const gs_f64_slope origin = gs_f64_activation(activation, 0);
  if (gs_activation_homogeneous(activation.kind)) {
    const double m1 = exp(gs_moments_at(activation, 0).log_m1);
    *critical = (gs_critical){1 / m1, sigma_b2 > 0 ? INFINITY : NAN};
    return m1 > 0;
  }
  if (sigma_b2 == 0 && origin.h == 0) {
    const double m1 = exp(gs_moments_at(activation, -INFINITY).log_m1);
    *critical = (gs_critical){1 / m1, -INFINITY};
    return true;
  }
  return search(activation, sigma_b2, critical);
}
