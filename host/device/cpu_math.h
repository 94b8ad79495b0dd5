/* Single-precision exponentials and relatives that a compiler turns into vector
 * code: no branches, no tables, no library calls. Relative error of a few
 * 1e-7 over the whole range, tails included, which is what derivatives of
 * saturated units need (THEORY section 6). Polynomials: Chebyshev fits made for
 * this file on the stated intervals. */
#ifndef GS_DEVICE_CPU_MATH_H
#define GS_DEVICE_CPU_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* One rounding where the machine has it; two where it would be a library call. */
static inline float fused(float a, float b, float c) {
#ifdef __FMA__
  return fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

static inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

typedef struct exp_pair {
  float exp;   /* e^x */
  float expm1; /* e^x - 1, accurate near 0 */
} exp_pair;

/* For x <= 0 or NaN; e^x is subnormal below -87.3 and 0 below -104. */
static inline exp_pair exp_nonpositive(float x) {
  const float round_magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
  const float least = -105.0f;
  x = x < least ? least : x;
  const float shifted = fused(x, 1.44269504f, round_magic);
  const float n = shifted - round_magic;
  float r = fused(n, -0.693145752f, x); /* ln 2 in two parts */
  r = fused(n, -1.42860677e-6f, r);
  /* e^r - 1 = r + r^2 q(r) on |r| <= ln(2)/2, relative error 6e-10 */
  float q = fused(r, 1.98992878e-4f, 1.39336525e-3f);
  q = fused(r, q, 8.33329847e-3f);
  q = fused(r, q, 4.16664649e-2f);
  q = fused(r, q, 1.66666667e-1f);
  q = fused(r, q, 0.5f);
  q = fused(r * r, q, r);
  /* 2^n in two factors, so that the result may be subnormal */
  const int32_t whole = (int32_t)(bits_of_float(shifted) - bits_of_float(round_magic));
  const int32_t half = whole >> 1;
  const float scale1 = float_of_bits((uint32_t)(half + 127) << 23);
  const float scale2 = float_of_bits((uint32_t)(whole - half + 127) << 23);
  const float scale = scale1 * scale2;
  return (exp_pair){(1.0f + q) * scale1 * scale2, fused(scale, q, scale - 1.0f)};
}

/* ln(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)), the series in s^2 <= 1/9. */
static inline float log1p_unit(float e) {
  const float s = e / (2.0f + e);
  const float s2 = s * s;
  float p = fused(s2, 2.0f / 17, 2.0f / 15);
  p = fused(s2, p, 2.0f / 13);
  p = fused(s2, p, 2.0f / 11);
  p = fused(s2, p, 2.0f / 9);
  p = fused(s2, p, 2.0f / 7);
  p = fused(s2, p, 2.0f / 5);
  p = fused(s2, p, 2.0f / 3);
  p = fused(s2, p, 2.0f);
  return s * p;
}

/* What rounding lost of the square of x, |x| < 2^60: x * x - square. */
static inline float square_rest(float x, float square) {
#ifdef __FMA__
  return fmaf(x, x, -square);
#else
  const float high = float_of_bits(bits_of_float(x) & 0xfffff000u); /* 12 bits: products exact */
  const float low = x - high;
  return ((high * high - square) + 2.0f * high * low) + low * low;
#endif
}

/* e^(-x^2 / 2) for 0 <= x <= 15 or NaN. Far out, the square's rounding alone
 * would cost a hundred units in the last place. */
static inline float gauss(float x) {
  const float square = x * x;
  const float e = exp_nonpositive(-0.5f * square).exp;
  return fused(e, -0.5f * square_rest(x, square), e);
}

/* e^(x^2) erfc(x) for 0 <= x <= 11: g(s) / (1 + 2x) with s = (x - 2)/(x + 2), g a
 * polynomial of degree 10 on [-1, 1], relative error 7e-8. */
static inline float scaled_erfc(float x) {
  const float s = (x - 2.0f) / (x + 2.0f);
  float g = fused(s, 0x1.513a90p-13f, -0x1.8126d4p-13f);
  g = fused(s, g, -0x1.6de040p-10f);
  g = fused(s, g, 0x1.117446p-10f);
  g = fused(s, g, 0x1.1cb9f2p-7f);
  g = fused(s, g, -0x1.044462p-7f);
  g = fused(s, g, -0x1.bc1ab8p-5f);
  g = fused(s, g, 0x1.4ff206p-3f);
  g = fused(s, g, -0x1.54081cp-3f);
  g = fused(s, g, -0x1.7bf524p-4f);
  g = fused(s, g, 0x1.46e80ep+0f);
  return g / fused(2.0f, x, 1.0f);
}

#endif
