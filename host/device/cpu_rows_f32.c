/* Pointwise rows in f32. Every loop is written for the vectoriser: unit stride,
 * no branches but selections, no calls left after inlining.
 *
 * Activations and derivatives (README, "Activations"); derivatives are computed
 * from the same exponentials as the values, in the forms that keep the tails:
 *   sigmoid' = s(z) s(-z),  tanh' = sech^2 z,  silu' = s + z s(z) s(-z),
 *   gelu' = Phi(z) + z phi(z),  softplus' = s(z). */
#include "device/cpu_internal.h"
#include "device/cpu_math.h"

typedef struct value_slope {
  float h;
  float slope; /* phi'(z) */
} value_slope;

static inline value_slope sigmoid(float z) {
  const float e = exp_nonpositive(-fabsf(z)).exp;
  const float s = 1.0f / (1.0f + e); /* the larger of s(z), s(-z) */
  return (value_slope){z >= 0.0f ? s : e * s, e * s * s};
}

static inline value_slope hyperbolic_tangent(float z) {
  const exp_pair e = exp_nonpositive(-2.0f * fabsf(z));
  const float sum = 1.0f + e.exp;
  const float magnitude = -e.expm1 / (2.0f + e.expm1);
  return (value_slope){copysignf(magnitude, z), 4.0f * e.exp / (sum * sum)};
}

static inline value_slope elu(float z) {
  const exp_pair e = exp_nonpositive(z > 0.0f ? 0.0f : z);
  return (value_slope){z > 0.0f ? z : e.expm1, z > 0.0f ? 1.0f : e.exp};
}

/* Klambauer et al. 2017: lambda and alpha lambda. */
static inline value_slope selu(float z) {
  const float lambda = 1.0507009873554805f;
  const float alpha = 1.6732632423543772f;
  const exp_pair e = exp_nonpositive(z > 0.0f ? 0.0f : z);
  return (value_slope){lambda * (z > 0.0f ? z : alpha * e.expm1),
                       lambda * (z > 0.0f ? 1.0f : alpha * e.exp)};
}

/* z Phi(z), Phi the normal distribution function: the exact form, not tanh's.
 * Phi(-15) and the density there are 0 in f32. */
static inline value_slope gelu(float z) {
  const float x = fabsf(z) > 15.0f ? 15.0f : fabsf(z);
  const float e = gauss(x);
  const float tail = 0.5f * e * scaled_erfc(x * 0.707106781f); /* Phi(-|z|) */
  const float distribution = z > 0.0f ? 1.0f - tail : tail;
  return (value_slope){z * distribution, fused(copysignf(x, z), 0.398942280f * e, distribution)};
}

static inline value_slope silu(float z) {
  const value_slope s = sigmoid(z);
  return (value_slope){z * s.h, fused(z, s.slope, s.h)};
}

static inline value_slope softsign(float z) {
  const float r = 1.0f / (1.0f + fabsf(z));
  return (value_slope){z * r, r * r};
}

static inline value_slope softplus(float z) {
  const float e = exp_nonpositive(-fabsf(z)).exp;
  const float s = 1.0f / (1.0f + e);
  return (value_slope){(z > 0.0f ? z : 0.0f) + log1p_unit(e), z >= 0.0f ? s : e * s};
}

/* One loop per activation. */
#define ACTIVATION_LOOP(name)                                                                      \
  static void name##_row(float *h, float *saved, int64_t n) {                                      \
    for (int64_t i = 0; i < n; i++) {                                                              \
      const value_slope v = name(h[i]);                                                            \
      h[i] = v.h;                                                                                  \
      saved[i] = v.slope;                                                                          \
    }                                                                                              \
  }
ACTIVATION_LOOP(sigmoid)
ACTIVATION_LOOP(hyperbolic_tangent)
ACTIVATION_LOOP(elu)
ACTIVATION_LOOP(selu)
ACTIVATION_LOOP(gelu)
ACTIVATION_LOOP(silu)
ACTIVATION_LOOP(softsign)
ACTIVATION_LOOP(softplus)
#undef ACTIVATION_LOOP

/* relu is slope 0. NaN passes: it is not <= 0. */
static void leaky_row(float *h, float slope, int64_t n) {
  for (int64_t i = 0; i < n; i++) h[i] = h[i] <= 0.0f ? slope * h[i] : h[i];
}

static void activate(gs_activation activation, void *h_row, void *saved, int64_t n) {
  float *h = h_row;
  switch (activation.kind) {
  case GS_IDENTITY: return;
  case GS_SIGMOID: sigmoid_row(h, saved, n); return;
  case GS_TANH: hyperbolic_tangent_row(h, saved, n); return;
  case GS_RELU:
    for (int64_t i = 0; i < n; i++) h[i] = h[i] <= 0.0f ? 0.0f : h[i];
    return;
  case GS_LEAKY_RELU: leaky_row(h, (float)activation.slope, n); return;
  case GS_ELU: elu_row(h, saved, n); return;
  case GS_SELU: selu_row(h, saved, n); return;
  case GS_GELU: gelu_row(h, saved, n); return;
  case GS_SILU: silu_row(h, saved, n); return;
  case GS_SOFTSIGN: softsign_row(h, saved, n); return;
  case GS_SOFTPLUS: softplus_row(h, saved, n); return;
  case GS_ACTIVATION_COUNT: return;
  }
}

static void backward(gs_activation activation, void *delta_row, const void *saved,
                     const void *h_row, int64_t n) {
  const float *h = h_row;
  const float *slope = saved;
  float *delta = delta_row;
  if (activation.kind == GS_IDENTITY) return;
  if (activation.kind == GS_RELU) {
    for (int64_t i = 0; i < n; i++) delta[i] = h[i] <= 0.0f ? 0.0f : delta[i];
  } else if (activation.kind == GS_LEAKY_RELU) {
    const float below = (float)activation.slope;
    for (int64_t i = 0; i < n; i++) delta[i] = h[i] <= 0.0f ? below * delta[i] : delta[i];
  } else {
    for (int64_t i = 0; i < n; i++) delta[i] *= slope[i];
  }
}

static void scale_add(void *z_row, double factor, const void *addend_row, double addend_factor,
                      int64_t n) {
  float *z = z_row;
  const float *addend = addend_row;
  const float f = (float)factor;
  const float g = (float)addend_factor;
  if (addend) {
    for (int64_t i = 0; i < n; i++) z[i] = z[i] * f + addend[i] * g;
  } else if (!(f == 1.0f)) {
    for (int64_t i = 0; i < n; i++) z[i] *= f;
  }
}

static void copy(void *out_row, const void *in_row, double factor, int64_t n) {
  float *out = out_row;
  const float *in = in_row;
  const float f = (float)factor;
  for (int64_t i = 0; i < n; i++) out[i] = in[i] * f;
}

static void add_to(void *sum_row, const void *row, int64_t n) {
  float *sum = sum_row;
  const float *x = row;
  for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

static double dot(const void *a_row, const void *b_row, int64_t n) {
  enum { CHAINS = 16 };
  const float *a = a_row;
  const float *b = b_row;
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

/* Magnitudes order as integers do; signed ones, for which vectors have a maximum. */
static int32_t peak(const void *row, int64_t n) {
  const float *x = row;
  int32_t most = 0;
  for (int64_t i = 0; i < n; i++) {
    const int32_t magnitude = (int32_t)(bits_of_float(x[i]) & 0x7fffffffu);
    const int32_t finite = magnitude < 0x7f800000 ? magnitude : 0;
    most = finite > most ? finite : most;
  }
  return most ? (int32_t)ilogbf(float_of_bits((uint32_t)most)) : GS_PEAK_NONE;
}

const gs_cpu_rows gs_cpu_rows_f32 = {scale_add, copy, activate, backward, add_to, dot, peak};
