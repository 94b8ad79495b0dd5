/* Long products of matrices as Q D T. See product.h. */
#include <cblas.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/lapack.h"
#include "measure/product_internal.h"

void gs_product_destroy(gs_product *product) {
  if (!product) return;
  double *const numbers[] = {product->q,      product->t,   product->a,       product->b,
                             product->spare,  product->tau, product->row_max, product->column_max,
                             product->values, product->work};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) free(numbers[i]);
  free(product->d);
  free(product->spare_d);
  free(product->keys);
  free(product->row_order);
  free(product->column_order);
  free(product->integers);
  free(product);
}

gs_status gs_product_create(int max, gs_product **product, gs_error *error) {
  const size_t n = (size_t)max;
  *product = NULL;
  GS_TRY(gs_blas_load(1, error));
  gs_product *p = calloc(1, sizeof *p);
  if (!p) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a product of matrices");
  p->max = max;
  p->work_length = 128 * max + 256; /* dgesdd wants 10 n; blocks of 64 columns, 128 n */
  double **const matrices[] = {&p->q, &p->t, &p->a, &p->b, &p->spare};
  double **const vectors[] = {&p->tau, &p->row_max, &p->column_max, &p->values};
  bool there = true;
  for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) {
    *matrices[i] = malloc(n * n * sizeof **matrices[i]);
    there = there && *matrices[i];
  }
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    *vectors[i] = malloc(n * sizeof **vectors[i]);
    there = there && *vectors[i];
  }
  p->work = malloc((size_t)p->work_length * sizeof *p->work);
  p->d = malloc(n * sizeof *p->d);
  p->spare_d = malloc(n * sizeof *p->spare_d);
  p->row_order = malloc(n * sizeof *p->row_order);
  p->column_order = malloc(n * sizeof *p->column_order);
  p->keys = malloc(n * sizeof *p->keys);
  p->integers = malloc(8 * n * sizeof *p->integers);
  if (there && p->work && p->d && p->spare_d && p->keys && p->row_order && p->column_order &&
      p->integers) {
    *product = p;
    return GS_OK;
  }
  gs_product_destroy(p);
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for products of %d x %d matrices", max, max);
}

/* ---- multiplying ---- */

void gs_product_start(gs_product *p, int n) {
  p->rows = n;
  p->cols = n;
  p->rank = n;
  for (int j = 0; j < n; j++) {
    memset(gs_product_column(p, p->q, j), 0, (size_t)n * sizeof *p->q);
    memset(gs_product_column(p, p->t, j), 0, (size_t)n * sizeof *p->t);
    gs_product_column(p, p->q, j)[j] = 1;
    gs_product_column(p, p->t, j)[j] = 1;
    p->d[j] = gs_wide_of(1, 0);
  }
}

/* Equal magnitudes keep their order: the result does not depend on the library's sort. */
static int descending(const void *x, const void *y) {
  const gs_keyed *a = x;
  const gs_keyed *b = y;
  if (gs_wide_less(a->key, b->key)) return 1;
  if (gs_wide_less(b->key, a->key)) return -1;
  return (a->index > b->index) - (a->index < b->index);
}

/* Rows of diag(slope) X that are not zero, largest first: graded rows keep their own
 * accuracy in Householder's QR only so (Cox and Higham 1998), and a saturated layer's
 * slopes span 26 powers of ten. Returns how many. */
static int order_rows(gs_product *p, int rows) {
  gs_keyed *keys = p->keys;
  int count = 0;
  for (int i = 0; i < rows; i++) {
    if (p->row_max[i] == 0) continue;
    keys[count++] = (gs_keyed){gs_wide_of(p->row_max[i], 0), i};
  }
  qsort(keys, (size_t)count, sizeof *keys, descending);
  for (int i = 0; i < count; i++) p->row_order[i] = keys[i].index;
  return count;
}

/* Columns stay where they are while no d_j is far above one before it, which is the
 * plain QR method; else T would lose as many digits. Columns of zeros (a diagonal W
 * over dead units) go last, where they end the rank. */
static void order_columns(gs_product *p) {
  gs_keyed *keys = p->keys;
  const int64_t tolerated_bits = 20;
  bool ordered = true;
  int64_t min = INT64_MAX;
  bool gone = false;
  for (int j = 0; j < p->rank; j++) {
    const bool zero = p->column_max[j] == 0;
    const int64_t exponent = p->d[j].exponent;
    if (!zero && (gone || (min < INT64_MAX && exponent > min + tolerated_bits))) {
      ordered = false;
    }
    if (zero) gone = true;
    if (exponent < min) min = exponent;
    keys[j] = (gs_keyed){gs_wide_of(p->column_max[j] * p->d[j].digits, exponent), j};
    if (zero) keys[j].key.exponent = INT64_MIN;
  }
  if (!ordered) qsort(keys, (size_t)p->rank, sizeof *keys, descending);
  for (int j = 0; j < p->rank; j++) p->column_order[j] = keys[j].index;
  if (ordered) return;
  for (int j = 0; j < p->rank; j++) {
    memcpy(gs_product_column(p, p->spare, j), gs_product_column(p, p->t, keys[j].index),
           (size_t)p->cols * sizeof *p->t);
    p->spare_d[j] = p->d[keys[j].index];
  }
  double *const t = p->t;
  p->t = p->spare;
  p->spare = t;
  gs_wide *const d = p->d;
  p->d = p->spare_d;
  p->spare_d = d;
}

/* Largest magnitudes of the rows and columns of diag(slope) a. */
static bool find_magnitudes(gs_product *p, const double *slope, int rows) {
  bool finite = true;
  for (int i = 0; i < rows; i++) p->row_max[i] = 0;
  for (int j = 0; j < p->rank; j++) {
    const double *x = gs_product_column(p, p->a, j);
    double max = 0;
    for (int i = 0; i < rows; i++) {
      const double magnitude = fabs(slope[i] * x[i]);
      if (!(magnitude <= DBL_MAX)) finite = false;
      if (magnitude > p->row_max[i]) p->row_max[i] = magnitude;
      if (magnitude > max) max = magnitude;
    }
    p->column_max[j] = max;
  }
  return finite;
}

/* b = diag(slope) a in the new order: count x rank. */
static void gather(gs_product *p, const double *slope, int count) {
  for (int j = 0; j < p->rank; j++) {
    const double *from = gs_product_column(p, p->a, p->column_order[j]);
    double *to = gs_product_column(p, p->b, j);
    for (int i = 0; i < count; i++) to[i] = slope[p->row_order[i]] * from[p->row_order[i]];
  }
}

/* The rank that R, in the upper triangle of b, has: a pivot of zero ends it (columns of zeros
 * are last), and so do pivots that are only what rounding left of rows that depend on those
 * above (equal rows of W): a row is right to a few roundoffs of its own largest element, and
 * where that is subnormal (slopes of elu or tanh at a z of -720) to none. */
static int rank_of(const gs_product *p, int pivots) {
  const double rounding = (16 + pivots) * DBL_EPSILON;
  int rank = 0;
  while (rank < pivots && gs_product_column(p, p->b, rank)[rank] != 0) rank++;
  while (rank > 1) {
    const double pivot = fabs(gs_product_column(p, p->b, rank - 1)[rank - 1]);
    if (pivot > fmax(rounding * p->row_max[p->row_order[rank - 1]], DBL_MIN)) break;
    rank--;
  }
  return rank;
}

/* From R, in the upper triangle of b: a = D'^-1 R D and the new D. Returns the rank. */
static int rescale(gs_product *p, int pivots) {
  const int rank = rank_of(p, pivots);
  for (int i = 0; i < rank; i++) {
    const double pivot = fabs(gs_product_column(p, p->b, i)[i]);
    p->spare_d[i] = gs_wide_of(pivot * p->d[i].digits, p->d[i].exponent);
  }
  for (int j = 0; j < p->rank; j++) {
    const double *R = gs_product_column(p, p->b, j);
    double *N = gs_product_column(p, p->a, j);
    for (int i = 0; i < rank && i <= j; i++) {
      N[i] = gs_wide_ratio(gs_wide_of(R[i] * p->d[j].digits, p->d[j].exponent), p->spare_d[i]);
    }
  }
  gs_wide *const d = p->d;
  p->d = p->spare_d;
  p->spare_d = d;
  return rank;
}

/* T' = N T, transposed: t N^T, N of rank x (old rank), upper trapezoidal, in a. */
static void multiply_t(gs_product *p, int rank) {
  const int more = p->rank - rank;
  if (rank == 0) return;
  cblas_dtrmm(CblasColMajor, CblasRight, CblasUpper, CblasTrans, CblasNonUnit, p->cols, rank, 1,
              p->a, p->max, p->t, p->max);
  if (more == 0) return;
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, p->cols, rank, more, 1,
              gs_product_column(p, p->t, rank), p->max, gs_product_column(p, p->a, rank), p->max, 1,
              p->t, p->max);
}

/* Q' from the reflectors in b, its rows put back in their places. */
static gs_status unfold_q(gs_product *p, int rows, int count, int rank, gs_error *error) {
  int info = 0;
  if (rank > 0) {
    dorgqr_(&count, &rank, &rank, p->b, &p->max, p->tau, p->work, &p->work_length, &info);
  }
  GS_TRY(gs_product_lapack("dorgqr", info, error));
  for (int j = 0; j < rank; j++) {
    const double *from = gs_product_column(p, p->b, j);
    double *to = gs_product_column(p, p->q, j);
    memset(to, 0, (size_t)rows * sizeof *to);
    for (int i = 0; i < count; i++) to[p->row_order[i]] = from[i];
  }
  return GS_OK;
}

gs_status gs_product_multiply(gs_product *p, const double *slope, const double *W, int rows,
                              gs_error *error) {
  int info = 0;
  int count = 0;
  if (p->rank > 0) { /* W is, column by column, its own transpose */
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, rows, p->rank, p->rows, 1, W, p->rows,
                p->q, p->max, 0, p->a, p->max);
    if (!find_magnitudes(p, slope, rows)) {
      return GS_FAIL(error, GS_ERR_DATA, "a product of matrices is not finite");
    }
    count = order_rows(p, rows);
    order_columns(p);
    gather(p, slope, count);
  }
  if (count > 0) {
    dgeqrf_(&count, &p->rank, p->b, &p->max, p->tau, p->work, &p->work_length, &info);
  }
  GS_TRY(gs_product_lapack("dgeqrf", info, error));
  const int rank = rescale(p, count < p->rank ? count : p->rank);
  multiply_t(p, rank);
  p->rank = rank;
  p->rows = rows;
  return unfold_q(p, rows, count, rank, error);
}

int gs_product_rank(const gs_product *p) { return p->rank; }

double gs_product_ln(const gs_product *p, int i) {
  return log(p->d[i].digits) + (double)p->d[i].exponent * log(2);
}
