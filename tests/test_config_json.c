/* A configuration survives its canonical JSON: field by field, over many random
 * configurations of both models, and its id and name tell it from others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/init.h"
#include "sweep/spec.h"

enum { RANDOM_CONFIGS = 2000 };

static void ok(gs_status status, const gs_error *error) {
  if (status != GS_OK) fail_msg("%s", error->message);
}

/* xorshift64* (Vigna 2016): the tests' own source of variety. */
static uint64_t draw(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static int64_t draw_int(uint64_t *state, int64_t count) {
  return (int64_t)(draw(state) % (uint64_t)count);
}

/* A double >= 0 with awkward digits, of any magnitude a sweep may ask for. */
static double draw_real(uint64_t *state) {
  const double digits = (double)(draw(state) >> 11) * 0x1p-53;
  const double scales[] = {0.0, 1.0, 1e-300, 1e300, 5e-324, 0.1};
  return digits * scales[draw_int(state, 6)];
}

static gs_init draw_init(uint64_t *state, bool square) {
  gs_init init = gs_init_default((gs_init_kind)draw_int(state, GS_INIT_COUNT));
  if (init.kind == GS_INIT_IDENTITY && !square) init = gs_init_default(GS_INIT_ORTHOGONAL);
  const char *takes = gs_init_takes(init.kind);
  if (strstr(takes, "std")) init.std = draw_real(state);
  if (strstr(takes, "sigma_w2")) init.sigma_w2 = draw_real(state);
  if (strstr(takes, "gain")) init.gain = draw_real(state);
  if (strstr(takes, "slope")) init.slope = draw_real(state);
  if (strstr(takes, "fan")) init.fan = (gs_fan)draw_int(state, 2);
  return init;
}

static void draw_activations(uint64_t *state, gs_config *config) {
  const gs_activation_kind kind = (gs_activation_kind)draw_int(state, GS_ACTIVATION_COUNT);
  const gs_activation_kind kinds[] = {kind, GS_IDENTITY, GS_LEAKY_RELU};
  const gs_activation_kind output = config->model == GS_MLP ? kinds[draw_int(state, 3)] : kind;
  const bool leaky = kind == GS_LEAKY_RELU || output == GS_LEAKY_RELU;
  const double slope = leaky ? draw_real(state) : GS_LEAKY_DEFAULT_SLOPE;
  config->activation = (gs_activation){kind, slope};
  config->output_activation = (gs_activation){output, slope};
}

static gs_config draw_config(uint64_t *state) {
  gs_error error = {0};
  gs_config c;
  ok(gs_config_default((gs_model)draw_int(state, 2), &c, &error), &error);
  bool square = true;
  if (c.model == GS_MLP) {
    const int64_t depth = 1 + draw_int(state, 12);
    ok(gs_config_set_widths(&c, depth, 1 + draw_int(state, 5000), &error), &error);
    square = draw_int(state, 2) == 0;
    const bool by_number = draw_int(state, 2) == 0; /* input and output beside depth and width */
    if (!square && by_number) gs_config_set_ends(&c, 1 + draw_int(state, 99), c.width);
    if (!square && by_number) gs_config_set_ends(&c, c.input, 1 + draw_int(state, 99));
    if (!square && !by_number) c.widths[draw_int(state, depth + 1)] = c.width + 1;
    if (!square && !by_number) gs_config_set_ends(&c, c.widths[0], c.widths[depth]);
    if (!square && !by_number) c.width = 0;
  } else {
    c.hidden = 1 + draw_int(state, 300);
    c.input = draw_int(state, 2) ? c.hidden : 1 + draw_int(state, 300);
    c.seq_len = 1 + draw_int(state, 100000);
    c.input_init = draw_init(state, c.input == c.hidden);
    c.tied = draw_int(state, 2) == 0;
    c.loss_at = (gs_loss_at)draw_int(state, 2);
    c.loop = (gs_loop)draw_int(state, 3);
  }
  c.batch = 1 + draw_int(state, 1000);
  c.replicas = 1 + draw_int(state, GS_MAX_REPLICAS);
  c.seed = draw(state);
  draw_activations(state, &c);
  c.init = draw_init(state, square);
  c.bias = draw_int(state, 2) ? gs_init_bias(c.init.kind, c.model) : GS_BIAS_NORMAL;
  if (c.bias == GS_BIAS_NORMAL) c.bias_std = draw_real(state);
  c.loss = (gs_loss)draw_int(state, 2);
  c.dtype = (gs_dtype)draw_int(state, GS_DTYPE_COUNT);
  c.range = (gs_range)draw_int(state, 2);
  c.stats = (gs_stats_level)draw_int(state, 3);
  c.jacobian = c.dtype != GS_F16 && c.dtype != GS_BF16 && draw_int(state, 2) == 0;
  c.launch = (gs_launch)draw_int(state, 3);
  c.backend = (gs_backend)draw_int(state, 3);
  snprintf(c.device, sizeof c.device, "GPU-%d", (int)draw_int(state, 1000));
  return c;
}

static bool same_init(const gs_init *a, const gs_init *b) {
  return a->kind == b->kind && a->std == b->std && a->sigma_w2 == b->sigma_w2 &&
         a->gain == b->gain && a->slope == b->slope && a->fan == b->fan;
}

static void assert_same_shape(const gs_config *a, const gs_config *b) {
  assert_int_equal(a->model, b->model);
  assert_int_equal(a->depth, b->depth);
  assert_int_equal(a->width, b->width);
  if (a->model == GS_MLP) {
    const size_t bytes = (size_t)(a->depth + 1) * sizeof *a->widths;
    assert_memory_equal(a->widths, b->widths, bytes);
  }
  assert_int_equal(a->hidden, b->hidden);
  assert_int_equal(a->input, b->input);
  assert_int_equal(a->output, b->output);
  assert_int_equal(a->seq_len, b->seq_len);
  assert_int_equal(a->batch, b->batch);
  assert_int_equal(a->replicas, b->replicas);
}

static void assert_same(const gs_config *a, const gs_config *b) {
  assert_same_shape(a, b);
  assert_true(a->seed == b->seed);
  assert_int_equal(a->activation.kind, b->activation.kind);
  assert_true(a->activation.slope == b->activation.slope);
  assert_int_equal(a->output_activation.kind, b->output_activation.kind);
  assert_true(a->output_activation.slope == b->output_activation.slope);
  assert_true(same_init(&a->init, &b->init));
  assert_true(same_init(&a->input_init, &b->input_init));
  assert_int_equal(a->tied, b->tied);
  assert_int_equal(a->bias, b->bias);
  assert_true(a->bias_std == b->bias_std);
  assert_int_equal(a->loss, b->loss);
  assert_int_equal(a->loss_at, b->loss_at);
  assert_int_equal(a->dtype, b->dtype);
  assert_int_equal(a->range, b->range);
  assert_int_equal(a->stats, b->stats);
  assert_int_equal(a->jacobian, b->jacobian);
  assert_int_equal(a->launch, b->launch);
  assert_int_equal(a->loop, b->loop);
  assert_int_equal(a->backend, b->backend);
  assert_string_equal(a->device, b->device);
}

static char *line_of(const gs_config *config) {
  cJSON *object = gs_config_to_json(config);
  assert_non_null(object);
  char *line = gs_json_print_line(object);
  assert_non_null(line);
  cJSON_Delete(object);
  return line;
}

static gs_config parsed(const char *line) {
  gs_error error = {0};
  cJSON *object = NULL;
  gs_config config;
  ok(gs_json_parse(line, strlen(line), "cell", &object, &error), &error);
  ok(gs_config_from_json(object, "$", &config, &error), &error);
  cJSON_Delete(object);
  return config;
}

static void random_configurations_come_back(void **unused) {
  (void)unused;
  uint64_t state = 20240229;
  for (int i = 0; i < RANDOM_CONFIGS; i++) {
    gs_config config = draw_config(&state);
    char *line = line_of(&config);
    gs_config back = parsed(line);
    assert_same(&config, &back);
    char *again = line_of(&back);
    assert_string_equal(line, again);
    free(line);
    free(again);
    gs_config_clear(&config);
    gs_config_clear(&back);
  }
}

static void canonical_is_complete_and_ordered(void **unused) {
  (void)unused;
  gs_config config = parsed("{\"model\": \"rnn\", \"init\": \"he_normal\"}");
  char *line = line_of(&config);
  assert_string_equal(
      line,
      "{\"model\":\"rnn\",\"hidden\":128,\"input\":128,\"seq_len\":100,\"batch\":32,"
      "\"replicas\":1,\"seed\":\"1\",\"activation\":\"tanh\",\"init\":{\"name\":\"he_normal\","
      "\"fan\":\"in\",\"slope\":0},\"input_init\":{\"name\":\"scaled\",\"sigma_w2\":1},"
      "\"tied\":true,\"bias_std\":0,\"loss\":\"linear\",\"loss_at\":\"last\","
      "\"dtype\":\"f32\",\"range\":\"extended\",\"stats\":\"full\",\"jacobian\":false,"
      "\"launch\":\"auto\","
      "\"loop\":\"auto\",\"backend\":\"auto\","
      "\"device\":\"auto\"}");
  free(line);
  gs_config_clear(&config);
  config = parsed("{\"model\": \"mlp\", \"widths\": [3, 2], \"activation\": "
                  "{\"name\": \"leaky_relu\", \"slope\": 0.1}, \"output_activation\": "
                  "\"identity\", \"init\": {\"name\": \"normal\", \"std\": 0.3}}");
  line = line_of(&config);
  assert_string_equal(
      line, "{\"model\":\"mlp\",\"widths\":[3,2],\"batch\":32,\"replicas\":1,\"seed\":\"1\","
            "\"activation\":\"leaky_relu\",\"slope\":0.1,\"output_activation\":\"identity\","
            "\"init\":{\"name\":\"normal\",\"std\":0.3},\"residual\":\"none\",\"norm\":\"none\","
            "\"lsuv\":false,"
            "\"bias_std\":0,\"loss\":\"linear\","
            "\"dtype\":\"f32\",\"range\":\"extended\",\"stats\":\"full\",\"jacobian\":false,"
            "\"launch\":\"auto\","
            "\"backend\":\"auto\","
            "\"device\":\"auto\"}");
  free(line);
  gs_config_clear(&config);
}

static void assert_equal_cells(const char *a, const char *b) {
  gs_config first = parsed(a);
  gs_config second = parsed(b);
  assert_same(&first, &second);
  gs_config_clear(&first);
  gs_config_clear(&second);
}

/* What a framework's name sets is what it would be when given; null and "init" are
 * biases that nobody gives. */
static void frameworks_settle(void **unused) {
  (void)unused;
  assert_equal_cells("{\"model\": \"rnn\", \"init\": \"torch_default\"}",
                     "{\"model\": \"rnn\", \"init\": \"torch_default\", \"bias_std\": null,"
                     " \"input_init\": \"torch_default\"}");
  assert_equal_cells("{\"model\": \"mlp\", \"init\": \"keras_default\"}",
                     "{\"model\": \"mlp\", \"init\": \"keras_default\", \"bias_std\": \"init\"}");
  assert_equal_cells("{\"model\": \"mlp\"}", "{\"model\": \"mlp\", \"bias_std\": null}");
  gs_config config = parsed("{\"model\": \"rnn\", \"init\": \"torch_default\"}");
  assert_int_equal(config.bias, GS_BIAS_TWO_UNIFORMS);
  assert_int_equal(config.input_init.kind, GS_INIT_TORCH_DEFAULT);
  char *line = line_of(&config);
  assert_non_null(strstr(line, "\"input_init\":{\"name\":\"torch_default\"},\"tied\":true,"
                               "\"bias_std\":null,"));
  free(line);
  gs_config_clear(&config);
  config = parsed("{\"model\": \"rnn\", \"init\": \"keras_default\", \"bias_std\": 0,"
                  " \"input_init\": \"normal\"}");
  assert_false(gs_config_has_biases(&config));
  assert_int_equal(config.input_init.kind, GS_INIT_NORMAL); /* the user's wins */
  gs_config_clear(&config);
}

/* Each of these differs from the defaults of an mlp or an rnn in one parameter: no
 * two ids and no two names may be equal. */
static const char *const variants[] = {
    "",
    "\"depth\": 11",
    "\"width\": 127",
    "\"widths\": [127, 128]",
    "\"batch\": 31",
    "\"replicas\": 2",
    "\"seed\": 2",
    "\"activation\": \"relu\"",
    "\"activation\": \"leaky_relu\"",
    "\"activation\": \"leaky_relu\", \"slope\": 0.25",
    "\"activation\": \"leaky_relu\", \"slope\": 0.25000000000000006",
    "\"output_activation\": \"identity\"",
    "\"output_activation\": \"leaky_relu\"",
    "\"output_activation\": \"leaky_relu\", \"slope\": 0.25",
    "\"init\": \"normal\"",
    "\"init\": {\"name\": \"normal\", \"std\": 0.1}",
    "\"init\": {\"name\": \"scaled\", \"sigma_w2\": 0.1}",
    "\"init\": \"he_normal\"",
    "\"init\": {\"name\": \"he_normal\", \"fan\": \"out\"}",
    "\"init\": {\"name\": \"he_normal\", \"slope\": 0.1}",
    "\"init\": {\"name\": \"orthogonal\", \"gain\": 1.5}",
    "\"init\": \"torch_default\"",
    "\"init\": \"torch_default\", \"bias_std\": 0",
    "\"init\": \"torch_default\", \"bias_std\": 0.1",
    "\"init\": \"keras_default\"",
    "\"init\": \"keras_default\", \"bias_std\": 0",
    "\"bias_std\": 0.1",
    "\"bias_std\": 0.10000000000000002",
    "\"loss\": \"mse\"",
    "\"dtype\": \"f64\"",
    "\"range\": \"native\"",
    "\"stats\": \"off\"",
    "\"stats\": \"norms\"",
    "\"seed\": \"18446744073709551615\"",
    "\"jacobian\": true",
    "\"launch\": \"graph\"",
    "\"launch\": \"eager\"",
    "\"dtype\": \"bf16\"",
};
static const char *const rnn_variants[] = {
    "",
    "\"loop\": \"steps\"",
    "\"loop\": \"persistent\"",
    "\"launch\": \"eager\"",
    "\"tied\": false",
    "\"loss_at\": \"every\"",
    "\"input_init\": \"normal\"",
    "\"input_init\": \"torch_default\"",
    "\"input_init\": \"keras_default\"",
    "\"init\": \"torch_default\"",
    "\"init\": \"torch_default\", \"bias_std\": 0",
    "\"init\": \"torch_default\", \"input_init\": \"keras_default\"",
    "\"init\": \"torch_default\", \"input_init\": {\"name\": \"scaled\", \"sigma_w2\": 1}",
    "\"init\": \"keras_default\"",
    "\"hidden\": 127",
    "\"input\": 127",
    "\"seq_len\": 99",
};
enum {
  MLP_VARIANTS = sizeof variants / sizeof *variants,
  VARIANTS = MLP_VARIANTS + sizeof rnn_variants / sizeof *rnn_variants
};

static void every_parameter_changes_id_and_name(void **unused) {
  (void)unused;
  gs_error error = {0};
  static char ids[VARIANTS][GS_CELL_ID_BYTES];
  static char names[VARIANTS][GS_CELL_NAME_BYTES];
  for (int i = 0; i < VARIANTS; i++) {
    char text[256];
    const bool mlp = i < MLP_VARIANTS;
    const char *variant = mlp ? variants[i] : rnn_variants[i - MLP_VARIANTS];
    snprintf(text, sizeof text, "{\"model\": \"%s\"%s%s}", mlp ? "mlp" : "rnn",
             *variant ? ", " : "", variant);
    gs_config config = parsed(text);
    ok(gs_config_id(&config, ids[i], &error), &error);
    ok(gs_config_describe(&config, names[i], &error), &error);
    assert_int_equal(strspn(ids[i], "0123456789abcdef"), 16);
    for (int j = 0; j < i; j++) {
      assert_string_not_equal(ids[i], ids[j]);
      assert_string_not_equal(names[i], names[j]);
    }
    gs_config_clear(&config);
  }
}

/* The same cell wherever it runs, also where its name is cut. */
static void where_it_runs_changes_neither(void **unused) {
  (void)unused;
  gs_error error = {0};
  static const char *const slots[] = {"", ", \"backend\": \"cpu\"", ", \"device\": \"0\"",
                                      ", \"backend\": \"cuda\", \"device\": \"GPU-12\""};
  for (int long_name = 0; long_name < 2; long_name++) {
    char ids[4][GS_CELL_ID_BYTES];
    char names[4][GS_CELL_NAME_BYTES];
    for (int i = 0; i < 4; i++) {
      char text[1024];
      int length = snprintf(text, sizeof text, "{\"model\": \"mlp\", \"widths\": [3");
      for (int l = 0; l < (long_name ? 200 : 3); l++) {
        length += snprintf(text + length, sizeof text - (size_t)length, ",%d", 2 + l % 7);
      }
      snprintf(text + length, sizeof text - (size_t)length, "]%s}", slots[i]);
      gs_config config = parsed(text);
      ok(gs_config_id(&config, ids[i], &error), &error);
      ok(gs_config_describe(&config, names[i], &error), &error);
      gs_config_clear(&config);
      assert_string_equal(ids[i], ids[0]);
      assert_string_equal(names[i], names[0]);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_configurations_come_back),
      cmocka_unit_test(canonical_is_complete_and_ordered),
      cmocka_unit_test(frameworks_settle),
      cmocka_unit_test(every_parameter_changes_id_and_name),
      cmocka_unit_test(where_it_runs_changes_neither),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
