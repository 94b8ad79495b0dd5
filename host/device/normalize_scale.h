/* The exponents of normalisations, shared by every backend (README: extended range): with x =
 * digits 2^e, all numbers below are the digits' own, so that none of them leaves float64.
 *
 *   e >= 0   1/S = rate 2^-e, rate = 1/sqrt(square + epsilon 2^-2e);   y = (digits - mean) rate
 *   e < 0    1/S = rate, rate = 1/sqrt(square 2^2e + epsilon);         y = (digits - mean) rate 2^e
 *
 * and with dy = g 2^k:   dx = (g - mean(g) - y mean(g y)) rate 2^(k - max(e, 0)). */
#ifndef GS_DEVICE_NORMALIZE_SCALE_H
#define GS_DEVICE_NORMALIZE_SCALE_H

#include "device/device.h"

typedef struct gs_normalize_scale {
  double square, epsilon; /* what the digits' mean square and 1 are multiplied by in 1/rate^2 */
  double y;               /* (digits - mean) rate times this is true */
  int32_t of_rate;        /* 1/S = rate 2^-of_rate */
  int32_t exponent;       /* of the output */
  double factor;          /* what the output's digits are multiplied by beside rate */
} gs_normalize_scale;

/* For x's slot; the output is y. tracked: it has a slot. */
GS_PORTABLE_FN gs_normalize_scale gs_normalize_forward_scale(gs_scale x, bool tracked) {
  gs_normalize_scale scale;
  x = gs_scale_input(x);
  const bool large = x.exponent >= 0;
  scale.square = large ? 1 : gs_scale_factor(2 * (int64_t)x.exponent);
  scale.epsilon = GS_NORM_EPSILON * (large ? gs_scale_factor(-2 * (int64_t)x.exponent) : 1);
  scale.y = large ? 1 : gs_scale_factor(x.exponent);
  scale.of_rate = large ? x.exponent : 0;
  scale.exponent = tracked && !large ? x.exponent : 0;
  scale.factor = tracked ? 1 : scale.y;
  return scale;
}

/* For x's slot and dy's; the output is dx. */
GS_PORTABLE_FN gs_normalize_scale gs_normalize_backward_scale(gs_scale x, gs_scale dy,
                                                              gs_dtype dtype, bool tracked) {
  gs_normalize_scale scale = gs_normalize_forward_scale(x, true);
  dy = gs_scale_input(dy);
  const int32_t exact = dy.exponent - scale.of_rate;
  scale.exponent = tracked ? exact + gs_scale_shift(dy.peak, dtype) : 0;
  scale.factor = gs_scale_factor((int64_t)exact - scale.exponent);
  return scale;
}

/* 0 where all digits are alike, and epsilon is too small for float64: so is y then. */
GS_PORTABLE_FN double gs_normalize_rate(const gs_normalize_scale *scale, double mean_square) {
  const double square = mean_square * scale->square + scale->epsilon;
  return square == 0 ? 0 : 1 / sqrt(square);
}

#endif
