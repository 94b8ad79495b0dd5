/* The forward pass of one example, one layer or step at a time, in float64 with an
 * exponent: what a Jacobian needs of it is phi'(z), at any magnitude of z. */
#ifndef GS_MEASURE_EXAMPLE_H
#define GS_MEASURE_EXAMPLE_H

#include <stdint.h>

#include "base/status.h"
#include "device/types.h"

/* The state: true h = h 2^exponent. */
typedef struct gs_example {
  double *h;     /* [max] */
  double *z;     /* [max] */
  double *slope; /* [max] phi'(z) of the last layer */
  int64_t exponent;
} gs_example;

/* Errors: GS_ERR_MEMORY; an empty example may be cleared. */
gs_status gs_example_create(int max, gs_example *example, gs_error *error);
void gs_example_clear(gs_example *example);

/* h = h^0, or zero when NULL. */
void gs_example_start(gs_example *example, const double *h, int n);
/* z = W h + p, h = phi(z), slope = phi'(z). W: rows x cols, row-major without padding;
 * p: [rows] or NULL (zero). */
void gs_example_layer(gs_example *example, gs_activation activation, const double *W, int rows,
                      int cols, const double *p);

#endif
