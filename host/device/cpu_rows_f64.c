/* Pointwise rows in f64: plain loops. */
#include <math.h>

#include "device/activation_f64.h"
#include "device/cpu_internal.h"

static void activate(gs_activation activation, void *h_row, void *saved, int64_t n) {
  double *h = h_row;
  double *slope = saved;
  for (int64_t i = 0; i < n; i++) {
    const gs_f64_slope v = gs_f64_activation(activation, h[i]);
    h[i] = v.h;
    if (slope) slope[i] = v.slope;
  }
}

static void activate_scaled(gs_activation activation, gs_activate_scale scale, void *h_row,
                            void *saved, int64_t n) {
  double *h = h_row;
  double *slope = saved;
  for (int64_t i = 0; i < n; i++) {
    const double z = h[i];
    const gs_f64_slope v = gs_f64_activation(activation, gs_f64_argument(z, scale.z));
    h[i] = gs_f64_moved_back(v.h, z, scale.z, scale.exponent);
    slope[i] = v.slope;
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
  double max = 0;
  for (int64_t i = 0; i < n; i++) {
    const double magnitude = fabs(x[i]);
    if (magnitude > max && isfinite(magnitude)) max = magnitude;
  }
  return max > 0 ? (int32_t)ilogb(max) : GS_PEAK_NONE;
}

const gs_cpu_rows gs_cpu_rows_f64 = {scale_add, copy,   activate, activate_scaled,
                                     backward,  add_to, dot,      peak};
