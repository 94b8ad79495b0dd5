/* A pass over the text: RFC 8259's grammar with a stack of its own instead of
 * recursion. cJSON takes "01", "1.", control characters in strings, invalid
 * UTF-8 and trailing text; whatever passes here it reads without loss. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/utf8.h"

enum { MAX_NUMBER_CHARACTERS = 63 }; /* what cJSON reads of a number */

typedef struct scanner {
  const unsigned char *text;
  size_t length;
  size_t at; /* the next byte */
  const char *origin;
  gs_error *error;
  int depth;
  char open[GS_JSON_MAX_DEPTH]; /* '{' and '[' that are not closed yet */
} scanner;

static gs_status fail_at(const scanner *s, size_t at, const char *what) {
  size_t line = 1;
  size_t column = 1;
  for (size_t i = 0; i < at; i++) {
    if (s->text[i] == '\n') {
      line++;
      column = 1;
    } else if ((s->text[i] & 0xC0) != 0x80) {
      column++; /* characters, not bytes */
    }
  }
  return GS_FAIL(s->error, GS_ERR_DATA, "%s:%zu:%zu: %s", s->origin, line, column, what);
}

static gs_status fail(const scanner *s, const char *what) {
  return fail_at(s, s->at, s->at < s->length ? what : "the text ends too early");
}

/* The next byte, or -1 at the end. */
static int peek(const scanner *s) { return s->at < s->length ? s->text[s->at] : -1; }

static bool take(scanner *s, int byte) {
  if (peek(s) != byte) return false;
  s->at++;
  return true;
}

static void skip_space(scanner *s) {
  while (take(s, ' ') || take(s, '\t') || take(s, '\n') || take(s, '\r')) continue;
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static bool take_digits(scanner *s) {
  const size_t start = s->at;
  while (is_digit(peek(s))) s->at++;
  return s->at > start;
}

static gs_status check_number(scanner *s) {
  const size_t start = s->at;
  take(s, '-');
  if (take(s, '0')) {
    if (is_digit(peek(s))) return fail(s, "a number may not start with 0");
  } else if (!take_digits(s)) {
    return fail(s, "expected a digit");
  }
  if (take(s, '.') && !take_digits(s)) return fail(s, "expected a digit after the point");
  if (take(s, 'e') || take(s, 'E')) {
    if (!take(s, '-')) take(s, '+');
    if (!take_digits(s)) return fail(s, "expected a digit in the exponent");
  }
  if (s->at - start > MAX_NUMBER_CHARACTERS) {
    return fail_at(s, start, "a number of more than 63 characters");
  }
  return GS_OK;
}

static bool take_hex4(scanner *s, uint32_t *value) {
  *value = 0;
  for (int i = 0; i < 4; i++) {
    const int c = peek(s);
    const int lower = c | 0x20;
    if (!is_digit(c) && !(lower >= 'a' && lower <= 'f')) return false;
    *value = *value * 16 + (uint32_t)(is_digit(c) ? c - '0' : lower - 'a' + 10);
    s->at++;
  }
  return true;
}

/* After "\u". */
static gs_status check_unicode_escape(scanner *s, size_t start) {
  uint32_t unit;
  uint32_t low = 0;
  if (!take_hex4(s, &unit)) return fail(s, "expected four hexadecimal digits");
  if (unit == 0) return fail_at(s, start, "U+0000 in a string");
  if (unit < 0xD800 || unit > 0xDFFF) return GS_OK;
  const bool paired = unit < 0xDC00 && take(s, '\\') && take(s, 'u') && take_hex4(s, &low) &&
                      low >= 0xDC00 && low <= 0xDFFF;
  return paired ? GS_OK : fail_at(s, start, "an unpaired surrogate");
}

static gs_status check_escape(scanner *s) {
  const size_t start = s->at++;
  const int c = peek(s);
  if (c < 0) return fail(s, "");
  if (c == 0 || !strchr("\"\\/bfnrtu", c)) return fail_at(s, start, "invalid escape in a string");
  s->at++;
  return c == 'u' ? check_unicode_escape(s, start) : GS_OK;
}

static gs_status check_string(scanner *s) {
  s->at++; /* the opening quote */
  for (;;) {
    const int c = peek(s);
    if (c < 0) return fail(s, "");
    if (c == '"') break;
    if (c < 0x20) return fail(s, "a control character in a string");
    if (c == '\\') {
      GS_TRY(check_escape(s));
      continue;
    }
    const size_t bytes = gs_utf8_bytes(s->text + s->at, s->length - s->at);
    if (bytes == 0) return fail(s, "invalid UTF-8");
    s->at += bytes;
  }
  s->at++;
  return GS_OK;
}

static gs_status check_literal(scanner *s) {
  static const char *const literals[] = {"true", "false", "null"};
  for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
    const size_t bytes = strlen(literals[i]);
    if (s->length - s->at < bytes || memcmp(s->text + s->at, literals[i], bytes) != 0) continue;
    s->at += bytes;
    return GS_OK;
  }
  return fail(s, "expected a value");
}

static gs_status check_scalar(scanner *s) {
  const int c = peek(s);
  if (c == '"') return check_string(s);
  if (c == '-' || is_digit(c)) return check_number(s);
  return check_literal(s);
}

/* "key": of an object. */
static gs_status check_key(scanner *s) {
  skip_space(s);
  if (peek(s) != '"') return fail(s, "expected a key in double quotes");
  GS_TRY(check_string(s));
  skip_space(s);
  return take(s, ':') ? GS_OK : fail(s, "expected ':' after a key");
}

static bool in_object(const scanner *s) { return s->depth > 0 && s->open[s->depth - 1] == '{'; }

/* Opens an array or object. *closed is set when it is empty, and then done. */
static gs_status open_container(scanner *s, bool *closed) {
  if (s->depth == GS_JSON_MAX_DEPTH) return fail(s, "nested too deeply");
  s->open[s->depth++] = (char)s->text[s->at++];
  skip_space(s);
  *closed = take(s, in_object(s) ? '}' : ']');
  if (*closed) {
    s->depth--;
  } else if (in_object(s)) {
    GS_TRY(check_key(s));
  }
  return GS_OK;
}

/* What follows a value: closing brackets, then a comma (*more) or nothing. */
static gs_status after_value(scanner *s, bool *more) {
  *more = false;
  for (;;) {
    skip_space(s);
    if (s->depth == 0) return GS_OK;
    if (take(s, ',')) break;
    if (!take(s, in_object(s) ? '}' : ']')) {
      return fail(s, in_object(s) ? "expected ',' or '}' after a value"
                                  : "expected ',' or ']' after a value");
    }
    s->depth--;
  }
  *more = true;
  return in_object(s) ? check_key(s) : GS_OK;
}

gs_status gs_json_check_text(const char *text, size_t length, size_t max_values, const char *origin,
                             gs_error *error) {
  scanner s = {
      .text = (const unsigned char *)text, .length = length, .origin = origin, .error = error};
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    return fail_at(&s, 0, "the text starts with a byte order mark");
  }
  size_t values = 0;
  for (bool more = true; more;) {
    skip_space(&s);
    if (values++ == max_values) return fail(&s, "too many values");
    bool complete = true;
    if (peek(&s) == '{' || peek(&s) == '[') {
      GS_TRY(open_container(&s, &complete));
    } else {
      GS_TRY(check_scalar(&s));
    }
    if (complete) GS_TRY(after_value(&s, &more));
  }
  return s.at == length ? GS_OK : fail_at(&s, s.at, "text after the end of the value");
}
