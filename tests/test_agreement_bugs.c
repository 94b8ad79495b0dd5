/* Classic bugs, one by one: what a program would measure that has the bug is held to
 * the theory of what it meant to do, and the verdict must be `off`; without the bug it
 * must be `as predicted`. A check that cannot see these is none.
 *
 * Most bugs are another configuration, which a correct program runs; the others are
 * done to the statistics. */
#include <math.h>
#include <stdlib.h>

#include "measure/agreement.h"
#include "support_network.h"
#include "support_sanitizer.h"

enum { REPLICAS = GS_SANITIZED ? 32 : 64, UNITS = 64 };

static gs_device *device;

/* ---- what was meant, what is done ---- */

typedef struct measurement {
  gs_config config;
  gs_network *network;
  gs_quantity_stats stats[GS_QUANTITY_COUNT];
} measurement;

static measurement measure(gs_config config) {
  measurement made = {.config = config};
  made.network = gs_support_network(device, &config, true);
  gs_support_step(made.network, true);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    made.stats[q] = gs_support_stats(made.network, (gs_quantity)q);
  }
  return made;
}

static void measurement_clear(measurement *made) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_quantity_stats_clear(&made->stats[q]);
  gs_network_destroy(made->network);
  gs_config_clear(&made->config);
}

static gs_agreement judge(const measurement *made, const gs_config *meant) {
  gs_error error = {0};
  gs_theory theory;
  gs_agreement agreement;
  gs_support_ok(gs_theory_of(meant, &theory, &error), &error);
  gs_support_ok(gs_agreement_of(made->stats, meant, &theory, &agreement, &error), &error);
  gs_theory_clear(&theory);
  return agreement;
}

static void expect(const char *what, const measurement *made, const gs_config *meant,
                   gs_agreement_verdict verdict) {
  const gs_agreement agreement = judge(made, meant);
  print_message("  %-24s %-12s %s\n", what, gs_agreement_name(agreement.verdict), agreement.words);
  assert_int_equal(agreement.verdict, verdict);
  assert_int_equal(agreement.words[0] == '\0', verdict == GS_AS_PREDICTED);
}

/* Runs both: `meant` must be as predicted, `done` must not be. Clears both. */
static void plant(const char *bug, gs_config meant, gs_config done) {
  measurement right = measure(meant);
  measurement wrong = measure(done);
  expect("(without the bug)", &right, &meant, GS_AS_PREDICTED);
  expect(bug, &wrong, &meant, GS_OFF);
  measurement_clear(&right);
  measurement_clear(&wrong);
}

static gs_config mlp(int64_t depth, gs_activation_kind activation, gs_init_kind init) {
  gs_config config = gs_support_mlp(depth, UNITS, activation, init);
  config.replicas = REPLICAS;
  config.batch = 1;
  config.stats = GS_STATS_NORMS;
  return config;
}

/* ---- bugs of initialisations ---- */

static void test_fan(void **state) {
  (void)state;
  const int64_t widths[] = {64, 96, 64, 96, 64, 80};
  gs_config pair[2];
  for (int i = 0; i < 2; i++) {
    pair[i] = mlp(5, GS_RELU, GS_INIT_HE_NORMAL);
    gs_support_set_widths(&pair[i], 5, widths);
  }
  pair[0].init.fan = GS_FAN_OUT;
  plant("fan_in for fan_out", pair[0], pair[1]);
}

static void test_std(void **state) {
  (void)state;
  gs_config meant = mlp(10, GS_TANH, GS_INIT_NORMAL);
  gs_config done = mlp(10, GS_TANH, GS_INIT_NORMAL);
  meant.init.std = sqrt(0.02);
  done.init.std = 0.02;
  plant("std for variance", meant, done);
}

/* U(-b, b) has the variance b^2/3: with b = sqrt(3/fan_in), the standard deviation
 * wanted times sqrt(3/2), it is half of He's. */
static void test_uniform(void **state) {
  (void)state;
  plant("uniform bound off sqrt 2", mlp(5, GS_RELU, GS_INIT_HE_UNIFORM),
        mlp(5, GS_RELU, GS_INIT_XAVIER_UNIFORM));
}

static void test_truncation(void **state) {
  (void)state;
  plant("uncorrected truncation", mlp(10, GS_RELU, GS_INIT_HE_TRUNCATED),
        mlp(10, GS_RELU, GS_INIT_HE_TRUNCATED_UNCORRECTED));
}

static void test_slope(void **state) {
  (void)state;
  gs_config pair[2];
  for (int i = 0; i < 2; i++) {
    pair[i] = mlp(10, GS_LEAKY_RELU, GS_INIT_HE_NORMAL);
    pair[i].activation.slope = pair[i].output_activation.slope = 0.3;
  }
  pair[0].init.slope = 0.3;
  plant("slope ignored", pair[0], pair[1]);
}

static void test_bias(void **state) {
  (void)state;
  gs_config meant = mlp(10, GS_TANH, GS_INIT_SCALED);
  gs_config done = mlp(10, GS_TANH, GS_INIT_SCALED);
  meant.bias_std = 0.3;
  done.bias_std = 1e-9;
  plant("bias variance ignored", meant, done);
}

static void test_untied(void **state) {
  (void)state;
  gs_config pair[2];
  for (int i = 0; i < 2; i++) {
    pair[i] = gs_support_rnn(60, UNITS, GS_RELU, GS_INIT_ORTHOGONAL);
    pair[i].replicas = REPLICAS;
    pair[i].stats = GS_STATS_NORMS;
  }
  pair[1].tied = false;
  plant("untied rnn", pair[0], pair[1]);
}

/* ---- bugs of the measurement ---- */

/* The last layer's delta is reported for the last but one, and so on. */
static void test_layer(void **state) {
  (void)state;
  measurement made = measure(mlp(10, GS_SIGMOID, GS_INIT_XAVIER_NORMAL));
  expect("(without the bug)", &made, &made.config, GS_AS_PREDICTED);
  gs_stats *delta = made.stats[GS_DELTA].stats;
  for (int64_t i = 0; i < 9 * REPLICAS; i++) delta[i] = delta[i + REPLICAS];
  expect("chi off by one layer", &made, &made.config, GS_OFF);
  measurement_clear(&made);
}

/* |W^T v|^2 of replica r, W and v as downloaded. */
static double back_norm(const double *w, const double *v, int64_t r) {
  double norm = 0;
  for (int j = 0; j < UNITS; j++) {
    double sum = 0;
    for (int i = 0; i < UNITS; i++) sum += w[(r * UNITS + i) * UNITS + j] * v[r * UNITS + i];
    norm += sum * sum;
  }
  return norm;
}

/* dLoss/dh^l = (W^{l+1})^T delta^{l+1}; with one example delta is the bias gradient. */
static void test_delta(void **state) {
  (void)state;
  const int64_t L = 10;
  gs_config config = mlp(L, GS_TANH, GS_INIT_SCALED);
  config.bias_std = 0.5;
  measurement made = measure(config);
  expect("(without the bug)", &made, &made.config, GS_AS_PREDICTED);
  for (int64_t l = 1; l < L; l++) {
    const gs_tensor W = gs_network_tensor(made.network, GS_ROLE_WEIGHT, l + 1);
    const gs_tensor db = gs_network_tensor(made.network, GS_ROLE_GRAD_BIAS, l + 1);
    double *w = gs_support_download(device, &W);
    double *delta = gs_support_download(device, &db);
    for (int64_t r = 0; r < REPLICAS; r++) {
      made.stats[GS_DELTA].stats[(l - 1) * REPLICAS + r].sum_sq =
          (gs_scaled){back_norm(w, delta, r), 0};
    }
    free(w);
    free(delta);
  }
  expect("delta for dLoss/dh", &made, &made.config, GS_OFF);
  measurement_clear(&made);
}

/* A sum of squares in float32 is zero or infinite at half the depth. */
static void test_float_norm(void **state) {
  (void)state;
  measurement made = measure(mlp(60, GS_SIGMOID, GS_INIT_XAVIER_NORMAL));
  expect("(without the bug)", &made, &made.config, GS_AS_PREDICTED);
  for (int64_t i = 0; i < 60 * REPLICAS; i++) {
    gs_scaled *square = &made.stats[GS_DELTA].stats[i].sum_sq;
    *square = (gs_scaled){(float)ldexp(square->value, (int)square->exponent), 0};
  }
  expect("float32 norm", &made, &made.config, GS_OFF);
  measurement_clear(&made);
}

/* Nor may a NaN pass for agreement. */
static void test_nan(void **state) {
  (void)state;
  measurement made = measure(mlp(3, GS_TANH, GS_INIT_XAVIER_NORMAL));
  made.stats[GS_DELTA].stats[REPLICAS + 1].nan = 1;
  expect("a NaN on the way", &made, &made.config, GS_OFF);
  made.stats[GS_DELTA].stats[1].nan = 1;
  expect("a NaN at the end", &made, &made.config, GS_OFF);
  measurement_clear(&made);
}

static int setup(void **state) {
  gs_support_open_device(state);
  device = *state;
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fan),     cmocka_unit_test(test_std),
      cmocka_unit_test(test_uniform), cmocka_unit_test(test_truncation),
      cmocka_unit_test(test_slope),   cmocka_unit_test(test_bias),
      cmocka_unit_test(test_untied),  cmocka_unit_test(test_layer),
      cmocka_unit_test(test_delta),   cmocka_unit_test(test_float_norm),
      cmocka_unit_test(test_nan),
  };
  return cmocka_run_group_tests(tests, setup, gs_support_close_device);
}
