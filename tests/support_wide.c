/* Textbook formulas in long double. */
#include "support_wide.h"

#include <math.h>

static const long double SELU_LAMBDA = 1.0507009873554804934193349852946L;
static const long double SELU_ALPHA = 1.6732632423543772848170429916717L;

static long double logistic(long double z) {
  return z >= 0 ? 1 / (1 + expl(-z)) : expl(z) / (1 + expl(z));
}

gs_wide_slope gs_wide_activation(gs_activation activation, long double z) {
  const long double below_slope = (long double)activation.slope;
  const long double s = logistic(z);
  const long double s_slope = s * logistic(-z);
  const long double density = expl(-z * z / 2) * 0.39894228040143267793994605993438L;
  const long double below = erfcl(-z * sqrtl(0.5L)) / 2;
  const long double r = 1 / (1 + fabsl(z));
  const bool up = z > 0;
  gs_wide_slope e = {z, 1, 0};
  switch (activation.kind) {
  case GS_SIGMOID: e = (gs_wide_slope){s, s_slope, 0}; break;
  case GS_TANH: e = (gs_wide_slope){tanhl(z), 4 * logistic(2 * z) * logistic(-2 * z), 0}; break;
  case GS_RELU: e = up ? e : (gs_wide_slope){0, 0, 0}; break;
  case GS_LEAKY_RELU: e = up ? e : (gs_wide_slope){below_slope * z, below_slope, 0}; break;
  case GS_ELU: e = up ? e : (gs_wide_slope){expm1l(z), expl(z), 0}; break;
  case GS_SELU:
    e = up ? (gs_wide_slope){SELU_LAMBDA * z, SELU_LAMBDA, 0}
           : (gs_wide_slope){SELU_LAMBDA * SELU_ALPHA * expm1l(z),
                             SELU_LAMBDA * SELU_ALPHA * expl(z), 0};
    break;
  case GS_GELU:
    e = (gs_wide_slope){z * below, below + z * density, below + fabsl(z) * density};
    break;
  case GS_SILU: e = (gs_wide_slope){z * s, s + z * s_slope, s + fabsl(z) * s_slope}; break;
  case GS_SOFTSIGN: e = (gs_wide_slope){z * r, r * r, 0}; break;
  case GS_SOFTPLUS: e = (gs_wide_slope){(up ? z : 0) + log1pl(expl(-fabsl(z))), s, 0}; break;
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  if (e.slope_scale == 0) e.slope_scale = fabsl(e.slope);
  return e;
}
