/* What differs between two runs. See across.h. */
#include "compare/across.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/location.h"

const gs_names gs_across_names = {"difference", GS_NAMES(GS_ACROSS_LIST(GS_ROW_NAME)), NULL};

gs_status gs_differences_add(gs_differences *differences, gs_error *error, const char *format,
                             ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  char *line = strdup(text);
  char **more = realloc(differences->lines, (size_t)(differences->count + 1) * sizeof *more);
  if (more) differences->lines = more;
  if (!line || !more) {
    free(line);
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for what differs");
  }
  differences->lines[differences->count++] = line;
  return GS_OK;
}

void gs_differences_clear(gs_differences *differences) {
  for (int i = 0; i < differences->count; i++) free(differences->lines[i]);
  free(differences->lines);
  memset(differences, 0, sizeof *differences);
}

/* What is being looked at. */
typedef struct view {
  const gs_start *base, *other;
  unsigned allowed;
  gs_differences *found;
  gs_error *error;
} view;

static bool is_news(view *v, gs_across kind) {
  v->found->seen |= 1u << kind;
  return !(v->allowed & (1u << kind));
}

static gs_status check_values(view *v, gs_across kind, const char *what, const cJSON *a,
                              const cJSON *b) {
  char texts[2][GS_QUOTE_BYTES];
  if ((!a && !b) || (a && b && cJSON_Compare(a, b, true)) || !is_news(v, kind)) return GS_OK;
  return gs_differences_add(v->found, v->error, "%s: %s in %s, %s in %s", what,
                            a ? gs_quote_value(a, texts[0]) : "none", v->base->path,
                            b ? gs_quote_value(b, texts[1]) : "none", v->other->path);
}

/* ---- machines and options ---- */

static gs_status check_device(view *v) {
  static const struct {
    gs_across kind;
    const char *key;
  } rows[] = {{GS_ACROSS_BACKEND, "backend"},    {GS_ACROSS_DEVICE, "name"},
              {GS_ACROSS_DEVICE, "capability"},  {GS_ACROSS_DEVICE, "multiprocessors"},
              {GS_ACROSS_DRIVER, "driver"},      {GS_ACROSS_THREADS, "threads"},
              {GS_ACROSS_LIBRARIES, "libraries"}};
  const cJSON *a = gs_json_get(v->base->context, "device");
  const cJSON *b = gs_json_get(v->other->context, "device");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char what[64];
    const bool named = rows[i].kind == GS_ACROSS_DEVICE;
    snprintf(what, sizeof what, "%s%s%s", gs_name(&gs_across_names, rows[i].kind), named ? " " : "",
             named ? rows[i].key : "");
    GS_TRY(check_values(v, rows[i].kind, what, gs_json_get(a, rows[i].key),
                        gs_json_get(b, rows[i].key)));
  }
  return GS_OK;
}

/* Whether an option changes neither what is measured nor what a round is. */
static bool is_free(const char *option) {
  static const char *const names[] = {"interleave", "order_seed", "memory_limit_bytes",
                                      "timeout_s"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(option, names[i]) == 0) return true;
  }
  return false;
}

static gs_status check_options(view *v) {
  const cJSON *a = gs_json_get(v->base->context, "options");
  const cJSON *b = gs_json_get(v->other->context, "options");
  const cJSON *option = NULL;
  char what[GS_QUOTE_BYTES];
  cJSON_ArrayForEach(option, a) {
    if (is_free(option->string)) continue;
    snprintf(what, sizeof what, "options %.40s", option->string);
    GS_TRY(check_values(v, GS_ACROSS_OPTIONS, what, option, gs_json_get(b, option->string)));
  }
  cJSON_ArrayForEach(option, b) {
    if (is_free(option->string) || gs_json_get(a, option->string)) continue;
    snprintf(what, sizeof what, "options %.40s", option->string);
    GS_TRY(check_values(v, GS_ACROSS_OPTIONS, what, NULL, option));
  }
  return GS_OK;
}

/* ---- cells ---- */

static gs_status check_missing(view *v, const gs_start *of, const gs_start *in) {
  for (int64_t i = 0; i < of->count; i++) {
    if (gs_start_find(in, of->cells[i].id) >= 0 || !is_news(v, GS_ACROSS_CELLS)) continue;
    GS_TRY(gs_differences_add(v->found, v->error, "cells: %s is in %s alone", of->cells[i].name,
                              of->path));
  }
  return GS_OK;
}

static gs_status check_params(view *v, const char *name, const cJSON *a, const cJSON *b) {
  const cJSON *param = NULL;
  char texts[2][GS_QUOTE_BYTES];
  cJSON_ArrayForEach(param, gs_json_get(a, "params")) {
    const cJSON *same = gs_json_get(gs_json_get(b, "params"), param->string);
    const bool location =
        strcmp(param->string, "device") == 0 || strcmp(param->string, "backend") == 0;
    if (location || (same && cJSON_Compare(param, same, true))) continue;
    return gs_differences_add(v->found, v->error, "cells: %s: %.40s: %s in %s, %s in %s", name,
                              param->string, gs_quote_value(param, texts[0]), v->base->path,
                              same ? gs_quote_value(same, texts[1]) : "none", v->other->path);
  }
  return GS_OK;
}

/* The rest of a cell that both have. */
static gs_status check_cell(view *v, int64_t i, int64_t k) {
  const gs_start_cell *a = &v->base->cells[i];
  const gs_start_cell *b = &v->other->cells[k];
  cJSON *records[2] = {NULL, NULL};
  if (a->status != b->status) {
    if (!is_news(v, GS_ACROSS_CELLS)) return GS_OK;
    return gs_differences_add(v->found, v->error, "cells: %s: %s in %s, %s in %s", a->name,
                              gs_name(&gs_cell_status_names, a->status), v->base->path,
                              gs_name(&gs_cell_status_names, b->status), v->other->path);
  }
  gs_status status = gs_start_record(v->base, i, &records[0], v->error);
  if (status == GS_OK) status = gs_start_record(v->other, k, &records[1], v->error);
  if (status == GS_OK) status = check_params(v, a->name, records[0], records[1]);
  /* where numbers differ as well, they are what is reported: they were to be the same */
  const bool alike =
      cJSON_Compare(gs_json_get(records[0], "layers"), gs_json_get(records[1], "layers"), true) ||
      !gs_json_get(records[0], "layers");
  if (status == GS_OK && alike && strcmp(a->weights_hash, b->weights_hash) != 0) {
    status = gs_differences_add(v->found, v->error, "weights: %s: hash %s in %s, %s in %s", a->name,
                                a->weights_hash, v->base->path, b->weights_hash, v->other->path);
  }
  cJSON_Delete(records[0]);
  cJSON_Delete(records[1]);
  return status;
}

gs_status gs_across_check(const gs_start *base, const gs_start *other, unsigned allowed,
                          gs_differences *differences, gs_error *error) {
  view v = {base, other, allowed, differences, error};
  GS_TRY(check_device(&v));
  GS_TRY(check_options(&v));
  GS_TRY(check_missing(&v, base, other));
  GS_TRY(check_missing(&v, other, base));
  for (int64_t i = 0; i < base->count; i++) {
    const int64_t k = gs_start_find(other, base->cells[i].id);
    if (k >= 0) GS_TRY(check_cell(&v, i, k));
  }
  return GS_OK;
}
