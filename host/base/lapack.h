/* The routines of LAPACK that gradsweep calls, from the OpenBLAS that serves the f64
 * products. Fortran: everything by reference, matrices column by column, and the
 * lengths of texts at the end. */
#ifndef GS_BASE_LAPACK_H
#define GS_BASE_LAPACK_H

#include <stddef.h>

/* eigenvalues */
extern void dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda,
                   double *wr, double *wi, double *vl, const int *ldvl, double *vr, const int *ldvr,
                   double *work, const int *lwork, int *info, size_t, size_t);
/* singular values, descending */
extern void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda,
                    double *s, double *u, const int *ldu, double *vt, const int *ldvt, double *work,
                    const int *lwork, int *iwork, int *info, size_t);
/* QR by Householder reflectors, and the orthogonal factor of it */
extern void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau,
                    double *work, const int *lwork, int *info);
extern void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda,
                    const double *tau, double *work, const int *lwork, int *info);
/* the inverse of a triangular matrix */
extern void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda,
                    int *info, size_t, size_t);

#endif
