/* One example's forward pass. Every activation is linear far from 0 and near it, up to
 * a constant, so a layer whose z no double holds still has its slopes:
 *
 *   |z| > 2^500: phi'(z) = phi'(+-2^500); unbounded phi: h = phi' z, else phi(+-2^500)
 *   |z| < 2^-500: phi'(z) = phi'(+-2^-500), h = phi' z where phi(0) = 0
 *
 * Exponents below zero serve networks without biases and with phi(0) = 0 alone:
 * elsewhere what is so small does not count. */
#include "measure/example.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "device/activation_f64.h"
#include "device/activation_scale.h"

enum { FAR = 500, MAX_SHIFT = 4000 };

gs_status gs_example_create(int max, gs_example *example, gs_error *error) {
  const size_t bytes = (size_t)max * sizeof *example->h;
  GS_TRY(gs_blas_load(1, error));
  *example = (gs_example){malloc(bytes), malloc(bytes), malloc(bytes), 0};
  if (example->h && example->z && example->slope) return GS_OK;
  gs_example_clear(example);
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a forward pass of %d units", max);
}

void gs_example_clear(gs_example *example) {
  free(example->h);
  free(example->z);
  free(example->slope);
  *example = (gs_example){0};
}

/* value 2^exponent, zero or infinite where no double has it. */
static double shifted(double value, int64_t exponent) {
  const int64_t max = MAX_SHIFT;
  return ldexp(value, (int)(exponent > max ? max : exponent < -max ? -max : exponent));
}

void gs_example_start(gs_example *example, const double *h, int n) {
  example->exponent = 0;
  if (h)
    memcpy(example->h, h, (size_t)n * sizeof *h);
  else
    memset(example->h, 0, (size_t)n * sizeof *example->h);
}

static void drop_small_exponent(gs_example *example, double *values, int n) {
  if (example->exponent >= 0) return;
  for (int i = 0; i < n; i++) values[i] = shifted(values[i], example->exponent);
  example->exponent = 0;
}

/* phi and phi' at z 2^exponent; h has the same exponent. */
static gs_f64_slope evaluate(gs_activation activation, double z, int64_t exponent) {
  if (exponent == 0 || z == 0 || gs_activation_homogeneous(activation.kind)) {
    gs_f64_slope at = gs_f64_activation(activation, z);
    if (z == 0) at.h = shifted(at.h, -exponent);
    return at;
  }
  const int64_t binade = ilogb(z) + exponent;
  if (binade >= -FAR && binade <= FAR) {
    gs_f64_slope at = gs_f64_activation(activation, shifted(z, exponent));
    at.h = shifted(at.h, -exponent);
    return at;
  }
  const double edge = copysign(ldexp(1, binade < 0 ? -FAR : FAR), z);
  gs_f64_slope at = gs_f64_activation(activation, edge);
  /* of the unbounded ones the slope is 1 or, of selu, lambda */
  const bool linear = binade < 0 ? fabs(at.h) < 0.25 : at.slope > 0.5;
  at.h = linear ? at.slope * z : shifted(at.h, -exponent);
  return at;
}

/* Brings the largest |h| to 1 <= |h| < 2. */
static void normalise(gs_example *example, int n) {
  double max = 0;
  for (int i = 0; i < n; i++) max = fmax(max, fabs(example->h[i]));
  if (max == 0) example->exponent = 0;
  if (!(max > 0) || isinf(max)) return;
  const int shift = ilogb(max);
  for (int i = 0; i < n; i++) example->h[i] = ldexp(example->h[i], -shift);
  example->exponent += shift;
}

void gs_example_layer(gs_example *example, gs_activation activation, const double *W, int rows,
                      int cols, const double *p) {
  if (p) drop_small_exponent(example, example->h, cols);
  cblas_dgemv(CblasRowMajor, CblasNoTrans, rows, cols, 1, W, cols, example->h, 1, 0, example->z, 1);
  for (int i = 0; p && i < rows; i++) example->z[i] += shifted(p[i], -example->exponent);
  if (gs_f64_activation(activation, 0).h != 0) drop_small_exponent(example, example->z, rows);
  for (int i = 0; i < rows; i++) {
    const gs_f64_slope at = evaluate(activation, example->z[i], example->exponent);
    example->h[i] = at.h;
    example->slope[i] = isnan(example->z[i]) ? (double)NAN : at.slope; /* relu would say 0 */
  }
  normalise(example, rows);
}
