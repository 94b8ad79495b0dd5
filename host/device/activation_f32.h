/* Activations and their derivatives in f32, for the CPU's loops and for kernels:
 * no branches, no tables, no library calls, so that a compiler turns loops over
 * them into vector code, and both sides compute the same bits where both fuse.
 * Relative error of a few 1e-7 over the whole range, tails included, which is what
 * derivatives of saturated units need (THEORY section 6). Polynomials: Chebyshev
 * fits made for this file on the stated intervals.
 *
 * Formulas: README, "Activations"; derivatives come from the same exponentials as
 * the values, in the forms that keep the tails:
 *   sigmoid' = s(z) s(-z),  tanh' = sech^2 z,  silu' = s + z s(z) s(-z),
 *   gelu' = Phi(z) + z phi(z),  softplus' = s(z). */
#ifndef GS_DEVICE_ACTIVATION_F32_H
#define GS_DEVICE_ACTIVATION_F32_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/portable.h"

/* One rounding where the machine has it; two where it would be a library call. */
GS_PORTABLE_FN float gs_f32_fused(float a, float b, float c) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
  return fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

typedef struct gs_f32_exp_pair {
  float exp;   /* e^x */
  float expm1; /* e^x - 1, accurate near 0 */
} gs_f32_exp_pair;

GS_PORTABLE_FN gs_f32_exp_pair gs_f32_exp_pair_of(float exp, float expm1) {
  gs_f32_exp_pair pair;
  pair.exp = exp;
  pair.expm1 = expm1;
  return pair;
}

/* For x <= 0 or NaN; e^x is subnormal below -87.3 and 0 below -104. */
GS_PORTABLE_FN gs_f32_exp_pair gs_f32_exp_nonpositive(float x) {
  const float round_magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float min = -105.0f;
  x = x < min ? min : x;
  const float shifted = gs_f32_fused(x, 1.44269504f, round_magic);
  const float n = shifted - round_magic;
  float r = gs_f32_fused(n, -0.693145752f, x); /* ln 2 in two parts */
  r = gs_f32_fused(n, -1.42860677e-6f, r);
  /* e^r - 1 = r + r^2 q(r) on |r| <= ln(2)/2, relative error 6e-10 */
  float q = gs_f32_fused(r, 1.98992878e-4f, 1.39336525e-3f);
  q = gs_f32_fused(r, q, 8.33329847e-3f);
  q = gs_f32_fused(r, q, 4.16664649e-2f);
  q = gs_f32_fused(r, q, 1.66666667e-1f);
  q = gs_f32_fused(r, q, 0.5f);
  q = gs_f32_fused(r * r, q, r);
  /* 2^n in two factors, so that the result may be subnormal */
  const int32_t whole = (int32_t)(gs_float_bits(shifted) - gs_float_bits(round_magic));
  const int32_t half = whole >> 1;
  const float scale1 = gs_float_from_bits((uint32_t)(half + 127) << 23);
  const float scale2 = gs_float_from_bits((uint32_t)(whole - half + 127) << 23);
  const float scale = scale1 * scale2;
  return gs_f32_exp_pair_of((1.0f + q) * scale1 * scale2, gs_f32_fused(scale, q, scale - 1.0f));
}

/* ln(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)), the series in s^2 <= 1/9. */
GS_PORTABLE_FN float gs_f32_log1p_unit(float e) {
  const float s = e / (2.0f + e);
  const float s2 = s * s;
  float p = gs_f32_fused(s2, 2.0f / 17, 2.0f / 15);
  p = gs_f32_fused(s2, p, 2.0f / 13);
  p = gs_f32_fused(s2, p, 2.0f / 11);
  p = gs_f32_fused(s2, p, 2.0f / 9);
  p = gs_f32_fused(s2, p, 2.0f / 7);
  p = gs_f32_fused(s2, p, 2.0f / 5);
  p = gs_f32_fused(s2, p, 2.0f / 3);
  p = gs_f32_fused(s2, p, 2.0f);
  return s * p;
}

/* What rounding lost of the square of x, |x| < 2^60: x * x - square. */
GS_PORTABLE_FN float gs_f32_square_rest(float x, float square) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
  return fmaf(x, x, -square);
#else
  const float high =
      gs_float_from_bits(gs_float_bits(x) & 0xfffff000u); /* 12 bits: products exact */
  const float low = x - high;
  return ((high * high - square) + 2.0f * high * low) + low * low;
#endif
}

/* e^(-x^2 / 2) for 0 <= x <= 15 or NaN. Far out, the square's rounding alone
 * would cost a hundred units in the last place. */
GS_PORTABLE_FN float gs_f32_gauss(float x) {
  const float square = x * x;
  const float e = gs_f32_exp_nonpositive(-0.5f * square).exp;
  return gs_f32_fused(e, -0.5f * gs_f32_square_rest(x, square), e);
}

/* e^(x^2) erfc(x) for 0 <= x <= 11: g(s) / (1 + 2x) with s = (x - 2)/(x + 2), g a
 * polynomial of degree 10 on [-1, 1], relative error 7e-8. */
GS_PORTABLE_FN float gs_f32_scaled_erfc(float x) {
  const float s = (x - 2.0f) / (x + 2.0f);
  float g = gs_f32_fused(s, 0x1.513a90p-13f, -0x1.8126d4p-13f);
  g = gs_f32_fused(s, g, -0x1.6de040p-10f);
  g = gs_f32_fused(s, g, 0x1.117446p-10f);
  g = gs_f32_fused(s, g, 0x1.1cb9f2p-7f);
  g = gs_f32_fused(s, g, -0x1.044462p-7f);
  g = gs_f32_fused(s, g, -0x1.bc1ab8p-5f);
  g = gs_f32_fused(s, g, 0x1.4ff206p-3f);
  g = gs_f32_fused(s, g, -0x1.54081cp-3f);
  g = gs_f32_fused(s, g, -0x1.7bf524p-4f);
  g = gs_f32_fused(s, g, 0x1.46e80ep+0f);
  return g / gs_f32_fused(2.0f, x, 1.0f);
}

/* ---- activations ---- */

typedef struct gs_f32_slope {
  float h;
  float slope; /* phi'(z) */
} gs_f32_slope;

GS_PORTABLE_FN gs_f32_slope gs_f32_slope_of(float h, float slope) {
  gs_f32_slope both;
  both.h = h;
  both.slope = slope;
  return both;
}

GS_PORTABLE_FN gs_f32_slope gs_f32_sigmoid(float z) {
  const float e = gs_f32_exp_nonpositive(-fabsf(z)).exp;
  const float s = 1.0f / (1.0f + e); /* the larger of s(z), s(-z) */
  return gs_f32_slope_of(z >= 0.0f ? s : e * s, e * s * s);
}

GS_PORTABLE_FN gs_f32_slope gs_f32_hyperbolic_tangent(float z) {
  const gs_f32_exp_pair e = gs_f32_exp_nonpositive(-2.0f * fabsf(z));
  const float sum = 1.0f + e.exp;
  const float magnitude = -e.expm1 / (2.0f + e.expm1);
  return gs_f32_slope_of(copysignf(magnitude, z), 4.0f * e.exp / (sum * sum));
}

GS_PORTABLE_FN gs_f32_slope gs_f32_elu(float z) {
  const gs_f32_exp_pair e = gs_f32_exp_nonpositive(z > 0.0f ? 0.0f : z);
  return gs_f32_slope_of(z > 0.0f ? z : e.expm1, z > 0.0f ? 1.0f : e.exp);
}

/* Klambauer et al. 2017: lambda and alpha lambda. */
GS_PORTABLE_FN gs_f32_slope gs_f32_selu(float z) {
  const float lambda = 1.0507009873554805f;
  const float alpha = 1.6732632423543772f;
  const gs_f32_exp_pair e = gs_f32_exp_nonpositive(z > 0.0f ? 0.0f : z);
  return gs_f32_slope_of(lambda * (z > 0.0f ? z : alpha * e.expm1),
                         lambda * (z > 0.0f ? 1.0f : alpha * e.exp));
}

/* z Phi(z), Phi the normal distribution function: the exact form, not tanh's.
 * Phi(-15) and the density there are 0 in f32. */
GS_PORTABLE_FN gs_f32_slope gs_f32_gelu(float z) {
  const float x = fabsf(z) > 15.0f ? 15.0f : fabsf(z);
  const float e = gs_f32_gauss(x);
  const float tail = 0.5f * e * gs_f32_scaled_erfc(x * 0.707106781f); /* Phi(-|z|) */
  const float distribution = z > 0.0f ? 1.0f - tail : tail;
  return gs_f32_slope_of(z * distribution,
                         gs_f32_fused(copysignf(x, z), 0.398942280f * e, distribution));
}

GS_PORTABLE_FN gs_f32_slope gs_f32_silu(float z) {
  const gs_f32_slope s = gs_f32_sigmoid(z);
  return gs_f32_slope_of(z * s.h, gs_f32_fused(z, s.slope, s.h));
}

GS_PORTABLE_FN gs_f32_slope gs_f32_softsign(float z) {
  const float r = 1.0f / (1.0f + fabsf(z));
  return gs_f32_slope_of(z * r, r * r);
}

GS_PORTABLE_FN gs_f32_slope gs_f32_softplus(float z) {
  const float e = gs_f32_exp_nonpositive(-fabsf(z)).exp;
  const float s = 1.0f / (1.0f + e);
  return gs_f32_slope_of((z > 0.0f ? z : 0.0f) + gs_f32_log1p_unit(e), z >= 0.0f ? s : e * s);
}

#endif
