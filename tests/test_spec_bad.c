/* Bad sweeps: each ends in one clear printable line with the JSON path or the
 * option, and leaves nothing behind; no mutation of a good file does worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/spec.h"

static gs_status expand(const char *text, size_t length, gs_sweep *sweep, gs_error *error) {
  cJSON *root = NULL;
  GS_TRY(gs_json_parse(text, length, "bad.json", &root, error));
  const gs_status status = gs_sweep_from_json(root, "bad.json", sweep, error);
  cJSON_Delete(root);
  return status;
}

/* A message is one line that a terminal can show. */
static void assert_one_line(const gs_error *error) {
  assert_true(strlen(error->message) > 0);
  for (const char *c = error->message; *c; c++) {
    const unsigned char byte = (unsigned char)*c;
    if (byte < ' ' || byte == 127) fail_msg("byte %d in \"%s\"", byte, error->message);
  }
}

static void refuse(const char *text, const char *path, const char *message) {
  gs_error error = {0};
  gs_sweep sweep = {.count = 0};
  const gs_status status = expand(text, strlen(text), &sweep, &error);
  if (status != GS_ERR_DATA || !strstr(error.message, path) || !strstr(error.message, message)) {
    fail_msg("%s: status %d, message \"%s\", wanted \"%s\" and \"%s\"", text, (int)status,
             error.message, path, message);
  }
  assert_one_line(&error);
  assert_int_equal(sweep.count, 0);
  assert_null(sweep.cells);
}

/* ---- documents ---- */

static void documents(void **state) {
  (void)state;
  refuse("[]", "$: ", "object");
  refuse("{}", "$: ", "needs \"blocks\"");
  refuse("{\"blocks\": {}}", "$.blocks: ", "must be a list");
  refuse("{\"blocks\": []}", "$.blocks: ", "empty");
  refuse("{\"blocks\": [1]}", "$.blocks[0]: ", "must be an object, not 1");
  refuse("{\"bloks\": []}", "$: ", "did you mean \"blocks\"?");
  refuse("{\"name\": 3, \"blocks\": [{\"model\": \"mlp\"}]}", "$.name: ", "not 3");
  refuse("{\"name\": \"\", \"blocks\": [{\"model\": \"mlp\"}]}", "$.name: ", "1 to 127");
  refuse("{\"name\": \"a\\nb\", \"blocks\": [{\"model\": \"mlp\"}]}", "$.name: ", "control");
  refuse("{\"timing\": 1, \"blocks\": [{\"model\": \"mlp\"}]}", "$.timing: ", "object");
  refuse("{\"timing\": {\"spread\": -1}, \"blocks\": [{\"model\": \"mlp\"}]}",
         "$.timing.spread: ", "at least 0");
  refuse("{\"timing\": {\"min_time_s\": -1}, \"blocks\": [{\"model\": \"mlp\"}]}",
         "$.timing.min_time_s: ", "at least 0");
  refuse("{\"timing\": {\"min_samples\": 1001}, \"blocks\": [{\"model\": \"mlp\"}]}",
         "$.timing.min_samples: ", "1000");
  refuse("{\"timing\": {\"min_samples\": 0}, \"blocks\": [{\"model\": \"mlp\"}]}",
         "$.timing.min_samples: ", "1");
  refuse("{\"timing\": {\"time_limit\": 1}, \"blocks\": [{\"model\": \"mlp\"}]}",
         "$.timing: ", "did you mean \"time_limit_s\"?");
}

static void what_json_itself_refuses(void **state) {
  (void)state;
  refuse("", "bad.json", "");
  refuse("{\"blocks\": [{\"model\": \"mlp\", \"bias_std\": NaN}]}", "bad.json", "");
  refuse("{\"blocks\": [{\"model\": \"mlp\", \"bias_std\": 1e400}]}", "bad.json", "");
  refuse("{\"blocks\": [{\"model\": \"mlp\", \"depth\": 1, \"depth\": 2}]}", "bad.json", "depth");
  refuse("{\"blocks\": [{\"model\": \"mlp\"}]} x", "bad.json", "");
  refuse("{\"blocks\": [{\"model\": \"mlp\"}]", "bad.json", "");
  enum { NESTING = 10000 };
  static char deep[2 * NESTING + 1];
  memset(deep, '[', NESTING);
  memset(deep + NESTING, ']', NESTING);
  refuse(deep, "bad.json", "");
  gs_error error = {0};
  gs_sweep sweep;
  assert_int_equal(gs_sweep_from_file("/nowhere/x.json", &sweep, &error), GS_ERR_DATA);
  assert_one_line(&error);
}

/* ---- blocks: text of an mlp's or rnn's parameters after the model ---- */

static void refuse_block(const char *model, const char *rest, const char *path,
                         const char *message) {
  char text[1024];
  snprintf(text, sizeof text, "{\"blocks\": [{\"model\": \"mlp\"}, {\"model\": \"%s\", %s}]}",
           model, rest);
  refuse(text, path, message);
}

static void keys(void **state) {
  (void)state;
  refuse("{\"blocks\": [{\"depth\": 3}]}", "$.blocks[0]: ", "\"model\" is missing");
  refuse("{\"blocks\": [{\"model\": \"mpl\"}]}", "$.blocks[0].model: ", "did you mean \"mlp\"?");
  refuse("{\"blocks\": [{\"model\": [\"mlp\"]}]}", "$.blocks[0].model: ", "not a list");
  refuse_block("mlp", "\"dpeth\": 3", "$.blocks[1]: ", "\"dpeth\" (did you mean \"depth\"?)");
  refuse_block("mlp", "\"colour\": 3", "$.blocks[1]: ", "known: model, depth");
  refuse_block("rnn", "\"depth\": 3", "$.blocks[1].depth: ", "no parameter of an rnn");
  refuse_block("mlp", "\"seq_len\": 3", "$.blocks[1].seq_len: ", "no parameter of an mlp");
  refuse_block("mlp", "\"loop\": \"steps\"", "$.blocks[1].loop: ", "no parameter of an mlp");
  refuse_block("mlp", "\"Depth\": 3", "$.blocks[1]: ", "did you mean \"depth\"?");
  refuse_block("mlp", "\"widths\": [3, 2], \"width\": 2", "$.blocks[1].widths: ", "without");
  refuse_block("mlp", "\"slope\": 0.1", "$.blocks[1].slope: ", "only leaky_relu");
  refuse_block("mlp",
               "\"slope\": 0.1, \"activation\": [\"relu\", {\"name\": \"leaky_relu\", "
               "\"slope\": 0.2}]",
               "$.blocks[1].slope: ", "already has a slope");
}

static void sizes(void **state) {
  (void)state;
  refuse_block("mlp", "\"depth\": 0", "$.blocks[1].depth: ", "not 0");
  refuse_block("mlp", "\"depth\": -4", "$.blocks[1].depth: ", "not -4");
  refuse_block("mlp", "\"depth\": 16777217", "$.blocks[1].depth: ", "1 to 16777216");
  refuse_block("mlp", "\"depth\": [3, 3.5]", "$.blocks[1].depth[1]: ", "integer, not 3.5");
  refuse_block("mlp", "\"depth\": \"3\"", "$.blocks[1].depth: ", "integer, not \"3\"");
  refuse_block("mlp", "\"depth\": null", "$.blocks[1].depth: ", "not null");
  refuse_block("mlp", "\"depth\": true", "$.blocks[1].depth: ", "not true");
  refuse_block("mlp", "\"depth\": {}", "$.blocks[1].depth: ", "not an object");
  refuse_block("mlp", "\"depth\": [[3]]", "$.blocks[1].depth[0]: ", "not a list");
  refuse_block("mlp", "\"depth\": []", "$.blocks[1].depth: ", "empty");
  refuse_block("mlp", "\"width\": 1e300", "$.blocks[1].width: ", "1e+300");
  refuse_block("mlp", "\"batch\": 9007199254740993", "$.blocks[1].batch: ", "must be 1 to");
  refuse_block("mlp", "\"replicas\": 1048577", "$.blocks[1].replicas: ", "1 to 1048576");
  refuse_block("rnn", "\"hidden\": [1, 2, 0]", "$.blocks[1].hidden[2]: ", "not 0");
  refuse_block("rnn", "\"seq_len\": -1", "$.blocks[1].seq_len: ", "not -1");
  refuse_block("mlp", "\"widths\": []", "$.blocks[1].widths: ", "2 to");
  refuse_block("mlp", "\"widths\": 5", "$.blocks[1].widths: ", "list of sizes, not 5");
  refuse_block("mlp", "\"widths\": [5]", "$.blocks[1].widths: ", "2 to");
  refuse_block("mlp", "\"widths\": [5, 0]", "$.blocks[1].widths[1]: ", "not 0");
  refuse_block("mlp", "\"widths\": [[5, 4], 3]", "$.blocks[1].widths[1]: ", "not 3");
  refuse_block("mlp", "\"widths\": [[5, 4], [3, 0]]", "$.blocks[1].widths[1][1]: ", "not 0");
}

static void values(void **state) {
  (void)state;
  refuse_block("mlp", "\"activation\": [\"sigmiod\"]",
               "$.blocks[1].activation[0]: ", "did you mean \"sigmoid\"?");
  refuse_block("mlp", "\"activation\": {\"slope\": 1}", "$.blocks[1].activation: ", "\"name\"");
  refuse_block("mlp", "\"activation\": {\"name\": \"relu\", \"slope\": 1}",
               "$.blocks[1].activation.slope: ", "relu has no slope");
  refuse_block("mlp", "\"activation\": {\"name\": \"leaky_relu\", \"slope\": -0.1}",
               "$.blocks[1].activation.slope: ", "at least 0");
  refuse_block("mlp", "\"init\": \"xavier\"", "$.blocks[1].init: ", "known: normal, scaled");
  refuse_block("mlp", "\"init\": {\"name\": \"normal\", \"gain\": 1}",
               "$.blocks[1].init: ", "normal does not take \"gain\" (it takes: std)");
  refuse_block("mlp", "\"init\": [{\"name\": \"normal\", \"std\": -1}]",
               "$.blocks[1].init[0].std: ", "at least 0");
  refuse_block("mlp", "\"init\": {\"name\": \"normal\", \"std\": \"1\"}",
               "$.blocks[1].init.std: ", "must be a number");
  refuse_block("mlp", "\"init\": {\"name\": \"he_normal\", \"fan\": \"all\"}",
               "$.blocks[1].init.fan: ", "unknown fan");
  refuse_block("mlp", "\"init\": {\"name\": 1}", "$.blocks[1].init.name: ", "must be a name");
  refuse_block("mlp", "\"init\": {\"name\": \"uniform\", \"a\": -0.1}",
               "$.blocks[1].init.a: ", "at least 0");
  refuse_block("mlp", "\"init\": {\"name\": \"xavier_normal\", \"gain\": -1}",
               "$.blocks[1].init.gain: ", "at least 0");
  refuse_block("mlp", "\"init\": {\"name\": \"constant\", \"value\": \"1\"}",
               "$.blocks[1].init.value: ", "must be a number");
  refuse_block("mlp", "\"init\": {\"name\": \"zeros\", \"value\": 1}",
               "$.blocks[1].init: ", "zeros does not take \"value\" (it takes: nothing)");
  refuse_block("rnn", "\"tied\": 1", "$.blocks[1].tied: ", "true or false");
  refuse_block("mlp", "\"seed\": -1", "$.blocks[1].seed: ", "2^53");
  refuse_block("mlp", "\"seed\": 9007199254740992", "$.blocks[1].seed: ", "2^53");
  refuse_block("mlp", "\"seed\": 0.5", "$.blocks[1].seed: ", "0.5");
  refuse_block("mlp", "\"seed\": \"18446744073709551616\"", "$.blocks[1].seed: ", "2^64");
  refuse_block("mlp", "\"seed\": \" 1\"", "$.blocks[1].seed: ", "digits");
  refuse_block("mlp", "\"seed\": \"\"", "$.blocks[1].seed: ", "digits");
  refuse_block("mlp", "\"bias_std\": \"none\"", "$.blocks[1].bias_std: ", "must be a number");
  refuse_block("mlp", "\"bias_std\": -0.5", "$.blocks[1].bias_std: ", "at least 0");
  refuse_block("mlp", "\"loss\": \"mae\"", "$.blocks[1].loss: ", "did you mean \"mse\"?");
  refuse_block("mlp", "\"dtype\": \"fp32\"", "$.blocks[1].dtype: ", "unknown dtype");
  refuse_block("mlp", "\"launch\": \"grpah\"", "$.blocks[1].launch: ", "mean \"graph\"?");
  refuse_block("mlp", "\"jacobian\": \"yes\"", "$.blocks[1].jacobian: ", "true or false");
  refuse_block("rnn", "\"jacobian\": true, \"dtype\": \"f16\"", "$.blocks[1]", "jacobian wants");
  refuse_block("mlp", "\"launch\": true", "$.blocks[1].launch: ", "must be a name, not true");
  refuse_block("rnn", "\"loop\": [\"auto\", \"step\"]",
               "$.blocks[1].loop[1]: ", "did you mean \"steps\"?");
  refuse_block("rnn", "\"loop\": \"fused\"", "$.blocks[1].loop: ", "auto, steps, persistent");
  refuse_block("mlp", "\"device\": 0", "$.blocks[1].device: ", "as text, not 0");
  refuse_block("mlp", "\"device\": \"\"", "$.blocks[1].device: ", "device");
  refuse_block("mlp", "\"init\": \"identity\", \"widths\": [3, 4]", "$.blocks[1]: ", "4 x 3");
  refuse_block("mlp", "\"width\": 4294967296", "$.blocks[1]: ", "2^62");
}

/* ---- too many ---- */

static char *append_axis(char *end, const char *key, int64_t count) {
  end += sprintf(end, ", \"%s\": [1", key);
  for (int64_t i = 1; i < count; i++) {
    *end++ = ',';
    *end++ = '1';
  }
  *end++ = ']';
  *end = '\0';
  return end;
}

static char *product(const char *const *names, int count, int64_t length) {
  char *text = malloc((size_t)(count * (2 * length + 64) + 128));
  assert_non_null(text);
  char *end = text + sprintf(text, "{\"blocks\": [{\"model\": \"mlp\"");
  for (int i = 0; i < count; i++) end = append_axis(end, names[i], length);
  sprintf(end, "}]}");
  return text;
}

static void a_sweep_of_too_many_cells(void **state) {
  (void)state;
  const char *const names[] = {"depth", "width", "batch", "replicas", "seed"};
  char *text = product(names, 3, 1000);
  refuse(text, "$.blocks[0]: ", "1000000000 cells");
  free(text);
  text = product(names, 5, 1000000);
  refuse(text, "$.blocks[0]: ", "more than 2^63 cells");
  free(text);
  text = product(names, 1, GS_SWEEP_MAX_CELLS + 1);
  refuse(text, "$.blocks[0]: ", "100001 cells");
  free(text);
  refuse("{\"blocks\": [{\"model\": \"mlp\", \"width\": 1, \"batch\": 1,"
         " \"depth\": [16777216, 16777215, 16777214, 16777213, 16777212]}]}",
         "$.blocks[0]: ", "layers together");
}

/* ---- hostile text ---- */

static void hostile_text_stays_one_short_line(void **state) {
  (void)state;
  static char text[4096];
  char name[1024];
  memset(name, '%', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  snprintf(text, sizeof text, "{\"blocks\": [{\"model\": \"mlp\", \"%s\": 1}]}", name);
  refuse(text, "$.blocks[0]: ", "unknown key");
  snprintf(text, sizeof text, "{\"blocks\": [{\"model\": \"mlp\", \"init\": {\"name\": \"%s\"}}]}",
           name);
  refuse(text, "$.blocks[0].init.name: ", "unknown init");
  snprintf(text, sizeof text,
           "{\"blocks\": [{\"model\": \"mlp\", \"init\": {\"name\": \"normal\", \"%s\": 1}}]}",
           name);
  refuse(text, "$.blocks[0].init: ", "does not take");
  refuse("{\"blocks\": [{\"model\": \"mlp\", \"a\\u001b[31m\\n\\u0007\": 1}]}",
         "$.blocks[0]: ", "\"a?[31m??\"");
  refuse("{\"blocks\": [{\"model\": \"\\u202e\\ud83d\\ude00\"}]}", "$.blocks[0].model: ", "????");
  refuse("{\"blocks\": [{\"model\": \"mlp\", \"\": 1}]}", "$.blocks[0]: ", "unknown key \"\"");
}

/* ---- the command line ---- */

static void refuse_settings(const char *model, const gs_setting *settings, int count,
                            const char *message) {
  gs_error error = {0};
  gs_sweep sweep;
  const gs_status status = gs_sweep_from_settings(model, settings, count, &sweep, &error);
  if (status != GS_ERR_USAGE || !strstr(error.message, message)) {
    fail_msg("status %d, message \"%s\", wanted \"%s\"", (int)status, error.message, message);
  }
  assert_one_line(&error);
  assert_null(sweep.cells);
}

static void refuse_setting(const char *model, const char *key, const char *value,
                           const char *message) {
  refuse_settings(model, &(gs_setting){key, value}, 1, message);
}

static void settings(void **state) {
  (void)state;
  const gs_setting twice[] = {{"depth", "1"}, {"depth", "2"}};
  refuse_settings("mlp", twice, 2, "--depth: is given twice");
  refuse_setting("mpl", "depth", "3", "unknown model \"mpl\" (did you mean \"mlp\"?)");
  refuse_setting("mlp", "dpeth", "3", "--dpeth: unknown option");
  refuse_setting("mlp", "seq_len", "3", "--seq-len: is no option of an mlp");
  refuse_setting("mlp", "loop", "steps", "--loop: is no option of an mlp");
  refuse_setting("rnn", "loop", "step", "did you mean \"steps\"?");
  refuse_setting("mlp", "launch", "", "--launch: a value is empty");
  refuse_setting("mlp", "model", "rnn", "--model: unknown option");
  refuse_setting("mlp", "depth", "", "--depth: a value is empty");
  refuse_setting("mlp", "depth", "1,,2", "--depth: a value is empty");
  refuse_setting("mlp", "depth", "1,", "--depth: a value is empty");
  refuse_setting("mlp", "depth", "0", "--depth: must be 1 to 16777216, not 0");
  refuse_setting("mlp", "depth", "0x10", "not \"0x10\"");
  refuse_setting("mlp", "depth", "1e400", "not \"1e400\"");
  refuse_setting("mlp", "depth", "inf", "not \"inf\"");
  refuse_setting("mlp", "bias_std", "nan", "--bias-std: must be a number, not \"nan\"");
  refuse_setting("mlp", "init", "normal:std", "--init: after the name comes :key=value");
  refuse_setting("mlp", "init", "normal:std=1:std=2", "--init: \"std\" is given twice");
  refuse_setting("mlp", "init", "normal:name=he_normal", "\"name\" is given twice");
  refuse_setting("mlp", "init", "normal:gain=1", "--init: normal does not take \"gain\"");
  refuse_setting("mlp", "init", ":std=1", "--init: unknown init \"\"");
  refuse_setting("mlp", "widths", "3,4/5", "--widths: needs 2 to");
  refuse_setting("mlp", "widths", "3,4/", "--widths: a value is empty");
  refuse_setting("mlp", "widths", "3,x", "--widths: must be an integer, not \"x\"");
  refuse_setting("rnn", "tied", "maybe", "--tied: must be true or false");
  refuse_setting("mlp", "\x1b[31m\n", "3", "unknown option");
}

/* ---- no memory ---- */

static int allocations_left;

static void *scarce_malloc(size_t bytes) { return allocations_left-- > 0 ? malloc(bytes) : NULL; }

/* Whichever of cJSON's allocations fails, the answer is GS_ERR_MEMORY. */
static void failing_allocations_are_reported(void **state) {
  (void)state;
  const gs_setting given[] = {{"init", "normal:std=2,scaled"}, {"widths", "3,4/5,6"}};
  cJSON_Hooks hooks = {.malloc_fn = scarce_malloc, .free_fn = free};
  int failures = 0;
  gs_status status = GS_ERR_MEMORY;
  for (; status == GS_ERR_MEMORY; failures++) {
    gs_error error = {0};
    gs_sweep sweep;
    allocations_left = failures;
    cJSON_InitHooks(&hooks);
    status = gs_sweep_from_settings("mlp", given, 2, &sweep, &error);
    cJSON_InitHooks(NULL);
    gs_sweep_clear(&sweep);
  }
  assert_int_equal(status, GS_OK);
  assert_true(failures > 100); /* it takes many: each was made to fail once */
}

/* ---- mutations of a good file ---- */

static const char good[] =
    "{\"name\": \"x\", \"timing\": {\"time_limit_s\": 0.1}, \"blocks\": [{\"model\": \"mlp\","
    " \"depth\": [1, 2], \"width\": 3, \"activation\": [\"tanh\", {\"name\": \"leaky_relu\","
    " \"slope\": 0.1}], \"init\": [\"normal\", {\"name\": \"he_normal\", \"fan\": \"out\"}]},"
    " {\"model\": \"rnn\", \"seq_len\": 3, \"hidden\": 4, \"input\": 2, \"tied\": false},"
    " {\"model\": \"mlp\", \"widths\": [[1, 2], [3, 4, 5]], \"seed\": [\"7\", 8]}]}";

static uint64_t draw(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(0x2545F4914F6CDD1D);
}

/* Overwrites, deletes or doubles one piece of the text. */
static size_t mutate(char *text, size_t length, size_t capacity, uint64_t *state) {
  static const char letters[] = "[]{},:\"0123456789.-eE truefalsn\\\x01\xff";
  const size_t at = draw(state) % length;
  size_t piece = 1 + draw(state) % 16;
  if (piece > length - at) piece = length - at;
  switch (draw(state) % 3) {
  case 0: text[at] = letters[draw(state) % (sizeof letters - 1)]; return length;
  case 1:
    if (length <= piece + 1) return length;
    memmove(text + at, text + at + piece, length - at - piece);
    return length - piece;
  default:
    if (length + piece > capacity) return length;
    memmove(text + at + piece, text + at, length - at);
    return length + piece;
  }
}

static void mutations_end_in_cells_or_one_line(void **state) {
  (void)state;
  uint64_t random = 42;
  int64_t accepted = 0;
  int64_t refused = 0;
  for (int i = 0; i < 20000; i++) {
    char text[1024];
    size_t length = strlen(good);
    memcpy(text, good, length);
    for (uint64_t k = draw(&random) % 4; k-- > 0;) {
      length = mutate(text, length, sizeof text, &random);
    }
    gs_error error = {0};
    gs_sweep sweep = {.count = 0};
    const gs_status status = expand(text, length, &sweep, &error);
    if (status == GS_OK) {
      assert_true(sweep.count >= 1);
      accepted++;
    } else {
      assert_int_equal(status, GS_ERR_DATA);
      assert_one_line(&error);
      assert_null(sweep.cells);
      refused++;
    }
    gs_sweep_clear(&sweep);
  }
  assert_true(accepted > 1000); /* both ways were walked */
  assert_true(refused > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(documents),
      cmocka_unit_test(what_json_itself_refuses),
      cmocka_unit_test(keys),
      cmocka_unit_test(sizes),
      cmocka_unit_test(values),
      cmocka_unit_test(a_sweep_of_too_many_cells),
      cmocka_unit_test(hostile_text_stays_one_short_line),
      cmocka_unit_test(settings),
      cmocka_unit_test(failing_allocations_are_reported),
      cmocka_unit_test(mutations_end_in_cells_or_one_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
