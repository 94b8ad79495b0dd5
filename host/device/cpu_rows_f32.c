/* Pointwise rows in f32. Every loop is written for the vectoriser: unit stride,
 * no branches but selections, no calls left after inlining. */
#include "device/activation_f32.h"
#include "device/cpu_internal.h"

/* Two loops per activation: for the digits as they are, and for scaled ones
 * (activation_scale.h). */
#define ACTIVATION_LOOP(name)                                                                      \
  static void name##_row(float *h, float *saved, int64_t n) {                                      \
    for (int64_t i = 0; i < n; i++) {                                                              \
      const gs_f32_slope v = gs_f32_##name(h[i]);                                                  \
      h[i] = v.h;                                                                                  \
      saved[i] = v.slope;                                                                          \
    }                                                                                              \
  }                                                                                                \
  static void name##_scaled_row(gs_activate_scale scale, float *h, float *saved, int64_t n) {      \
    for (int64_t i = 0; i < n; i++) {                                                              \
      const float z = h[i];                                                                        \
      const gs_f32_slope v = gs_f32_##name(gs_f32_argument(z, scale.z));                           \
      h[i] = gs_f32_moved_back(v.h, z, scale.z, scale.exponent);                                   \
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

static void activate_scaled(gs_activation activation, gs_activate_scale scale, void *h_row,
                            void *saved, int64_t n) {
  float *h = h_row;
  switch (activation.kind) {
  case GS_SIGMOID: sigmoid_scaled_row(scale, h, saved, n); return;
  case GS_TANH: hyperbolic_tangent_scaled_row(scale, h, saved, n); return;
  case GS_ELU: elu_scaled_row(scale, h, saved, n); return;
  case GS_SELU: selu_scaled_row(scale, h, saved, n); return;
  case GS_GELU: gelu_scaled_row(scale, h, saved, n); return;
  case GS_SILU: silu_scaled_row(scale, h, saved, n); return;
  case GS_SOFTSIGN: softsign_scaled_row(scale, h, saved, n); return;
  case GS_SOFTPLUS: softplus_scaled_row(scale, h, saved, n); return;
  case GS_IDENTITY:
  case GS_RELU:
  case GS_LEAKY_RELU:
  case GS_ACTIVATION_COUNT: return; /* the digits as they are */
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
  int32_t max = 0;
  for (int64_t i = 0; i < n; i++) {
    const int32_t magnitude = (int32_t)(gs_float_bits(x[i]) & 0x7fffffffu);
    const int32_t finite = magnitude < 0x7f800000 ? magnitude : 0;
    max = finite > max ? finite : max;
  }
  if (max >= 0x00800000) return (max >> 23) - 127; /* normal: without a library call */
  return max ? (int32_t)ilogbf(gs_float_from_bits((uint32_t)max)) : GS_PEAK_NONE;
}

const gs_cpu_rows gs_cpu_rows_f32 = {scale_add, copy,   activate, activate_scaled,
                                     backward,  add_to, dot,      peak};
