/* One cell from configuration to record. */
#include "measure/measure.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "measure/agreement.h"
#include "measure/cost.h"
#include "measure/digest.h"
#include "measure/jacobian_json.h"
#include "measure/layers.h"
#include "measure/summary.h"
#include "measure/timing.h"
#include "net/network.h"

gs_measure_options gs_measure_defaults(void) {
  return (gs_measure_options){
      .timing = {.time_limit_s = 1, .min_time_s = 0.5, .min_samples = 10, .spread = 0.01},
      .max_points = 1024,
      .threshold_decades = 1};
}

/* ---- parts of the record ---- */

static void put_backend(gs_json_writer *w, gs_device *device) {
  gs_device_info info;
  device->ops->info(device, &info);
  gs_json_open_object(w, "backend");
  gs_json_put_string(w, "name", info.backend);
  gs_json_put_string(w, "device", info.name);
  gs_json_put_int(w, "threads", info.threads);
  gs_json_close(w);
}

/* After the measurement: the threads that really ran. A small network has one. */
static void name_threads(const cJSON *record, gs_device *device) {
  gs_device_info info;
  device->ops->info(device, &info);
  cJSON *threads = cJSON_GetObjectItemCaseSensitive(
      cJSON_GetObjectItemCaseSensitive(record, "backend"), "threads");
  if (threads && info.largest_team > 0) cJSON_SetNumberValue(threads, info.largest_team);
}

static void put_memory(gs_json_writer *w, const gs_network_memory *memory) {
  const size_t *bytes = memory->bytes;
  gs_json_open_object(w, "memory");
  gs_json_put_int(w, "predicted_bytes", (int64_t)memory->total_bytes);
  gs_json_put_int(w, "weights_bytes", (int64_t)bytes[GS_MEMORY_WEIGHTS]);
  gs_json_put_int(w, "data_bytes", (int64_t)bytes[GS_MEMORY_DATA]);
  gs_json_put_int(w, "activations_bytes", (int64_t)bytes[GS_MEMORY_ACTIVATIONS]);
  gs_json_put_int(w, "gradients_bytes", (int64_t)bytes[GS_MEMORY_GRADIENTS]);
  gs_json_put_int(w, "statistics_bytes", (int64_t)bytes[GS_MEMORY_STATISTICS]);
  gs_json_put_int(w, "workspace_bytes", (int64_t)bytes[GS_MEMORY_WORKSPACE]);
  gs_json_close(w);
}

static void put_cost(gs_json_writer *w, const gs_config *config) {
  const gs_cost cost = gs_cost_of(config);
  gs_json_open_object(w, "cost");
  gs_json_put_number(w, "flops", cost.flops);
  gs_json_put_number(w, "bytes", cost.bytes);
  gs_json_put_number(w, "dependent", cost.dependent);
  gs_json_put_number(w, "barriers", cost.barriers);
  gs_json_put_number(w, "launches", cost.launches);
  gs_json_put_number(w, "samples", cost.samples);
  gs_json_close(w);
}

static gs_status put_hash(gs_json_writer *w, gs_network *network, gs_error *error) {
  uint64_t hash;
  GS_TRY(gs_network_weights_hash(network, &hash, error));
  const gs_config *config = gs_network_config(network);
  const char *bias = gs_config_has_biases(config) ? gs_name(&gs_bias_names, config->bias) : "none";
  gs_json_put_string(w, "bias", bias);
  gs_json_put(w, "weights_hash", gs_json_hex64(hash));
  return GS_OK;
}

static gs_status put_loss(gs_json_writer *w, gs_network *network, gs_error *error) {
  const size_t replicas = (size_t)gs_network_config(network)->replicas;
  gs_scaled *loss = malloc(replicas * sizeof *loss);
  if (!loss) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
  const gs_status status = gs_network_loss(network, loss, error);
  gs_json_open_object(w, "loss");
  cJSON *sign = gs_json_put_column(w, "sign");
  cJSON *log10_abs = gs_json_put_column(w, "log10_abs");
  gs_json_close(w);
  for (size_t r = 0; status == GS_OK && r < replicas; r++) {
    const double value = loss[r].value;
    const double magnitude = log10(fabs(value)) + (double)loss[r].exponent * log10(2);
    const double signum = isnan(value) ? (double)NAN : (double)((value > 0) - (value < 0));
    gs_json_append_number(w, sign, signum);
    gs_json_append_number(w, log10_abs, magnitude);
  }
  free(loss);
  return status;
}

static gs_status put_layers(gs_json_writer *w, const gs_quantity_stats *stats,
                            const gs_kept_axis *kept, const gs_config *config, int64_t max_points,
                            gs_error *error) {
  gs_json_open_object(w, "layers");
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    if (stats[q].points == 0) continue;
    gs_json_open_object(w, gs_name(&gs_quantity_names, (gs_quantity)q));
    GS_TRY(gs_layers_put(w, &stats[q], &kept[q], config, (gs_quantity)q, max_points, error));
    gs_json_close(w);
  }
  gs_json_close(w);
  return GS_OK;
}

static gs_status put_summary(gs_json_writer *w, gs_network *network, const gs_quantity_stats *stats,
                             const gs_kept_axis *kept, double threshold, gs_error *error) {
  gs_json_open_object(w, "summary");
  GS_TRY(gs_summary_put(w, stats, kept, gs_network_config(network), threshold, error));
  GS_TRY(put_loss(w, network, error));
  gs_json_close(w);
  return gs_json_writer_status(w, "the record", error);
}

/* ---- the measurement ---- */

/* kept: filled here but in native range. */
static gs_status put_statistics(gs_json_writer *w, gs_network *network,
                                const gs_measure_options *options,
                                gs_kept_axis kept[GS_QUANTITY_COUNT], gs_error *error) {
  const gs_config *config = gs_network_config(network);
  gs_quantity_stats stats[GS_QUANTITY_COUNT] = {0};
  gs_status status = GS_OK;
  for (int q = 0; status == GS_OK && q < GS_QUANTITY_COUNT; q++) {
    status = gs_network_view_stats(network, (gs_quantity)q, &stats[q], error);
    if (status == GS_OK && config->range == GS_RANGE_EXTENDED) {
      status = gs_kept_axis_of(&stats[q], config, &kept[q], error);
    }
  }
  if (status == GS_OK) {
    status = put_layers(w, stats, kept, config, options->max_points, error);
  }
  if (status == GS_OK) {
    status = put_summary(w, network, stats, kept, options->threshold_decades, error);
  }
  if (status == GS_OK) {
    status = gs_agreement_put(w, stats, config, options->max_points, error);
  }
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_quantity_stats_clear(&stats[q]);
  return status;
}

static gs_status put_jacobian(gs_json_writer *w, gs_network *network,
                              const gs_measure_options *options, gs_error *error) {
  gs_jacobian jacobian;
  GS_TRY(gs_jacobian_of(network, options->max_points, &jacobian, error));
  gs_json_open_object(w, "jacobian");
  const gs_status status = gs_jacobian_put(w, &jacobian, options->max_points, error);
  gs_json_close(w);
  gs_jacobian_clear(&jacobian);
  return status;
}

static gs_status put_timing(gs_json_writer *w, gs_network *network,
                            const gs_measure_options *options, gs_error *error) {
  cJSON *json = NULL;
  gs_timing *timing = malloc(sizeof *timing);
  if (!timing) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
  gs_status status =
      gs_timing_measure(network, false, &options->timing, options->steps_per_sample, timing, error);
  if (status == GS_OK) {
    status = gs_timing_json(timing, options->round, gs_network_config(network), NULL, &json, error);
  }
  if (status == GS_OK) gs_json_put(w, "timing", json);
  free(timing);
  return status;
}

static gs_status measure_gradients(gs_json_writer *w, gs_network *network,
                                   const gs_measure_options *options,
                                   gs_kept_axis kept[GS_QUANTITY_COUNT], gs_error *error) {
  char digest[GS_SHA256_TEXT_BYTES];
  GS_TRY(put_hash(w, network, error));
  GS_TRY(gs_network_step(network, true, error));
  if (gs_network_config(network)->stats != GS_STATS_OFF) {
    GS_TRY(put_statistics(w, network, options, kept, error));
  }
  if (gs_network_config(network)->jacobian) GS_TRY(put_jacobian(w, network, options, error));
  gs_json_put_string(w, "digest", gs_digest_of(gs_json_opened(w), digest));
  return gs_json_writer_status(w, "the record", error);
}

/* Later rounds time alone: everything else is the same in all of them. */
static gs_status measure_network(gs_json_writer *w, gs_network *network,
                                 const gs_measure_options *options,
                                 gs_kept_axis kept[GS_QUANTITY_COUNT], gs_error *error) {
  if (options->round == 0) GS_TRY(measure_gradients(w, network, options, kept, error));
  if (!(options->timing.time_limit_s > 0)) return GS_OK;
  return put_timing(w, network, options, error);
}

/* Refuses a cell that would not fit, before asking for its memory: GS_ERR_UNSUPPORTED
 * for what can never be, GS_ERR_MEMORY for what cannot be at the moment. */
static gs_status check_memory(gs_device *device, const gs_network_memory *memory, gs_error *error) {
  gs_device_info info;
  device->ops->info(device, &info);
  if (device->lost) { /* it is not memory that is missing */
    if (error) *error = device->error;
    return GS_ERR_DEVICE;
  }
  if (memory->total_bytes <= (size_t)info.memory_bytes) return GS_OK;
  /* a neighbour may be gone the next time; what the device lacks cannot be */
  const bool never = memory->total_bytes > (size_t)info.capacity_bytes;
  const double has = (double)(never ? info.capacity_bytes : info.memory_bytes);
  const bool small = memory->total_bytes < (size_t)1 << 30;
  const double unit = small ? 0x1p20 : 0x1p30;
  const char *name = small ? "MiB" : "GiB";
  return GS_FAIL(error, never ? GS_ERR_UNSUPPORTED : GS_ERR_MEMORY,
                 "needs %.1f %s of memory, %.1f %s are %s", (double)memory->total_bytes / unit,
                 name, has / unit, name, never ? "all there is" : "available now");
}

static gs_status measure_into(gs_json_writer *w, gs_device *device, const gs_config *config,
                              const gs_measure_options *options, gs_error *error) {
  gs_network_memory memory;
  gs_network *network = NULL;
  gs_kept_axis kept[GS_QUANTITY_COUNT] = {0};
  gs_status status = GS_OK;
  GS_TRY(gs_network_predict(device, config, NULL, &memory, error));
  put_memory(w, &memory);
  put_cost(w, config);
  GS_TRY(check_memory(device, &memory, error));
  if (config->range == GS_RANGE_NATIVE && config->stats == GS_STATS_FULL && options->round == 0) {
    status = gs_kept_axes_measure(device, config, kept, error);
  }
  if (status == GS_OK) status = gs_network_create(device, config, NULL, &network, error);
  if (status == GS_OK) status = measure_network(w, network, options, kept, error);
  gs_network_destroy(network);
  gs_kept_axes_clear(kept);
  return status;
}

static const char *cell_status(const gs_device *device, gs_status status) {
  if (device->lost) return "failed";
  switch (status) {
  case GS_OK: return "ok";
  case GS_ERR_UNSUPPORTED: return "skipped";
  default: return "failed";
  }
}

/* Owns the item on success, frees it on failure. */
static bool replace(cJSON *object, const char *key, cJSON *item) {
  if (!item || !cJSON_ReplaceItemInObjectCaseSensitive(object, key, item)) {
    cJSON_Delete(item);
    return false;
  }
  return item->string != NULL; /* old versions of cJSON do not look */
}

gs_status gs_measure_cell(gs_device *device, const gs_config *config,
                          const gs_measure_options *options, cJSON **record, gs_error *error) {
  gs_error own = {0};
  gs_json_writer w = gs_json_writer_object();
  *record = NULL;
  gs_json_put_string(&w, "status", "ok");
  gs_json_put_string(&w, "error", "");
  put_backend(&w, device);
  gs_status status = measure_into(&w, device, config, options, &own);
  cJSON *body = gs_json_finish(&w);
  if (!body) status = GS_FAIL(&own, GS_ERR_MEMORY, "no memory for the record");
  if (status == GS_ERR_MEMORY && (!body || !device->lost)) { /* in any part of the record */
    cJSON_Delete(body);
    return GS_FAIL(error, status, "%s", own.message);
  }
  name_threads(body, device);
  if (status == GS_OK && device->lost) { /* on the way out: what was measured is in doubt */
    status = GS_ERR_DEVICE;
    own = device->error;
    cJSON_DeleteItemFromObjectCaseSensitive(body, "timing");
  }
  if (!replace(body, "status", cJSON_CreateString(cell_status(device, status))) ||
      !replace(body, "error",
               status == GS_OK ? cJSON_CreateNull() : cJSON_CreateString(own.message))) {
    cJSON_Delete(body);
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
  }
  *record = body;
  return GS_OK;
}
