/* Reading strictly, and building trees. cJSON parses; base/json_check.h refuses
 * what it would let through. base/json_print.c writes. */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"

enum { FIRST_READ_BYTES = 64 << 10 };

static gs_status parse(const char *text, size_t length, size_t max_values, const char *origin,
                       cJSON **root, gs_error *error) {
  *root = NULL;
  GS_TRY(gs_json_check_text(text, length, max_values, origin, error));
  cJSON *tree = cJSON_ParseWithLength(text, length);
  if (!tree) return GS_FAIL(error, GS_ERR_MEMORY, "%s: out of memory", origin);
  const gs_status status = gs_json_check_tree(tree, origin, error);
  if (status != GS_OK) {
    cJSON_Delete(tree);
    return status;
  }
  *root = tree;
  return GS_OK;
}

gs_status gs_json_parse(const char *text, size_t length, const char *origin, cJSON **root,
                        gs_error *error) {
  return parse(text, length, SIZE_MAX, origin, root, error);
}

/* The stream's content into *text, which the caller frees also on failure. */
static gs_status read_stream(FILE *stream, const char *path, size_t max_bytes, char **text,
                             size_t *length, gs_error *error) {
  size_t capacity = 0;
  for (;;) {
    const size_t wanted = capacity ? 2 * capacity : (size_t)FIRST_READ_BYTES;
    capacity = wanted < max_bytes ? wanted : max_bytes + 1;
    char *grown = realloc(*text, capacity);
    if (!grown) return GS_FAIL(error, GS_ERR_MEMORY, "%s: out of memory", path);
    *text = grown;
    *length += fread(*text + *length, 1, capacity - *length, stream);
    if (ferror(stream)) {
      return GS_FAIL_NATIVE(error, GS_ERR_DATA, errno, "%s: cannot be read: %s", path,
                            strerror(errno));
    }
    if (*length > max_bytes) {
      return GS_FAIL(error, GS_ERR_DATA, "%s: larger than %zu bytes", path, max_bytes);
    }
    if (*length < capacity) return GS_OK;
  }
}

gs_status gs_json_read_file(const char *path, size_t max_bytes, cJSON **root, gs_error *error) {
  *root = NULL;
  FILE *stream = fopen(path, "rb");
  if (!stream) {
    return GS_FAIL_NATIVE(error, GS_ERR_DATA, errno, "%s: cannot be opened: %s", path,
                          strerror(errno));
  }
  setvbuf(stream, NULL, _IONBF, 0); /* reads are large; never more than asked for */
  char *text = NULL;
  size_t length = 0;
  gs_status status = read_stream(stream, path, max_bytes, &text, &length, error);
  fclose(stream);
  if (status == GS_OK) status = parse(text, length, GS_JSON_MAX_INPUT_VALUES, path, root, error);
  free(text);
  return status;
}

const cJSON *gs_json_get(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

double gs_json_get_number(const cJSON *object, const char *key) {
  return gs_json_number_of(gs_json_get(object, key));
}

double gs_json_number_of(const cJSON *item) {
  return cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
}

cJSON *gs_json_number(double value) {
  return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

cJSON *gs_json_integer(int64_t value) {
  const int64_t exact = INT64_C(1) << 53; /* a double holds every integer up to here */
  if (value >= -exact && value <= exact) return gs_json_number((double)value);
  char text[24];
  snprintf(text, sizeof text, "%" PRId64, value);
  return cJSON_CreateString(text);
}

cJSON *gs_json_uint64(uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, value);
  return cJSON_CreateString(text);
}

cJSON *gs_json_hex64(uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%016" PRIx64, value);
  return cJSON_CreateString(text);
}

bool gs_json_add(cJSON *object, const char *key, cJSON *item) {
  if (object && item && cJSON_AddItemToObject(object, key, item)) return true;
  cJSON_Delete(item);
  return false;
}

bool gs_json_append(cJSON *array, cJSON *item) {
  if (array && item && cJSON_AddItemToArray(array, item)) return true;
  cJSON_Delete(item);
  return false;
}
