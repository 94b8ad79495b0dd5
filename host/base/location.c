/* Locations in a sweep's description, and the words of messages about them. */
#include "base/location.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digits.h"
#include "base/line.h"
#include "base/printable.h"

gs_location gs_location_object(const char *origin, const char *path) {
  return (gs_location){.origin = origin, .path = path, .index = -1, .inner = -1};
}

gs_location gs_location_key(const gs_location *object, const char *key) {
  gs_location location = *object;
  location.key = key;
  location.index = -1;
  location.inner = -1;
  location.member = NULL;
  return location;
}

/* A file's name: without quotes, but printable and bounded. */
static void append_origin(gs_line *line, const char *origin) {
  char printable[GS_ERROR_MESSAGE_BYTES / 4 + 1];
  gs_line_add(line, "%s%s: ", gs_printable(origin, printable, sizeof printable),
              strlen(origin) >= sizeof printable ? "..." : "");
}

/* A key as it is when it is a short plain word, else in quotes. */
static void append_key(gs_line *line, const char *key) {
  char quoted[GS_QUOTE_BYTES];
  const size_t plain = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_-");
  const bool simple = plain > 0 && plain < GS_QUOTE_BYTES / 2 && key[plain] == '\0';
  gs_line_add(line, "%s", simple ? key : gs_quote(key, quoted));
}

static void append_option(gs_line *line, const gs_location *location) {
  if (!location->key) return;
  char option[GS_QUOTE_BYTES];
  snprintf(option, sizeof option, "%s", location->key);
  for (char *c = option; *c; c++) *c = *c == '_' ? '-' : *c;
  gs_line_add(line, "--");
  append_key(line, option);
  gs_line_add(line, ": ");
}

static void append_path(gs_line *line, const gs_location *location) {
  if (location->origin) append_origin(line, location->origin);
  gs_line_add(line, "%s", location->path);
  if (location->key) gs_line_add(line, ".");
  if (location->key) append_key(line, location->key);
  if (location->index >= 0) gs_line_add(line, "[%" PRId64 "]", location->index);
  if (location->inner >= 0) gs_line_add(line, "[%" PRId64 "]", location->inner);
  if (location->member) gs_line_add(line, ".");
  if (location->member) append_key(line, location->member);
  gs_line_add(line, ": ");
}

gs_status gs_location_fail(const gs_location *location, gs_error *error, const char *file, int line,
                           const char *format, ...) {
  char message[GS_ERROR_MESSAGE_BYTES];
  gs_line text = gs_line_in(message, sizeof message);
  if (location->path) {
    append_path(&text, location);
  } else {
    append_option(&text, location);
  }
  va_list arguments;
  va_start(arguments, format);
  gs_line_add_list(&text, format, arguments);
  va_end(arguments);
  const gs_status status = location->path ? GS_ERR_DATA : GS_ERR_USAGE;
  return gs_error_set(error, status, 0, file, line, "%s", message);
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
  const char *kind = "an object";
  if (cJSON_IsBool(value)) kind = cJSON_IsTrue(value) ? "true" : "false";
  if (cJSON_IsNull(value)) kind = "null";
  if (cJSON_IsArray(value)) kind = "a list";
  char digits[GS_DIGITS_BYTES];
  if (cJSON_IsNumber(value)) kind = gs_digits(value->valuedouble, 15, digits);
  snprintf(buffer, GS_QUOTE_BYTES, "%s", kind);
  return buffer;
}
