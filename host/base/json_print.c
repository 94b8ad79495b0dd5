/* Writing. cJSON's own printer drops digits and the sign of -0 and passes
 * invalid UTF-8 on; this one writes strict JSON with every bit kept. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "base/json.h"
#include "base/utf8.h"

/* The fewest digits, 15 to 17, that read back equal. Integers of up to 15 digits,
 * of which lists of widths have millions, need no trial. */
static void print_number(double value, FILE *stream) {
  char text[GS_DIGITS_BYTES];
  if (fabs(value) < 1e15 && value == trunc(value) && !(value == 0 && signbit(value))) {
    fprintf(stream, "%" PRId64, (int64_t)value);
    return;
  }
  fputs(isfinite(value) ? gs_digits(value, 15, text) : "null", stream);
}

/* A byte below 0x20, a quote or a backslash. */
static void print_escaped(unsigned char c, FILE *stream) {
  static const char letters[] = "\b\f\n\r\t\"\\";
  static const char escapes[] = "bfnrt\"\\";
  const char *found = c ? strchr(letters, c) : NULL;
  if (found) {
    fprintf(stream, "\\%c", escapes[found - letters]);
  } else {
    fprintf(stream, "\\u%04x", c);
  }
}

static void print_string(const char *string, FILE *stream) {
  const unsigned char *text = (const unsigned char *)(string ? string : "");
  size_t length = strlen((const char *)text);
  fputc('"', stream);
  while (length > 0) {
    const size_t bytes = gs_utf8_bytes(text, length);
    if (bytes == 0) {
      fputs("\xEF\xBF\xBD", stream); /* U+FFFD for a byte that is no text */
    } else if (*text < 0x20 || *text == '"' || *text == '\\') {
      print_escaped(*text, stream);
    } else {
      fwrite(text, 1, bytes, stream);
    }
    text += bytes ? bytes : 1;
    length -= bytes ? bytes : 1;
  }
  fputc('"', stream);
}

static bool is_container(const cJSON *item) { return cJSON_IsArray(item) || cJSON_IsObject(item); }

static void print_scalar(const cJSON *item, FILE *stream) {
  if (cJSON_IsNumber(item)) {
    print_number(item->valuedouble, stream);
  } else if (cJSON_IsString(item)) {
    print_string(item->valuestring, stream);
  } else if (cJSON_IsBool(item)) {
    fputs(cJSON_IsTrue(item) ? "true" : "false", stream);
  } else {
    fputs("null", stream);
  }
}

static bool has_containers(const cJSON *container) {
  const cJSON *item;
  cJSON_ArrayForEach(item, container) {
    if (is_container(item)) return true;
  }
  return false;
}

static void new_line(int indent, FILE *stream) { fprintf(stream, "\n%*s", indent, ""); }

/* indent < 0: all on one line. Recursion as deep as the tree, which is of our
 * own making or passed GS_JSON_MAX_DEPTH. */
static void print_item(const cJSON *item, int indent, FILE *stream) {
  if (!is_container(item)) {
    print_scalar(item, stream);
    return;
  }
  const bool object = cJSON_IsObject(item);
  const bool lines = indent >= 0 && item->child && (object || has_containers(item));
  const int inner = lines ? indent + 2 : -1;
  const char *separator = indent >= 0 && !lines ? ", " : ",";
  const cJSON *child;
  fputc(object ? '{' : '[', stream);
  cJSON_ArrayForEach(child, item) {
    if (child != item->child) fputs(separator, stream);
    if (lines) new_line(inner, stream);
    if (object) {
      print_string(child->string, stream);
      fputs(indent >= 0 ? ": " : ":", stream);
    }
    print_item(child, inner, stream);
  }
  if (lines) new_line(indent, stream);
  fputc(object ? '}' : ']', stream);
}

char *gs_json_print_line(const cJSON *root) {
  if (!root) return NULL; /* a tree that there was no memory for is not "null" */
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  if (!stream) return NULL;
  print_item(root, -1, stream);
  const bool failed = ferror(stream) != 0;
  if (fclose(stream) == 0 && !failed) return text;
  free(text);
  return NULL;
}

bool gs_json_print_pretty(const cJSON *root, FILE *stream) {
  print_item(root, 0, stream);
  fputc('\n', stream);
  return !ferror(stream);
}
