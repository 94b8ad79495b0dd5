/* The worker's side of the protocol, line by line: hello, answers, and where it
 * ends. What a run makes of it is in faults.py. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "sweep/fault.h"
#include "sweep/pipe.h"
#include "sweep/worker.h"

enum { MAX_ANSWERS = 8 };

/* What a worker made of some lines. */
typedef struct conversation {
  gs_status status;
  gs_error error;
  cJSON *answers[MAX_ANSWERS];
  int count;
} conversation;

static const char *text(const cJSON *object, const char *key) {
  const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
  return value ? value : "";
}

/* Lets a worker on the CPU answer the lines; requests and answers fit into pipes. */
static conversation talk(const char *lines, const char *fault) {
  conversation said = {.count = 0};
  const gs_device_choice choice = {GS_BACKEND_CPU, "auto", 1};
  int input[2];
  int output[2];
  assert_int_equal(pipe2(input, O_CLOEXEC), 0);
  assert_int_equal(pipe2(output, O_CLOEXEC), 0);
  assert_true(gs_write_all(input[1], lines, strlen(lines)));
  close(input[1]);
  if (fault) setenv(GS_FAULT_VARIABLE, fault, 1);
  said.status = gs_worker_serve(&choice, input[0], output[1], &said.error);
  unsetenv(GS_FAULT_VARIABLE);
  close(input[0]);
  close(output[1]);
  FILE *answers = fdopen(output[0], "r");
  char *line = NULL;
  size_t capacity = 0;
  ssize_t length;
  while ((length = getline(&line, &capacity, answers)) > 0) {
    gs_error error = {0};
    assert_true(said.count < MAX_ANSWERS);
    assert_int_equal(line[length - 1], '\n');
    gs_support_ok(
        gs_json_parse(line, (size_t)length - 1, "answer", &said.answers[said.count++], &error),
        &error);
  }
  free(line);
  fclose(answers);
  return said;
}

static void forget(conversation *said) {
  for (int i = 0; i < said->count; i++) cJSON_Delete(said->answers[i]);
}

#define CELL(number, more)                                                                         \
  "{\"request\":\"cell\",\"cell\":" number ",\"id\":\"id" number "\",\"name\":\"n\","              \
  "\"params\":{\"model\":\"mlp\",\"depth\":1,\"width\":2,\"stats\":\"off\"" more "},"              \
  "\"options\":{\"time_limit_s\":0,\"min_time_s\":0,\"min_samples\":1,\"spread\":0,"               \
  "\"max_points\":9,\"threshold_decades\":1,\"round\":0,\"steps_per_sample\":0},"                  \
  "\"memory_limit_bytes\":0}\n"

static void answers_come_in_order(void **state) {
  (void)state;
  conversation said = talk("{\"request\":\"predict\",\"params\":{\"model\":\"mlp\"}}\n" CELL(
                               "0", "") "{\"request\":\"floor\"}\n" CELL("1", ""),
                           NULL);
  assert_int_equal(said.status, GS_OK);
  assert_int_equal(said.count, 5);
  assert_string_equal(text(cJSON_GetObjectItem(said.answers[0], "device"), "backend"), "cpu");
  assert_true(cJSON_IsNumber(cJSON_GetObjectItem(said.answers[1], "predicted_bytes")));
  assert_string_equal(text(said.answers[2], "id"), "id0");
  assert_string_equal(text(said.answers[2], "status"), "ok");
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(said.answers[3], "flops_per_s_bf16")));
  assert_string_equal(text(said.answers[4], "id"), "id1");
  forget(&said);
}

static void what_cannot_be_run_is_predicted_as_such(void **state) {
  (void)state;
  static const char *const lacks[] = {"\"dtype\":\"bf16\"", "\"launch\":\"graph\""};
  for (size_t i = 0; i < 2; i++) {
    char line[128];
    snprintf(line, sizeof line, "{\"request\":\"predict\",\"params\":{\"model\":\"mlp\",%s}}\n",
             lacks[i]);
    conversation said = talk(line, NULL);
    assert_int_equal(said.count, 2);
    assert_string_equal(text(said.answers[1], "status"), "unsupported");
    assert_true(strlen(text(said.answers[1], "error")) > 0);
    forget(&said);
  }
}

/* After the answer that tells of the loss there is no other, though requests wait. */
static void a_worker_ends_with_its_device(void **state) {
  (void)state;
  conversation said = talk(CELL("0", "") CELL("1", "") CELL("2", ""), "lost:1");
  assert_int_equal(said.status, GS_OK);
  assert_int_equal(said.count, 3);
  assert_string_equal(text(said.answers[1], "status"), "ok");
  assert_string_equal(text(said.answers[2], "id"), "id1");
  assert_string_equal(text(said.answers[2], "status"), "failed");
  assert_non_null(strstr(text(said.answers[2], "error"), "lost"));
  forget(&said);
}

static void a_missing_device_is_said_in_place_of_hello(void **state) {
  (void)state;
  conversation said = talk(CELL("0", ""), "absent");
  assert_int_equal(said.status, GS_OK);
  assert_int_equal(said.count, 1);
  assert_string_equal(text(said.answers[0], "status"), "no device");
  forget(&said);
}

/* Numbers that no integer holds, or that are none. */
static void a_request_for_half_a_cell_is_none(void **state) {
  (void)state;
  static const char *const keys[] = {"cell", "min_samples", "max_points", "round",
                                     "steps_per_sample"};
  static const char *const numbers[] = {"1e300", "-1",   "0.5",   "9223372036854775808",
                                        "-1e19", "null", "\"1\"", "9007199254740994"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
      char line[1024];
      const char *whole = CELL("0", "");
      char key[32];
      snprintf(key, sizeof key, "\"%s\":", keys[k]);
      const char *value = strstr(whole, key) + strlen(key);
      snprintf(line, sizeof line, "%.*s%s%s", (int)(value - whole), whole, numbers[i],
               value + strspn(value, "0123456789"));
      conversation said = talk(line, NULL);
      assert_int_equal(said.status, GS_ERR_INTERNAL);
      assert_int_equal(said.count, 1);
      forget(&said);
    }
  }
}

static void nonsense_ends_the_worker(void **state) {
  (void)state;
  static const char *const lines[] = {"{\"request\":\"dance\"}\n", "{\"request\":\"cell\"}\n",
                                      "dance\n"};
  for (size_t i = 0; i < 3; i++) {
    conversation said = talk(lines[i], NULL);
    assert_int_equal(said.status, i < 2 ? GS_ERR_INTERNAL : GS_ERR_DATA);
    assert_int_equal(said.count, 1);
    forget(&said);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_come_in_order),
      cmocka_unit_test(what_cannot_be_run_is_predicted_as_such),
      cmocka_unit_test(a_worker_ends_with_its_device),
      cmocka_unit_test(a_missing_device_is_said_in_place_of_hello),
      cmocka_unit_test(a_request_for_half_a_cell_is_none),
      cmocka_unit_test(nonsense_ends_the_worker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
