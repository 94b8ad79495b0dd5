/* Configurations: defaults, deep copies, names, and the check that refuses every
 * impossible size and value by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "net/config.h"

static gs_config made(gs_model model) {
  gs_config config;
  gs_error error = {0};
  assert_int_equal(gs_config_default(model, &config, &error), GS_OK);
  return config;
}

static void defaults_are_documented_and_valid(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config mlp = made(GS_MLP);
  assert_int_equal(gs_config_check(&mlp, &error), GS_OK);
  assert_int_equal(mlp.depth, 10);
  assert_int_equal(mlp.width, 128);
  for (int l = 0; l <= 10; l++) assert_int_equal(mlp.widths[l], 128);
  assert_int_equal(mlp.batch, 32);
  assert_int_equal(mlp.replicas, 1);
  assert_int_equal(mlp.seed, 1);
  assert_int_equal(mlp.range, GS_RANGE_EXTENDED);
  assert_int_equal(mlp.stats, GS_STATS_FULL);
  assert_int_equal(mlp.dtype, GS_F32);
  assert_false(mlp.jacobian);
  assert_int_equal(mlp.launch, GS_LAUNCH_AUTO);
  assert_int_equal(mlp.loop, GS_LOOP_AUTO);
  assert_string_equal(mlp.device, "auto");
  gs_config rnn = made(GS_RNN);
  assert_int_equal(gs_config_check(&rnn, &error), GS_OK);
  assert_int_equal(rnn.hidden, 128);
  assert_int_equal(rnn.input, 128);
  assert_int_equal(rnn.seq_len, 100);
  assert_true(rnn.tied);
  assert_int_equal(rnn.loop, GS_LOOP_AUTO);
  assert_int_equal(rnn.input_init.kind, GS_INIT_SCALED);
  assert_true(rnn.input_init.sigma_w2 == 1.0);
  assert_null(rnn.widths);
  gs_config_clear(&mlp);
  gs_config_clear(&rnn);
}

static void a_copy_is_its_own(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config config = made(GS_MLP);
  gs_config copy;
  assert_int_equal(gs_config_copy(&config, &copy, &error), GS_OK);
  assert_ptr_not_equal(config.widths, copy.widths);
  copy.widths[3] = 7;
  assert_int_equal(config.widths[3], 128);
  gs_config_clear(&config);
  assert_null(config.widths);
  gs_config_clear(&config);
  gs_config_clear(NULL);
  assert_int_equal(copy.widths[0], 128);
  gs_config_clear(&copy);
}

static void widths_are_replaced(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config config = made(GS_MLP);
  assert_int_equal(gs_config_set_widths(&config, 3, 33, &error), GS_OK);
  assert_int_equal(config.depth, 3);
  assert_int_equal(config.width, 33);
  for (int l = 0; l <= 3; l++) assert_int_equal(config.widths[l], 33);
  assert_int_equal(gs_config_set_widths(&config, 0, 33, &error), GS_ERR_DATA);
  assert_int_equal(gs_config_set_widths(&config, (INT64_C(1) << 24) + 1, 1, &error), GS_ERR_DATA);
  assert_int_equal(config.depth, 3); /* a refusal changes nothing */
  gs_config_clear(&config);
}

/* Refused with a message that holds these words; then the config is cleared. */
static void refuse(gs_config *config, const char *message) {
  gs_error error = {0};
  const gs_status status = gs_config_check(config, &error);
  gs_config_clear(config);
  if (status != GS_ERR_DATA || !strstr(error.message, message)) {
    fail_msg("status %d, message \"%s\", wanted \"%s\"", (int)status, error.message, message);
  }
}

static void sizes_are_at_least_one(void **state) {
  (void)state;
  const int64_t bad[] = {0, -1, INT64_MIN};
  for (int i = 0; i < 3; i++) {
    gs_config c = made(GS_MLP);
    c.depth = bad[i];
    refuse(&c, "depth must be");
    c = made(GS_MLP);
    c.batch = bad[i];
    refuse(&c, "batch must be");
    c = made(GS_MLP);
    c.replicas = bad[i];
    refuse(&c, "replicas must be");
    c = made(GS_MLP);
    c.width = 0;
    c.widths[4] = bad[i];
    refuse(&c, bad[i] ? "widths[4] must be" : "width must be");
    c = made(GS_RNN);
    c.hidden = bad[i];
    refuse(&c, "hidden must be");
    c = made(GS_RNN);
    c.input = bad[i];
    refuse(&c, "input must be");
    c = made(GS_RNN);
    c.seq_len = bad[i];
    refuse(&c, "seq_len must be");
  }
}

static void sizes_have_limits(void **state) {
  (void)state;
  gs_config c = made(GS_MLP);
  c.replicas = GS_MAX_REPLICAS + 1;
  refuse(&c, "1048577");
  c = made(GS_RNN);
  c.seq_len = GS_MAX_DEPTH + 1;
  refuse(&c, "seq_len must be 1 to 16777216, not 16777217");
  c = made(GS_MLP);
  c.widths[2] = 64;
  refuse(&c, "widths[2] is 64");
}

static void element_counts_must_not_overflow(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config c = made(GS_MLP);
  assert_int_equal(gs_config_set_widths(&c, 2, INT64_C(1) << 31, &error), GS_OK);
  refuse(&c, "weights");
  c = made(GS_MLP);
  c.batch = INT64_C(1) << 53;
  refuse(&c, "batch must be");
  c = made(GS_MLP);
  c.batch = INT64_C(1) << 52;
  refuse(&c, "activations");
  c = made(GS_RNN);
  c.hidden = (INT64_C(1) << 31) + 1;
  refuse(&c, "weights");
  c = made(GS_MLP);
  c.jacobian = true;
  c.dtype = GS_F16;
  refuse(&c, "jacobian wants dtype f64, f32 or tf32, not f16");
  c = made(GS_RNN);
  c.jacobian = true;
  c.dtype = GS_BF16;
  refuse(&c, "not bf16");
  c = made(GS_MLP);
  c.jacobian = true;
  c.width = 0;
  c.widths[3] = GS_JACOBIAN_MAX_WIDTH + 1;
  refuse(&c, "jacobian wants at most 16384 units, not 16385");
  c = made(GS_RNN);
  c.jacobian = true;
  c.input = GS_JACOBIAN_MAX_WIDTH + 1;
  refuse(&c, "at most 16384");
  c = made(GS_RNN);
  c.tied = false;
  c.hidden = INT64_C(1) << 22;
  c.seq_len = INT64_C(1) << 20;
  refuse(&c, "weights");
  c = made(GS_RNN);
  c.input = INT64_C(1) << 52;
  c.hidden = 1 << 11;
  refuse(&c, "input weights");
  c = made(GS_RNN);
  c.hidden = 1;
  c.input = INT64_C(1) << 50;
  c.batch = 64;
  refuse(&c, "inputs");
  c = made(GS_MLP); /* at the limit, 2^62, it passes */
  assert_int_equal(gs_config_set_widths(&c, 1, INT64_C(1) << 31, &error), GS_OK);
  c.batch = 1;
  assert_int_equal(gs_config_check(&c, &error), GS_OK);
  gs_config_clear(&c);
}

static void scales_are_finite_and_not_negative(void **state) {
  (void)state;
  const double bad[] = {NAN, INFINITY, -INFINITY, -1.0, -1e-300};
  for (int i = 0; i < 5; i++) {
    gs_config c = made(GS_MLP);
    c.bias_std = bad[i];
    refuse(&c, "bias_std must be");
    c = made(GS_MLP);
    c.init.std = bad[i];
    refuse(&c, "init std must be");
    c = made(GS_MLP);
    c.init.sigma_w2 = bad[i];
    refuse(&c, "init sigma_w2 must be");
    c = made(GS_MLP);
    c.init.gain = bad[i];
    refuse(&c, "init gain must be");
    c = made(GS_MLP);
    c.init.slope = bad[i];
    refuse(&c, "init slope must be");
    c = made(GS_MLP);
    c.init.a = bad[i];
    refuse(&c, "init a must be");
    c = made(GS_RNN);
    c.input_init.std = bad[i];
    refuse(&c, "input_init std must be");
    c = made(GS_MLP);
    c.activation = (gs_activation){GS_LEAKY_RELU, bad[i]};
    refuse(&c, "slope must be");
    c = made(GS_MLP);
    c.output_activation = (gs_activation){GS_LEAKY_RELU, bad[i]};
    refuse(&c, "slope must be");
  }
  for (int i = 0; i < 2; i++) {
    gs_config c = made(GS_MLP);
    c.init = gs_init_default(GS_INIT_CONSTANT);
    c.init.value = bad[i];
    refuse(&c, "init value must be");
  }
  gs_error error = {0};
  gs_config below = made(GS_MLP);
  below.init = gs_init_default(GS_INIT_CONSTANT);
  below.init.value = -0.1; /* the one that has a sign */
  assert_int_equal(gs_config_check(&below, &error), GS_OK);
  gs_config_clear(&below);
  gs_config zero = made(GS_MLP);
  zero.init = gs_init_default(GS_INIT_NORMAL);
  zero.init.std = 0.0;
  assert_int_equal(gs_config_check(&zero, &error), GS_OK);
  gs_config_clear(&zero);
}

static void identity_is_square(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config c = made(GS_MLP);
  c.init = gs_init_default(GS_INIT_IDENTITY);
  assert_int_equal(gs_config_check(&c, &error), GS_OK);
  c.width = 0;
  c.widths[5] = 127;
  refuse(&c, "127 x 128");
  c = made(GS_RNN);
  c.input = 64;
  c.init = gs_init_default(GS_INIT_IDENTITY);
  assert_int_equal(gs_config_check(&c, &error), GS_OK); /* W is square all the same */
  c.input_init = gs_init_default(GS_INIT_IDENTITY);
  refuse(&c, "input_init identity needs square weights, not 128 x 64");
  c = made(GS_MLP);
  c.init = gs_init_default(GS_INIT_ORTHOGONAL);
  c.width = 0;
  c.widths[5] = 127;
  assert_int_equal(gs_config_check(&c, &error), GS_OK);
  gs_config_clear(&c);
}

static void devices_are_short_printable_text(void **state) {
  (void)state;
  gs_config c = made(GS_MLP);
  c.device[0] = '\0';
  refuse(&c, "device");
  c = made(GS_MLP);
  memset(c.device, 'x', sizeof c.device);
  refuse(&c, "device");
  c = made(GS_MLP);
  c.device[1] = '\n';
  refuse(&c, "device");
}

static void one_slope_serves_both_activations(void **state) {
  (void)state;
  gs_config c = made(GS_MLP);
  c.activation = (gs_activation){GS_LEAKY_RELU, 0.1};
  c.output_activation = (gs_activation){GS_LEAKY_RELU, 0.2};
  refuse(&c, "slope");
}

static void names_lead_back(void **state) {
  (void)state;
  static const struct {
    const gs_names *names;
    int count;
  } lists[] = {{&gs_model_names, GS_MODEL_COUNT},
               {&gs_dtype_names, GS_DTYPE_COUNT},
               {&gs_activation_names, GS_ACTIVATION_COUNT},
               {&gs_init_names, GS_INIT_COUNT},
               {&gs_fan_names, GS_FAN_COUNT},
               {&gs_bias_names, GS_BIAS_COUNT},
               {&gs_loss_names, GS_LOSS_COUNT},
               {&gs_loss_at_names, GS_LOSS_AT_COUNT},
               {&gs_range_names, GS_RANGE_COUNT},
               {&gs_stats_names, GS_STATS_LEVEL_COUNT},
               {&gs_launch_names, GS_LAUNCH_COUNT},
               {&gs_loop_names, GS_LOOP_COUNT},
               {&gs_backend_names, GS_BACKEND_COUNT}};
  for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
    const gs_names *names = lists[l].names;
    assert_int_equal(gs_names_count(names), lists[l].count);
    for (int i = 0; i < lists[l].count; i++) {
      assert_int_equal(gs_value_of(names, gs_name(names, i), NULL), i);
    }
    assert_string_equal(gs_name(names, lists[l].count), "unknown");
    assert_string_equal(gs_name(names, -1), "unknown");
    assert_int_equal(gs_value_of(names, "", NULL), -1);
    assert_int_equal(gs_value_of(names, "unknown", NULL), -1);
    for (const gs_synonym *at = names->synonyms; at && at->word; at++) {
      assert_true(gs_value_of(names, at->name, NULL) >= 0);
      assert_int_equal(gs_value_of(names, at->word, NULL), -1);
    }
  }
  assert_string_equal(gs_name(&gs_loss_names, GS_LOSS_MSE), "mse");
  assert_string_equal(gs_name(&gs_backend_names, GS_BACKEND_CUDA), "cuda");
  assert_string_equal(gs_init_takes(GS_INIT_HE_UNIFORM), "fan slope");
  assert_string_equal(gs_init_takes(GS_INIT_XAVIER_NORMAL), "gain");
  assert_string_equal(gs_init_later(GS_INIT_XAVIER_NORMAL), "gain");
  assert_string_equal(gs_init_takes(GS_INIT_LECUN_NORMAL), "");
}

static void what_a_word_was_meant_to_be(void **state) {
  (void)state;
  static const struct {
    const gs_names *names;
    const char *word;
    const char *meant;
  } cases[] = {{&gs_activation_names, "rely", "relu"},
               {&gs_activation_names, "swish", "silu"},
               {&gs_activation_names, "mish", NULL},
               {&gs_init_names, "kaiming_normal", "he_normal"},
               {&gs_init_names, "glorot_uniform", "xavier_uniform"},
               {&gs_init_names, "trunc_normal", "truncated_normal"},
               {&gs_init_names, "random_uniform", "uniform"},
               {&gs_init_names, "ones", "constant"},
               {&gs_dtype_names, "bfloat16", "bf16"},
               {&gs_loop_names, "persist", NULL},
               {&gs_loop_names, "step", "steps"},
               {&gs_model_names, "mpl", "mlp"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *meant = "";
    assert_int_equal(gs_value_of(cases[i].names, cases[i].word, &meant), -1);
    if (cases[i].meant) {
      assert_non_null(meant);
      assert_string_equal(meant, cases[i].meant);
    } else {
      assert_null(meant);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_documented_and_valid),
      cmocka_unit_test(a_copy_is_its_own),
      cmocka_unit_test(widths_are_replaced),
      cmocka_unit_test(sizes_are_at_least_one),
      cmocka_unit_test(sizes_have_limits),
      cmocka_unit_test(element_counts_must_not_overflow),
      cmocka_unit_test(scales_are_finite_and_not_negative),
      cmocka_unit_test(identity_is_square),
      cmocka_unit_test(devices_are_short_printable_text),
      cmocka_unit_test(one_slope_serves_both_activations),
      cmocka_unit_test(names_lead_back),
      cmocka_unit_test(what_a_word_was_meant_to_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
