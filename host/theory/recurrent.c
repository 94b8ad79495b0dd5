/* Spectra of recurrent matrices, by LAPACK (dgeev, dgesdd), which the OpenBLAS that
 * serves the f64 products brings along. */
#include "theory/recurrent.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/lapack.h"
#include "device/activation_f64.h"
#include "device/device.h"
#include "net/init.h"
#include "net/model.h"

/* Where phi'' is 0: gelu at sqrt(2), silu at the root 2.39935728 of
 * 2 + z (1 - 2 sigmoid(z)). The others: at 0 or at either end. */
double gs_activation_steepest(gs_activation activation) {
  switch (activation.kind) {
  case GS_LEAKY_RELU: return fmax(1, fabs(activation.slope));
  case GS_SIGMOID: return gs_f64_activation(activation, 0).slope;
  case GS_SELU: return gs_f64_activation(activation, 0).slope; /* lambda alpha > lambda */
  case GS_GELU: return gs_f64_activation(activation, M_SQRT2).slope;
  case GS_SILU: return gs_f64_activation(activation, 2.3993572805154677).slope;
  default: return 1;
  }
}

gs_pascanu gs_pascanu_of(const gs_config *named) {
  const gs_config plain = gs_config_plain(named);
  const gs_config *config = &plain;
  const int64_t n = config->hidden;
  const double sigma = sqrt((double)n * gs_init_variance(&config->init, n, n));
  const bool isometric =
      config->init.kind == GS_INIT_ORTHOGONAL || config->init.kind == GS_INIT_IDENTITY;
  gs_pascanu found = {.gamma = gs_activation_steepest(config->activation),
                      .singular = isometric ? config->init.gain : 2 * sigma,
                      .spectral_radius = isometric ? config->init.gain : sigma};
  if (gs_init_is_constant(&config->init)) { /* c 1 1^T: c n, and n - 1 zeros */
    found.singular = found.spectral_radius = sqrt((double)n) * sigma;
  }
  found.vanishes = found.gamma * found.singular < 1;
  return found;
}

/* ---- dense matrices ---- */

typedef struct workspace {
  double *a, *values, *more, *work;
  int *integers;
  int length;
} workspace;

static void workspace_free(workspace *w) {
  free(w->a);
  free(w->values);
  free(w->more);
  free(w->work);
  free(w->integers);
}

/* Room for both routines: dgeev wants 3n at least, dgesdd 3n + max(n, 7n); more
 * lets them work in blocks. */
static gs_status workspace_make(int n, workspace *w, gs_error *error) {
  const size_t order = (size_t)n;
  w->length = 64 * n + 64;
  w->a = malloc(order * order * sizeof *w->a);
  w->values = malloc(order * sizeof *w->values);
  w->more = malloc(order * sizeof *w->more);
  w->work = malloc((size_t)w->length * sizeof *w->work);
  w->integers = malloc(8 * order * sizeof *w->integers);
  if (w->a && w->values && w->more && w->work && w->integers) return GS_OK;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the spectrum of %d x %d numbers", n, n);
}

/* A power of two near 1/max, so that no square over- or underflows. */
static double scale_of(const double *matrix, size_t count) {
  double max = 0;
  for (size_t i = 0; i < count; i++) {
    if (!(fabs(matrix[i]) <= DBL_MAX)) return NAN;
    max = fmax(max, fabs(matrix[i]));
  }
  return max > 0 ? ldexp(1, max < 0x1p-1000 ? 1000 : -ilogb(max)) : 1;
}

static void copy_scaled(const double *matrix, size_t count, double scale, double *copy) {
  for (size_t i = 0; i < count; i++) copy[i] = matrix[i] * scale;
}

static gs_status compute(const double *matrix, int n, workspace *w, gs_spectrum *spectrum,
                         gs_error *error) {
  const size_t count = (size_t)n * (size_t)n;
  const double scale = scale_of(matrix, count);
  const int one = 1;
  int info = 0;
  if (isnan(scale)) return GS_FAIL(error, GS_ERR_INTERNAL, "the matrix is not finite");
  copy_scaled(matrix, count, scale, w->a); /* transposed, for Fortran: as good */
  dgeev_("N", "N", &n, w->a, &n, w->values, w->more, NULL, &one, NULL, &one, w->work, &w->length,
         &info, 1, 1);
  if (info != 0) return GS_FAIL_NATIVE(error, GS_ERR_INTERNAL, info, "dgeev returned %d", info);
  spectrum->radius = 0;
  for (int i = 0; i < n; i++) {
    spectrum->radius = fmax(spectrum->radius, hypot(w->values[i], w->more[i]) / scale);
  }
  copy_scaled(matrix, count, scale, w->a);
  dgesdd_("N", &n, &n, w->a, &n, w->values, NULL, &one, NULL, &one, w->work, &w->length,
          w->integers, &info, 1);
  if (info != 0) return GS_FAIL_NATIVE(error, GS_ERR_INTERNAL, info, "dgesdd returned %d", info);
  spectrum->singular = w->values[0] / scale;
  return GS_OK;
}

gs_status gs_spectrum_of(const double *matrix, int64_t n, gs_spectrum *spectrum, gs_error *error) {
  const int64_t max = 1 << 15; /* 64 n numbers of workspace, counted in int */
  if (n < 1 || n > max) {
    return GS_FAIL(error, GS_ERR_DATA, "a spectrum wants 1 to %lld rows, not %lld", (long long)max,
                   (long long)n);
  }
  GS_TRY(gs_blas_load(1, error));
  workspace w;
  memset(&w, 0, sizeof w);
  gs_status status = workspace_make((int)n, &w, error);
  if (status == GS_OK) status = compute(matrix, (int)n, &w, spectrum, error);
  workspace_free(&w);
  return status;
}

/* ---- realised weights ---- */

static gs_status read_replicas(gs_network *network, void *bytes, double *matrix,
                               gs_spectrum *spectra, gs_error *error) {
  const gs_config *config = gs_network_config(network);
  const gs_tensor W = gs_network_tensor(network, GS_ROLE_WEIGHT, 1);
  gs_device *device = gs_network_device(network);
  const int64_t n = config->hidden;
  const size_t size = gs_dtype_bytes(W.dtype);
  for (int64_t r = 0; r < config->replicas; r++) {
    const unsigned char *from = (const unsigned char *)W.data + (size_t)(r * W.stride) * size;
    const size_t wanted = (size_t)(n * W.ld) * size;
    if (device->ops->download(device, bytes, from, wanted) != GS_OK) {
      *error = device->error;
      return device->error.status;
    }
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < n; j++) {
        const int64_t at = i * W.ld + j;
        matrix[i * n + j] = size == sizeof(double) ? ((const double *)bytes)[at]
                                                   : (double)((const float *)bytes)[at];
      }
    }
    GS_TRY(gs_spectrum_of(matrix, n, &spectra[r], error));
  }
  return GS_OK;
}

gs_status gs_spectra_realised(gs_device *device, const gs_config *config, gs_spectrum *spectra,
                              gs_error *error) {
  const gs_network_options options = {0};
  if (!gs_model_is_recurrent(config->model)) {
    return GS_FAIL(error, GS_ERR_DATA, "only an rnn has one matrix");
  }
  gs_config small = *config; /* the weights do not depend on what is left out */
  small.seq_len = 1;
  small.batch = 1;
  small.stats = GS_STATS_OFF;
  gs_network *network = NULL;
  GS_TRY(gs_network_create(device, &small, &options, &network, error));
  const gs_tensor W = gs_network_tensor(network, GS_ROLE_WEIGHT, 1);
  void *bytes = malloc((size_t)(config->hidden * W.ld) * gs_dtype_bytes(W.dtype));
  double *matrix = malloc((size_t)(config->hidden * config->hidden) * sizeof *matrix);
  gs_status status = bytes && matrix ? read_replicas(network, bytes, matrix, spectra, error)
                                     : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the spectrum");
  free(bytes);
  free(matrix);
  gs_network_destroy(network);
  return status;
}
