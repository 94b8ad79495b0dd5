/* A configuration as canonical JSON, back, and its identity. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_writer.h"
#include "net/param.h"
#include "sweep/block.h"
#include "sweep/spec.h"

/* ---- writing ---- */

cJSON *gs_config_to_json(const gs_config *config) {
  gs_json_writer w = gs_json_writer_object();
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    const gs_param *param = &gs_params[i];
    if (!gs_param_applies(param, config)) continue;
    gs_json_put(&w, param->key, param->type->get(param, config));
  }
  return gs_json_finish(&w);
}

/* ---- reading ---- */

gs_status gs_config_from_json(const cJSON *object, const char *path, gs_config *config,
                              gs_error *error) {
  const gs_location location = gs_location_object(NULL, path);
  gs_block block;
  GS_TRY(gs_block_read(object, &location, false, &block, error));
  return gs_block_config(&block, GS_SWEEP_MAX_LAYERS, config, error);
}

/* ---- identity ---- */

/* Whether a value is no part of an identity. Without memory: false, and *failed. */
static bool is_left_out(const gs_param *param, const cJSON *value, bool *failed) {
  if (param->group == GS_GROUP_LOCATION) return true;
  if (!value || !param->later) return false;
  const gs_config usual = {0}; /* all that came later is usually the first of its choices */
  cJSON *other = param->type->get(param, &usual);
  const bool same = other && cJSON_Compare(value, other, true);
  *failed = *failed || !other;
  cJSON_Delete(other);
  return same;
}

/* The canonical parameters without those that say where the cell runs, and without what a
 * value got later and does not use: a new parameter changes no old cell. */
static cJSON *identity_to_json(const gs_config *config) {
  bool failed = false;
  cJSON *object = gs_config_to_json(config);
  for (int i = 0; object && i < GS_PARAM_COUNT; i++) {
    const gs_param *param = &gs_params[i];
    cJSON *value = cJSON_GetObjectItemCaseSensitive(object, param->key);
    if (is_left_out(param, value, &failed)) {
      cJSON_DeleteItemFromObjectCaseSensitive(object, param->key);
    } else if (value && param->type->identify) {
      param->type->identify(value);
    }
  }
  if (!failed) return object;
  cJSON_Delete(object);
  return NULL;
}

gs_status gs_config_id(const gs_config *config, char id[GS_CELL_ID_BYTES], gs_error *error) {
  char *line = NULL;
  GS_TRY(gs_json_take_line(identity_to_json(config), "a cell's parameters", &line, error));
  snprintf(id, GS_CELL_ID_BYTES, "%016" PRIx64, gs_hash_bytes(GS_HASH_START, line, strlen(line)));
  free(line);
  return GS_OK;
}
