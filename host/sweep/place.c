/* Places in a sweep's description, and the words of messages about them. */
#include "sweep/place.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

gs_place gs_place_object(const char *origin, const char *path) {
  return (gs_place){.origin = origin, .path = path, .index = -1, .inner = -1};
}

gs_place gs_place_key(const gs_place *object, const char *key) {
  gs_place place = *object;
  place.key = key;
  place.index = -1;
  place.inner = -1;
  place.member = NULL;
  return place;
}

/* A bounded string that only grows; what does not fit is cut. */
typedef struct line_buffer {
  char text[GS_ERROR_MESSAGE_BYTES];
  size_t length;
} line_buffer;

static void append_list(line_buffer *line, const char *format, va_list arguments) {
  const size_t room = sizeof line->text - line->length;
  const int length = vsnprintf(line->text + line->length, room, format, arguments);
  if (length < 0) return;
  line->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void append(line_buffer *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void append(line_buffer *line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  append_list(line, format, arguments);
  va_end(arguments);
}

/* A file's name: without quotes, but printable and bounded. */
static void append_origin(line_buffer *line, const char *origin) {
  char printable[GS_ERROR_MESSAGE_BYTES / 4 + 1];
  append(line, "%s%s: ", gs_printable(origin, printable, sizeof printable),
         strlen(origin) >= sizeof printable ? "..." : "");
}

/* A key as it is when it is a short plain word, else in quotes. */
static void append_key(line_buffer *line, const char *key) {
  char quoted[GS_QUOTE_BYTES];
  const size_t plain = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_-");
  const bool simple = plain > 0 && plain < GS_QUOTE_BYTES / 2 && key[plain] == '\0';
  append(line, "%s", simple ? key : gs_quote(key, quoted));
}

static void append_option(line_buffer *line, const gs_place *place) {
  if (!place->key) return;
  char option[GS_QUOTE_BYTES];
  snprintf(option, sizeof option, "%s", place->key);
  for (char *c = option; *c; c++) *c = *c == '_' ? '-' : *c;
  append(line, "--");
  append_key(line, option);
  append(line, ": ");
}

static void append_path(line_buffer *line, const gs_place *place) {
  if (place->origin) append_origin(line, place->origin);
  append(line, "%s", place->path);
  if (place->key) append(line, ".");
  if (place->key) append_key(line, place->key);
  if (place->index >= 0) append(line, "[%" PRId64 "]", place->index);
  if (place->inner >= 0) append(line, "[%" PRId64 "]", place->inner);
  if (place->member) append(line, ".");
  if (place->member) append_key(line, place->member);
  append(line, ": ");
}

gs_status gs_place_fail(const gs_place *place, gs_error *error, const char *file, int line,
                        const char *format, ...) {
  line_buffer words = {.length = 0};
  if (place->path) {
    append_path(&words, place);
  } else {
    append_option(&words, place);
  }
  va_list arguments;
  va_start(arguments, format);
  append_list(&words, format, arguments);
  va_end(arguments);
  const gs_status status = place->path ? GS_ERR_DATA : GS_ERR_USAGE;
  return gs_error_set(error, status, 0, file, line, "%s", words.text);
}

const char *gs_quote(const char *text, char buffer[GS_QUOTE_BYTES]) {
  const size_t limit = GS_QUOTE_BYTES - 6; /* two quotes, three dots, the end */
  size_t length = 0;
  buffer[length++] = '"';
  for (; *text && length <= limit; text++) {
    buffer[length++] = isprint((unsigned char)*text) ? *text : '?';
  }
  snprintf(buffer + length, GS_QUOTE_BYTES - length, "%s", *text ? "...\"" : "\"");
  return buffer;
}

const char *gs_quote_value(const cJSON *value, char buffer[GS_QUOTE_BYTES]) {
  if (cJSON_IsString(value)) return gs_quote(value->valuestring, buffer);
  const char *words = "an object";
  if (cJSON_IsBool(value)) words = cJSON_IsTrue(value) ? "true" : "false";
  if (cJSON_IsNull(value)) words = "null";
  if (cJSON_IsArray(value)) words = "a list";
  if (cJSON_IsNumber(value)) {
    snprintf(buffer, GS_QUOTE_BYTES, "%.17g", value->valuedouble);
  } else {
    snprintf(buffer, GS_QUOTE_BYTES, "%s", words);
  }
  return buffer;
}
