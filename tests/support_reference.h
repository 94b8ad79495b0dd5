/* Plain float64 arithmetic to hold the device's against: textbook formulas and
 * triple loops, written for being right. */
#ifndef GS_TESTS_SUPPORT_REFERENCE_H
#define GS_TESTS_SUPPORT_REFERENCE_H

#include "support.h"

/* phi(z) and phi'(z). */
double gs_reference_activation(gs_activation activation, double z);
double gs_reference_slope(gs_activation activation, double z);

/* c (m x n) = op(a) op(b), row-major without padding; op(a) is m x k. */
void gs_reference_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const double *a,
                       const double *b, double *c);

/* Largest |got - want| over n elements, relative to the largest |want|; infinite
 * for a NaN and where zeros should be and are not. */
double gs_reference_error(const double *got, const double *want, int64_t n);
/* |a - b| relative to the larger magnitude; 0 for two zeros, infinite for NaN. */
double gs_reference_difference(double a, double b);

/* A hash of the signs of all pre-activations of a network, from a plain forward
 * pass over its weights and data; 0 where no sign matters, because phi is smooth
 * at 0. Parameters on the same side of all kinks have the same hash. */
uint64_t gs_reference_sides(gs_network *network);

/* Numbers from a small generator, uniform on (-1, 1). */
double gs_reference_random(uint64_t *state);

#endif
