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

#include "device/types.h"

#ifdef __CUDACC__
#define GS_SCALE_FN static __host__ __device__ inline
#else
#define GS_SCALE_FN static inline
#endif

/* Peaks in [-window, window] are left alone. */
GS_SCALE_FN int32_t gs_scale_window(gs_dtype dtype) {
  return dtype == GS_F64 ? 256 : dtype == GS_F16 ? 4 : 32;
}

/* An input's slot as an operation should read it. A tensor without finite
 * non-zero digits is the same at every exponent: the one it happens to have (a
 * relu layer that died at 2^200) must not decide about an addend or a sum. */
GS_SCALE_FN gs_scale gs_scale_input(gs_scale slot) {
  if (slot.peak == GS_PEAK_NONE) slot.exponent = 0;
  return slot;
}

/* The power of two by which an operation reading digits with this peak lowers
 * its output: out_digits = exact_result * 2^-shift, out_exponent += shift. Cut
 * to what one factor of the arithmetic's type can hold; digits further out need
 * two operations to come back. */
GS_SCALE_FN int32_t gs_scale_shift(int32_t peak, gs_dtype dtype) {
  const int32_t window = gs_scale_window(dtype);
  const int32_t most = dtype == GS_F64 ? 1000 : 120;
  if (peak == GS_PEAK_NONE || (peak >= -window && peak <= window)) return 0;
  return peak < -most ? -most : peak > most ? most : peak;
}

/* The output's exponent when a second addend with exponent `addend` (a bias, an
 * input, a loss gradient) is added to a shifted product: never below the
 * addend's, or the addend would overflow. */
GS_SCALE_FN int32_t gs_scale_join(int32_t product, int32_t addend) {
  return product > addend ? product : addend;
}

/* 2^exponent, cut to float64's normal range: a product with a factor that far
 * out has left every dtype's range either way. */
GS_SCALE_FN double gs_scale_factor(int64_t exponent) {
  const int64_t cut = exponent < -1022 ? -1022 : exponent > 1023 ? 1023 : exponent;
  double factor = 1;
  double base = cut < 0 ? 0.5 : 2.0;
  for (int64_t bits = cut < 0 ? -cut : cut; bits; bits >>= 1) {
    if (bits & 1) factor *= base;
    base *= base;
  }
  return factor;
}

#endif
