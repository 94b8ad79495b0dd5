/* Tokens of JSON. See json_scan.h. */
#include "base/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

enum { MAX_NUMBER_CHARACTERS = 63 }; /* what cJSON reads of a number */

gs_json_scanner gs_json_scan_text(const char *text, size_t length, const char *origin,
                                  gs_error *error) {
  return (gs_json_scanner){.text = (const unsigned char *)text,
                           .end = length,
                           .mark = SIZE_MAX,
                           .origin = origin,
                           .error = error};
}

gs_json_scanner gs_json_scan_source(const gs_json_source *source, unsigned char *buffer,
                                    const char *origin, gs_error *error) {
  return (gs_json_scanner){.text = buffer,
                           .mark = SIZE_MAX,
                           .source = source,
                           .buffer = buffer,
                           .origin = origin,
                           .error = error};
}

bool gs_json_scan_more(gs_json_scanner *s) {
  if (!s->source || s->failed != GS_OK) return false;
  const size_t start = s->mark < s->at ? s->mark : s->at;
  const size_t kept = s->end - start;
  size_t got = 0;
  if (kept == GS_JSON_BUFFER_BYTES) {
    s->failed = gs_json_scan_fail_at(s, start, "a string that is too long");
    return false;
  }
  memmove(s->buffer, s->buffer + (start - s->base), kept);
  s->base = start;
  s->failed = s->source->read(s->source->user, (char *)s->buffer + kept,
                              GS_JSON_BUFFER_BYTES - kept, &got, s->error);
  if (s->failed != GS_OK) return false;
  if (got == 0) s->source = NULL;
  s->end += got;
  return got > 0;
}

/* Whether so many bytes are left; then they are in memory. */
static bool have(gs_json_scanner *s, size_t bytes) {
  bool more = true;
  while (more && s->end - s->at < bytes) more = gs_json_scan_more(s);
  return s->end - s->at >= bytes;
}

/* What is in memory from the next byte on. */
static const unsigned char *here(const gs_json_scanner *s) { return s->text + (s->at - s->base); }

gs_status gs_json_scan_fail_at(const gs_json_scanner *s, size_t at, const char *what) {
  if (s->failed != GS_OK) return s->failed;
  if (s->buffer) {
    return GS_FAIL(s->error, GS_ERR_DATA, "%s: byte %zu: %s", s->origin, at + 1, what);
  }
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

gs_status gs_json_scan_fail(const gs_json_scanner *s, const char *what) {
  return gs_json_scan_fail_at(s, s->at, s->at < s->end ? what : "the text ends too early");
}

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static bool take_digits(gs_json_scanner *s) {
  const size_t start = s->at;
  while (is_digit(gs_json_peek(s))) s->at++;
  return s->at > start;
}

gs_status gs_json_scan_number(gs_json_scanner *s) {
  const size_t start = s->at;
  gs_json_take(s, '-');
  if (gs_json_take(s, '0')) {
    if (is_digit(gs_json_peek(s))) return gs_json_scan_fail(s, "a number may not start with 0");
  } else if (!take_digits(s)) {
    return gs_json_scan_fail(s, "expected a digit");
  }
  if (gs_json_take(s, '.') && !take_digits(s))
    return gs_json_scan_fail(s, "expected a digit after the point");
  if (gs_json_take(s, 'e') || gs_json_take(s, 'E')) {
    if (!gs_json_take(s, '-')) gs_json_take(s, '+');
    if (!take_digits(s)) return gs_json_scan_fail(s, "expected a digit in the exponent");
  }
  if (s->at - start > MAX_NUMBER_CHARACTERS) {
    return gs_json_scan_fail_at(s, start, "a number of more than 63 characters");
  }
  return GS_OK;
}

static bool take_hex4(gs_json_scanner *s, uint32_t *value) {
  *value = 0;
  for (int i = 0; i < 4; i++) {
    const int c = gs_json_peek(s);
    const int lower = c | 0x20;
    if (!is_digit(c) && !(lower >= 'a' && lower <= 'f')) return false;
    *value = *value * 16 + (uint32_t)(is_digit(c) ? c - '0' : lower - 'a' + 10);
    s->at++;
  }
  return true;
}

/* After "\u". */
static gs_status check_unicode_escape(gs_json_scanner *s, size_t start) {
  uint32_t unit;
  uint32_t low = 0;
  if (!take_hex4(s, &unit)) return gs_json_scan_fail(s, "expected four hexadecimal digits");
  if (unit == 0) return gs_json_scan_fail_at(s, start, "U+0000 in a string");
  if (unit < 0xD800 || unit > 0xDFFF) return GS_OK;
  const bool paired = unit < 0xDC00 && gs_json_take(s, '\\') && gs_json_take(s, 'u') &&
                      take_hex4(s, &low) && low >= 0xDC00 && low <= 0xDFFF;
  return paired ? GS_OK : gs_json_scan_fail_at(s, start, "an unpaired surrogate");
}

static gs_status check_escape(gs_json_scanner *s) {
  const size_t start = s->at++;
  const int c = gs_json_peek(s);
  if (c < 0) return gs_json_scan_fail(s, "");
  if (c == 0 || !strchr("\"\\/bfnrtu", c))
    return gs_json_scan_fail_at(s, start, "invalid escape in a string");
  s->at++;
  return c == 'u' ? check_unicode_escape(s, start) : GS_OK;
}

gs_status gs_json_scan_string(gs_json_scanner *s) {
  s->at++; /* the opening quote */
  for (;;) {
    const int c = gs_json_peek(s);
    if (c < 0) return gs_json_scan_fail(s, "");
    if (c == '"') break;
    if (c < 0x20) return gs_json_scan_fail(s, "a control character in a string");
    if (c == '\\') {
      GS_TRY(check_escape(s));
      continue;
    }
    if (c >= 0x80) (void)have(s, 4); /* as far as there are */
    const size_t bytes = gs_utf8_bytes(here(s), s->end - s->at);
    if (bytes == 0) return gs_json_scan_fail(s, "invalid UTF-8");
    s->at += bytes;
  }
  s->at++;
  return GS_OK;
}

gs_status gs_json_scan_literal(gs_json_scanner *s) {
  static const char *const literals[] = {"true", "false", "null"};
  for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
    const size_t bytes = strlen(literals[i]);
    if (!have(s, bytes) || memcmp(here(s), literals[i], bytes) != 0) continue;
    s->at += bytes;
    return GS_OK;
  }
  return gs_json_scan_fail(s, "expected a value");
}

gs_status gs_json_scan_scalar(gs_json_scanner *s) {
  const int c = gs_json_peek(s);
  if (c == '"') return gs_json_scan_string(s);
  if (c == '-' || is_digit(c)) return gs_json_scan_number(s);
  return gs_json_scan_literal(s);
}
