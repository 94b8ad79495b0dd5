/* Gaussian moments of the activation functions: all that the wide-limit maps
 * know of them (THEORY sections 1 and 2). With z = sqrt(q) x, x ~ N(0,1):
 *
 *   V(q) = E phi(z)^2,   m1(q) = E phi'(z)^2,   m2(q) = E phi'(z)^4
 *
 * q and the moments are given by their natural logarithms, so that no depth and
 * no scale overflows. */
#ifndef GS_THEORY_MOMENTS_H
#define GS_THEORY_MOMENTS_H

#include "base/status.h"
#include "device/types.h"

typedef struct gs_moments {
  double log_V;
  double log_m1;
  double log_m2;
  double h4;      /* E phi^4 / V^2 */
  double cross;   /* E phi^2 phi'^2 / (V m1) */
  double gain_V;  /* d ln V / d ln q */
  double gain_m1; /* d ln m1 / d ln q */
} gs_moments;

/* The moments at variance q = e^log_q, each to a relative error of 1e-12 (V, m1,
 * m2) for 1e-12 <= q <= 1e12 and 1e-12 beyond, where they are extrapolated by
 * their leading powers of s = sqrt(q), exact to 2^-62, from 2^-128 and 2^124. q = 0 is log_q =
 * -INFINITY. A NaN gives NaN. Costs some microseconds, except identity, relu and leaky_relu. */
gs_moments gs_moments_at(gs_activation activation, double log_q);

/* Where quadrature ends and extrapolation begins, as ln q. */
#define GS_LOG_2 0.69314718055994530942
#define GS_LOG_Q_MIN (-128 * GS_LOG_2)
#define GS_LOG_Q_MAX (124 * GS_LOG_2)

/* The moments at log_q outside that range from those at the nearer end of it. */
gs_moments gs_moments_extrapolate(gs_activation activation, double log_q, const gs_moments *end);

/* e^(x^2) erfc(x) for x >= 0. */
double gs_erfcx(double x);

/* The same moments from Chebyshev interpolants in ln q that are made where they
 * are first asked for: 30 ns each then. Not for several threads at once. */
typedef struct gs_moment_table gs_moment_table;

/* Errors: GS_ERR_MEMORY. */
gs_status gs_moment_table_create(gs_activation activation, gs_moment_table **table,
                                 gs_error *error);
void gs_moment_table_destroy(gs_moment_table *table);
gs_moments gs_moment_table_at(gs_moment_table *table, double log_q);
/* Whether memory was missing on the way: the answers were right to 1e-13, but not the
 * bits that they are with it. */
bool gs_moment_table_lacked(const gs_moment_table *table);

#endif
