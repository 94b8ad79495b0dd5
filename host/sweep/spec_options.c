/* The command line as a sweep: its options become the block that a file would
 * hold, and take the same way from there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "net/param.h"
#include "sweep/expand.h"

static gs_status fail_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
}

/* Text between separators, written over with terminators as it is walked. */
static char *next_piece(char **rest, char separator) {
  char *piece = *rest;
  char *end = piece ? strchr(piece, separator) : NULL;
  if (end) *end = '\0';
  *rest = end ? end + 1 : NULL;
  return piece;
}

/* ---- one value ---- */

/* A decimal number, or else the text itself, which the parameter's own check
 * then refuses in its own words. */
static cJSON *number_or_text(const char *text) {
  char *end = NULL;
  const bool decimal = *text && text[strspn(text, "0123456789+-.eE")] == '\0';
  const double value = decimal ? strtod(text, &end) : 0.0;
  if (!decimal || *end || !isfinite(value)) return cJSON_CreateString(text);
  return gs_json_number(value);
}

static cJSON *flag_or_text(const char *text) {
  if (strcmp(text, "true") == 0) return cJSON_CreateTrue();
  if (strcmp(text, "false") == 0) return cJSON_CreateFalse();
  return cJSON_CreateString(text);
}

static void hyphens_to_underscores(char *text) {
  for (; *text; text++) *text = *text == '-' ? '_' : *text;
}

/* "key=value" as a member of the object. */
static gs_status add_member(char *piece, const gs_location *location, cJSON *object,
                            gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *value = strchr(piece, '=');
  if (!value || value == piece || !value[1]) {
    return GS_FAIL_AT(location, error, "after the name comes :key=value, not %s",
                      gs_quote(piece, quoted));
  }
  *value++ = '\0';
  hyphens_to_underscores(piece);
  if (gs_json_get(object, piece)) {
    return GS_FAIL_AT(location, error, "%s is given twice", gs_quote(piece, quoted));
  }
  return gs_json_add(object, piece, number_or_text(value)) ? GS_OK : fail_memory(error);
}

/* "name" or "name:key=value:key=value". */
static gs_status parse_named(char *text, const gs_location *location, cJSON **value,
                             gs_error *error) {
  if (!strchr(text, ':')) {
    *value = cJSON_CreateString(text);
    return *value ? GS_OK : fail_memory(error);
  }
  cJSON *object = cJSON_CreateObject();
  char *rest = text;
  const char *name = next_piece(&rest, ':');
  gs_status status =
      object && gs_json_add_string(object, "name", name) ? GS_OK : fail_memory(error);
  while (status == GS_OK && rest) {
    status = add_member(next_piece(&rest, ':'), location, object, error);
  }
  if (status == GS_OK) {
    *value = object;
  } else {
    cJSON_Delete(object);
  }
  return status;
}

static gs_status parse_list(char *text, gs_param_kind kind, const gs_location *location,
                            cJSON **value, gs_error *error);

static gs_status parse_value(char *text, gs_param_kind kind, const gs_location *location,
                             cJSON **value, gs_error *error) {
  if (!*text) return GS_FAIL_AT(location, error, "a value is empty");
  switch (kind) {
  case GS_PARAM_NUMBER: *value = number_or_text(text); break;
  case GS_PARAM_WORD: *value = cJSON_CreateString(text); break;
  case GS_PARAM_FLAG: *value = flag_or_text(text); break;
  case GS_PARAM_NAMED: return parse_named(text, location, value, error);
  case GS_PARAM_SIZES: return parse_list(text, GS_PARAM_NUMBER, location, value, error);
  }
  return *value ? GS_OK : fail_memory(error);
}

/* ---- lists of values ---- */

/* All values of one option: separated by commas, lists of sizes by slashes. */
static gs_status parse_list(char *text, gs_param_kind kind, const gs_location *location,
                            cJSON **value, gs_error *error) {
  const char separator = kind == GS_PARAM_SIZES ? '/' : ',';
  cJSON *list = cJSON_CreateArray();
  gs_status status = list ? GS_OK : fail_memory(error);
  char *rest = text;
  while (status == GS_OK && rest) {
    cJSON *item = NULL;
    status = parse_value(next_piece(&rest, separator), kind, location, &item, error);
    if (status == GS_OK && !gs_json_append(list, item)) status = fail_memory(error);
  }
  if (status == GS_OK) {
    *value = list;
  } else {
    cJSON_Delete(list);
  }
  return status;
}

/* ---- options ---- */

static gs_status fail_option(const char *key, gs_model model, gs_error *error) {
  const gs_location location = {.key = key, .index = -1, .inner = -1};
  const int param = gs_param_find(key);
  if (param < 0 || !gs_params[param].type->set)
    return GS_FAIL_AT(&location, error, "unknown option");
  return GS_FAIL_AT(&location, error, "is no option of an %s", gs_name(&gs_model_names, model));
}

/* Adds one parameter to the block. text is scratch. */
static gs_status add_parameter(const char *key, char *text, gs_model model, cJSON *block,
                               gs_error *error) {
  const int param = gs_param_find(key);
  const bool known = param >= 0 && gs_params[param].type->set;
  if (!known || !gs_param_of_model(&gs_params[param], model)) return fail_option(key, model, error);
  const gs_location location = {.key = key, .index = -1, .inner = -1};
  if (gs_json_get(block, key)) {
    return GS_FAIL_AT(&location, error, "is given twice");
  }
  cJSON *list = NULL;
  GS_TRY(parse_list(text, gs_params[param].type->kind, &location, &list, error));
  return gs_json_add(block, key, list) ? GS_OK : fail_memory(error);
}

static gs_status add_setting(const gs_setting *setting, gs_model model, cJSON *block,
                             gs_error *error) {
  char *text = strdup(setting->value);
  const gs_status status =
      text ? add_parameter(setting->key, text, model, block, error) : fail_memory(error);
  free(text);
  return status;
}

static gs_status fill_block(const char *model_word, const gs_setting *settings, int count,
                            cJSON *blocks, gs_error *error) {
  const gs_location location = {.index = -1, .inner = -1};
  cJSON *block = cJSON_CreateObject();
  if (!gs_json_append(blocks, block)) return fail_memory(error);
  if (!gs_json_add_string(block, "model", model_word)) return fail_memory(error);
  gs_model model = GS_MLP;
  GS_TRY(gs_param_model(block->child, &location, &model, error));
  for (int i = 0; i < count; i++) GS_TRY(add_setting(&settings[i], model, block, error));
  return GS_OK;
}

gs_status gs_sweep_from_settings(const char *model, const gs_setting *settings, int count,
                                 gs_sweep *sweep, gs_error *error) {
  *sweep = (gs_sweep){.timing = GS_SWEEP_TIMING_NOT_GIVEN};
  cJSON *blocks = cJSON_CreateArray();
  if (!blocks) return fail_memory(error);
  gs_status status = fill_block(model, settings, count, blocks, error);
  if (status == GS_OK) {
    const gs_location location = {.index = -1, .inner = -1};
    snprintf(sweep->name, sizeof sweep->name, "%s", model);
    status = gs_sweep_expand(blocks, &location, sweep, error);
  }
  cJSON_Delete(blocks);
  return status;
}
