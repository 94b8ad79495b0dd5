/* Jacobians of one replica, layer by layer. See jacobian_lane.h. */
#include "measure/jacobian_lane.h"

#include "net/model.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"

/* Below this share of the largest, a singular value of a full decomposition is noise in
 * its later digits; a product of one factor has it to full relative accuracy. */
static const double DOUBTFUL = 1e-6;

gs_status gs_lane_create(const gs_config *config, int max, gs_lane *lane, gs_error *error) {
  const size_t n = (size_t)max;
  const bool rnn = gs_model_is_recurrent(config->model);
  const size_t inputs = rnn ? (size_t)config->input : n;
  *lane = (gs_lane){.config = config};
  GS_TRY(gs_example_create(max, &lane->example, error));
  GS_TRY(gs_product_create(max, &lane->chain, error));
  GS_TRY(gs_product_create(max, &lane->single, error));
  lane->W = malloc(n * n * sizeof *lane->W);
  lane->U = malloc((rnn ? n * inputs : 1) * sizeof *lane->U);
  lane->bias = malloc(n * sizeof *lane->bias);
  lane->input = malloc(inputs * sizeof *lane->input);
  lane->projection = malloc(n * sizeof *lane->projection);
  lane->values = malloc(n * sizeof *lane->values);
  if (lane->W && lane->U && lane->bias && lane->input && lane->projection && lane->values) {
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for Jacobians of %d units", max);
}

void gs_lane_clear(gs_lane *lane) {
  gs_example_clear(&lane->example);
  gs_product_destroy(lane->chain);
  gs_product_destroy(lane->single);
  free(lane->W);
  free(lane->U);
  free(lane->bias);
  free(lane->input);
  free(lane->projection);
  free(lane->values);
  *lane = (gs_lane){0};
}

static int units_before(const gs_config *config, int64_t l) {
  return (int)gs_model_units(config, l - 1);
}

void gs_lane_start(gs_lane *lane, int64_t replica) {
  const int n = units_before(lane->config, 1);
  lane->replica = replica;
  gs_example_start(&lane->example, gs_model_is_recurrent(lane->config->model) ? NULL : lane->input,
                   n);
  gs_product_start(lane->chain, n);
  lane->finite = true;
}

/* What is added to W h: NULL for nothing. */
static const double *added(gs_lane *lane) {
  const gs_config *config = lane->config;
  const bool biased = gs_config_has_biases(config);
  if (!gs_model_is_recurrent(config->model)) return biased ? lane->bias : NULL;
  const int n = (int)config->hidden;
  const int inputs = (int)config->input;
  if (biased) memcpy(lane->projection, lane->bias, (size_t)n * sizeof *lane->bias);
  cblas_dgemv(CblasRowMajor, CblasNoTrans, n, inputs, 1, lane->U, inputs, lane->input, 1, biased,
              lane->projection, 1);
  return lane->projection;
}

/* In: the decomposition's smallest. */
static gs_status find_smallest(gs_lane *lane, int rows, int cols, double *smallest,
                               gs_error *error) {
  const int count = rows < cols ? rows : cols;
  const double *slope = lane->example.slope;
  gs_extremes extremes;
  int alive = 0;
  for (int i = 0; i < rows; i++) alive += slope[i] != 0;
  if (alive >= count && *smallest >= DOUBTFUL * lane->values[0]) return GS_OK;
  *smallest = 0;
  if (alive < count) return GS_OK;
  gs_product_start(lane->single, cols);
  GS_TRY(gs_product_multiply(lane->single, slope, lane->W, rows, error));
  GS_TRY(gs_product_extremes(lane->single, &extremes, error));
  *smallest = pow(10, extremes.log10_smallest);
  return GS_OK;
}

static gs_status keep_layer(gs_lane *lane, int64_t point, int rows, int cols, gs_jacobian *out,
                            gs_error *error) {
  const int count = rows < cols ? rows : cols;
  const int64_t entry = point * out->replicas + lane->replica;
  double sum = 0;
  double squares = 0;
  GS_TRY(gs_product_singular_values(lane->chain, lane->example.slope, lane->W, rows, cols,
                                    lane->values, error));
  const double largest = lane->values[0];
  for (int i = count - 1; i >= 0; i--) {
    const double share = largest > 0 ? lane->values[i] / largest : 0; /* its square is in range */
    sum += share;
    squares += share * share;
  }
  double smallest = lane->values[count - 1];
  GS_TRY(find_smallest(lane, rows, cols, &smallest, error));
  out->mean[entry] = largest * (sum / count);
  out->rms[entry] = largest * sqrt(squares / count);
  out->largest[entry] = largest;
  out->smallest[entry] = smallest;
  return GS_OK;
}

/* A Jacobian that is not finite is a finding: it has no singular values. */
static void keep_nothing(const gs_lane *lane, int64_t point, gs_jacobian *out) {
  const int64_t entry = point * out->replicas + lane->replica;
  out->mean[entry] = out->rms[entry] = out->largest[entry] = out->smallest[entry] = NAN;
}

gs_status gs_lane_layer(gs_lane *lane, int64_t l, int64_t point, gs_jacobian *out,
                        gs_error *error) {
  const gs_config *config = lane->config;
  const int cols = units_before(config, l);
  const int rows = (int)gs_model_units(config, l);
  const gs_activation phi = gs_model_activation(config, l);
  gs_example_layer(&lane->example, phi, lane->W, rows, cols, added(lane));
  if (point >= 0) {
    const gs_status status = keep_layer(lane, point, rows, cols, out, error);
    if (status == GS_ERR_DATA) {
      keep_nothing(lane, point, out);
    } else if (status != GS_OK) {
      return status;
    }
  }
  if (!lane->finite) return GS_OK;
  const gs_status status =
      gs_product_multiply(lane->chain, lane->example.slope, lane->W, rows, error);
  lane->finite = status != GS_ERR_DATA;
  return lane->finite ? status : GS_OK;
}

gs_status gs_lane_finish(gs_lane *lane, int64_t layers, gs_jacobian *out, gs_error *error) {
  const int64_t r = lane->replica;
  if (!lane->finite) {
    for (int64_t i = 0; i < out->exponents; i++) out->lyapunov[i * out->replicas + r] = NAN;
    out->log10_mean[r] = out->log10_rms[r] = NAN;
    out->log10_largest[r] = out->log10_smallest[r] = NAN;
    return GS_OK;
  }
  const int rank = gs_product_rank(lane->chain);
  gs_extremes extremes;
  for (int i = 0; i < rank; i++) {
    lane->values[i] = gs_product_ln(lane->chain, i) / (double)layers;
  }
  gs_sort(lane->values, (size_t)rank);
  for (int64_t i = 0; i < out->exponents; i++) {
    out->lyapunov[i * out->replicas + r] = i < rank ? lane->values[rank - 1 - i] : -INFINITY;
  }
  GS_TRY(gs_product_extremes(lane->chain, &extremes, error));
  out->log10_mean[r] = extremes.log10_mean;
  out->log10_rms[r] = extremes.log10_rms;
  out->log10_largest[r] = extremes.log10_largest;
  out->log10_smallest[r] = extremes.log10_smallest;
  return GS_OK;
}
