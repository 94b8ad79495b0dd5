/* A pass over the text: RFC 8259's grammar with a stack of its own instead of
 * recursion. cJSON takes "01", "1.", control characters in strings, invalid
 * UTF-8 and trailing text; whatever passes here it reads without loss. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/json_scan.h"

/* The scanner, and what is open in the text. */
typedef struct grammar {
  gs_json_scanner s;
  int depth;
  char open[GS_JSON_MAX_DEPTH]; /* '{' and '[' that are not closed yet */
} grammar;

/* "key": of an object. */
static gs_status check_key(gs_json_scanner *s) {
  gs_json_skip_space(s);
  if (gs_json_peek(s) != '"') return gs_json_scan_fail(s, "expected a key in double quotes");
  GS_TRY(gs_json_scan_string(s));
  gs_json_skip_space(s);
  return gs_json_take(s, ':') ? GS_OK : gs_json_scan_fail(s, "expected ':' after a key");
}

static bool in_object(const grammar *g) { return g->depth > 0 && g->open[g->depth - 1] == '{'; }

/* Opens an array or object. *closed is set when it is empty, and then done. */
static gs_status open_container(grammar *g, bool *closed) {
  gs_json_scanner *s = &g->s;
  if (g->depth == GS_JSON_MAX_DEPTH) return gs_json_scan_fail(s, "nested too deeply");
  g->open[g->depth++] = (char)gs_json_peek(s);
  s->at++;
  gs_json_skip_space(s);
  *closed = gs_json_take(s, in_object(g) ? '}' : ']');
  if (*closed) {
    g->depth--;
  } else if (in_object(g)) {
    GS_TRY(check_key(s));
  }
  return GS_OK;
}

/* What follows a value: closing brackets, then a comma (*more) or nothing. */
static gs_status after_value(grammar *g, bool *more) {
  gs_json_scanner *s = &g->s;
  *more = false;
  for (;;) {
    gs_json_skip_space(s);
    if (g->depth == 0) return GS_OK;
    if (gs_json_take(s, ',')) break;
    if (!gs_json_take(s, in_object(g) ? '}' : ']')) {
      return gs_json_scan_fail(s, in_object(g) ? "expected ',' or '}' after a value"
                                               : "expected ',' or ']' after a value");
    }
    g->depth--;
  }
  *more = true;
  return in_object(g) ? check_key(s) : GS_OK;
}

gs_status gs_json_check_text(const char *text, size_t length, size_t max_values, const char *origin,
                             gs_error *error) {
  grammar g = {.s = gs_json_scan_text(text, length, origin, error)};
  gs_json_scanner *s = &g.s;
  if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    return gs_json_scan_fail_at(s, 0, "the text starts with a byte order mark");
  }
  size_t values = 0;
  for (bool more = true; more;) {
    gs_json_skip_space(s);
    if (values++ == max_values) return gs_json_scan_fail(s, "too many values");
    bool complete = true;
    const int first = gs_json_peek(s);
    if (first == '{' || first == '[') {
      GS_TRY(open_container(&g, &complete));
    } else {
      GS_TRY(gs_json_scan_scalar(s));
    }
    if (complete) GS_TRY(after_value(&g, &more));
  }
  return s->at == length ? GS_OK
                         : gs_json_scan_fail_at(s, s->at, "text after the end of the value");
}
