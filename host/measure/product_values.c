/* Singular values of a product Q D T, and of one factor. See product.h. */
#include <float.h>
#include <string.h>

#include "base/lapack.h"
#include "measure/product_internal.h"

static gs_status singular_values(gs_product *p, double *matrix, int rows, int cols, double *values,
                                 gs_error *error) {
  const int one = 1;
  int info = 0;
  dgesdd_("N", &rows, &cols, matrix, &p->max, values, NULL, &one, NULL, &one, p->work,
          &p->work_length, p->integers, &info, 1);
  return gs_product_lapack("dgesdd", info, error);
}

gs_status gs_product_singular_values(gs_product *p, const double *slope, const double *W, int rows,
                                     int cols, double *values, gs_error *error) {
  for (int i = 0; i < rows; i++) { /* column by column: the transpose, cols x rows */
    double *to = gs_product_column(p, p->a, i);
    for (int j = 0; j < cols; j++) {
      to[j] = slope[i] * W[(size_t)i * (size_t)cols + (size_t)j];
      if (!(fabs(to[j]) <= DBL_MAX)) {
        return GS_FAIL(error, GS_ERR_DATA, "a Jacobian is not finite");
      }
    }
  }
  return singular_values(p, p->a, cols, rows, values, error);
}

/* a = S, triangular with T^T = Q_T S: the singular values of P are those of S D. */
static gs_status factor_t(gs_product *p, gs_error *error) {
  int info = 0;
  for (int j = 0; j < p->rank; j++) {
    memcpy(gs_product_column(p, p->b, j), gs_product_column(p, p->t, j),
           (size_t)p->cols * sizeof *p->t);
  }
  dgeqrf_(&p->cols, &p->rank, p->b, &p->max, p->tau, p->work, &p->work_length, &info);
  for (int j = 0; j < p->rank; j++) {
    double *to = gs_product_column(p, p->a, j);
    for (int i = 0; i < p->rank; i++) to[i] = i <= j ? gs_product_column(p, p->b, j)[i] : 0;
  }
  return gs_product_lapack("dgeqrf", info, error);
}

static gs_wide extreme_d(const gs_product *p, bool largest) {
  gs_wide found = p->d[0];
  for (int i = 1; i < p->rank; i++) {
    if (largest ? gs_wide_less(found, p->d[i]) : gs_wide_less(p->d[i], found)) found = p->d[i];
  }
  return found;
}

/* b = S D / max d. */
static gs_status find_large(gs_product *p, int count, gs_extremes *extremes, gs_error *error) {
  const gs_wide unit = extreme_d(p, true);
  double sum = 0;
  double squares = 0;
  for (int j = 0; j < p->rank; j++) {
    const double factor = gs_wide_ratio(p->d[j], unit);
    for (int i = 0; i < p->rank; i++)
      gs_product_column(p, p->b, j)[i] = gs_product_column(p, p->a, j)[i] * factor;
  }
  GS_TRY(singular_values(p, p->b, p->rank, p->rank, p->values, error));
  for (int i = p->rank - 1; i >= 0; i--) {
    sum += p->values[i];
    squares += p->values[i] * p->values[i];
  }
  extremes->log10_mean = log10(sum / count) + gs_wide_log10(unit);
  extremes->log10_rms = 0.5 * log10(squares / count) + gs_wide_log10(unit);
  extremes->log10_largest = log10(p->values[0]) + gs_wide_log10(unit);
  return GS_OK;
}

/* a = min d D^-1 S^-1, whose largest singular value is min d over P's smallest. */
static gs_status find_smallest(gs_product *p, gs_extremes *extremes, gs_error *error) {
  const gs_wide unit = extreme_d(p, false);
  int info = 0;
  dtrtri_("U", "N", &p->rank, p->a, &p->max, &info, 1, 1);
  GS_TRY(gs_product_lapack("dtrtri", info, error));
  for (int j = 0; j < p->rank; j++) {
    for (int i = 0; i <= j; i++) gs_product_column(p, p->a, j)[i] *= gs_wide_ratio(unit, p->d[i]);
  }
  GS_TRY(singular_values(p, p->a, p->rank, p->rank, p->values, error));
  extremes->log10_smallest = gs_wide_log10(unit) - log10(p->values[0]);
  return GS_OK;
}

gs_status gs_product_extremes(gs_product *p, gs_extremes *extremes, gs_error *error) {
  const int count = p->rows < p->cols ? p->rows : p->cols;
  *extremes = (gs_extremes){-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  if (p->rank == 0) return GS_OK;
  GS_TRY(factor_t(p, error));
  GS_TRY(find_large(p, count, extremes, error));
  return p->rank < count ? GS_OK : find_smallest(p, extremes, error);
}
