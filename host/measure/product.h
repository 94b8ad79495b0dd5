/* A product of many matrices in float64, P = J^L ... J^1, that neither its length nor
 * its condition spoils: P = Q D T with orthonormal columns Q, a diagonal D of extended
 * range, and a well-conditioned T. The Jacobian chain of a network (jacobian.h).
 *
 *   J Q = Q' R  (QR),    D' = |diag R| D,    T' = (D'^-1 R D) T
 *
 * (graded QR, as in quantum Monte Carlo: Loh et al. 1989; Bai, Lee, Li, Xu 2011.) The
 * elements of D'^-1 R D are R_ij/|R_ii| d_j/d_i, which fall away as the d_i separate,
 * instead of the columns of the product all turning into one. Singular values are
 * those of D T, and what is asked of them are the largest of two matrices, of D T and
 * of its inverse: each is where float64 is accurate, though a single decomposition of
 * P would lose all that is 2^-52 below its largest.
 *
 * The d_i are also the QR method's products of |R_ii|: ln d_i / L are Lyapunov
 * exponents. */
#ifndef GS_MEASURE_PRODUCT_H
#define GS_MEASURE_PRODUCT_H

#include <stdint.h>

#include "base/status.h"

typedef struct gs_product gs_product;

/* Singular values of a matrix of n x m: min(n, m) of them. log10; -inf for 0. */
typedef struct gs_extremes {
  double log10_mean, log10_rms, log10_largest, log10_smallest;
} gs_extremes;

/* Room for matrices of at most `max` rows and columns: five such matrices and more. Errors:
 * GS_ERR_MEMORY. */
gs_status gs_product_create(int max, gs_product **product, gs_error *error);
void gs_product_destroy(gs_product *product);

/* P = 1 of n x n. */
void gs_product_start(gs_product *product, int n);
/* P = diag(slope) W P. W: rows x (rows of P), row-major without padding. Rows whose
 * slope is 0 take P's rank away, exactly; so does a W of zeros. Errors: GS_ERR_DATA when
 * it is not finite, which leaves P as it was; GS_ERR_INTERNAL (LAPACK). */
gs_status gs_product_multiply(gs_product *product, const double *slope, const double *W, int rows,
                              gs_error *error);

/* The extremes of P's singular values; they cost about two products. Errors:
 * GS_ERR_INTERNAL. */
gs_status gs_product_extremes(gs_product *product, gs_extremes *extremes, gs_error *error);
/* P's rank, and ln d_i for i in 0..rank - 1, in no order. */
int gs_product_rank(const gs_product *product);
double gs_product_ln(const gs_product *product, int i);

/* Singular values, descending, of diag(slope) W alone: min(rows, cols) of them in
 * `values`, to float64's accuracy relative to the largest. Uses the product's
 * workspace, not its state. Errors: GS_ERR_DATA when it is not finite;
 * GS_ERR_INTERNAL. */
gs_status gs_product_singular_values(gs_product *product, const double *slope, const double *W,
                                     int rows, int cols, double *values, gs_error *error);

#endif
