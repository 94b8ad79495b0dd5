/* Classic bugs, one by one: what a program would measure that has the bug is held to
 * the theory of what it meant to do, and the verdict must be `off`; without the bug it
 * must be `as predicted`. A check that cannot see these is none.
 *
 * Each is found at half its size, too, with more networks in the cell: half of the
 * logarithm of the factor by which it changes weights or norms, where it is one.
 *
 * Most bugs are another configuration, which a correct program runs; the others are
 * done to the statistics. */
#include <math.h>
#include <stdlib.h>

#include "measure/agreement.h"
#include "support_network.h"
#include "support_sanitizer.h"

enum { REPLICAS = GS_SANITIZED ? 32 : 64, MANY = 512, UNITS = 64 };

/* ---- what was meant, what is done ---- */

typedef struct measurement {
  gs_config config;
  gs_network *network;
  gs_quantity_stats stats[GS_QUANTITY_COUNT];
} measurement;

static measurement measure(gs_config config) {
  measurement made = {.config = config};
  made.network = gs_support_network(gs_group_device, &config, true);
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
  print_message("  %-24s %-12s %s\n", what, gs_name(&gs_agreement_names, agreement.verdict),
                agreement.message);
  assert_int_equal(agreement.verdict, verdict);
  assert_int_equal(agreement.message[0] == '\0', verdict == GS_AS_PREDICTED);
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

/* The same at half the size: it takes many networks, and sanitizers learn nothing new. */
static void plant_half(const char *bug, gs_config meant, gs_config done) {
  if (GS_SANITIZED) {
    gs_config_clear(&meant);
    gs_config_clear(&done);
    return;
  }
  meant.replicas = done.replicas = MANY;
  plant(bug, meant, done);
}

static gs_config mlp(int64_t depth, gs_activation_kind activation, gs_init_kind init) {
  gs_config config = gs_support_mlp(depth, UNITS, activation, init);
  config.replicas = REPLICAS;
  config.batch = 1;
  config.stats = GS_STATS_NORMS;
  return config;
}

/* ---- bugs of initialisations ---- */

static void fans(const int64_t *widths, gs_config pair[2]) {
  for (int i = 0; i < 2; i++) {
    pair[i] = mlp(5, GS_RELU, GS_INIT_HE_NORMAL);
    gs_support_set_widths(&pair[i], 5, widths);
  }
  pair[0].init.fan = GS_FAN_OUT;
}

static void test_fan(void **state) {
  (void)state;
  const int64_t widths[] = {64, 96, 64, 96, 64, 80};
  const int64_t nearer[] = {64, 78, 64, 78, 64, 72}; /* square roots of the ratios */
  gs_config pair[2];
  fans(widths, pair);
  plant("fan_in for fan_out", pair[0], pair[1]);
  fans(nearer, pair);
  plant_half("half of it", pair[0], pair[1]);
}

static void test_std(void **state) {
  (void)state;
  gs_config meant = mlp(10, GS_TANH, GS_INIT_NORMAL);
  gs_config done = mlp(10, GS_TANH, GS_INIT_NORMAL);
  meant.init.std = sqrt(0.02);
  done.init.std = 0.02;
  plant("std for variance", meant, done);
  meant = mlp(10, GS_TANH, GS_INIT_NORMAL);
  done = mlp(10, GS_TANH, GS_INIT_NORMAL);
  meant.init.std = sqrt(0.02);
  done.init.std = pow(0.02, 0.75);
  plant_half("half of it", meant, done);
}

/* U(-b, b) has the variance b^2/3: with b = sqrt(3/fan_in), the standard deviation
 * wanted times sqrt(3/2), it is half of He's. */
static void test_uniform(void **state) {
  (void)state;
  plant("uniform bound off sqrt 2", mlp(5, GS_RELU, GS_INIT_HE_UNIFORM),
        mlp(5, GS_RELU, GS_INIT_XAVIER_UNIFORM));
  gs_config half = mlp(5, GS_RELU, GS_INIT_HE_UNIFORM);
  half.init.slope = sqrt(sqrt(2) - 1); /* variance / (1 + slope^2) */
  plant_half("half of it", mlp(5, GS_RELU, GS_INIT_HE_UNIFORM), half);
}

static void test_truncation(void **state) {
  (void)state;
  plant("uncorrected truncation", mlp(10, GS_RELU, GS_INIT_HE_TRUNCATED),
        mlp(10, GS_RELU, GS_INIT_HE_TRUNCATED_UNCORRECTED));
  gs_config half = mlp(10, GS_RELU, GS_INIT_HE_TRUNCATED);
  half.init.slope = sqrt(1 / sqrt(0.7737413) - 1); /* of a variance 0.774 times too small */
  plant_half("half of it", mlp(10, GS_RELU, GS_INIT_HE_TRUNCATED), half);
}

static void slopes(double slope, gs_config pair[2]) {
  for (int i = 0; i < 2; i++) {
    pair[i] = mlp(10, GS_LEAKY_RELU, GS_INIT_HE_NORMAL);
    pair[i].activation.slope = pair[i].output_activation.slope = slope;
  }
  pair[0].init.slope = slope;
}

static void test_slope(void **state) {
  (void)state;
  gs_config pair[2];
  slopes(0.3, pair);
  plant("slope ignored", pair[0], pair[1]);
  slopes(sqrt(sqrt(1 + 0.3 * 0.3) - 1), pair);
  plant_half("half of it", pair[0], pair[1]);
}

static void biases(double std, gs_config pair[2]) {
  for (int i = 0; i < 2; i++) pair[i] = mlp(10, GS_TANH, GS_INIT_SCALED);
  pair[0].bias_std = 0.3;
  pair[1].bias_std = std;
}

static void test_bias(void **state) {
  (void)state;
  gs_config pair[2];
  biases(1e-9, pair);
  plant("bias variance ignored", pair[0], pair[1]);
  biases(0.3 * sqrt(0.5), pair); /* half of the variance */
  plant_half("half of it", pair[0], pair[1]);
}

static void recurrent(int64_t steps, gs_config pair[2]) {
  for (int i = 0; i < 2; i++) {
    pair[i] = gs_support_rnn(steps, UNITS, GS_RELU, GS_INIT_ORTHOGONAL);
    pair[i].replicas = REPLICAS;
    pair[i].stats = GS_STATS_NORMS;
  }
  pair[1].tied = false;
}

static void test_untied(void **state) {
  (void)state;
  gs_config pair[2];
  recurrent(60, pair);
  plant("untied rnn", pair[0], pair[1]);
  recurrent(30, pair); /* half as many steps that should repeat */
  plant_half("half of it", pair[0], pair[1]);
}

/* ---- bugs of the measurement ---- */

/* The geometric mean of two squared norms: half of a factor between them. */
static gs_scaled between(gs_scaled a, gs_scaled b) {
  const int64_t exponent = a.exponent + b.exponent;
  return (gs_scaled){sqrt(ldexp(a.value * b.value, (int)(exponent & 1))), exponent >> 1};
}

/* The last layer's delta is reported for the last but one, and so on; half: the mean of
 * a layer's and the next one's logarithms. */
static void off_by_one(const char *bug, int64_t replicas, bool half) {
  gs_config config = mlp(10, GS_SIGMOID, GS_INIT_XAVIER_NORMAL);
  config.replicas = replicas;
  measurement made = measure(config);
  expect("(without the bug)", &made, &made.config, GS_AS_PREDICTED);
  gs_stats *delta = made.stats[GS_DELTA].stats;
  for (int64_t i = 0; i < 9 * replicas; i++) {
    const gs_scaled next = delta[i + replicas].sum_sq;
    delta[i].sum_sq = half ? between(delta[i].sum_sq, next) : next;
  }
  expect(bug, &made, &made.config, GS_OFF);
  measurement_clear(&made);
}

static void test_layer(void **state) {
  (void)state;
  off_by_one("chi off by one layer", REPLICAS, false);
  if (!GS_SANITIZED) off_by_one("half of it", MANY, true);
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
static void without_slope(const char *bug, int64_t replicas, bool half) {
  const int64_t L = 10;
  gs_config config = mlp(L, GS_TANH, GS_INIT_SCALED);
  config.bias_std = 0.5;
  config.replicas = replicas;
  measurement made = measure(config);
  expect("(without the bug)", &made, &made.config, GS_AS_PREDICTED);
  for (int64_t l = 1; l < L; l++) {
    const gs_tensor W = gs_network_tensor(made.network, GS_ROLE_WEIGHT, l + 1);
    const gs_tensor db = gs_network_tensor(made.network, GS_ROLE_GRAD_BIAS, l + 1);
    double *w = gs_support_download(gs_group_device, &W);
    double *delta = gs_support_download(gs_group_device, &db);
    for (int64_t r = 0; r < replicas; r++) {
      gs_scaled *square = &made.stats[GS_DELTA].stats[(l - 1) * replicas + r].sum_sq;
      const gs_scaled wrong = {back_norm(w, delta, r), 0};
      *square = half ? between(*square, wrong) : wrong;
    }
    free(w);
    free(delta);
  }
  expect(bug, &made, &made.config, GS_OFF);
  measurement_clear(&made);
}

static void test_delta(void **state) {
  (void)state;
  without_slope("delta for dLoss/dh", REPLICAS, false);
  if (!GS_SANITIZED) without_slope("half of it", MANY / 2, true);
}

/* A sum of squares in float32 is zero or infinite at half the depth; half: in every
 * other network. */
static void test_float_norm(void **state) {
  (void)state;
  for (int every = 1; every <= 2; every++) {
    measurement made = measure(mlp(60, GS_SIGMOID, GS_INIT_XAVIER_NORMAL));
    expect("(without the bug)", &made, &made.config, GS_AS_PREDICTED);
    for (int64_t i = 0; i < 60 * REPLICAS; i += every) {
      gs_scaled *square = &made.stats[GS_DELTA].stats[i].sum_sq;
      *square = (gs_scaled){(float)ldexp(square->value, (int)square->exponent), 0};
    }
    expect(every == 1 ? "float32 norm" : "half of it", &made, &made.config, GS_OFF);
    measurement_clear(&made);
  }
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fan),     cmocka_unit_test(test_std),
      cmocka_unit_test(test_uniform), cmocka_unit_test(test_truncation),
      cmocka_unit_test(test_slope),   cmocka_unit_test(test_bias),
      cmocka_unit_test(test_untied),  cmocka_unit_test(test_layer),
      cmocka_unit_test(test_delta),   cmocka_unit_test(test_float_norm),
      cmocka_unit_test(test_nan),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
