/* Reading single JSON values of a sweep's description. */
#include "base/value.h"
#include "base/names.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/integer.h"

bool gs_value_number(const cJSON *value, double *number) {
  *number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
  return isfinite(*number);
}

gs_status gs_value_finite(const cJSON *value, const gs_location *location, double *number,
                          gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  double found = 0.0;
  if (!gs_value_number(value, &found)) {
    return GS_FAIL_AT(location, error, "must be a number, not %s", gs_quote_value(value, quoted));
  }
  *number = found == 0.0 ? 0.0 : found; /* no negative zero */
  return GS_OK;
}

gs_status gs_value_real(const cJSON *value, const gs_location *location, double *real,
                        gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  double number = 0.0;
  GS_TRY(gs_value_finite(value, location, &number, error));
  if (number < 0.0) {
    return GS_FAIL_AT(location, error, "must be at least 0, not %s", gs_quote_value(value, quoted));
  }
  *real = number;
  return GS_OK;
}

gs_status gs_value_size(const cJSON *value, const gs_location *location, int64_t max, int64_t *size,
                        gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  double number = 0.0;
  if (!gs_value_number(value, &number) || number != floor(number)) {
    return GS_FAIL_AT(location, error, "must be an integer, not %s", gs_quote_value(value, quoted));
  }
  if (gs_integer_of(number, 1, max, size)) return GS_OK;
  return GS_FAIL_AT(location, error, "must be 1 to %" PRId64 ", not %s", max,
                    gs_quote_value(value, quoted));
}

gs_status gs_value_word(const cJSON *value, const gs_location *location, const char **word,
                        gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsString(value)) {
    return GS_FAIL_AT(location, error, "must be a name, not %s", gs_quote_value(value, quoted));
  }
  *word = value->valuestring;
  return GS_OK;
}

enum { LIST_BYTES = 256 };

static const char *join(const char *const *choices, int count, char list[LIST_BYTES]) {
  size_t length = 0;
  list[0] = '\0';
  for (int i = 0; i < count && length < LIST_BYTES; i++) {
    const int more =
        snprintf(list + length, LIST_BYTES - length, "%s%s", i > 0 ? ", " : "", choices[i]);
    length += more > 0 ? (size_t)more : 0;
  }
  return list;
}

/* `meant`: what the word may have been meant to be, or NULL. */
static gs_status fail_unknown(const gs_location *location, const char *what, const char *word,
                              const char *meant, const char *const *choices, int count,
                              gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char list[LIST_BYTES];
  if (meant) {
    return GS_FAIL_AT(location, error, "unknown %s %s (did you mean \"%s\"?)", what,
                      gs_quote(word, quoted), meant);
  }
  return GS_FAIL_AT(location, error, "unknown %s %s (known: %s)", what, gs_quote(word, quoted),
                    join(choices, count, list));
}

gs_status gs_value_unknown_key(const gs_location *location, const char *const *keys, int count,
                               gs_error *error) {
  gs_location object = *location;
  const char *key = location->member ? location->member : location->key;
  if (location->member) {
    object.member = NULL;
  } else if (location->path) {
    object.key = NULL;
  }
  return fail_unknown(&object, "key", key, gs_closest(key, keys, count), keys, count, error);
}

gs_status gs_value_choice(const cJSON *value, const gs_location *location, const gs_names *names,
                          int *choice, gs_error *error) {
  const char *word = "";
  const char *meant = NULL;
  GS_TRY(gs_value_word(value, location, &word, error));
  const int found = gs_value_of(names, word, &meant);
  if (found >= 0) {
    *choice = found;
    return GS_OK;
  }
  const char *what = location->key ? location->key : "model"; /* only a model has no key */
  if (location->member && strcmp(location->member, "name") != 0) what = location->member;
  return fail_unknown(location, what, word, meant, names->list, gs_names_count(names), error);
}
