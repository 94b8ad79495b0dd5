/* Sweeps: files and command lines become the same cells, configurations survive
 * JSON, names and ids tell cells apart, and the shipped sweeps expand. Bad input
 * is in test_spec_bad.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/spec.h"

static void ok(gs_status status, const gs_error *error) {
  if (status != GS_OK) fail_msg("%s", error->message);
}

static gs_sweep expand(const char *text) {
  gs_error error = {0};
  cJSON *root = NULL;
  gs_sweep sweep;
  ok(gs_json_parse(text, strlen(text), "test.json", &root, &error), &error);
  ok(gs_sweep_from_json(root, "folder/test.json", &sweep, &error), &error);
  cJSON_Delete(root);
  return sweep;
}

/* ---- files ---- */

static void a_file_is_a_product_of_lists(void **state) {
  (void)state;
  gs_sweep sweep =
      expand("{\"name\": \"folklore\", \"blocks\": ["
             " {\"model\": \"mlp\", \"depth\": [10, 50], \"width\": 128,"
             "  \"activation\": [\"sigmoid\", \"relu\"],"
             "  \"init\": [\"normal\", {\"name\": \"scaled\", \"sigma_w2\": 1.5}],"
             "  \"batch\": 32, \"replicas\": 16, \"seed\": 1},"
             " {\"model\": \"rnn\", \"hidden\": 128, \"input\": 64, \"seq_len\": [10, 1000],"
             "  \"activation\": \"tanh\", \"init\": {\"name\": \"orthogonal\", \"gain\": 1.0},"
             "  \"input_init\": {\"name\": \"scaled\", \"sigma_w2\": 0.5}, \"tied\": false}]}");
  assert_string_equal(sweep.name, "folklore");
  assert_true(sweep.timing.time_limit_s == -1.0);
  assert_true(sweep.timing.min_time_s == -1.0);
  assert_int_equal(sweep.timing.min_samples, -1);
  assert_true(sweep.timing.spread == -1.0);
  assert_int_equal(sweep.count, 10);
  const char *const names[] = {
      "mlp/sigmoid/normal/L10/n128/B32/R16",
      "mlp/sigmoid/scaled:sigma_w2=1.5/L10/n128/B32/R16",
      "mlp/relu/normal/L10/n128/B32/R16",
      "mlp/relu/scaled:sigma_w2=1.5/L10/n128/B32/R16",
      "mlp/sigmoid/normal/L50/n128/B32/R16",
      "mlp/sigmoid/scaled:sigma_w2=1.5/L50/n128/B32/R16",
      "mlp/relu/normal/L50/n128/B32/R16",
      "mlp/relu/scaled:sigma_w2=1.5/L50/n128/B32/R16",
      "rnn/tanh/orthogonal/T10/n128/x64/B32/R1/input_init=scaled:sigma_w2=0.5/tied=false",
      "rnn/tanh/orthogonal/T1000/n128/x64/B32/R1/input_init=scaled:sigma_w2=0.5/tied=false",
  };
  for (int i = 0; i < 10; i++) assert_string_equal(sweep.cells[i].name, names[i]);
  assert_true(sweep.cells[1].config.init.sigma_w2 == 1.5);
  assert_int_equal(sweep.cells[9].config.seq_len, 1000);
  gs_sweep_clear(&sweep);
}

static void the_document_has_a_name_and_timing(void **state) {
  (void)state;
  gs_sweep sweep = expand("{\"timing\": {\"time_limit_s\": 0.25, \"spread\": 0.02,"
                          " \"min_time_s\": 0.125, \"min_samples\": 7},"
                          " \"blocks\": [{\"model\": \"mlp\"}]}");
  assert_string_equal(sweep.name, "test");
  assert_true(sweep.timing.time_limit_s == 0.25);
  assert_true(sweep.timing.spread == 0.02);
  assert_true(sweep.timing.min_time_s == 0.125);
  assert_int_equal(sweep.timing.min_samples, 7);
  assert_int_equal(sweep.count, 1);
  gs_sweep_clear(&sweep);
}

static void equal_cells_are_kept_once(void **state) {
  (void)state;
  gs_sweep sweep = expand(
      "{\"blocks\": [{\"model\": \"mlp\", \"depth\": [2, 3, 2], \"width\": 8},"
      " {\"model\": \"mlp\", \"widths\": [[8, 8, 8], [8, 4, 8]],"
      "  \"init\": {\"name\": \"xavier_normal\"}, \"output_activation\": [\"same\", \"tanh\"]},"
      " {\"model\": \"mlp\", \"depth\": 3, \"width\": 8, \"seed\": [1, \"1\"], \"bias_std\": 0.0,"
      "  \"activation\": [\"leaky_relu\", \"tanh\"], \"slope\": [0.01, 0.1]}]}");
  /* depth 2, depth 3, 8-4-8, and leaky_relu with each slope; tanh has none */
  assert_int_equal(sweep.count, 5);
  assert_int_equal(sweep.cells[0].config.depth, 2);
  assert_int_equal(sweep.cells[1].config.depth, 3);
  assert_int_equal(sweep.cells[2].config.width, 0);
  assert_int_equal(sweep.cells[2].config.widths[1], 4);
  assert_string_equal(sweep.cells[3].name, "mlp/leaky_relu/xavier_normal/L3/n8/B32/R1");
  assert_string_equal(sweep.cells[4].name, "mlp/leaky_relu:slope=0.1/xavier_normal/L3/n8/B32/R1");
  gs_sweep_clear(&sweep);
}

static void values_keep_every_bit(void **state) {
  (void)state;
  gs_sweep sweep = expand(
      "{\"blocks\": [{\"model\": \"rnn\", \"seed\": \"18446744073709551615\", \"seq_len\": 3.0,"
      " \"bias_std\": 0.1, \"activation\": {\"name\": \"leaky_relu\", \"slope\": 0.2},"
      " \"init\": {\"name\": \"he_uniform\", \"fan\": \"out\", \"slope\": 5e-324},"
      " \"loss\": \"mse\", \"loss_at\": \"every\", \"dtype\": \"f64\", \"range\": \"native\","
      " \"stats\": \"norms\", \"jacobian\": true, \"launch\": \"eager\", \"loop\": \"steps\","
      " \"backend\": \"cpu\", \"device\": \"0\"}]}");
  const gs_config *c = &sweep.cells[0].config;
  assert_true(c->seed == UINT64_MAX);
  assert_int_equal(c->seq_len, 3);
  assert_true(c->bias_std == 0.1);
  assert_true(c->activation.slope == 0.2);
  assert_int_equal(c->init.fan, GS_FAN_OUT);
  assert_true(c->init.slope == 5e-324);
  assert_int_equal(c->loss, GS_LOSS_MSE);
  assert_int_equal(c->loss_at, GS_LOSS_EVERY);
  assert_int_equal(c->dtype, GS_F64);
  assert_int_equal(c->range, GS_RANGE_NATIVE);
  assert_int_equal(c->stats, GS_STATS_NORMS);
  assert_true(c->jacobian);
  assert_int_equal(c->launch, GS_LAUNCH_EAGER);
  assert_int_equal(c->loop, GS_LOOP_STEPS);
  assert_int_equal(c->backend, GS_BACKEND_CPU);
  assert_string_equal(c->device, "0");
  gs_sweep_clear(&sweep);
}

static void slopes_and_outputs_go_together(void **state) {
  (void)state;
  gs_sweep sweep = expand("{\"blocks\": [{\"model\": \"mlp\", \"activation\": \"tanh\","
                          " \"output_activation\": [\"leaky_relu\", \"identity\", \"same\"],"
                          " \"slope\": 0.3}]}");
  assert_int_equal(sweep.count, 3);
  const gs_activation leaky = sweep.cells[0].config.output_activation;
  assert_int_equal(leaky.kind, GS_LEAKY_RELU);
  assert_true(leaky.slope == 0.3);
  assert_int_equal(sweep.cells[1].config.output_activation.kind, GS_IDENTITY);
  assert_int_equal(sweep.cells[2].config.output_activation.kind, GS_TANH);
  gs_sweep_clear(&sweep);
}

/* ---- the command line ---- */

static void assert_same_cells(const gs_sweep *a, const gs_sweep *b) {
  assert_int_equal(a->count, b->count);
  for (int64_t i = 0; i < a->count; i++) {
    assert_string_equal(a->cells[i].id, b->cells[i].id);
    assert_string_equal(a->cells[i].name, b->cells[i].name);
  }
}

static void options_mean_what_a_file_means(void **state) {
  (void)state;
  gs_error error = {0};
  gs_sweep options;
  const gs_setting settings[] = {{"depth", "10,50"},
                                 {"activation", "sigmoid,leaky_relu:slope=0.2"},
                                 {"init", "scaled:sigma_w2=1.5,he_normal:fan=out:slope=0.1"},
                                 {"output_activation", "identity"},
                                 {"bias_std", ".5"},
                                 {"seed", "18446744073709551615"},
                                 {"device", "0"}};
  ok(gs_sweep_from_settings("mlp", settings, 7, &options, &error), &error);
  gs_sweep file =
      expand("{\"blocks\": [{\"model\": \"mlp\", \"depth\": [10, 50],"
             " \"activation\": [\"sigmoid\", {\"name\": \"leaky_relu\", \"slope\": 0.2}],"
             " \"init\": [{\"name\": \"scaled\", \"sigma_w2\": 1.5},"
             "  {\"name\": \"he_normal\", \"fan\": \"out\", \"slope\": 0.1}],"
             " \"output_activation\": \"identity\", \"bias_std\": 0.5,"
             " \"seed\": \"18446744073709551615\", \"device\": \"0\"}]}");
  assert_int_equal(file.count, 8);
  assert_same_cells(&options, &file);
  gs_sweep_clear(&options);
  gs_sweep_clear(&file);
}

static void widths_are_one_list_or_several(void **state) {
  (void)state;
  gs_error error = {0};
  gs_sweep one;
  gs_sweep two;
  const gs_setting first = {"widths", "784,128,10"};
  const gs_setting second = {"widths", "784,128,10/784,64,10"};
  ok(gs_sweep_from_settings("mlp", &first, 1, &one, &error), &error);
  ok(gs_sweep_from_settings("mlp", &second, 1, &two, &error), &error);
  gs_sweep file = expand("{\"blocks\": [{\"model\": \"mlp\", \"widths\": [784, 128, 10]}]}");
  assert_same_cells(&one, &file);
  assert_int_equal(two.count, 2);
  assert_string_equal(two.cells[0].id, one.cells[0].id);
  assert_int_equal(two.cells[1].config.widths[1], 64);
  gs_sweep_clear(&one);
  gs_sweep_clear(&two);
  gs_sweep_clear(&file);
}

static void rnn_options(void **state) {
  (void)state;
  gs_error error = {0};
  gs_sweep sweep;
  const gs_setting settings[] = {
      {"seq_len", "10,20"}, {"tied", "true,false"}, {"loss_at", "every"}, {"jacobian", "true"}};
  ok(gs_sweep_from_settings("rnn", settings, 4, &sweep, &error), &error);
  assert_string_equal(sweep.name, "rnn");
  assert_int_equal(sweep.count, 4);
  assert_true(sweep.cells[3].config.jacobian);
  assert_true(sweep.cells[0].config.tied);
  assert_false(sweep.cells[1].config.tied);
  assert_int_equal(sweep.cells[2].config.seq_len, 20);
  gs_sweep_clear(&sweep);
  const gs_setting ways[] = {{"loop", "auto,steps,persistent"}, {"launch", "graph,eager"}};
  ok(gs_sweep_from_settings("rnn", ways, 2, &sweep, &error), &error);
  assert_int_equal(sweep.count, 6);
  assert_int_equal(sweep.cells[5].config.loop, GS_LOOP_PERSISTENT);
  assert_int_equal(sweep.cells[5].config.launch, GS_LAUNCH_EAGER);
  assert_string_equal(sweep.cells[5].name,
                      "rnn/tanh/xavier_normal/T100/n128/B32/R1/launch=eager/loop=persistent");
  gs_sweep_clear(&sweep);
  ok(gs_sweep_from_settings("rnn", NULL, 0, &sweep, &error), &error);
  assert_int_equal(sweep.count, 1);
  gs_sweep_clear(&sweep);
}

/* ---- names and filters ---- */

/* Cells had ids before Xavier's had a gain: with gain 1 they keep them. */
static void what_came_later_changes_no_id(void **state) {
  (void)state;
  gs_sweep sweep = expand(
      "{\"blocks\": [{\"model\": \"mlp\", \"depth\": 2, \"width\": 4,"
      "  \"init\": [\"xavier_normal\", {\"name\": \"xavier_normal\", \"gain\": 1},"
      "             {\"name\": \"xavier_normal\", \"gain\": 1.4}]},"
      " {\"model\": \"rnn\", \"hidden\": 4, \"seq_len\": 3, \"init\": \"xavier_uniform\","
      "  \"input_init\": [\"xavier_normal\", {\"name\": \"xavier_normal\", \"gain\": 2}]}]}");
  assert_int_equal(sweep.count, 4);
  assert_string_equal(sweep.cells[0].id, "fe8fc377d2a48cfd");
  assert_string_equal(sweep.cells[0].name, "mlp/tanh/xavier_normal/L2/n4/B32/R1");
  assert_string_equal(sweep.cells[1].name, "mlp/tanh/xavier_normal:gain=1.4/L2/n4/B32/R1");
  assert_string_not_equal(sweep.cells[1].id, sweep.cells[0].id);
  assert_string_equal(sweep.cells[2].id, "e3ada08559bf81b9");
  assert_string_not_equal(sweep.cells[3].id, sweep.cells[2].id);
  gs_sweep_clear(&sweep);
}

static void a_name_that_does_not_fit_keeps_the_id(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config config;
  gs_config other;
  ok(gs_config_default(GS_MLP, &config, &error), &error);
  ok(gs_config_set_widths(&config, 200, 128, &error), &error);
  config.width = 0;
  config.widths[100] = 64;
  ok(gs_config_copy(&config, &other, &error), &error);
  other.widths[200] = 10;
  char name[2][GS_CELL_NAME_BYTES];
  char id[GS_CELL_ID_BYTES];
  ok(gs_config_describe(&config, name[0], &error), &error);
  ok(gs_config_describe(&other, name[1], &error), &error);
  ok(gs_config_id(&config, id, &error), &error);
  assert_int_equal(strlen(name[0]), GS_CELL_NAME_BYTES - 1);
  assert_string_equal(strchr(name[0], '~') + 1, id);
  assert_string_not_equal(name[0], name[1]);
  gs_config_clear(&config);
  gs_config_clear(&other);
}

static void a_filter_keeps_what_matches(void **state) {
  (void)state;
  gs_error error = {0};
  gs_sweep sweep = expand("{\"blocks\": [{\"model\": \"mlp\", \"depth\": [1, 2, 3, 11, 12],"
                          " \"activation\": [\"tanh\", \"relu\"]}]}");
  char id[GS_CELL_ID_BYTES];
  memcpy(id, sweep.cells[9].id, sizeof id);
  ok(gs_sweep_filter(&sweep, "/L1[0-9]?/", &error), &error);
  assert_int_equal(sweep.count, 6);
  ok(gs_sweep_filter(&sweep, "^mlp/relu", &error), &error);
  assert_int_equal(sweep.count, 3);
  assert_int_equal(sweep.cells[0].config.depth, 1);
  assert_int_equal(sweep.cells[2].config.depth, 12);
  assert_int_equal(sweep.cells[2].config.widths[12], 128);
  assert_int_equal(gs_sweep_filter(&sweep, "(", &error), GS_ERR_USAGE);
  assert_int_equal(sweep.count, 3);
  ok(gs_sweep_filter(&sweep, id, &error), &error);
  assert_int_equal(sweep.count, 1);
  ok(gs_sweep_filter(&sweep, "nothing", &error), &error);
  assert_int_equal(sweep.count, 0);
  gs_sweep_clear(&sweep);
}

/* Every digit of an id is in some id: only a whole one chooses. */
static void a_filter_knows_whole_ids_only(void **state) {
  (void)state;
  gs_error error = {0};
  enum { WHOLE = 4, FORMS = 7 };
  for (int form = 0; form < FORMS; form++) {
    gs_sweep sweep = expand("{\"blocks\": [{\"model\": \"mlp\", \"width\": 40,"
                            " \"depth\": [1, 2, 3]}]}");
    const char *id = sweep.cells[1].id;
    char forms[FORMS][64];
    snprintf(forms[0], sizeof forms[0], "%s", id);
    snprintf(forms[1], sizeof forms[1], "^%s$", id);
    snprintf(forms[2], sizeof forms[2], "x|%s", id);
    snprintf(forms[3], sizeof forms[3], "(^(%s))", id);
    snprintf(forms[4], sizeof forms[4], "%.15s", id);
    snprintf(forms[5], sizeof forms[5], "%.4s", id);
    snprintf(forms[6], sizeof forms[6], "[0-9a-f]{16}");
    for (int64_t i = 0; i < 3; i++) strcpy(sweep.cells[i].name, "-");
    ok(gs_sweep_filter(&sweep, forms[form], &error), &error);
    assert_int_equal(sweep.count, form < WHOLE);
    if (form < WHOLE) assert_int_equal(sweep.cells[0].config.depth, 2);
    gs_sweep_clear(&sweep);
  }
}

/* ... also where a name ends in one. */
static void a_filter_does_not_match_the_id_in_a_name(void **state) {
  (void)state;
  gs_error error = {0};
  gs_sweep sweep = expand("{\"blocks\": [{\"model\": \"mlp\", \"depth\": [1, 2]}]}");
  char whole[GS_CELL_NAME_BYTES];
  char digits[5];
  gs_cell *cell = &sweep.cells[0];
  snprintf(cell->name, sizeof cell->name, "mlp/n7~%s", cell->id);
  memcpy(whole, cell->name, sizeof whole);
  memcpy(digits, cell->id, 4);
  digits[4] = '\0';
  ok(gs_sweep_filter(&sweep, "^mlp", &error), &error);
  assert_int_equal(sweep.count, 2);
  ok(gs_sweep_filter(&sweep, whole, &error), &error);
  assert_int_equal(sweep.count, 1);
  ok(gs_sweep_filter(&sweep, "n7$", &error), &error);
  assert_int_equal(sweep.count, 1);
  ok(gs_sweep_filter(&sweep, digits, &error), &error);
  assert_int_equal(sweep.count, 0);
  gs_sweep_clear(&sweep);
}

/* A cell asked for on two devices is one cell, and says so. */
static void a_cell_on_two_devices_is_one(void **state) {
  (void)state;
  static const char *const seconds[] = {"\"backend\": [\"cpu\", \"cuda\"]",
                                        "\"device\": [\"0\", \"1\"]", "\"device\": [\"0\", \"0\"]"};
  for (int i = 0; i < 3; i++) {
    char text[128];
    snprintf(text, sizeof text, "{\"blocks\": [{\"model\": \"mlp\", %s}]}", seconds[i]);
    gs_sweep sweep = expand(text);
    assert_int_equal(sweep.count, 1);
    assert_int_equal(sweep.cells[0].several_devices, i < 2);
    gs_sweep_clear(&sweep);
  }
}

/* ---- the sweeps we ship ---- */

static gs_sweep shipped(const char *name) {
  const char *root = getenv("GRADSWEEP_SOURCE_DIR");
  char path[1024];
  snprintf(path, sizeof path, "%s/bench/sweeps/%s.json", root ? root : ".", name);
  gs_error error = {0};
  gs_sweep sweep;
  ok(gs_sweep_from_file(path, &sweep, &error), &error);
  assert_string_equal(sweep.name, name);
  return sweep;
}

/* Some cell of the sweep has this name, up to its batch. */
static void assert_has(const gs_sweep *sweep, const char *prefix) {
  for (int64_t i = 0; i < sweep->count; i++) {
    const char *name = sweep->cells[i].name;
    const size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) == 0 && name[length] == '/') return;
  }
  fail_msg("%s has no cell %s", sweep->name, prefix);
}

static void assert_different_names(const gs_sweep *sweep) {
  for (int64_t i = 0; i < sweep->count; i++) {
    for (int64_t j = 0; j < i; j++) {
      assert_string_not_equal(sweep->cells[i].name, sweep->cells[j].name);
    }
  }
}

static void shipped_sweeps_hold_what_they_promise(void **state) {
  (void)state;
  const char *const names[] = {"default", "width", "sequence", "deep", "hardware"};
  gs_sweep sweeps[5];
  for (int i = 0; i < 5; i++) {
    sweeps[i] = shipped(names[i]);
    assert_true(sweeps[i].count > 0);
    assert_different_names(&sweeps[i]);
  }
  assert_has(&sweeps[0], "mlp/sigmoid/normal/L5/n128");
  assert_has(&sweeps[0], "mlp/relu/he_normal/L100/n128");
  assert_has(&sweeps[0], "rnn/tanh/orthogonal/T1000/n128");
  assert_has(&sweeps[0], "rnn/relu/identity/T1000/n128");
  assert_has(&sweeps[1], "mlp/sigmoid/normal/L20/n16");
  assert_has(&sweeps[1], "mlp/tanh/normal/L20/n2048");
  assert_has(&sweeps[2], "rnn/tanh/orthogonal/T16384/n128");
  assert_has(&sweeps[3], "mlp/sigmoid/xavier_normal/L10000/n128");
  assert_has(&sweeps[3], "mlp/relu/normal/L1000/n1024");
  for (int64_t i = 0; i < sweeps[4].count; i++) {
    assert_int_equal(sweeps[4].cells[i].config.stats, GS_STATS_OFF);
  }
  for (int i = 0; i < 5; i++) gs_sweep_clear(&sweeps[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_is_a_product_of_lists),
      cmocka_unit_test(the_document_has_a_name_and_timing),
      cmocka_unit_test(equal_cells_are_kept_once),
      cmocka_unit_test(values_keep_every_bit),
      cmocka_unit_test(slopes_and_outputs_go_together),
      cmocka_unit_test(options_mean_what_a_file_means),
      cmocka_unit_test(widths_are_one_list_or_several),
      cmocka_unit_test(rnn_options),
      cmocka_unit_test(what_came_later_changes_no_id),
      cmocka_unit_test(a_name_that_does_not_fit_keeps_the_id),
      cmocka_unit_test(a_filter_keeps_what_matches),
      cmocka_unit_test(a_filter_knows_whole_ids_only),
      cmocka_unit_test(a_filter_does_not_match_the_id_in_a_name),
      cmocka_unit_test(a_cell_on_two_devices_is_one),
      cmocka_unit_test(shipped_sweeps_hold_what_they_promise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
