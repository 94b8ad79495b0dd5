/* Blocks of a sweep: reading, counting and walking their axes. */
#include "sweep/block.h"

#include <stdio.h>
#include <string.h>

#include "sweep/spec.h"

/* ---- reading ---- */

static gs_status read_model(const cJSON *object, const gs_location *location, gs_model *model,
                            gs_error *error) {
  const gs_location at = gs_location_key(location, "model");
  const cJSON *value = gs_json_get(object, "model");
  if (!value) return GS_FAIL_AT(location, error, "\"model\" is missing (mlp or rnn)");
  return gs_param_model(value, &at, model, error);
}

static gs_status fail_key(const gs_location *location, const char *key, gs_model model,
                          gs_error *error) {
  const gs_location at = gs_location_key(location, key);
  if (gs_param_find(key) >= 0) {
    return GS_FAIL_AT(&at, error, "is no parameter of an %s", gs_name(&gs_model_names, model));
  }
  const char *keys[GS_PARAM_COUNT];
  int count = 0;
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    if (gs_param_of_model(&gs_params[i], model)) keys[count++] = gs_params[i].key;
  }
  return gs_value_unknown_key(&at, keys, count, error);
}

/* The values of one key. A list is an axis, except for sizes: there a list of
 * lists is. */
static gs_status read_axis(const cJSON *value, const gs_location *location, int param, bool lists,
                           gs_axis *axis, gs_error *error) {
  const cJSON *first = cJSON_IsArray(value) ? value->child : NULL;
  const bool sizes = gs_params[param].type->kind == GS_PARAM_SIZES;
  const bool list = cJSON_IsArray(value) && (!sizes || cJSON_IsArray(first));
  if (list && !lists) return GS_FAIL_AT(location, error, "must have one value, not a list");
  if (list && !first) return GS_FAIL_AT(location, error, "the list is empty: it leaves no cells");
  *axis = (gs_axis){.param = param, .list = list, .count = 1, .first = list ? first : value};
  if (list) axis->count = cJSON_GetArraySize(value);
  axis->current = axis->first;
  return GS_OK;
}

static const gs_axis *find_axis(const gs_block *block, const char *key) {
  for (int i = 0; i < block->axis_count; i++) {
    if (strcmp(gs_params[block->axes[i].param].key, key) == 0) return &block->axes[i];
  }
  return NULL;
}

/* One value of an axis, by name or as an object with a name; NULL otherwise. */
static const char *named(const cJSON *value) {
  if (cJSON_IsObject(value)) value = gs_json_get(value, "name");
  return cJSON_IsString(value) ? value->valuestring : NULL;
}

static bool axis_has_name(const gs_axis *axis, const char *name) {
  if (!axis) return false;
  const cJSON *value = axis->first;
  for (int64_t i = 0; i < axis->count; i++, value = value->next) {
    const char *text = named(value);
    if (text && strcmp(text, name) == 0) return true;
  }
  return false;
}

/* `slope` beside the activation serves leaky_relu, which must be there and must
 * not bring a slope of its own. */
static gs_status check_slope_key(const gs_block *block, gs_error *error) {
  if (!find_axis(block, "slope")) return GS_OK;
  const gs_location at = gs_location_key(&block->location, "slope");
  const gs_axis *activation = find_axis(block, "activation");
  if (!axis_has_name(activation, "leaky_relu") &&
      !axis_has_name(find_axis(block, "output_activation"), "leaky_relu")) {
    return GS_FAIL_AT(&at, error, "only leaky_relu has a slope, and no activation is leaky_relu");
  }
  const cJSON *value = activation ? activation->first : NULL;
  for (int64_t i = 0; activation && i < activation->count; i++, value = value->next) {
    if (cJSON_IsObject(value) && gs_json_get(value, "slope")) {
      return GS_FAIL_AT(&at, error, "the activation already has a slope");
    }
  }
  return GS_OK;
}

/* Keys that say the same thing another way do not go together. */
static gs_status check_alternatives(const gs_block *block, const gs_param *param, gs_error *error) {
  const gs_location at = gs_location_key(&block->location, param->key);
  char keys[GS_QUOTE_BYTES];
  gs_line line = gs_line_in(keys, sizeof keys);
  bool beside = false;
  for (const char *word = param->instead_of; *word;) {
    const int length = (int)strcspn(word, " ");
    char key[GS_QUOTE_BYTES];
    snprintf(key, sizeof key, "%.*s", length, word);
    beside = beside || find_axis(block, key);
    gs_line_add(&line, "%s\"%s\"", line.length > 0 ? " and " : "", key);
    word += length;
    word += strspn(word, " ");
  }
  return beside ? GS_FAIL_AT(&at, error, "goes without %s", keys) : GS_OK;
}

/* Has the choice that a key goes with such a value? */
static bool has_company(const gs_block *block, const gs_param *param) {
  const gs_axis *axis = find_axis(block, param->goes_with);
  const cJSON *value = axis ? axis->first : NULL;
  for (int64_t i = 0; axis && i < axis->count; i++, value = value->next) {
    const char *text = named(value);
    if (!text) return true; /* of a wrong type: said where it is read */
    if (param->goes_with_value ? strcmp(text, param->goes_with_value) == 0
                               : strcmp(text, "none") != 0) {
      return true;
    }
  }
  return false;
}

static gs_status check_company(const gs_block *block, const gs_param *param, gs_error *error) {
  const gs_location at = gs_location_key(&block->location, param->key);
  if (!param->goes_with || !find_axis(block, param->key) || has_company(block, param)) return GS_OK;
  return GS_FAIL_AT(&at, error, "goes with \"%s\"%s%s", param->goes_with,
                    param->goes_with_value ? " " : "",
                    param->goes_with_value ? param->goes_with_value : " other than none");
}

static gs_status check_keys(const gs_block *block, gs_error *error) {
  for (int p = 0; p < GS_PARAM_COUNT; p++) {
    const gs_param *param = &gs_params[p];
    GS_TRY(check_company(block, param, error));
    if (!param->instead_of || !find_axis(block, param->key)) continue;
    GS_TRY(check_alternatives(block, param, error));
  }
  return check_slope_key(block, error);
}

gs_status gs_block_read(const cJSON *object, const gs_location *location, bool lists,
                        gs_block *block, gs_error *error) {
  *block = (gs_block){.location = *location};
  if (!cJSON_IsObject(object)) {
    char quoted[GS_QUOTE_BYTES];
    return GS_FAIL_AT(location, error, "must be an object, not %s", gs_quote_value(object, quoted));
  }
  GS_TRY(read_model(object, location, &block->model, error));
  for (const cJSON *value = object->child; value; value = value->next) {
    const int param = gs_param_find(value->string);
    if (param < 0 || !gs_param_of_model(&gs_params[param], block->model)) {
      return fail_key(location, value->string, block->model, error);
    }
    if (!gs_params[param].type->set) continue; /* model */
    const gs_location at = gs_location_key(location, gs_params[param].key);
    if (find_axis(block, at.key)) return GS_FAIL_AT(&at, error, "is given twice");
    GS_TRY(read_axis(value, &at, param, lists, &block->axes[block->axis_count], error));
    block->axis_count++;
  }
  return check_keys(block, error);
}

/* ---- walking ---- */

bool gs_block_count(const gs_block *block, int64_t *count) {
  *count = 1;
  for (int i = 0; i < block->axis_count; i++) {
    if (__builtin_mul_overflow(*count, block->axes[i].count, count)) return false;
  }
  return true;
}

bool gs_block_next(gs_block *block) {
  for (int i = block->axis_count - 1; i >= 0; i--) {
    gs_axis *axis = &block->axes[i];
    if (++axis->position < axis->count) {
      axis->current = axis->current->next;
      return true;
    }
    axis->position = 0;
    axis->current = axis->first;
  }
  return false;
}

/* ---- cells ---- */

/* Values in the order of the table, so that a parameter may build on an earlier
 * one (output_activation on activation). */
static gs_status apply_values(const gs_block *block, gs_config *config, gs_error *error) {
  const gs_axis *by_param[GS_PARAM_COUNT] = {NULL};
  for (int i = 0; i < block->axis_count; i++) by_param[block->axes[i].param] = &block->axes[i];
  for (int p = 0; p < GS_PARAM_COUNT; p++) {
    const gs_axis *axis = by_param[p];
    if (!axis) continue;
    gs_location at = gs_location_key(&block->location, gs_params[p].key);
    if (axis->list) at.index = axis->position;
    GS_TRY(gs_params[p].type->set(&gs_params[p], axis->current, &at, config, error));
  }
  return GS_OK;
}

/* What follows from the values. */
static void settle(const gs_block *block, gs_config *config) {
  for (int p = 0; p < GS_PARAM_COUNT; p++) {
    const gs_param *param = &gs_params[p];
    if (!param->follow || !gs_param_of_model(param, block->model)) continue;
    if (!find_axis(block, param->key) || !gs_param_applies(param, config)) param->follow(config);
  }
}

static gs_status fill_config(const gs_block *block, int64_t max_layers, gs_config *config,
                             gs_error *error) {
  GS_TRY(apply_values(block, config, error));
  if (config->depth > max_layers) {
    return GS_FAIL_AT(&block->location, error,
                      "the sweep's cells have more than %d layers together", GS_SWEEP_MAX_LAYERS);
  }
  settle(block, config);
  if (config->width > 0) { /* that, its ends and the depth may be new */
    const int64_t input = config->input;
    const int64_t output = config->output;
    GS_TRY(gs_config_set_widths(config, config->depth, config->width, error));
    if (block->model == GS_MLP) gs_config_set_ends(config, input, output);
  }
  gs_error inner = {0};
  const gs_status status = gs_config_check(config, &inner);
  if (status == GS_OK) return GS_OK;
  if (status != GS_ERR_DATA) return GS_FAIL(error, status, "%s", inner.message);
  return GS_FAIL_AT(&block->location, error, "%s", inner.message);
}

gs_status gs_block_config(const gs_block *block, int64_t max_layers, gs_config *config,
                          gs_error *error) {
  GS_TRY(gs_config_default(block->model, config, error));
  const gs_status status = fill_config(block, max_layers, config, error);
  if (status != GS_OK) gs_config_clear(config);
  return status;
}
