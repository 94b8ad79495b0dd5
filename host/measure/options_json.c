/* One row for every member. See options_json.h. */
#include "measure/options_json.h"

#include <stddef.h>
#include <string.h>

#include "base/integer.h"

typedef struct member {
  const char *key;
  size_t offset; /* of a double, or of an int64_t from `min` on */
  bool whole;
  int64_t min;
} member;

#define AT(name) offsetof(gs_measure_options, name)

static const member members[] = {{"time_limit_s", AT(timing.time_limit_s), false, 0},
                                 {"min_time_s", AT(timing.min_time_s), false, 0},
                                 {"min_samples", AT(timing.min_samples), true, 1},
                                 {"spread", AT(timing.spread), false, 0},
                                 {"max_points", AT(max_points), true, 1},
                                 {"threshold_decades", AT(threshold_decades), false, 0},
                                 {"round", AT(round), true, 0},
                                 {"steps_per_sample", AT(steps_per_sample), true, 0}};
enum { MEMBERS = sizeof members / sizeof *members, OF_RUN = MEMBERS - 2 };

static void put_member(gs_json_writer *w, const member *m, const gs_measure_options *options) {
  const char *from = (const char *)options + m->offset;
  int64_t whole;
  double number;
  if (m->whole) {
    memcpy(&whole, from, sizeof whole);
    gs_json_put_int(w, m->key, whole);
  } else {
    memcpy(&number, from, sizeof number);
    gs_json_put_number(w, m->key, number);
  }
}

static bool read_member(const cJSON *object, const member *m, gs_measure_options *options) {
  char *to = (char *)options + m->offset;
  const cJSON *item = gs_json_get(object, m->key);
  int64_t whole;
  if (!cJSON_IsNumber(item)) return false;
  if (m->whole) {
    if (!gs_integer_of(item->valuedouble, m->min, GS_INTEGER_MAX, &whole)) return false;
    memcpy(to, &whole, sizeof whole);
  } else {
    memcpy(to, &item->valuedouble, sizeof item->valuedouble);
  }
  return true;
}

void gs_measure_options_put(gs_json_writer *w, const gs_measure_options *options, bool with_round) {
  const int count = with_round ? MEMBERS : OF_RUN;
  for (int i = 0; i < count; i++) put_member(w, &members[i], options);
}

bool gs_measure_options_from_json(const cJSON *object, gs_measure_options *options) {
  for (int i = 0; i < MEMBERS; i++) {
    if (!read_member(object, &members[i], options)) return false;
  }
  return true;
}
