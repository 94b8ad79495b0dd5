/* The arithmetic of exponent slots (README: extended range), shared by every
 * backend and valid in C, C++ and CUDA C++, so that all choose the same
 * exponents.
 *
 * An operation multiplies digits of size about 2^peak. While the peak lies in
 * the window around 2^0 nothing is shifted; outside it the operation's output
 * is shifted by -peak, back to the middle. The window leaves room for one
 * operation's growth on both sides: the peak lags by one operation. */
#ifndef GS_DEVICE_SCALE_H
#define GS_DEVICE_SCALE_H

#include <math.h>

#include "base/portable.h"
#include "device/tensor.h"

/* Peaks in [-window, window] are left alone. */
GS_PORTABLE_FN int32_t gs_scale_window(gs_dtype dtype) {
  return dtype == GS_F64 ? 256 : dtype == GS_F16 ? 4 : 32;
}

/* An input's slot as an operation should read it. A tensor without finite
 * non-zero digits is the same at every exponent: the one it happens to have (a
 * relu layer that died at 2^200) must not decide about an addend or a sum. */
GS_PORTABLE_FN gs_scale gs_scale_input(gs_scale slot) {
  if (slot.peak == GS_PEAK_NONE) slot.exponent = 0;
  return slot;
}

/* The power of two by which an operation reading digits with this peak lowers
 * its output: out_digits = exact_result * 2^-shift, out_exponent += shift. Cut
 * to what one factor of the arithmetic's type can hold; digits further out need
 * two operations to come back. */
GS_PORTABLE_FN int32_t gs_scale_shift(int32_t peak, gs_dtype dtype) {
  const int32_t window = gs_scale_window(dtype);
  const int32_t max = dtype == GS_F64 ? 1000 : 120;
  if (peak == GS_PEAK_NONE || (peak >= -window && peak <= window)) return 0;
  return peak < -max ? -max : peak > max ? max : peak;
}

/* The output's exponent when a second addend with exponent `addend` (a bias, an
 * input, a loss gradient) is added to a shifted product: never below the
 * addend's, or the addend would overflow. */
GS_PORTABLE_FN int32_t gs_scale_join(int32_t product, int32_t addend) {
  return product > addend ? product : addend;
}

/* The exponent of a sum of a product and an addend with these slots, or of the one of them
 * that is there. */
GS_PORTABLE_FN int32_t gs_scale_of_sum(gs_scale product, bool has_product, gs_scale addend,
                                       bool has_addend, gs_dtype dtype) {
  const int32_t of_product = product.exponent + gs_scale_shift(product.peak, dtype);
  const int32_t of_addend = addend.exponent + gs_scale_shift(addend.peak, dtype);
  if (!has_addend) return of_product;
  return has_product ? gs_scale_join(of_product, of_addend) : of_addend;
}

/* 2^exponent, cut to float64's normal range: a product with a factor that far
 * out has left every dtype's range either way. */
GS_PORTABLE_FN double gs_scale_factor(int64_t exponent) {
  const int64_t cut = exponent < -1022 ? -1022 : exponent > 1023 ? 1023 : exponent;
  return gs_double_from_bits((uint64_t)(cut + 1023) << 52);
}

/* How a replica's product and another addend become an output: their digits are multiplied by
 * powers of two, and the output has `exponent`. What an activation makes of exponents is in
 * activation_scale.h. */
typedef struct gs_rescale {
  int32_t exponent;
  double product, addend;
} gs_rescale;

/* From the slots, as read (gs_scale_input), of the tensor that went into the product and of the
 * addend; what there is not has any slot, and its factor is not to be used. tracked: the output
 * has a slot. */
GS_PORTABLE_FN gs_rescale gs_rescale_of(gs_scale product, bool has_product, gs_scale addend,
                                        bool has_addend, gs_dtype dtype, bool tracked) {
  gs_rescale scale;
  scale.exponent = tracked ? gs_scale_of_sum(product, has_product, addend, has_addend, dtype) : 0;
  scale.product = gs_scale_factor((int64_t)product.exponent - scale.exponent);
  scale.addend = gs_scale_factor((int64_t)addend.exponent - scale.exponent);
  return scale;
}

/* For h - target, h's slot as read (gs_scale_input) and the target unscaled (exponent 0): not
 * shifted, since no product made it. `product` is h's factor, `addend` the target's. */
GS_PORTABLE_FN gs_rescale gs_rescale_of_difference(gs_scale h, bool tracked) {
  gs_rescale scale;
  scale.exponent = tracked ? gs_scale_join(h.exponent, 0) : 0;
  scale.product = gs_scale_factor((int64_t)h.exponent - scale.exponent);
  scale.addend = gs_scale_factor(-(int64_t)scale.exponent);
  return scale;
}

/* A bound of true values as one of digits with this exponent; never 0, which would take the
 * zeros with it. The caller rounds it to the digits' type, and so does gs_scale_bound_f32. */
GS_PORTABLE_FN double gs_scale_bound(double bound, int32_t exponent) {
  if (exponent == 0 || bound == 0) return bound;
  if (exponent > 1000) return copysign(gs_double_from_bits(1), bound);
  return bound * gs_scale_factor(-(int64_t)exponent);
}

GS_PORTABLE_FN float gs_scale_bound_f32(double bound, int32_t exponent) {
  const double scaled = gs_scale_bound(bound, exponent);
  const double max = 3.402823466e+38;
  const float rounded = fabs(scaled) > max ? copysignf(HUGE_VALF, (float)bound) : (float)scaled;
  return rounded == 0 ? copysignf(gs_float_from_bits(bound != 0), (float)bound) : rounded;
}

/* ---- sums over steps whose exponents differ (weight and bias gradients) ---- */

/* Instead of a step's exponent: its product is zero at any. */
#define GS_EXPONENT_EMPTY INT32_MIN

/* The exponent of a step's product of two tensors, from their slots. */
GS_PORTABLE_FN int32_t gs_product_exponent(gs_scale a, gs_scale b) {
  if (a.peak == GS_PEAK_NONE || b.peak == GS_PEAK_NONE) return GS_EXPONENT_EMPTY;
  return a.exponent + b.exponent;
}

/* The slot of a tensor that has none: exponent 0, and not empty. */
GS_PORTABLE_FN gs_scale gs_scale_none(void) {
  gs_scale slot;
  slot.exponent = 0;
  slot.peak = 0;
  return slot;
}

/* What a step's digits are multiplied by in a sum with this exponent. */
GS_PORTABLE_FN double gs_step_factor(int32_t own, int32_t exponent) {
  return own == GS_EXPONENT_EMPTY ? 1 : gs_scale_factor((int64_t)own - exponent);
}

/* The exponent of a replica's sum over steps, and whether every step's product
 * has it already (plain). */
typedef struct gs_sum_scale {
  int32_t exponent;
  bool plain;
} gs_sum_scale;

/* From the least and the largest exponent of the steps that are not empty (both
 * GS_EXPONENT_EMPTY: all are). The sum's exponent is 0 when that is within reach,
 * so that the digits are the unscaled ones; else the largest step's. A sum
 * without a slot (not tracked) has exponent 0. */
GS_PORTABLE_FN gs_sum_scale gs_sum_scale_of(int32_t min, int32_t max, bool tracked,
                                            gs_dtype dtype) {
  const int32_t window = 2 * gs_scale_window(dtype);
  gs_sum_scale scale;
  scale.exponent = 0;
  scale.plain = true;
  if (max == GS_EXPONENT_EMPTY) return scale;
  if (!tracked) {
    scale.plain = min == max && max == 0;
  } else if (min == max) {
    scale.exponent = max;
  } else {
    scale.exponent = max >= -window && max <= window ? 0 : max;
    scale.plain = false;
  }
  return scale;
}

/* ---- numbers of any magnitude ---- */

/* value * 2^exponent in canonical form (gs_scaled); zero and non-finite values
 * keep theirs. */
GS_PORTABLE_FN gs_scaled gs_scaled_canonical(double value, int64_t exponent) {
  gs_scaled scaled;
  int own = 0;
  scaled.value = value;
  scaled.exponent = 0;
  if (value == 0 || !isfinite(value)) return scaled;
  scaled.value = 2 * frexp(value, &own); /* 1 <= |value| < 2 */
  scaled.exponent = exponent + own - 1;
  if (scaled.exponent % 2 != 0) {
    scaled.value *= 2;
    scaled.exponent--;
  }
  return scaled;
}

/* sum += value * 2^exponent, at the larger of the two exponents. Not canonical. */
GS_PORTABLE_FN void gs_scaled_add(gs_scaled *sum, double value, int64_t exponent) {
  if (value == 0) return;
  if (sum->value == 0) sum->exponent = exponent;
  if (exponent > sum->exponent) {
    sum->value *= gs_scale_factor(sum->exponent - exponent);
    sum->exponent = exponent;
  }
  sum->value += value * gs_scale_factor(exponent - sum->exponent);
}

#endif
