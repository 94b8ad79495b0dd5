/* The command line as a sweep: its options become the block that a file would
 * hold, and take the same way from there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/names.h"
#include "net/param.h"
#include "sweep/expand.h"

static const char OPTIONS[] = "the options"; /* what there may be no memory for */

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

/* "key=value" as a member of the object that is open. */
static gs_status put_member(gs_json_writer *w, char *piece, const gs_location *location,
                            gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *value = strchr(piece, '=');
  if (!value || value == piece || !value[1]) {
    return GS_FAIL_AT(location, error, "after the name comes :key=value, not %s",
                      gs_quote(piece, quoted));
  }
  *value++ = '\0';
  hyphens_to_underscores(piece);
  if (gs_json_get(gs_json_opened(w), piece)) {
    return GS_FAIL_AT(location, error, "%s is given twice", gs_quote(piece, quoted));
  }
  gs_json_put(w, piece, number_or_text(value));
  return GS_OK;
}

/* "name" or "name:key=value:key=value". */
static gs_status put_named(gs_json_writer *w, char *text, const gs_location *location,
                           gs_error *error) {
  if (!strchr(text, ':')) {
    gs_json_put_string(w, NULL, text);
    return GS_OK;
  }
  char *rest = text;
  gs_json_open_object(w, NULL);
  gs_json_put_string(w, "name", next_piece(&rest, ':'));
  while (rest) GS_TRY(put_member(w, next_piece(&rest, ':'), location, error));
  gs_json_close(w);
  return GS_OK;
}

static gs_status put_value(gs_json_writer *w, char *text, gs_param_kind kind,
                           const gs_location *location, gs_error *error);

/* ---- lists of values ---- */

/* Pieces of a text as the elements of the array that is open. */
static gs_status put_pieces(gs_json_writer *w, char *text, char separator, gs_param_kind kind,
                            const gs_location *location, gs_error *error) {
  char *rest = text;
  while (rest) GS_TRY(put_value(w, next_piece(&rest, separator), kind, location, error));
  return GS_OK;
}

static gs_status put_value(gs_json_writer *w, char *text, gs_param_kind kind,
                           const gs_location *location, gs_error *error) {
  if (!*text) return GS_FAIL_AT(location, error, "a value is empty");
  switch (kind) {
  case GS_PARAM_NUMBER: gs_json_put(w, NULL, number_or_text(text)); break;
  case GS_PARAM_WORD: gs_json_put_string(w, NULL, text); break;
  case GS_PARAM_FLAG: gs_json_put(w, NULL, flag_or_text(text)); break;
  case GS_PARAM_NAMED: return put_named(w, text, location, error);
  case GS_PARAM_SIZES:
    gs_json_open_array(w, NULL);
    GS_TRY(put_pieces(w, text, ',', GS_PARAM_NUMBER, location, error));
    gs_json_close(w);
    break;
  }
  return GS_OK;
}

/* ---- options ---- */

static gs_status fail_option(const char *key, gs_model model, gs_error *error) {
  const gs_location location = {.key = key, .index = -1, .inner = -1};
  const int param = gs_param_find(key);
  if (param < 0 || !gs_params[param].type->set)
    return GS_FAIL_AT(&location, error, "unknown option");
  return GS_FAIL_AT(&location, error, "is no option of an %s", gs_name(&gs_model_names, model));
}

/* Puts one parameter into the block that is open. text is scratch. */
static gs_status put_parameter(gs_json_writer *w, const char *key, char *text, gs_model model,
                               gs_error *error) {
  const int param = gs_param_find(key);
  const bool known = param >= 0 && gs_params[param].type->set;
  if (!known || !gs_param_of_model(&gs_params[param], model)) return fail_option(key, model, error);
  const gs_location location = {.key = key, .index = -1, .inner = -1};
  if (gs_json_get(gs_json_opened(w), key)) {
    return GS_FAIL_AT(&location, error, "is given twice");
  }
  const gs_param_kind kind = gs_params[param].type->kind;
  gs_json_open_array(w, key);
  GS_TRY(put_pieces(w, text, kind == GS_PARAM_SIZES ? '/' : ',', kind, &location, error));
  gs_json_close(w);
  return GS_OK;
}

static gs_status put_setting(gs_json_writer *w, const gs_setting *setting, gs_model model,
                             gs_error *error) {
  char *text = strdup(setting->value);
  if (!text) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %s", OPTIONS);
  const gs_status status = put_parameter(w, setting->key, text, model, error);
  free(text);
  return status;
}

static gs_status put_block(gs_json_writer *w, const char *model_word, const gs_setting *settings,
                           int count, gs_error *error) {
  const gs_location location = {.index = -1, .inner = -1};
  gs_model model = GS_MLP;
  gs_json_open_object(w, NULL);
  gs_json_put_string(w, "model", model_word);
  GS_TRY(gs_json_writer_status(w, OPTIONS, error));
  GS_TRY(gs_param_model(gs_json_get(gs_json_opened(w), "model"), &location, &model, error));
  for (int i = 0; i < count; i++) GS_TRY(put_setting(w, &settings[i], model, error));
  return GS_OK;
}

gs_status gs_sweep_from_settings(const char *model, const gs_setting *settings, int count,
                                 gs_sweep *sweep, gs_error *error) {
  *sweep = (gs_sweep){.timing = GS_SWEEP_TIMING_NOT_GIVEN};
  cJSON *blocks = NULL;
  gs_json_writer w = gs_json_writer_array();
  gs_status status = put_block(&w, model, settings, count, error);
  if (status == GS_OK) status = gs_json_finish_as(&w, OPTIONS, &blocks, error);
  if (status == GS_OK) {
    const gs_location location = {.index = -1, .inner = -1};
    snprintf(sweep->name, sizeof sweep->name, "%s", model);
    status = gs_sweep_expand(blocks, &location, sweep, error);
  }
  gs_json_abandon(&w);
  cJSON_Delete(blocks);
  return status;
}
