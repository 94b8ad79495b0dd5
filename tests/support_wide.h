/* Activations in long double, whose range of 2^+-16000 holds what float64 does not. */
#ifndef GS_TESTS_SUPPORT_WIDE_H
#define GS_TESTS_SUPPORT_WIDE_H

#include "device/types.h"

/* phi(z), phi'(z), and what the error of phi' is relative to: the larger of two terms that
 * cancel in gelu' and silu', else phi' itself. */
typedef struct gs_wide_slope {
  long double h, slope;
  long double slope_scale;
} gs_wide_slope;

gs_wide_slope gs_wide_activation(gs_activation activation, long double z);

#endif
