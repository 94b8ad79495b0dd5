/* Requirements of a run. See require.h. */
#include "sweep/require.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/location.h"
#include "base/names.h"
#include "base/printable.h"
#include "measure/timing_rule.h"

enum { MESSAGE_BYTES = 400 };

/* ---- what is wrong, in words; false: nothing is known to be ---- */

static bool say(char message[MESSAGE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool say(char message[MESSAGE_BYTES], const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, MESSAGE_BYTES, format, arguments);
  va_end(arguments);
  return true;
}

static const char *device_text(const gs_require_facts *facts, const char *key) {
  const char *text = cJSON_GetStringValue(gs_json_get(facts->device, key));
  return text ? text : "";
}

static bool wrong_backend(const char *value, const gs_require_facts *facts, char *message) {
  const char *backend = device_text(facts, "backend");
  if (!facts->device) return false;
  return strcmp(backend, value) != 0 && say(message, "the run's backend is %s", backend);
}

static bool wrong_device(const char *value, const gs_require_facts *facts, char *message) {
  if (!facts->device) return false;
  const char *name = device_text(facts, "name");
  const bool right = strcasestr(name, value) ||
                     strcasecmp(device_text(facts, "uuid"), value) == 0 ||
                     strcasecmp(device_text(facts, "pci"), value) == 0;
  return !right && say(message, "the run's device is %s", name);
}

/* How many cells ended so, and the first of them. */
static int64_t count_status(const gs_require_facts *facts, gs_cell_status status, int64_t *first) {
  int64_t count = 0;
  for (int64_t i = 0; i < facts->sweep->count; i++) {
    if (facts->outcomes[i].status == status && count++ == 0) *first = i;
  }
  return count;
}

static bool too_few_cells(const char *value, const gs_require_facts *facts, char *message) {
  const int64_t wanted = strtoll(value, NULL, 10);
  int64_t first = 0;
  const int64_t all = facts->sweep->count;
  if (all < wanted) return say(message, "the sweep has %" PRId64, all);
  if (!facts->outcomes) return false;
  const int64_t done = count_status(facts, GS_CELL_OK, &first);
  return done < wanted && say(message, "%" PRId64 " of %" PRId64 " are ok", done, all);
}

static bool some_skipped(const char *value, const gs_require_facts *facts, char *message) {
  (void)value;
  if (!facts->outcomes) return false;
  int64_t first = 0;
  const int64_t skipped = count_status(facts, GS_CELL_SKIPPED, &first);
  return skipped > 0 &&
         say(message, "%" PRId64 " of %" PRId64 " cells are skipped, the first is %s", skipped,
             facts->sweep->count, facts->sweep->cells[first].name);
}

static bool all_without_statistics(const gs_sweep *sweep) {
  for (int64_t i = 0; i < sweep->count; i++) {
    if (sweep->cells[i].config.stats != GS_STATS_OFF) return false;
  }
  return true;
}

/* Nothing off is not enough: something has to be as predicted. */
static bool not_predicted(const char *value, const gs_require_facts *facts, char *message) {
  (void)value;
  int64_t off = 0;
  int64_t right = 0;
  int64_t outside = 0;
  int64_t first = 0;
  if (all_without_statistics(facts->sweep)) return say(message, "no cell has statistics");
  if (!facts->outcomes || facts->only_statuses) return false;
  for (int64_t i = 0; i < facts->sweep->count; i++) {
    const gs_outcome *outcome = &facts->outcomes[i];
    if (outcome->agreement == GS_OFF && off++ == 0) first = i;
    right += outcome->agreement == GS_AS_PREDICTED;
    outside += outcome->agreement == GS_OUTSIDE_VALIDITY;
  }
  if (off > 0) {
    return say(message, "%" PRId64 " of %" PRId64 " cells are off, the first is %s", off,
               facts->sweep->count, facts->sweep->cells[first].name);
  }
  return right == 0 &&
         say(message, "no cell is as predicted; outside theory's reach: %" PRId64, outside);
}

static bool not_timed(const char *value, const gs_require_facts *facts, char *message) {
  (void)value;
  if (!facts->timed) return say(message, "the run's time limit is 0: nothing is timed");
  if (!facts->outcomes || facts->only_statuses) return false;
  for (int64_t i = 0; i < facts->sweep->count; i++) {
    const gs_outcome *outcome = &facts->outcomes[i];
    if (outcome->status == GS_CELL_OK && !isfinite(outcome->median_ns)) {
      return say(message, "%s is not timed", facts->sweep->cells[i].name);
    }
  }
  return false;
}

static bool floor_wrong(const char *value, const gs_require_facts *facts, char *message) {
  if (not_timed(value, facts, message)) return true;
  int64_t wrong = 0;
  int64_t first = 0;
  if (!facts->outcomes || facts->only_statuses) return false;
  for (int64_t i = 0; i < facts->sweep->count; i++) {
    if (facts->outcomes[i].floor_wrong && wrong++ == 0) first = i;
  }
  return wrong > 0 &&
         say(message, "not trustworthy for %" PRId64 " of %" PRId64 " cells, the first is %s",
             wrong, facts->sweep->count, facts->sweep->cells[first].name);
}

static bool too_few_samples(const char *value, const gs_require_facts *facts, char *message) {
  if (not_timed(value, facts, message)) return true;
  int64_t lacking = 0;
  int64_t first = 0;
  if (!facts->outcomes || facts->only_statuses) return false;
  for (int64_t i = 0; i < facts->sweep->count; i++) {
    const bool lacks = (facts->outcomes[i].lacks & (GS_LACKS_MIN_TIME | GS_LACKS_MIN_SAMPLES)) != 0;
    if (lacks && lacking++ == 0) first = i;
  }
  return lacking > 0 && say(message, "%" PRId64 " of %" PRId64 " cells have fewer, the first is %s",
                            lacking, facts->sweep->count, facts->sweep->cells[first].name);
}

/* ---- the table ---- */

typedef struct gs_require_rule {
  const char *word;
  const char *sign; /* between the word and its value; NULL: there is none */
  bool number;      /* the value is a count */
  bool (*unmet)(const char *value, const gs_require_facts *facts, char message[MESSAGE_BYTES]);
  const char *shown; /* in the help */
  const char *meaning;
} gs_require_rule;

static const gs_require_rule rules[] = {
    {"backend", "=", false, wrong_backend, "backend=NAME", "the run is on this backend: cpu, cuda"},
    {"device", "=", false, wrong_device, "device=TEXT",
     "TEXT is part of the device's name, or its UUID or PCI address"},
    {"cells", ">=", true, too_few_cells, "cells>=N", "at least N cells are ok (quote the >)"},
    {"no-skips", NULL, false, some_skipped, "no-skips", "no cell is skipped"},
    {"predicted", NULL, false, not_predicted, "predicted",
     "no cell is off, and at least one is as predicted"},
    {"timed", NULL, false, not_timed, "timed", "every cell that is ok is timed"},
    {"samples", NULL, false, too_few_samples, "samples",
     "... for at least --min-time and --min-samples"},
    {"floor", NULL, false, floor_wrong, "floor", "... and the floor is trustworthy"},
};
enum { RULES = sizeof rules / sizeof *rules };

void gs_requirements_print_help(FILE *stream) {
  for (int i = 0; i < RULES; i++) {
    (void)fprintf(stream, "                         %-13s %s\n", rules[i].shown, rules[i].meaning);
  }
}

/* ---- reading ---- */

static bool is_count(const char *text) {
  const size_t digits = strspn(text, "0123456789");
  return digits > 0 && digits < 16 && text[digits] == '\0' && strtoll(text, NULL, 10) > 0;
}

static gs_status fail_word(const char *text, const char *word, gs_error *error) {
  const char *names[RULES];
  char quoted[GS_QUOTE_BYTES];
  for (int i = 0; i < RULES; i++) names[i] = rules[i].word;
  const char *close = gs_closest(word, names, RULES);
  return GS_FAIL(error, GS_ERR_USAGE, "--require: unknown word %s%s%s: see gradsweep run --help",
                 gs_quote(text, quoted), close ? ", did you mean " : "", close ? close : "");
}

static gs_status add_one(gs_requirements *requirements, const char *text, size_t length,
                         gs_error *error) {
  gs_requirement asked;
  char quoted[GS_QUOTE_BYTES];
  char word[GS_REQUIRE_BYTES];
  if (requirements->count == GS_REQUIRE_MAX || length >= GS_REQUIRE_BYTES) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "--require: more than %d words, or one longer than %d bytes", GS_REQUIRE_MAX,
                   GS_REQUIRE_BYTES - 1);
  }
  snprintf(asked.text, sizeof asked.text, "%.*s", (int)length, text);
  const size_t name = strcspn(asked.text, "=<>");
  snprintf(word, sizeof word, "%.*s", (int)name, asked.text);
  for (asked.rule = 0; asked.rule < RULES; asked.rule++) {
    if (strcmp(rules[asked.rule].word, word) == 0) break;
  }
  if (asked.rule == RULES) return fail_word(asked.text, word, error);
  const gs_require_rule *rule = &rules[asked.rule];
  const char *rest = asked.text + name;
  const size_t sign = rule->sign ? strlen(rule->sign) : 0;
  const bool has_sign = rule->sign && strncmp(rest, rule->sign, sign) == 0;
  snprintf(asked.value, sizeof asked.value, "%s", has_sign ? rest + sign : "");
  const bool good = rule->sign
                        ? has_sign && (rule->number ? is_count(asked.value) : *asked.value != 0)
                        : *rest == '\0';
  if (!good) {
    return GS_FAIL(error, GS_ERR_USAGE, "--require: write '%s', not %s", rule->shown,
                   gs_quote(asked.text, quoted));
  }
  requirements->list[requirements->count++] = asked;
  return GS_OK;
}

/* A backend that no run can be on is a slip. */
static gs_status check_backend(const gs_requirement *asked, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (strcmp(rules[asked->rule].word, "backend") != 0) return GS_OK;
  if (gs_value_of(&gs_backend_names, asked->value, NULL) > GS_BACKEND_AUTO) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--require: backend is cpu or cuda, not %s",
                 gs_quote(asked->value, quoted));
}

gs_status gs_requirements_add(gs_requirements *requirements, const char *list, gs_error *error) {
  for (const char *at = list;; at++) {
    const size_t length = strcspn(at, ",");
    GS_TRY(add_one(requirements, at, length, error));
    GS_TRY(check_backend(&requirements->list[requirements->count - 1], error));
    at += length;
    if (*at == '\0') return GS_OK;
  }
}

/* ---- judging ---- */

int gs_requirements_judge(const gs_requirements *requirements, const gs_require_facts *facts,
                          FILE *stream) {
  int unmet = 0;
  for (int i = 0; i < requirements->count; i++) {
    const gs_requirement *asked = &requirements->list[i];
    char message[MESSAGE_BYTES];
    char line[MESSAGE_BYTES + GS_REQUIRE_BYTES];
    char printable[sizeof line];
    if (!rules[asked->rule].unmet(asked->value, facts, message)) continue;
    unmet++;
    snprintf(line, sizeof line, "%s: %s", asked->text, message);
    (void)fprintf(stream, "gradsweep: error: not met: --require %s\n",
                  gs_printable(line, printable, sizeof printable));
  }
  return unmet;
}
