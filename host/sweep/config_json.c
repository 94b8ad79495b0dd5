/* A configuration as canonical JSON, back, and its identity. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sweep/block.h"
#include "sweep/param.h"
#include "sweep/spec.h"

/* ---- writing, in the order of gs_params ---- */

static cJSON *sizes_to_json(const int64_t *sizes, int64_t count) {
  cJSON *list = cJSON_CreateArray();
  for (int64_t i = 0; list && i < count; i++) {
    if (!gs_json_append(list, gs_json_number((double)sizes[i]))) {
      cJSON_Delete(list);
      return NULL;
    }
  }
  return list;
}

static bool add_shape(cJSON *object, const gs_config *config) {
  if (config->model == GS_RNN) {
    return gs_json_add_int(object, "hidden", config->hidden) &&
           gs_json_add_int(object, "input", config->input) &&
           gs_json_add_int(object, "seq_len", config->seq_len);
  }
  if (config->width > 0) {
    return gs_json_add_int(object, "depth", config->depth) &&
           gs_json_add_int(object, "width", config->width);
  }
  return gs_json_add(object, "widths", sizes_to_json(config->widths, config->depth + 1));
}

static bool add_activation(cJSON *object, const gs_config *config) {
  const bool mlp = config->model == GS_MLP;
  const gs_activation *leaky = &config->activation;
  if (mlp && leaky->kind != GS_LEAKY_RELU) leaky = &config->output_activation;
  const char *output = gs_name(&gs_activation_names, config->output_activation.kind);
  return gs_json_add_string(object, "activation",
                            gs_name(&gs_activation_names, config->activation.kind)) &&
         (leaky->kind != GS_LEAKY_RELU || gs_json_add_number(object, "slope", leaky->slope)) &&
         (!mlp || gs_json_add_string(object, "output_activation", output));
}

/* An object with the name and exactly the parameters its kind takes. */
static cJSON *init_to_json(const gs_init *init) {
  const char *takes = gs_init_takes(init->kind);
  const bool he = strstr(takes, "fan") != NULL;
  cJSON *object = cJSON_CreateObject();
  const bool ok =
      object && gs_json_add_string(object, "name", gs_name(&gs_init_names, init->kind)) &&
      (!strstr(takes, "std") || gs_json_add_number(object, "std", init->std)) &&
      (!strstr(takes, "sigma_w2") || gs_json_add_number(object, "sigma_w2", init->sigma_w2)) &&
      (!he || gs_json_add_string(object, "fan", gs_name(&gs_fan_names, init->fan))) &&
      (!he || gs_json_add_number(object, "slope", init->slope)) &&
      (!strstr(takes, "gain") || gs_json_add_number(object, "gain", init->gain));
  if (ok) return object;
  cJSON_Delete(object);
  return NULL;
}

/* null: a framework's biases, which have no bias_std. */
static bool add_bias(cJSON *object, const gs_config *config) {
  if (config->bias == GS_BIAS_NORMAL) {
    return gs_json_add_number(object, "bias_std", config->bias_std);
  }
  return gs_json_add(object, "bias_std", cJSON_CreateNull());
}

static bool add_rest(cJSON *object, const gs_config *config) {
  const bool rnn = config->model == GS_RNN;
  return gs_json_add(object, "init", init_to_json(&config->init)) &&
         (!rnn || gs_json_add(object, "input_init", init_to_json(&config->input_init))) &&
         (!rnn || gs_json_add_bool(object, "tied", config->tied)) && add_bias(object, config) &&
         gs_json_add_string(object, "loss", gs_name(&gs_loss_names, config->loss)) &&
         (!rnn ||
          gs_json_add_string(object, "loss_at", gs_name(&gs_loss_at_names, config->loss_at))) &&
         gs_json_add_string(object, "dtype", gs_name(&gs_dtype_names, config->dtype)) &&
         gs_json_add_string(object, "range", gs_name(&gs_range_names, config->range)) &&
         gs_json_add_string(object, "stats", gs_name(&gs_stats_names, config->stats)) &&
         gs_json_add_bool(object, "jacobian", config->jacobian) &&
         gs_json_add_string(object, "launch", gs_name(&gs_launch_names, config->launch)) &&
         (!rnn || gs_json_add_string(object, "loop", gs_name(&gs_loop_names, config->loop))) &&
         gs_json_add_string(object, "backend", gs_name(&gs_backend_names, config->backend)) &&
         gs_json_add_string(object, "device", config->device);
}

cJSON *gs_config_to_json(const gs_config *config) {
  cJSON *object = cJSON_CreateObject();
  const bool ok = object &&
                  gs_json_add_string(object, "model", gs_name(&gs_model_names, config->model)) &&
                  add_shape(object, config) && gs_json_add_int(object, "batch", config->batch) &&
                  gs_json_add_int(object, "replicas", config->replicas) &&
                  gs_json_add(object, "seed", gs_json_uint64(config->seed)) &&
                  add_activation(object, config) && add_rest(object, config);
  if (ok) return object;
  cJSON_Delete(object);
  return NULL;
}

/* ---- reading ---- */

gs_status gs_config_from_json(const cJSON *object, const char *path, gs_config *config,
                              gs_error *error) {
  const gs_place place = gs_place_object(NULL, path);
  gs_block block;
  GS_TRY(gs_block_read(object, &place, false, &block, error));
  return gs_block_config(&block, GS_SWEEP_MAX_LAYERS, config, error);
}

/* ---- identity ---- */

/* The canonical parameters without those that say where the cell runs. */
static cJSON *identity_to_json(const gs_config *config) {
  cJSON *object = gs_config_to_json(config);
  for (int i = 0; object && i < GS_PARAM_COUNT; i++) {
    const char *key = gs_params[i].key;
    if (gs_param_is_place(key)) cJSON_DeleteItemFromObjectCaseSensitive(object, key);
  }
  return object;
}

gs_status gs_config_id(const gs_config *config, char id[GS_CELL_ID_BYTES], gs_error *error) {
  cJSON *object = identity_to_json(config);
  char *line = object ? gs_json_print_line(object) : NULL;
  cJSON_Delete(object);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a cell's parameters");
  snprintf(id, GS_CELL_ID_BYTES, "%016" PRIx64, gs_hash_bytes(GS_HASH_START, line, strlen(line)));
  free(line);
  return GS_OK;
}
