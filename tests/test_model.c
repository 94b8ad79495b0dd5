/* The table of models: every row is complete and says of the default configuration what its
 * fields say; what is no model is refused at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/model.h"
#include "net/param.h"
#include "theory/theory.h"

static gs_config made(gs_model model) {
  gs_error error;
  gs_config config;
  if (gs_config_default(model, &config, &error) != GS_OK) fail_msg("%s", error.message);
  if (gs_config_check(&config, &error) != GS_OK) fail_msg("%s", error.message);
  return config;
}

static void every_row_is_complete(void **state) {
  (void)state;
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    const gs_model_row *row = gs_model_row_of((gs_model)m);
    assert_non_null(row);
    assert_true(row->point && *row->point && strlen(row->point) < 10);
    assert_true(row->whole && *row->whole);
    assert_true(!row->no_theory || *row->no_theory);
    assert_true(row->set_sizes && row->check && row->points && row->inputs && row->units &&
                row->activation && row->build);
    for (int other = 0; other < m; other++) {
      assert_ptr_not_equal(row, gs_model_row_of((gs_model)other));
    }
  }
}

static void sizes_are_what_was_asked_for(void **state) {
  (void)state;
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    const gs_model_row *row = gs_model_row_of((gs_model)m);
    gs_error error;
    gs_config config = made((gs_model)m);
    assert_int_equal(gs_model_points(&config), row->usual_points);
    assert_int_equal(gs_model_units(&config, 0), row->usual_units);
    if (row->set_sizes(&config, 7, 5, &error) != GS_OK) fail_msg("%s", error.message);
    assert_int_equal(gs_config_check(&config, &error), GS_OK);
    assert_int_equal(gs_model_points(&config), 7);
    assert_int_equal(gs_model_inputs(&config), 5);
    assert_int_equal(gs_model_widest(&config), 5);
    for (int64_t point = 0; point <= 7; point++) {
      assert_int_equal(gs_model_units(&config, point), 5);
    }
    assert_int_equal(gs_model_activation(&config, 7).kind, config.output_activation.kind);
    gs_config_clear(&config);
  }
}

static void unequal_layers_have_their_own(void **state) {
  (void)state;
  static const int64_t widths[] = {3, 9, 2, 4};
  gs_error error;
  gs_config config = made(GS_MLP);
  assert_int_equal(gs_config_set_widths(&config, 3, 1, &error), GS_OK);
  memcpy(config.widths, widths, sizeof widths);
  config.width = 0;
  config.output_activation.kind = GS_IDENTITY;
  assert_int_equal(gs_config_check(&config, &error), GS_OK);
  assert_int_equal(gs_model_points(&config), 3);
  assert_int_equal(gs_model_inputs(&config), 3);
  assert_int_equal(gs_model_widest(&config), 9);
  for (int64_t l = 0; l <= 3; l++) assert_int_equal(gs_model_units(&config, l), widths[l]);
  assert_int_equal(gs_model_activation(&config, 2).kind, GS_TANH);
  assert_int_equal(gs_model_activation(&config, 3).kind, GS_IDENTITY);
  gs_config_clear(&config);
}

/* It can be said how long and how wide a network of the model is. */
static void every_model_has_its_parameters(void **state) {
  (void)state;
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    int length = 0;
    int size = 0;
    for (int i = 0; i < GS_PARAM_COUNT; i++) {
      if (!gs_param_of_model(&gs_params[i], (gs_model)m)) continue;
      length += gs_params[i].group == GS_GROUP_LENGTH;
      size += gs_params[i].group == GS_GROUP_SIZE;
    }
    assert_true(length == 1 && size >= 1);
  }
}

static void what_is_no_model_is_refused(void **state) {
  (void)state;
  gs_error error;
  gs_config config;
  assert_null(gs_model_row_of(GS_MODEL_COUNT));
  assert_int_equal(gs_config_default(GS_MODEL_COUNT, &config, &error), GS_ERR_INTERNAL);
  config = made(GS_RNN);
  config.model = GS_MODEL_COUNT;
  assert_int_equal(gs_config_check(&config, &error), GS_ERR_INTERNAL);
}

static void a_model_without_a_theory_says_what_it_has(void **state) {
  (void)state;
  gs_theory theory = {.no_theory = "products of gates"};
  assert_true(gs_reason_outside(GS_REASON_MODEL));
  assert_string_equal(gs_theory_message(&theory, GS_REASON_MODEL), "products of gates");
  assert_string_equal(gs_theory_message(&theory, GS_REASON_LOSS),
                      gs_reason_message(GS_REASON_LOSS));
  theory.no_theory = NULL;
  assert_string_equal(gs_theory_message(&theory, GS_REASON_MODEL),
                      gs_reason_message(GS_REASON_MODEL));
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    gs_error error;
    gs_config config = made((gs_model)m);
    assert_int_equal(gs_theory_of(&config, &theory, &error), GS_OK);
    const char *const lacks = gs_model_row_of((gs_model)m)->no_theory;
    assert_int_equal(theory.reasons[GS_REASON_MODEL], lacks != NULL);
    assert_ptr_equal(theory.no_theory, lacks);
    gs_theory_clear(&theory);
    gs_config_clear(&config);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_is_complete),
      cmocka_unit_test(sizes_are_what_was_asked_for),
      cmocka_unit_test(unequal_layers_have_their_own),
      cmocka_unit_test(every_model_has_its_parameters),
      cmocka_unit_test(what_is_no_model_is_refused),
      cmocka_unit_test(a_model_without_a_theory_says_what_it_has),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
