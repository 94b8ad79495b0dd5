/* Activations and their derivatives in f64, the oracle's: the C library's
 * functions, on the host and in kernels; accuracy before speed. Formulas as in
 * activation_f32.h. */
#ifndef GS_DEVICE_ACTIVATION_F64_H
#define GS_DEVICE_ACTIVATION_F64_H

#include <math.h>

#include "base/portable.h"
#include "device/types.h"

typedef struct gs_f64_slope {
  double h;
  double slope;
} gs_f64_slope;

GS_PORTABLE_FN gs_f64_slope gs_f64_slope_of(double h, double slope) {
  gs_f64_slope both;
  both.h = h;
  both.slope = slope;
  return both;
}

GS_PORTABLE_FN gs_f64_slope gs_f64_sigmoid(double z) {
  const double e = exp(-fabs(z));
  const double s = 1 / (1 + e);
  return gs_f64_slope_of(z >= 0 ? s : e * s, e * s * s);
}

GS_PORTABLE_FN gs_f64_slope gs_f64_hyperbolic_tangent(double z) {
  const double e = exp(-2 * fabs(z));
  return gs_f64_slope_of(tanh(z), 4 * e / ((1 + e) * (1 + e)));
}

GS_PORTABLE_FN gs_f64_slope gs_f64_elu(double z) {
  return z > 0 ? gs_f64_slope_of(z, 1) : gs_f64_slope_of(expm1(z), exp(z));
}

GS_PORTABLE_FN gs_f64_slope gs_f64_selu(double z) {
  const double lambda = 1.0507009873554804934193349852946;
  const double alpha = 1.6732632423543772848170429916717;
  return z > 0 ? gs_f64_slope_of(lambda * z, lambda)
               : gs_f64_slope_of(lambda * alpha * expm1(z), lambda * alpha * exp(z));
}

/* Far out, the rounding of z^2 and of z / sqrt(2) would cost hundreds of units in
 * the last place: both are corrected to first order, d erfc(a) = -2/sqrt(pi)
 * e^(-a^2) da. */
GS_PORTABLE_FN gs_f64_slope gs_f64_gelu(double z) {
  const double x = fmin(fabs(z), 40.0); /* Phi(-40) is 0 in f64 */
  const double square = x * x;
  const double e = exp(-0.5 * square) * (1 - 0.5 * fma(x, x, -square));
  const double a = x * M_SQRT1_2;
  const double rest = fma(x, M_SQRT1_2, -a) + x * -4.8336466567264567e-17; /* of x / sqrt(2) */
  const double tail = 0.5 * erfc(a) - 0.56418958354775628695 * e * rest;   /* Phi(-|z|) */
  const double distribution = isnan(z) ? z : z > 0 ? 1 - tail : tail;
  return gs_f64_slope_of(z * distribution,
                         distribution + (z > 0 ? x : -x) * 0.39894228040143267794 * e);
}

GS_PORTABLE_FN gs_f64_slope gs_f64_silu(double z) {
  const gs_f64_slope s = gs_f64_sigmoid(z);
  return gs_f64_slope_of(z * s.h, s.h + z * s.slope);
}

GS_PORTABLE_FN gs_f64_slope gs_f64_softsign(double z) {
  const double r = 1 / (1 + fabs(z));
  return gs_f64_slope_of(z * r, r * r);
}

GS_PORTABLE_FN gs_f64_slope gs_f64_softplus(double z) {
  return gs_f64_slope_of((z > 0 ? z : 0) + log1p(exp(-fabs(z))), gs_f64_sigmoid(z).h);
}

GS_PORTABLE_FN gs_f64_slope gs_f64_leaky(double z, double slope) {
  return z <= 0 ? gs_f64_slope_of(slope * z, slope) : gs_f64_slope_of(z, 1);
}

GS_PORTABLE_FN gs_f64_slope gs_f64_activation(gs_activation activation, double z) {
  switch (activation.kind) {
  case GS_SIGMOID: return gs_f64_sigmoid(z);
  case GS_TANH: return gs_f64_hyperbolic_tangent(z);
  case GS_RELU: return z <= 0 ? gs_f64_slope_of(0, 0) : gs_f64_slope_of(z, 1);
  case GS_LEAKY_RELU: return gs_f64_leaky(z, activation.slope);
  case GS_ELU: return gs_f64_elu(z);
  case GS_SELU: return gs_f64_selu(z);
  case GS_GELU: return gs_f64_gelu(z);
  case GS_SILU: return gs_f64_silu(z);
  case GS_SOFTSIGN: return gs_f64_softsign(z);
  case GS_SOFTPLUS: return gs_f64_softplus(z);
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  return gs_f64_slope_of(z, 1);
}

#endif
