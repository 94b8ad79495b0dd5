/* Building trees over cJSON. See json_writer.h. */
#include "base/json_writer.h"

/* ---- containers ---- */

static void fail(gs_json_writer *w) { w->failed = true; }

static gs_json_writer writer_of(cJSON *root) {
  return (gs_json_writer){.open = {root}, .depth = 1, .failed = root == NULL};
}

gs_json_writer gs_json_writer_object(void) { return writer_of(cJSON_CreateObject()); }
gs_json_writer gs_json_writer_array(void) { return writer_of(cJSON_CreateArray()); }

/* Owns the item. */
static bool add(cJSON *container, const char *key, cJSON *item) {
  return key ? gs_json_add(container, key, item) : gs_json_append(container, item);
}

void gs_json_put(gs_json_writer *w, const char *key, cJSON *item) {
  if (w->failed) {
    cJSON_Delete(item);
  } else if (!add(w->open[w->depth - 1], key, item)) {
    fail(w);
  }
}

static void open_container(gs_json_writer *w, const char *key, cJSON *container) {
  gs_json_put(w, key, container);
  if (w->depth == GS_JSON_WRITER_DEPTH) fail(w);
  if (!w->failed) w->open[w->depth++] = container;
}

void gs_json_open_object(gs_json_writer *w, const char *key) {
  if (!w->failed) open_container(w, key, cJSON_CreateObject());
}

void gs_json_open_array(gs_json_writer *w, const char *key) {
  if (!w->failed) open_container(w, key, cJSON_CreateArray());
}

void gs_json_close(gs_json_writer *w) {
  if (!w->failed) w->depth--;
}

/* ---- values ---- */

void gs_json_put_copy(gs_json_writer *w, const char *key, const cJSON *tree) {
  if (!w->failed) gs_json_put(w, key, cJSON_Duplicate(tree, true));
}

void gs_json_put_number(gs_json_writer *w, const char *key, double value) {
  if (!w->failed) gs_json_put(w, key, gs_json_number(value));
}

void gs_json_put_int(gs_json_writer *w, const char *key, int64_t value) {
  if (!w->failed) gs_json_put(w, key, gs_json_integer(value));
}

void gs_json_put_string(gs_json_writer *w, const char *key, const char *value) {
  if (!w->failed) gs_json_put(w, key, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void gs_json_put_bool(gs_json_writer *w, const char *key, bool value) {
  if (!w->failed) gs_json_put(w, key, cJSON_CreateBool(value));
}

void gs_json_put_numbers(gs_json_writer *w, const char *key, const double *values, size_t count) {
  gs_json_open_array(w, key);
  for (size_t i = 0; i < count; i++) gs_json_put_number(w, NULL, values[i]);
  gs_json_close(w);
}

/* ---- columns ---- */

cJSON *gs_json_put_column(gs_json_writer *w, const char *key) {
  cJSON *column = w->failed ? NULL : cJSON_CreateArray();
  gs_json_put(w, key, column);
  return w->failed ? NULL : column;
}

static void append(gs_json_writer *w, cJSON *column, cJSON *item) {
  if (!gs_json_append(column, item)) fail(w);
}

cJSON *gs_json_append_column(gs_json_writer *w, cJSON *column) {
  cJSON *inner = w->failed ? NULL : cJSON_CreateArray();
  append(w, column, inner);
  return w->failed ? NULL : inner;
}

void gs_json_append_number(gs_json_writer *w, cJSON *column, double value) {
  if (!w->failed) append(w, column, gs_json_number(value));
}

/* ---- the end ---- */

const cJSON *gs_json_opened(const gs_json_writer *w) { return w->open[w->depth - 1]; }

static gs_status no_memory(const char *what, gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %s", what);
}

gs_status gs_json_writer_status(const gs_json_writer *w, const char *what, gs_error *error) {
  return w->failed ? no_memory(what, error) : GS_OK;
}

cJSON *gs_json_finish(gs_json_writer *w) {
  cJSON *root = w->open[0];
  if (w->failed) {
    cJSON_Delete(root);
    root = NULL;
  }
  *w = (gs_json_writer){.depth = 1, .failed = true}; /* nothing may be put after the end */
  return root;
}

void gs_json_abandon(gs_json_writer *w) { cJSON_Delete(gs_json_finish(w)); }

gs_status gs_json_finish_as(gs_json_writer *w, const char *what, cJSON **tree, gs_error *error) {
  *tree = gs_json_finish(w);
  return *tree ? GS_OK : no_memory(what, error);
}

gs_status gs_json_finish_to(gs_json_writer *w, const char *what, FILE *stream, gs_error *error) {
  cJSON *tree = NULL;
  GS_TRY(gs_json_finish_as(w, what, &tree, error));
  (void)gs_json_print_pretty(tree, stream);
  cJSON_Delete(tree);
  return GS_OK;
}

gs_status gs_json_take_line(cJSON *tree, const char *what, char **line, gs_error *error) {
  *line = gs_json_print_line(tree);
  cJSON_Delete(tree);
  return *line ? GS_OK : no_memory(what, error);
}
