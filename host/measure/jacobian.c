/* Walks the layers or steps of a network: the forward pass of one example, the singular
 * values of each kept Jacobian, and their product. Replicas are taken in blocks of one
 * per thread; the device is asked by this thread alone. */
#include "measure/jacobian.h"

#include <omp.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/thin.h"
#include "base/threads.h"
#include "device/device.h"
#include "measure/jacobian_lane.h"
#include "net/model.h"

enum {
  MAX_LANES = 64,
  WORTH_THREADS = 48 /* units; below, waking threads for each layer costs more than it gives */
};

typedef struct walk {
  gs_network *network;
  const gs_config *config;
  gs_device *device;
  gs_jacobian *out;
  int64_t points; /* L or T */
  int max;        /* units of the widest layer */
  gs_lane lanes[MAX_LANES];
  int lane_count;
  void *bytes; /* one matrix as the device holds it */
} walk;

void gs_jacobian_clear(gs_jacobian *jacobian) {
  if (!jacobian) return;
  free(jacobian->index);
  free(jacobian->mean);
  free(jacobian->rms);
  free(jacobian->largest);
  free(jacobian->smallest);
  free(jacobian->log10_mean);
  free(jacobian->log10_rms);
  free(jacobian->log10_largest);
  free(jacobian->log10_smallest);
  free(jacobian->lyapunov);
  *jacobian = (gs_jacobian){0};
}

/* ---- memory ---- */

static bool allocate_result(gs_jacobian *out) {
  const size_t replicas = (size_t)out->replicas;
  double **const of_points[] = {&out->mean, &out->rms, &out->largest, &out->smallest};
  double **const of_replicas[] = {&out->log10_mean, &out->log10_rms, &out->log10_largest,
                                  &out->log10_smallest};
  bool there = true;
  for (size_t i = 0; i < 4; i++) {
    *of_points[i] = calloc((size_t)out->points * replicas, sizeof **of_points[i]);
    *of_replicas[i] = calloc(replicas, sizeof **of_replicas[i]);
    there = there && *of_points[i] && *of_replicas[i];
  }
  out->index = calloc((size_t)out->points, sizeof *out->index);
  out->lyapunov = calloc((size_t)out->exponents * replicas, sizeof *out->lyapunov);
  return there && out->index && out->lyapunov;
}

/* ---- from the device ---- */

/* `rows` rows of one replica's matrix, from `first` on, without padding. */
static gs_status fetch(const walk *w, const gs_tensor *tensor, int64_t replica, int64_t first,
                       int64_t rows, double *numbers, gs_error *error) {
  const size_t size = gs_dtype_bytes(tensor->dtype);
  const int64_t start = replica * tensor->stride + first * tensor->ld;
  const int64_t wanted = (rows - 1) * tensor->ld + tensor->cols;
  if (w->device->ops->download(w->device, w->bytes,
                               (const unsigned char *)tensor->data + (size_t)start * size,
                               (size_t)wanted * size) != GS_OK) {
    *error = w->device->error;
    return w->device->error.status;
  }
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < tensor->cols; j++) {
      const int64_t at = i * tensor->ld + j;
      numbers[i * tensor->cols + j] = size == sizeof(double)
                                          ? ((const double *)w->bytes)[at]
                                          : (double)((const float *)w->bytes)[at];
    }
  }
  return GS_OK;
}

static gs_status fetch_role(const walk *w, const gs_lane *lane, gs_role role, int64_t index,
                            double *numbers, gs_error *error) {
  const gs_tensor tensor = gs_network_tensor(w->network, role, index);
  return fetch(w, &tensor, lane->replica, 0, tensor.rows, numbers, error);
}

/* What does not change from layer to layer, and the input of an mlp. */
static gs_status fetch_first(const walk *w, gs_lane *lane, gs_error *error) {
  const gs_config *config = w->config;
  const gs_tensor x = gs_network_tensor(w->network, GS_ROLE_INPUT, 0);
  if (!gs_model_is_recurrent(config->model))
    return fetch(w, &x, lane->replica, 0, 1, lane->input, error);
  if (gs_config_has_biases(config)) GS_TRY(fetch_role(w, lane, GS_ROLE_BIAS, 0, lane->bias, error));
  if (config->tied) GS_TRY(fetch_role(w, lane, GS_ROLE_WEIGHT, 1, lane->W, error));
  return fetch_role(w, lane, GS_ROLE_INPUT_WEIGHT, 0, lane->U, error);
}

static gs_status fetch_layer(const walk *w, gs_lane *lane, int64_t l, gs_error *error) {
  const gs_config *config = w->config;
  if (!gs_model_is_recurrent(config->model)) {
    if (gs_config_has_biases(config))
      GS_TRY(fetch_role(w, lane, GS_ROLE_BIAS, l, lane->bias, error));
    return fetch_role(w, lane, GS_ROLE_WEIGHT, l, lane->W, error);
  }
  const gs_tensor x = gs_network_tensor(w->network, GS_ROLE_INPUT, 0);
  GS_TRY(fetch(w, &x, lane->replica, (l - 1) * config->batch, 1, lane->input, error));
  return config->tied ? GS_OK : fetch_role(w, lane, GS_ROLE_WEIGHT, l, lane->W, error);
}

/* ---- the walk ---- */

static gs_status first_failure(const walk *w, gs_error *error) {
  for (int i = 0; i < w->lane_count; i++) {
    if (w->lanes[i].status == GS_OK) continue;
    *error = w->lanes[i].error;
    return w->lanes[i].status;
  }
  return GS_OK;
}

/* The lanes' replicas: first, first + 1, ... */
static gs_status take_block(walk *w, int64_t first, gs_error *error) {
  const int64_t left = w->out->replicas - first;
  const int lanes = left < w->lane_count ? (int)left : w->lane_count;
  int64_t point = 0;
  for (int i = 0; i < lanes; i++) {
    w->lanes[i].replica = first + i;
    GS_TRY(fetch_first(w, &w->lanes[i], error));
    gs_lane_start(&w->lanes[i], first + i);
  }
  for (int64_t l = 1; l <= w->points; l++) {
    const bool kept = point < w->out->points && w->out->index[point] == l;
    for (int i = 0; i < lanes; i++) GS_TRY(fetch_layer(w, &w->lanes[i], l, error));
#pragma omp parallel for num_threads(lanes) schedule(static) if (w->max >= WORTH_THREADS)
    for (int i = 0; i < lanes; i++) {
      gs_lane *lane = &w->lanes[i];
      lane->status = gs_lane_layer(lane, l, kept ? point : -1, w->out, &lane->error);
    }
    GS_TRY(first_failure(w, error));
    if (kept) point++;
  }
  for (int i = 0; i < lanes; i++) {
    GS_TRY(gs_lane_finish(&w->lanes[i], w->points, w->out, error));
  }
  return GS_OK;
}

static gs_status run(walk *w, int threads, gs_error *error) {
  const size_t max = (size_t)w->max;
  const bool recurrent = gs_model_is_recurrent(w->config->model);
  const size_t inputs = recurrent ? (size_t)gs_model_inputs(w->config) : max;
  const size_t count = max * (inputs > max ? inputs : max); /* of W or U */
  for (int64_t i = 0; i < w->out->points; i++) {
    w->out->index[i] = gs_thin_at(i, w->out->points, w->points) + 1;
  }
  w->bytes = malloc((count > 0 ? count : 1) * sizeof(double));
  if (!w->bytes) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for Jacobians");
  while (w->lane_count < threads && w->lane_count < MAX_LANES && w->lane_count < w->out->replicas) {
    GS_TRY(gs_lane_create(w->config, w->max, &w->lanes[w->lane_count++], error));
  }
  for (int64_t r = 0; r < w->out->replicas; r += w->lane_count) GS_TRY(take_block(w, r, error));
  return GS_OK;
}

static gs_status start(walk *w, int64_t max_points, gs_error *error) {
  const gs_config *config = w->config;
  const int64_t max = gs_model_widest(config);
  const int64_t inputs = gs_model_inputs(config);
  if (gs_dtype_bytes(config->dtype) < sizeof(float)) {
    return GS_FAIL(error, GS_ERR_UNSUPPORTED, "no Jacobians of dtype %s",
                   gs_name(&gs_dtype_names, config->dtype));
  }
  if (max > GS_JACOBIAN_MAX_WIDTH || inputs > GS_JACOBIAN_MAX_WIDTH) {
    return GS_FAIL(error, GS_ERR_UNSUPPORTED, "Jacobians want at most %d units, not %lld",
                   GS_JACOBIAN_MAX_WIDTH, (long long)(max > inputs ? max : inputs));
  }
  w->max = (int)max;
  w->points = gs_model_points(config);
  const int64_t first = gs_model_units(config, 0);
  const int64_t last = gs_model_units(config, w->points);
  *w->out = (gs_jacobian){.replicas = config->replicas,
                          .points = gs_thin_count(w->points, max_points),
                          .exponents = first < last ? first : last};
  if (allocate_result(w->out)) return GS_OK;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the Jacobians of %lld layers",
                 (long long)w->out->points);
}

gs_status gs_jacobian_of(gs_network *network, int64_t max_points, gs_jacobian *out,
                         gs_error *error) {
  gs_device_info info;
  gs_device *device = gs_network_device(network);
  *out = (gs_jacobian){0};
  GS_TRY(gs_blas_load(gs_threads_default(), error));
  walk *w = calloc(1, sizeof *w);
  if (!w) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for Jacobians");
  w->network = network;
  w->config = gs_network_config(network);
  w->device = device;
  w->out = out;
  device->ops->info(device, &info);
  /* BLAS stays on one thread, or bits would depend on how many there are */
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  gs_status status = start(w, max_points, error);
  if (status == GS_OK) {
    status = run(w, info.threads > 0 ? info.threads : gs_threads_default(), error);
  }
  omp_set_num_threads(before);
  for (int i = 0; i < w->lane_count; i++) gs_lane_clear(&w->lanes[i]);
  free(w->bytes);
  free(w);
  if (status != GS_OK) gs_jacobian_clear(out);
  return status;
}
