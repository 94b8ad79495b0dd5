/* Records are believed only when everything in them is as it must be: every member of a
 * true record is taken away, doubled, moved and replaced by what it may not be. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "device/device.h"
#include "measure/measure.h"
#include "sweep/device_open.h"
#include "sweep/record_read.h"
#include "sweep/record_shape.h"

static gs_sweep sweep;
enum { CELLS = 3 };
static char *lines[CELLS]; /* of its cells: a small mlp, a timed rnn, statistics off */

static int measure_cells(void **state) {
  (void)state;
  static const char text[] =
      "{\"blocks\":[{\"model\":\"mlp\",\"depth\":3,\"width\":4,\"replicas\":3,\"jacobian\":true,"
      "\"activation\":\"relu\",\"bias_std\":0.1},"
      "{\"model\":\"rnn\",\"seq_len\":4,\"hidden\":5,\"stats\":\"norms\"},"
      "{\"model\":\"mlp\",\"depth\":2,\"width\":4,\"stats\":\"off\"}]}";
  gs_error error;
  cJSON *root = NULL;
  gs_device *device = NULL;
  const gs_device_choice choice = {GS_BACKEND_CPU, "auto", 1};
  if (gs_json_parse(text, sizeof text - 1, "sweep", &root, &error) != GS_OK) return -1;
  if (gs_sweep_from_json(root, "sweep", &sweep, &error) != GS_OK) return -1;
  if (gs_device_open(&choice, &device, &error) != GS_OK) return -1;
  for (int i = 0; i < CELLS; i++) {
    const gs_cell *cell = &sweep.cells[i];
    gs_measure_options options = gs_measure_defaults();
    options.timing = (gs_timing_limits){i == 1 ? 0.01 : 0, 0.001, 2, 1};
    cJSON *measured = NULL;
    if (gs_measure_cell(device, &cell->config, &options, &measured, &error) != GS_OK) return -1;
    cJSON *params = gs_record_params(&cell->config, false);
    cJSON *record = gs_record_complete(cell->id, cell->name, params, measured);
    lines[i] = gs_json_print_line(record);
    cJSON_Delete(params);
    cJSON_Delete(record);
    if (!lines[i]) return -1;
  }
  cJSON_Delete(root);
  device->ops->destroy(device);
  return 0;
}

static int forget_cells(void **state) {
  (void)state;
  for (int i = 0; i < CELLS; i++) free(lines[i]);
  gs_sweep_clear(&sweep);
  return 0;
}

static gs_status read_line(int cell, const char *line, gs_record_facts *facts, gs_error *error) {
  gs_text_source text = {line, strlen(line), 0};
  const gs_json_source source = gs_text_source_of(&text);
  char *opening = gs_record_opening(&sweep.cells[cell], false);
  assert_non_null(opening);
  const gs_status status =
      gs_record_read(&source, opening, &sweep.cells[cell].config, facts, error);
  free(opening);
  return status;
}

static void assert_refused(int cell, const char *line, const char *what) {
  gs_record_facts facts;
  gs_error error = {0};
  if (read_line(cell, line, &facts, &error) != GS_ERR_DATA) fail_msg("%s is taken", what);
  assert_true(strlen(error.message) > 0);
}

/* ---- what is true ---- */

static void true_records_are_read(void **state) {
  (void)state;
  for (int i = 0; i < CELLS; i++) {
    gs_record_facts facts;
    gs_error error = {0};
    gs_support_ok(read_line(i, lines[i], &facts, &error), &error);
    assert_int_equal(facts.outcome.status, GS_CELL_OK);
    assert_memory_equal(lines[i] + facts.status.start, "\"ok\"", 4);
    assert_memory_equal(lines[i] + facts.error.start, "null", 4);
    assert_int_equal(facts.timing.end > 0, i == 1);
  }
}

/* What is kept while reading says the same as the whole tree. */
static void outcomes_are_those_of_whole_records(void **state) {
  (void)state;
  for (int i = 0; i < CELLS; i++) {
    gs_record_facts facts;
    gs_error error = {0};
    cJSON *tree = NULL;
    gs_outcome outcome = gs_outcome_pending();
    gs_support_ok(read_line(i, lines[i], &facts, &error), &error);
    gs_support_ok(gs_json_parse(lines[i], strlen(lines[i]), "line", &tree, &error), &error);
    gs_support_ok(gs_outcome_read(tree, &outcome, &error), &error);
    const double numbers[][2] = {{facts.outcome.decades_p05, outcome.decades_p05},
                                 {facts.outcome.decades_p50, outcome.decades_p50},
                                 {facts.outcome.decades_p95, outcome.decades_p95},
                                 {facts.outcome.decades_per_layer, outcome.decades_per_layer},
                                 {facts.outcome.dead, outcome.dead},
                                 {facts.outcome.not_finite, outcome.not_finite},
                                 {facts.outcome.theory_z, outcome.theory_z},
                                 {facts.outcome.jacobian_rms, outcome.jacobian_rms},
                                 {facts.outcome.jacobian_largest, outcome.jacobian_largest},
                                 {facts.outcome.jacobian_smallest, outcome.jacobian_smallest},
                                 {facts.outcome.lyapunov, outcome.lyapunov},
                                 {facts.outcome.lost_f16, outcome.lost_f16},
                                 {facts.outcome.lost_f32, outcome.lost_f32},
                                 {facts.outcome.samples_per_s, outcome.samples_per_s},
                                 {facts.outcome.median_ns, outcome.median_ns},
                                 {facts.outcome.timed_steps, outcome.timed_steps},
                                 {facts.outcome.noise, outcome.noise},
                                 {facts.outcome.disturbed, outcome.disturbed},
                                 {facts.outcome.wall_ns, outcome.wall_ns},
                                 {facts.outcome.held_up_ns, outcome.held_up_ns}};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
      assert_memory_equal(&numbers[n][0], &numbers[n][1], sizeof(double)); /* NaN is NaN */
    }
    assert_string_equal(facts.outcome.reason, outcome.reason);
    assert_string_equal(facts.outcome.verdict, outcome.verdict);
    assert_int_equal(facts.outcome.agreement, outcome.agreement);
    assert_int_equal(facts.outcome.has_jacobian, outcome.has_jacobian);
    assert_int_equal(facts.outcome.lacks, outcome.lacks);
    cJSON_Delete(tree);
  }
}

/* ---- what is not ---- */

/* A member of an object in a line: "key":value, of these bytes. */
typedef struct member {
  char key[32];
  size_t start, value, end;
  bool first;
} member;

/* The end of the value at `at`. */
static size_t end_of(const char *line, size_t at) {
  int depth = 0;
  bool text = false;
  for (;; at++) {
    const char c = line[at];
    if (text) {
      if (c == '\\') at++;
      text = c != '"';
    } else if (c == '"') {
      text = true;
    } else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
      return at;
    } else {
      depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
  }
}

/* The next member at or after `at`, in a record of our own: keys are plain words. */
static bool next_member(const char *line, size_t at, member *found) {
  for (; line[at]; at++) {
    if (!(line[at] == '"' && (line[at - 1] == '{' || line[at - 1] == ','))) continue;
    const size_t length = strcspn(line + at + 1, "\"");
    if (line[at + 1 + length + 1] != ':') continue;
    *found = (member){.start = at, .value = at + length + 3, .first = line[at - 1] == '{'};
    snprintf(found->key, sizeof found->key, "%.*s", (int)length, line + at + 1);
    found->end = end_of(line, found->value);
    return true;
  }
  return false;
}

/* Members that may be missing. */
static bool may_go(const char *key) {
  static const char *const keys[] = {
      "saturated_share", "dead_share", "grad_bias", "grad_input_weight", "recurrent",
      "values",          "below",      "above",     "activation",        "delta",
      "grad_weight",     "timing",     "stream",    "grad_stream"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (strcmp(keys[i], key) == 0) return true;
  }
  return strcmp(key, "verdicts") == 0;
}

/* Every member is taken away, comes twice, and is replaced by something of another kind. */
static void each_member_counts(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "{}", "{\"a\":1}", "-7.5", "\"\\u001b[31m\"", "[[]]", "1e999", "01", "\"\xC3\"", "tru", ""};
  for (int cell = 0; cell < CELLS; cell++) {
    const char *line = lines[cell];
    char *changed = malloc(2 * strlen(line) + 64);
    char what[128];
    member m = {.end = 1};
    int members = 0;
    assert_non_null(changed);
    for (size_t at = 1; next_member(line, at, &m); at = m.value, members++) {
      for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const bool any_text = strcmp(m.key, "device") == 0 || strcmp(m.key, "message") == 0;
        const bool any_number = strstr("mean sd p05 p50 p95 rms z difference allowance measured "
                                       "typical steepest singular spectral_radius sd_ratio "
                                       "depth_scale standard_error",
                                       m.key) != NULL;
        if ((any_text && i == 3) || (any_number && i == 2)) continue;
        if (i == 0 && line[m.value] == '{' && line[m.value + 1] == '}') continue;
        if (i == 0 && strcmp(m.key, "layers") == 0) continue; /* of an agreement */
        if (i == 0 && strcmp(m.key, "first_layer_lost") == 0) continue;
        snprintf(what, sizeof what, "%s: %s", m.key, wrong[i]);
        sprintf(changed, "%.*s%s%s", (int)m.value, line, wrong[i], line + m.end);
        assert_refused(cell, changed, what);
      }
      snprintf(what, sizeof what, "%s twice", m.key);
      sprintf(changed, "%.*s,%.*s%s", (int)m.end, line, (int)(m.end - m.start), line + m.start,
              line + m.end);
      assert_refused(cell, changed, what);
      snprintf(what, sizeof what, "no %s", m.key);
      const size_t before = m.first ? m.start : m.start - 1; /* with its comma */
      sprintf(changed, "%.*s%s", (int)before, line, line + m.end + (m.first && line[m.end] == ','));
      if (!may_go(m.key)) assert_refused(cell, changed, what);
    }
    assert_true(members > 20);
    free(changed);
  }
}

/* What the issue names: a record of an id and a status; and some like it. */
static void a_claim_is_no_record(void **state) {
  (void)state;
  const char *id = sweep.cells[0].id;
  char text[4096];
  snprintf(text, sizeof text, "{\"id\":\"%s\",\"status\":\"ok\"}", id);
  assert_refused(0, text, "an id and a status");
  char *opening = gs_record_opening(&sweep.cells[0], false);
  const char *backend = "\"backend\":{\"name\":\"cpu\",\"device\":\"x\",\"threads\":1}";
  const char *const rests[] = {
      "\"status\":\"ok\",\"error\":null,%s}",        "\"status\":\"ok\",\"error\":\"no\",%s}",
      "\"status\":\"failed\",\"error\":null,%s}",    "\"status\":\"failed\",\"error\":\"\",%s}",
      "\"status\":\"pending\",\"error\":\"no\",%s}", "\"error\":\"no\",\"status\":\"failed\",%s}"};
  for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
    const int length = snprintf(text, sizeof text, "%s", opening);
    snprintf(text + length, sizeof text - (size_t)length, rests[i], backend);
    assert_refused(0, text, rests[i]);
  }
  snprintf(text, sizeof text, "%s\"status\":\"failed\",\"error\":\"no\",%s}", opening, backend);
  gs_record_facts facts;
  gs_error error = {0};
  gs_support_ok(read_line(0, text, &facts, &error), &error); /* as far as it got */
  assert_refused(1, text, "the record of another cell");
  assert_refused(1, lines[0], "the record of another cell");
  free(opening);
}

/* Every cut, and every bit of a record flipped: refused, or a record all the same (a digit of
 * a number is another digit). Its shape is never broken; the sanitizers watch. */
static void damage_breaks_nothing(void **state) {
  (void)state;
  const size_t length = strlen(lines[2]);
  char *text = malloc(length + 1);
  assert_non_null(text);
  for (size_t cut = 0; cut < length; cut++) {
    memcpy(text, lines[2], cut);
    text[cut] = '\0';
    assert_refused(2, text, "a cut record");
  }
  for (size_t bit = 0; bit < 8 * length; bit++) {
    gs_record_facts facts;
    gs_error error = {0};
    strcpy(text, lines[2]);
    text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
    const gs_status status = read_line(2, text, &facts, &error);
    assert_true(status == GS_OK || status == GS_ERR_DATA);
    if (status == GS_OK) {
      cJSON *tree = NULL;
      gs_support_ok(gs_json_parse(text, length, "line", &tree, &error), &error);
      cJSON_Delete(tree);
    }
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(true_records_are_read),
      cmocka_unit_test(outcomes_are_those_of_whole_records),
      cmocka_unit_test(each_member_counts),
      cmocka_unit_test(a_claim_is_no_record),
      cmocka_unit_test(damage_breaks_nothing),
  };
  return cmocka_run_group_tests(tests, measure_cells, forget_cells);
}
