/* Holding a text against a table. See json_shape.h. */
#include "base/json_shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"

enum { MAX_LEVELS = 16, NUMBER_BYTES = 64, TEXT_BYTES = 8192, LOCATION_BYTES = 128 };

/* How lists are aligned: not at all, or with the first one, which has not come yet. */
enum { FREE = -2, FIRST = -1 };

typedef struct reading {
  gs_json_scanner *s;
  FILE *kept;
  const char *path[MAX_LEVELS];
  int depth;       /* of the path */
  int64_t aligned; /* the length that lists must have, FREE or FIRST */
  int lists;       /* around this value, within what is aligned */
  int name;        /* of the last text that was one of names */
} reading;

static gs_status check_value(reading *r, const gs_json_shape *shape, gs_shape_keep keep);

/* ---- messages ---- */

/* "summary.decades.p50: what"; what the source failed with stays. */
static gs_status fail(const reading *r, const char *what) {
  char location[LOCATION_BYTES] = "";
  size_t length = 0;
  if (r->s->failed != GS_OK) return r->s->failed;
  for (int i = 0; i < r->depth && length < sizeof location; i++) {
    length += (size_t)snprintf(location + length, sizeof location - length, "%s%s",
                               i > 0 ? "." : "", r->path[i]);
  }
  return GS_FAIL(r->s->error, GS_ERR_DATA, "%s%s%s", location, r->depth > 0 ? ": " : "", what);
}

/* ---- tokens ---- */

/* A token, *length bytes, valid until the next byte is read. */
static gs_status read_token(reading *r, gs_status scan(gs_json_scanner *s), const char **token,
                            size_t *length) {
  gs_json_scanner *s = r->s;
  gs_json_skip_space(s);
  const size_t start = s->at;
  s->mark = start;
  const gs_status status = scan(s);
  s->mark = SIZE_MAX;
  if (status != GS_OK) return status;
  *token = (const char *)s->text + (start - s->base);
  *length = s->at - start;
  return GS_OK;
}

static void keep_bytes(const reading *r, gs_shape_keep keep, const char *bytes, size_t length) {
  if (keep != GS_KEEP_NONE && r->kept) (void)fwrite(bytes, 1, length, r->kept);
}

static void keep_byte(const reading *r, gs_shape_keep keep, char byte) {
  keep_bytes(r, keep, &byte, 1);
}

/* ---- scalars ---- */

static gs_status check_number(reading *r, const gs_json_shape *shape, gs_shape_keep keep) {
  char text[NUMBER_BYTES];
  const char *token = NULL;
  size_t length = 0;
  int64_t whole = 0;
  const int first = gs_json_peek(r->s);
  if (first != '-' && !(first >= '0' && first <= '9')) return fail(r, "expected a number");
  GS_TRY(read_token(r, gs_json_scan_number, &token, &length));
  memcpy(text, token, length); /* the scanner takes no more than 63 characters */
  text[length] = '\0';
  const double value = strtod(text, NULL);
  if (!isfinite(value)) return fail(r, "a number outside the range of a double");
  const bool integer = shape->kind == GS_SHAPE_INTEGER;
  if (integer && !gs_integer_of(value, -GS_INTEGER_MAX, GS_INTEGER_MAX, &whole)) {
    return fail(r, "expected an integer");
  }
  if (!(value >= shape->min && value <= shape->max) || (shape->above && value == shape->min) ||
      (shape->not_minus_one && whole == -1)) {
    return fail(r, "a number out of range");
  }
  keep_bytes(r, keep, text, length);
  return GS_OK;
}

static bool is_hex(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    const char c = text[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

/* Names have no escapes: a text with one is none of them. */
static bool find_name(reading *r, const gs_names *names, const char *text, size_t length) {
  for (r->name = 0; names->list[r->name]; r->name++) {
    const char *name = names->list[r->name];
    if (strlen(name) == length && memcmp(name, text, length) == 0) return true;
  }
  return false;
}

static gs_status check_text(reading *r, const gs_json_shape *shape, gs_shape_keep keep) {
  const char *token = NULL;
  size_t length = 0;
  if (gs_json_peek(r->s) != '"') return fail(r, "expected a text");
  GS_TRY(read_token(r, gs_json_scan_string, &token, &length));
  const size_t inner = length - 2;
  if (length > TEXT_BYTES) return fail(r, "a text that is too long");
  if (shape->not_empty && inner == 0) return fail(r, "an empty text");
  if (shape->names && !find_name(r, shape->names, token + 1, inner)) {
    return fail(r, "none of the names it may have");
  }
  if (shape->hex_digits > 0 && !(inner == (size_t)shape->hex_digits && is_hex(token + 1, inner))) {
    return fail(r, "not the hexadecimal digits that were expected");
  }
  keep_bytes(r, keep, token, length);
  return GS_OK;
}

static gs_status check_literal(reading *r, bool boolean, gs_shape_keep keep) {
  const char *token = NULL;
  size_t length = 0;
  GS_TRY(read_token(r, gs_json_scan_literal, &token, &length));
  if ((token[0] != 'n') != boolean) return fail(r, boolean ? "expected true or false" : "is null");
  keep_bytes(r, keep, token, length);
  return GS_OK;
}

/* ---- lists ---- */

static gs_status check_length(reading *r, const gs_json_shape *shape, int64_t count) {
  if (count < shape->fewest) return fail(r, "a list that is too short");
  if (r->aligned == FREE || r->lists > 0) return GS_OK;
  if (r->aligned == FIRST) r->aligned = count;
  return count == r->aligned ? GS_OK : fail(r, "a list of another length than those beside it");
}

static gs_status check_entries(reading *r, const gs_json_shape *shape, gs_shape_keep keep,
                               int64_t *count) {
  uint64_t seen = 0;
  for (*count = 0; *count == 0 || gs_json_take(r->s, ',');) {
    const gs_shape_keep kept = keep == GS_KEEP_SOME && *count > 0 ? GS_KEEP_NONE : keep;
    if (*count > 0) keep_byte(r, kept, ',');
    GS_TRY(check_value(r, shape->each, kept));
    if (shape->unique && r->name < 64 && (seen >> r->name & 1)) return fail(r, "a name twice");
    if (shape->unique && r->name < 64) seen |= UINT64_C(1) << r->name;
    ++*count;
    gs_json_skip_space(r->s);
  }
  return GS_OK;
}

static gs_status check_list(reading *r, const gs_json_shape *shape, gs_shape_keep keep) {
  int64_t count = 0;
  if (!gs_json_take(r->s, '[')) return fail(r, "expected a list");
  keep_byte(r, keep, '[');
  r->lists++;
  gs_json_skip_space(r->s);
  if (gs_json_peek(r->s) != ']') GS_TRY(check_entries(r, shape, keep, &count));
  r->lists--;
  if (!gs_json_take(r->s, ']')) return fail(r, "expected ',' or ']' after a value");
  keep_byte(r, keep, ']');
  return check_length(r, shape, count);
}

/* ---- objects ---- */

/* Where to look for the next member. */
typedef struct members {
  const gs_shape_field *fields;
  int next;       /* field */
  bool kept;      /* some member was */
  int64_t before; /* the end of the last one */
  gs_shape_span *spans;
} members;

/* Fields up to one of this name (NULL: the end) may be left out only where they are optional. */
static gs_status find_field(reading *r, members *of, const char *name, size_t length) {
  const gs_shape_field *fields = of->fields;
  for (;; of->next++) {
    const gs_shape_field *field = &fields[of->next];
    if (!field->name && !name) return GS_OK;
    if (!field->name) return fail(r, "a member that is not known, comes twice or out of order");
    if (name && strlen(field->name) == length && memcmp(field->name, name, length) == 0) {
      return GS_OK;
    }
    if (field->optional) continue;
    char what[LOCATION_BYTES];
    snprintf(what, sizeof what, "\"%s\" is missing, or out of order", field->name);
    return fail(r, what);
  }
}

static gs_status check_member(reading *r, members *of, gs_shape_keep keep) {
  gs_json_scanner *s = r->s;
  const char *key = NULL;
  size_t length = 0;
  gs_json_skip_space(s);
  if (gs_json_peek(s) != '"') return fail(r, "expected a key in double quotes");
  GS_TRY(read_token(r, gs_json_scan_string, &key, &length));
  GS_TRY(find_field(r, of, key + 1, length - 2));
  const gs_shape_field *field = &of->fields[of->next];
  gs_json_skip_space(s);
  if (!gs_json_take(s, ':')) return fail(r, "expected ':' after a key");
  const gs_shape_keep kept = keep == GS_KEEP_SOME ? field->keep : keep;
  if (of->kept) keep_byte(r, kept, ',');
  keep_byte(r, kept, '"');
  keep_bytes(r, kept, field->name, strlen(field->name));
  keep_bytes(r, kept, "\":", 2);
  of->kept = of->kept || kept != GS_KEEP_NONE;
  gs_json_skip_space(s);
  const int64_t start = (int64_t)s->at;
  if (r->depth == MAX_LEVELS) return fail(r, "nested too deeply");
  r->path[r->depth++] = field->name;
  GS_TRY(check_value(r, field->shape, kept));
  r->depth--;
  if (of->spans) of->spans[of->next] = (gs_shape_span){of->before, start, (int64_t)s->at};
  of->next++;
  return GS_OK;
}

static gs_status check_members(reading *r, const gs_json_shape *shape, gs_shape_keep keep,
                               gs_shape_span *spans) {
  members of = {.fields = shape->fields, .spans = spans, .before = (int64_t)r->s->at};
  do {
    GS_TRY(check_member(r, &of, keep));
    of.before = (int64_t)r->s->at;
    gs_json_skip_space(r->s);
  } while (gs_json_take(r->s, ','));
  if (!gs_json_take(r->s, '}')) return fail(r, "expected ',' or '}' after a value");
  return find_field(r, &of, NULL, 0);
}

static gs_status check_object(reading *r, const gs_json_shape *shape, gs_shape_keep keep,
                              gs_shape_span *spans, bool inside) {
  members none = {.fields = shape->fields};
  const int64_t aligned = r->aligned;
  const int lists = r->lists;
  if (!inside && !gs_json_take(r->s, '{')) return fail(r, "expected an object");
  if (shape->aligned) {
    r->aligned = FIRST;
    r->lists = 0;
  }
  keep_byte(r, keep, '{');
  gs_json_skip_space(r->s);
  if (gs_json_take(r->s, '}')) {
    GS_TRY(find_field(r, &none, NULL, 0));
  } else {
    GS_TRY(check_members(r, shape, keep, spans));
  }
  keep_byte(r, keep, '}');
  if (shape->aligned) {
    r->aligned = aligned;
    r->lists = lists;
  }
  return GS_OK;
}

static gs_status check_value(reading *r, const gs_json_shape *shape, gs_shape_keep keep) {
  gs_json_skip_space(r->s);
  if (shape->null && gs_json_peek(r->s) == 'n') return check_literal(r, false, keep);
  switch (shape->kind) {
  case GS_SHAPE_OBJECT: return check_object(r, shape, keep, NULL, false);
  case GS_SHAPE_LIST: return check_list(r, shape, keep);
  case GS_SHAPE_NUMBER:
  case GS_SHAPE_INTEGER: return check_number(r, shape, keep);
  case GS_SHAPE_BOOLEAN: return check_literal(r, true, keep);
  case GS_SHAPE_TEXT: return check_text(r, shape, keep);
  }
  return fail(r, "a shape of no kind");
}

gs_status gs_shape_check(gs_json_scanner *s, const gs_json_shape *shape, bool inside, FILE *kept,
                         gs_shape_span *spans) {
  reading r = {.s = s, .kept = kept, .aligned = FREE};
  gs_json_skip_space(s);
  if (shape->kind == GS_SHAPE_OBJECT) {
    GS_TRY(check_object(&r, shape, GS_KEEP_SOME, spans, inside));
  } else {
    GS_TRY(check_value(&r, shape, GS_KEEP_SOME));
  }
  gs_json_skip_space(s);
  if (gs_json_peek(s) >= 0) return fail(&r, "text after the end of the value");
  return s->failed;
}
