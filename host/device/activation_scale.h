/* Activations of numbers of any magnitude: phi(digits * 2^exponent), shared by every
 * backend (README: extended range).
 *
 * Every phi is a straight line far from 0 and near it, and its arithmetic
 * (activation_f32.h, activation_f64.h) is so to the last bit: below 2^GS_NEAR in
 * magnitude phi(a z) = a phi(z) where phi(0) = 0, else phi(z) = phi(0); beyond 2^GS_FAR
 * phi(a z) = a phi(z) or phi(z) is the bound (a > 0 a power of two; one slope for each
 * sign). So phi is evaluated at digits moved to the nearer of the two edges, or, between
 * them, at z itself; and what it gives is moved back, unless it is a constant:
 *
 *   argument = digits * 2^move,  h = phi(argument) 2^(exponent - move) or phi(argument)
 *
 * All moves are exact while numbers stay normal, so the digits are the bits that plain
 * arithmetic would have given, had it the range. softsign' alone, (1 + |z|)^-2, is no
 * constant far out: it is 0 there, as every phi' that the dtype cannot hold. */
#ifndef GS_DEVICE_ACTIVATION_SCALE_H
#define GS_DEVICE_ACTIVATION_SCALE_H

#include "device/scale.h"

enum { GS_F32_NEAR = -30, GS_F32_FAR = 100, GS_F64_NEAR = -60, GS_F64_FAR = 1000 };

/* ---- exponents ---- */

/* phi(a z) = a phi(z) for a > 0, at any magnitude: identity, relu, leaky_relu. */
GS_PORTABLE_FN bool gs_activation_homogeneous(gs_activation_kind kind) {
  return kind == GS_IDENTITY || kind == GS_RELU || kind == GS_LEAKY_RELU;
}

/* Where z becomes small, so does h: phi(0) = 0. */
GS_PORTABLE_FN bool gs_activation_shrinks(gs_activation_kind kind) {
  return kind != GS_SIGMOID && kind != GS_SOFTPLUS;
}

/* Where z becomes large, so does h: phi is unbounded. */
GS_PORTABLE_FN bool gs_activation_grows(gs_activation_kind kind) {
  return kind != GS_SIGMOID && kind != GS_TANH && kind != GS_SOFTSIGN;
}

/* The exponents of z and of h = phi(z). */
typedef struct gs_activate_scale {
  int32_t z;        /* true z = digits 2^z: what phi must know; 0: phi of the digits will do */
  int32_t exponent; /* of h */
  int32_t factor;   /* the product's digits become z's by 2^factor, */
  int32_t addend;   /* an addend's by 2^addend */
} gs_activate_scale;

/* in: the scale of the tensor that went into the product; addend: that of what is added to it
 * (joined), both as read (gs_scale_input); tracked: h has a slot. */
GS_PORTABLE_FN gs_activate_scale gs_activate_scale_of_sum(gs_scale in, gs_scale addend, bool joined,
                                                          gs_dtype dtype, gs_activation_kind kind,
                                                          bool tracked) {
  const bool homogeneous = gs_activation_homogeneous(kind);
  gs_activate_scale scale;
  int32_t z = 0;
  if (tracked || !homogeneous) z = gs_scale_of_sum(in, true, addend, joined, dtype);
  scale.exponent = tracked ? z : 0;
  if (z < 0 && !gs_activation_shrinks(kind)) scale.exponent = 0;
  if (z > 0 && !gs_activation_grows(kind)) scale.exponent = 0;
  scale.z = homogeneous ? 0 : z;
  scale.factor = in.exponent - z;
  scale.addend = addend.exponent - z;
  return scale;
}

/* joined: an unscaled addend (exponent 0) is added. */
GS_PORTABLE_FN gs_activate_scale gs_activate_scale_of(gs_scale in, gs_dtype dtype,
                                                      gs_activation_kind kind, bool tracked,
                                                      bool joined) {
  const gs_scale unscaled = {0, GS_PEAK_NONE};
  return gs_activate_scale_of_sum(gs_scale_input(in), unscaled, joined, dtype, kind, tracked);
}

/* ---- f32 ---- */

/* x 2^by, in two factors, so that by may take x from one end of the range to the other. */
GS_PORTABLE_FN float gs_f32_times_power(float x, int32_t by) {
  const int32_t cut = by < -252 ? -252 : by > 254 ? 254 : by;
  const int32_t first = cut / 2;
  return x * gs_float_from_bits((uint32_t)(first + 127) << 23) *
         gs_float_from_bits((uint32_t)(cut - first + 127) << 23);
}

/* The move of digits 2^exponent. Subnormal digits count as 2^-127. */
GS_PORTABLE_FN int32_t gs_f32_move(float digits, int32_t exponent) {
  const int32_t binade = (int32_t)(gs_float_bits(digits) >> 23 & 0xffu) - 127;
  const int32_t of_z = binade + exponent;
  const int32_t near_move = GS_F32_NEAR - binade;
  const int32_t far_move = GS_F32_FAR - binade;
  return of_z < GS_F32_NEAR ? near_move : of_z > GS_F32_FAR ? far_move : exponent;
}

GS_PORTABLE_FN float gs_f32_argument(float digits, int32_t exponent) {
  return gs_f32_times_power(digits, gs_f32_move(digits, exponent));
}

/* h's digits at `result`, from h = phi(gs_f32_argument(digits, exponent)). */
GS_PORTABLE_FN float gs_f32_moved_back(float h, float digits, int32_t exponent, int32_t result) {
  const int32_t back = exponent - gs_f32_move(digits, exponent);
  const bool line = back < 0 ? fabsf(h) < 0.25f : !(fabsf(h) <= 4.0f);
  return gs_f32_times_power(h, (line ? back : 0) - result);
}

/* ---- f64 ---- */

GS_PORTABLE_FN double gs_f64_times_power(double x, int32_t by) {
  const int32_t cut = by < -2044 ? -2044 : by > 2046 ? 2046 : by;
  const int32_t first = cut / 2;
  return x * gs_double_from_bits((uint64_t)(first + 1023) << 52) *
         gs_double_from_bits((uint64_t)(cut - first + 1023) << 52);
}

GS_PORTABLE_FN int32_t gs_f64_move(double digits, int32_t exponent) {
  const int32_t binade = (int32_t)(gs_double_bits(digits) >> 52 & 0x7ffu) - 1023;
  const int32_t of_z = binade + exponent;
  const int32_t near_move = GS_F64_NEAR - binade;
  const int32_t far_move = GS_F64_FAR - binade;
  return of_z < GS_F64_NEAR ? near_move : of_z > GS_F64_FAR ? far_move : exponent;
}

GS_PORTABLE_FN double gs_f64_argument(double digits, int32_t exponent) {
  return gs_f64_times_power(digits, gs_f64_move(digits, exponent));
}

GS_PORTABLE_FN double gs_f64_moved_back(double h, double digits, int32_t exponent, int32_t result) {
  const int32_t back = exponent - gs_f64_move(digits, exponent);
  const bool line = back < 0 ? fabs(h) < 0.25 : !(fabs(h) <= 4);
  return gs_f64_times_power(h, (line ? back : 0) - result);
}

#endif
