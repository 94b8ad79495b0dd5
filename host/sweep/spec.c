/* Sweep files: the document around the blocks, and the filter. */
#include "sweep/spec.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "base/value.h"
#include "measure/timing_rule.h"
#include "sweep/expand.h"

/* ---- the document ---- */

static gs_status read_name(const cJSON *value, const gs_location *location, gs_sweep *sweep,
                           gs_error *error) {
  const char *name = NULL;
  GS_TRY(gs_value_word(value, location, &name, error));
  const size_t length = strlen(name);
  if (length == 0 || length >= GS_SWEEP_NAME_BYTES) {
    return GS_FAIL_AT(location, error, "must have 1 to %d bytes, not %zu", GS_SWEEP_NAME_BYTES - 1,
                      length);
  }
  char printable[GS_SWEEP_NAME_BYTES];
  if (strcmp(gs_printable(name, printable, sizeof printable), name) != 0) {
    return GS_FAIL_AT(location, error, "must hold no control characters");
  }
  memcpy(sweep->name, name, length + 1);
  return GS_OK;
}

static gs_status read_timing_key(const cJSON *value, const gs_location *location,
                                 gs_sweep_timing *timing, gs_error *error) {
  static const char *const keys[] = {"time_limit_s", "min_time_s", "min_samples", "spread"};
  double *const numbers[] = {&timing->time_limit_s, &timing->min_time_s, NULL, &timing->spread};
  enum { KEYS = sizeof keys / sizeof *keys };
  for (int i = 0; i < KEYS; i++) {
    if (strcmp(value->string, keys[i]) != 0) continue;
    if (numbers[i]) return gs_value_real(value, location, numbers[i], error);
    return gs_value_size(value, location, GS_TIMING_MAX_SAMPLES, &timing->min_samples, error);
  }
  return gs_value_unknown_key(location, keys, KEYS, error);
}

static gs_status read_timing(const cJSON *object, const gs_location *location, gs_sweep *sweep,
                             gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsObject(object)) {
    return GS_FAIL_AT(location, error, "must be an object, not %s", gs_quote_value(object, quoted));
  }
  for (const cJSON *value = object->child; value; value = value->next) {
    gs_location at = *location;
    at.member = value->string;
    GS_TRY(read_timing_key(value, &at, &sweep->timing, error));
  }
  return GS_OK;
}

static gs_status check_blocks(const cJSON *blocks, const gs_location *location, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!blocks) return GS_FAIL_AT(location, error, "the sweep needs \"blocks\"");
  const gs_location at = gs_location_key(location, "blocks");
  if (!cJSON_IsArray(blocks)) {
    return GS_FAIL_AT(&at, error, "must be a list of blocks, not %s",
                      gs_quote_value(blocks, quoted));
  }
  if (!blocks->child) return GS_FAIL_AT(&at, error, "the list is empty: it leaves no cells");
  return GS_OK;
}

static gs_status read_document(const cJSON *root, const gs_location *location, gs_sweep *sweep,
                               gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsObject(root)) {
    return GS_FAIL_AT(location, error, "must be an object, not %s", gs_quote_value(root, quoted));
  }
  const cJSON *blocks = NULL;
  for (const cJSON *value = root->child; value; value = value->next) {
    const gs_location at = gs_location_key(location, value->string);
    if (strcmp(value->string, "blocks") == 0) {
      blocks = value;
    } else if (strcmp(value->string, "name") == 0) {
      GS_TRY(read_name(value, &at, sweep, error));
    } else if (strcmp(value->string, "timing") == 0) {
      GS_TRY(read_timing(value, &at, sweep, error));
    } else {
      const char *const keys[] = {"name", "timing", "blocks"};
      return gs_value_unknown_key(&at, keys, 3, error);
    }
  }
  GS_TRY(check_blocks(blocks, location, error));
  return gs_sweep_expand(blocks, location, sweep, error);
}

/* The file's name without folder and .json. */
static void default_name(const char *origin, gs_sweep *sweep) {
  const char *slash = origin ? strrchr(origin, '/') : NULL;
  const char *base = slash ? slash + 1 : origin;
  snprintf(sweep->name, sizeof sweep->name, "%s", base && *base ? base : "sweep");
  char *extension = strstr(sweep->name, ".json");
  if (extension && extension > sweep->name && extension[5] == '\0') *extension = '\0';
}

gs_status gs_sweep_from_json(const cJSON *root, const char *origin, gs_sweep *sweep,
                             gs_error *error) {
  *sweep = (gs_sweep){.timing = GS_SWEEP_TIMING_NOT_GIVEN};
  default_name(origin, sweep);
  const gs_location location = gs_location_object(origin, "$");
  return read_document(root, &location, sweep, error);
}

gs_status gs_sweep_from_file(const char *path, gs_sweep *sweep, gs_error *error) {
  cJSON *root = NULL;
  *sweep = (gs_sweep){.timing = GS_SWEEP_TIMING_NOT_GIVEN};
  GS_TRY(gs_json_read_file(path, GS_JSON_MAX_INPUT_BYTES, &root, error));
  const gs_status status = gs_sweep_from_json(root, path, sweep, error);
  cJSON_Delete(root);
  return status;
}

/* ---- after the expansion ---- */

/* Some digits of an id say nothing: it is matched, also at the end of a name that was
 * cut, only when the expression has all of it. */
static bool is_chosen(const gs_cell *cell, const char *expression, const regex_t *regex) {
  char name[GS_CELL_NAME_BYTES];
  memcpy(name, cell->name, sizeof name);
  const bool has_id = strstr(expression, cell->id) != NULL;
  char *tail = strrchr(name, '~');
  if (!has_id && tail && strcmp(tail + 1, cell->id) == 0) *tail = '\0';
  if (regexec(regex, name, 0, NULL, 0) == 0) return true;
  return has_id && regexec(regex, cell->id, 0, NULL, 0) == 0;
}

gs_status gs_sweep_filter(gs_sweep *sweep, const char *expression, gs_error *error) {
  regex_t regex;
  const int code = regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB);
  if (code != 0) {
    char message[128];
    char quoted[GS_QUOTE_BYTES];
    regerror(code, &regex, message, sizeof message);
    return GS_FAIL_NATIVE(error, GS_ERR_USAGE, code, "the filter %s is no regular expression: %s",
                          gs_quote(expression, quoted), message);
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < sweep->count; i++) {
    gs_cell *cell = &sweep->cells[i];
    if (!is_chosen(cell, expression, &regex)) {
      gs_config_clear(&cell->config);
    } else if (kept++ != i) {
      sweep->cells[kept - 1] = *cell;
      *cell = (gs_cell){.id = ""};
    }
  }
  sweep->count = kept;
  regfree(&regex);
  return GS_OK;
}

void gs_sweep_clear(gs_sweep *sweep) {
  if (!sweep) return;
  for (int64_t i = 0; i < sweep->count; i++) gs_config_clear(&sweep->cells[i].config);
  free(sweep->cells);
  sweep->cells = NULL;
  sweep->count = 0;
}
