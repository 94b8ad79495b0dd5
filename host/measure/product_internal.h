/* What product.c and product_values.c share. */
#ifndef GS_MEASURE_PRODUCT_INTERNAL_H
#define GS_MEASURE_PRODUCT_INTERNAL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "measure/product.h"

/* A number of any magnitude: 1/2 <= digits < 1. */
typedef struct gs_wide {
  double digits;
  int64_t exponent;
} gs_wide;

/* An index to be sorted by a magnitude. */
typedef struct gs_keyed {
  gs_wide key;
  int index;
} gs_keyed;

/* Matrices are column by column, `max` numbers from column to column. */
struct gs_product {
  int max;
  int rows, cols, rank; /* P is rows x cols; Q has `rank` columns, T as many rows */
  double *q;            /* rows x rank; rows that are zero are exactly that */
  double *t;            /* T transposed: cols x rank */
  gs_wide *d;           /* [rank] > 0 */
  /* workspace */
  double *a, *b, *spare; /* matrices */
  double *tau, *row_max, *column_max, *values, *work;
  gs_wide *spare_d;
  gs_keyed *keys;
  int *row_order, *column_order, *integers;
  int work_length;
};

static inline double *gs_product_column(const gs_product *p, double *matrix, int j) {
  return matrix + (size_t)j * (size_t)p->max;
}

static inline gs_status gs_product_lapack(const char *routine, int info, gs_error *error) {
  if (info == 0) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_INTERNAL, info, "%s returned %d", routine, info);
}

static inline gs_wide gs_wide_of(double digits, int64_t exponent) {
  int more = 0;
  const double fraction = frexp(digits, &more);
  return (gs_wide){fraction, exponent + more};
}

/* a / b, as far as a double reaches. */
static inline double gs_wide_ratio(gs_wide a, gs_wide b) {
  const int64_t exponent = a.exponent - b.exponent;
  const int within = exponent > 4000 ? 4000 : exponent < -4000 ? -4000 : (int)exponent;
  return ldexp(a.digits / b.digits, within);
}

static inline bool gs_wide_less(gs_wide a, gs_wide b) {
  return a.exponent < b.exponent || (a.exponent == b.exponent && a.digits < b.digits);
}

static inline double gs_wide_log10(gs_wide a) {
  return log10(a.digits) + (double)a.exponent * log10(2);
}

#endif
