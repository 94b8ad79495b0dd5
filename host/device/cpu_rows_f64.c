/* Pointwise rows in f64: the oracle. Plain loops over the C library's
 * functions; accuracy before speed. Formulas as in cpu_rows_f32.c. */
#include <math.h>

#include "device/cpu_internal.h"

typedef struct value_slope {
  double h;
  double slope;
} value_slope;

static value_slope sigmoid(double z) {
  const double e = exp(-fabs(z));
  const double s = 1 / (1 + e);
  return (value_slope){z >= 0 ? s : e * s, e * s * s};
}

static value_slope hyperbolic_tangent(double z) {
  const double e = exp(-2 * fabs(z));
  return (value_slope){tanh(z), 4 * e / ((1 + e) * (1 + e))};
}

static value_slope elu(double z) {
  return z > 0 ? (value_slope){z, 1} : (value_slope){expm1(z), exp(z)};
}

static value_slope selu(double z) {
  const double lambda = 1.0507009873554804934193349852946;
  const double alpha = 1.6732632423543772848170429916717;
  return z > 0 ? (value_slope){lambda * z, lambda}
               : (value_slope){lambda * alpha * expm1(z), lambda * alpha * exp(z)};
}

/* Far out, the rounding of z^2 and of z / sqrt(2) would cost hundreds of units in
 * the last place: both are corrected to first order, d erfc(a) = -2/sqrt(pi)
 * e^(-a^2) da. */
static value_slope gelu(double z) {
  const double x = fmin(fabs(z), 40); /* Phi(-40) is 0 in f64 */
  const double square = x * x;
  const double e = exp(-0.5 * square) * (1 - 0.5 * fma(x, x, -square));
  const double a = x * M_SQRT1_2;
  const double rest = fma(x, M_SQRT1_2, -a) + x * -4.8336466567264567e-17; /* of x / sqrt(2) */
  const double tail = 0.5 * erfc(a) - 0.56418958354775628695 * e * rest;   /* Phi(-|z|) */
  const double distribution = isnan(z) ? z : z > 0 ? 1 - tail : tail;
  return (value_slope){z * distribution,
                       distribution + (z > 0 ? x : -x) * 0.39894228040143267794 * e};
}

static value_slope silu(double z) {
  const value_slope s = sigmoid(z);
  return (value_slope){z * s.h, s.h + z * s.slope};
}

static value_slope softsign(double z) {
  const double r = 1 / (1 + fabs(z));
  return (value_slope){z * r, r * r};
}

static value_slope softplus(double z) {
  return (value_slope){(z > 0 ? z : 0) + log1p(exp(-fabs(z))), sigmoid(z).h};
}

static value_slope leaky(double z, double slope) {
  return z <= 0 ? (value_slope){slope * z, slope} : (value_slope){z, 1};
}

static value_slope evaluate(gs_activation activation, double z) {
  switch (activation.kind) {
  case GS_SIGMOID: return sigmoid(z);
  case GS_TANH: return hyperbolic_tangent(z);
  case GS_RELU: return z <= 0 ? (value_slope){0, 0} : (value_slope){z, 1};
  case GS_LEAKY_RELU: return leaky(z, activation.slope);
  case GS_ELU: return elu(z);
  case GS_SELU: return selu(z);
  case GS_GELU: return gelu(z);
  case GS_SILU: return silu(z);
  case GS_SOFTSIGN: return softsign(z);
  case GS_SOFTPLUS: return softplus(z);
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  return (value_slope){z, 1};
}

static void activate(gs_activation activation, void *h_row, void *saved, int64_t n) {
  double *h = h_row;
  double *slope = saved;
  for (int64_t i = 0; i < n; i++) {
    const value_slope v = evaluate(activation, h[i]);
    h[i] = v.h;
    if (slope) slope[i] = v.slope;
  }
}

static void backward(gs_activation activation, void *delta_row, const void *saved,
                     const void *h_row, int64_t n) {
  const double *h = h_row;
  const double *slope = saved;
  double *delta = delta_row;
  const double below = activation.kind == GS_RELU         ? 0
                       : activation.kind == GS_LEAKY_RELU ? activation.slope
                                                          : 1;
  const bool by_sign = !gs_activation_needs_saved(activation.kind);
  for (int64_t i = 0; i < n; i++) {
    if (!by_sign) {
      delta[i] *= slope[i];
    } else if (h[i] <= 0) {
      delta[i] = below == 0 ? 0 : below * delta[i];
    }
  }
}

static void scale_add(void *z_row, double factor, const void *addend_row, double addend_factor,
                      int64_t n) {
  double *z = z_row;
  const double *addend = addend_row;
  for (int64_t i = 0; i < n; i++) {
    z[i] = addend ? z[i] * factor + addend[i] * addend_factor : z[i] * factor;
  }
}

static void copy(void *out_row, const void *in_row, double factor, int64_t n) {
  double *out = out_row;
  const double *in = in_row;
  const double f = factor;
  for (int64_t i = 0; i < n; i++) out[i] = in[i] * f;
}

static void add_to(void *sum_row, const void *row, int64_t n) {
  double *sum = sum_row;
  const double *x = row;
  for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

static double dot(const void *a_row, const void *b_row, int64_t n) {
  enum { CHAINS = 16 };
  const double *a = a_row;
  const double *b = b_row;
  double chains[CHAINS] = {0};
  double sum = 0;
  int64_t i = 0;
  for (; i + CHAINS <= n; i += CHAINS) {
    for (int k = 0; k < CHAINS; k++) chains[k] += (double)a[i + k] * (double)b[i + k];
  }
  for (int k = 0; i < n; i++, k++) chains[k] += (double)a[i] * (double)b[i];
  for (int k = 0; k < CHAINS; k++) sum += chains[k];
  return sum;
}

static int32_t peak(const void *row, int64_t n) {
  const double *x = row;
  double most = 0;
  for (int64_t i = 0; i < n; i++) {
    const double magnitude = fabs(x[i]);
    if (magnitude > most && isfinite(magnitude)) most = magnitude;
  }
  return most > 0 ? (int32_t)ilogb(most) : GS_PEAK_NONE;
}

const gs_cpu_rows gs_cpu_rows_f64 = {scale_add, copy, activate, backward, add_to, dot, peak};
