/* Predictions against networks measured on the CPU backend.
 *
 * The mean over R networks of log10 of a norm against the typical value: four
 * standard errors, and an allowance for terms beyond 1/n. The sample variance over
 * the predicted one is chi-square / (R - 1): four times sqrt(2 / (R - 1)), and an
 * allowance. The allowances are stated with each case. */
#include <math.h>
#include <stdlib.h>

#include "measure/layers.h"
#include "measure/summary.h"
#include "support_network.h"
#include "support_sanitizer.h"
#include "theory/theory.h"

enum { REPLICAS = GS_SANITIZED ? 24 : 96 };

typedef struct sample {
  double mean, sd;
} sample;

static sample sample_of(const double *values) {
  sample s = {0, 0};
  double square = 0;
  for (int r = 0; r < REPLICAS; r++) s.mean += values[r] / REPLICAS;
  for (int r = 0; r < REPLICAS; r++) square += (values[r] - s.mean) * (values[r] - s.mean);
  s.sd = sqrt(square / (REPLICAS - 1));
  return s;
}

/* How much the theory may miss: of the mean in decades, of the sd as a share. */
typedef struct allowance {
  double mean, sd;
  bool shared_too; /* does it hold for gradients that sum over steps? */
} allowance;

static void check_sample(const char *what, const double *values, double typical, double sd,
                         allowance allowed) {
  const sample s = sample_of(values);
  const double ratio = s.sd / sd;
  print_message("  %-17s %9.4f, theory %9.4f; sd %.4f, theory %.4f\n", what, s.mean, typical, s.sd,
                sd);
  assert_true(fabs(s.mean - typical) <= 4 * s.sd / sqrt(REPLICAS) + allowed.mean);
  assert_true(fabs(ratio - 1) <= 4 * sqrt(0.5 / (REPLICAS - 1)) + allowed.sd);
}

/* The first, the middle and the last point of a quantity. */
static void check_quantity(gs_network *network, const gs_theory *theory, gs_quantity quantity,
                           allowance allowed) {
  double values[REPLICAS];
  gs_quantity_stats stats = gs_support_stats(network, quantity);
  const gs_theory_series *series = &theory->series[quantity];
  assert_int_equal(stats.points, series->points);
  for (int64_t i = 0; i<stats.points; i += stats.points> 2 ? (stats.points - 1) / 2 : 1) {
    for (int r = 0; r < REPLICAS; r++)
      values[r] = gs_stats_log10_norm(&stats.stats[i * REPLICAS + r]);
    if (series->rms[i] == -INFINITY) {
      for (int r = 0; r < REPLICAS; r++) assert_true(values[r] == -INFINITY);
    } else {
      check_sample(gs_name(&gs_quantity_names, quantity), values, series->typical[i], series->sd[i],
                   allowed);
    }
  }
  gs_quantity_stats_clear(&stats);
}

/* Clears the config. */
static void check(gs_config config, allowance allowed) {
  gs_error error = {0};
  gs_theory theory;
  double decades[REPLICAS];
  config.replicas = REPLICAS;
  config.stats = GS_STATS_NORMS;
  gs_support_ok(gs_theory_of(&config, &theory, &error), &error);
  print_message("%s %s %s, B %d: %s\n", gs_name(&gs_model_names, config.model),
                gs_name(&gs_activation_names, config.activation.kind),
                gs_name(&gs_init_names, config.init.kind), (int)config.batch,
                gs_name(&gs_validity_names, theory.validity));
  gs_network *network = gs_support_network(gs_group_device, &config, false);
  gs_support_step(network, true);
  gs_quantity_stats delta = gs_support_stats(network, GS_DELTA);
  gs_decades_of(&delta, REPLICAS, decades);
  check_sample("decades", decades, theory.decades_typical, theory.decades_sd, allowed);
  gs_quantity_stats_clear(&delta);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    if (allowed.shared_too || theory.series[q].points > 1)
      check_quantity(network, &theory, (gs_quantity)q, allowed);
  }
  gs_network_destroy(network);
  gs_theory_clear(&theory);
  gs_config_clear(&config);
}

static gs_config mlp(int64_t depth, gs_activation_kind activation, gs_init_kind init,
                     int64_t batch) {
  gs_config config = gs_support_mlp(depth, 64, activation, init);
  config.batch = batch;
  return config;
}

static gs_config rnn(gs_activation_kind activation, gs_init_kind init, int64_t batch) {
  gs_config config = gs_support_rnn(30, 64, activation, init);
  config.batch = batch;
  config.tied = false;
  return config;
}

/* ---- one example ---- */

static void test_exact(void **state) {
  (void)state;
  const allowance none = {0, 0, true};
  const int64_t widths[] = {40, 100, 60, 200, 30, 80, 120};
  check(mlp(30, GS_RELU, GS_INIT_HE_NORMAL, 1), none);
  check(mlp(30, GS_RELU, GS_INIT_ORTHOGONAL, 1), none);
  check(mlp(30, GS_IDENTITY, GS_INIT_NORMAL, 1), none);
  gs_config config = mlp(6, GS_RELU, GS_INIT_XAVIER_NORMAL, 1);
  gs_support_set_widths(&config, 6, widths);
  check(config, none);
  config = mlp(6, GS_RELU, GS_INIT_ORTHOGONAL, 1);
  gs_support_set_widths(&config, 6, widths);
  check(config, none);
}

static void test_wide(void **state) {
  (void)state;
  const allowance little = {0.01, 0.06, true};
  check(mlp(30, GS_TANH, GS_INIT_XAVIER_NORMAL, 1), little);
  check(mlp(30, GS_TANH, GS_INIT_ORTHOGONAL, 1), little);
  check(mlp(30, GS_TANH, GS_INIT_NORMAL, 1), little);
  check(mlp(30, GS_SIGMOID, GS_INIT_XAVIER_UNIFORM, 1), little);
  check(mlp(30, GS_SIGMOID, GS_INIT_NORMAL, 1), little);
  check(mlp(30, GS_SELU, GS_INIT_LECUN_NORMAL, 1), little);
  check(mlp(30, GS_GELU, GS_INIT_ORTHOGONAL, 1), little);
  check(mlp(30, GS_ELU, GS_INIT_HE_TRUNCATED, 1), little);
  check(mlp(30, GS_SILU, GS_INIT_TORCH_DEFAULT, 1), little);
  check(mlp(30, GS_SOFTSIGN, GS_INIT_HE_NORMAL, 1), little);
  check(mlp(30, GS_LEAKY_RELU, GS_INIT_HE_UNIFORM, 1), little);
  check(mlp(30, GS_SOFTPLUS, GS_INIT_TORCH_DEFAULT, 1), little);
}

static void test_biases(void **state) {
  (void)state;
  const gs_activation_kind kinds[] = {GS_TANH, GS_RELU, GS_ELU, GS_SIGMOID};
  for (int i = 0; i < 4; i++) {
    gs_config config = mlp(30, kinds[i], GS_INIT_SCALED, 1);
    config.init.sigma_w2 = 1.5;
    config.bias_std = 0.3;
    check(config, (allowance){0.01, 0.06, true});
  }
}

/* ---- batches ---- */

/* Examples' norms are taken as lognormal and alike; the spread of an activation
 * where examples do not correlate is of order 1/n^2 and is not predicted. */
static void test_batches(void **state) {
  (void)state;
  const allowance some = {0.03, 0.25, true};
  check(mlp(30, GS_RELU, GS_INIT_HE_NORMAL, 8), some);
  check(mlp(30, GS_RELU, GS_INIT_ORTHOGONAL, 32), some);
  check(mlp(30, GS_SIGMOID, GS_INIT_XAVIER_NORMAL, 8), some);
  check(mlp(30, GS_SIGMOID, GS_INIT_NORMAL, 32), some);
  check(mlp(30, GS_IDENTITY, GS_INIT_XAVIER_NORMAL, 8), some);
  check(mlp(30, GS_TANH, GS_INIT_NORMAL, 2), some);
}

/* ---- recurrent networks ---- */

static void test_untied(void **state) {
  (void)state;
  const allowance little = {0.02, 0.15, true};
  check(rnn(GS_TANH, GS_INIT_HE_NORMAL, 1), little);
  check(rnn(GS_SIGMOID, GS_INIT_NORMAL, 1), little);
  check(rnn(GS_RELU, GS_INIT_XAVIER_NORMAL, 1), little);
  gs_config config = rnn(GS_TANH, GS_INIT_ORTHOGONAL, 1);
  config.loss_at = GS_LOSS_EVERY;
  check(config, little);
}

/* Strongly driven tanh: W of each step is as good as a new one. */
static void test_tied_tanh(void **state) {
  (void)state;
  gs_config config = rnn(GS_TANH, GS_INIT_HE_NORMAL, 1);
  config.tied = true;
  check(config, (allowance){0.02, 0.25, true});
}

/* What W repeats from step to step: masks and norms of states that are alike (relu,
 * sigmoid), directions that W keeps (orthogonal tanh, through the rows of U). All to
 * first order: sd to a third, but for gradients that sum over steps, whose sd is up to 1.8
 * times the predicted one. */
static void test_tied_alike(void **state) {
  (void)state;
  const struct {
    gs_activation_kind activation;
    gs_init_kind init;
    int64_t batch;
  } cases[] = {{GS_RELU, GS_INIT_ORTHOGONAL, 1},    {GS_RELU, GS_INIT_ORTHOGONAL, 8},
               {GS_RELU, GS_INIT_XAVIER_NORMAL, 8}, {GS_SIGMOID, GS_INIT_ORTHOGONAL, 8},
               {GS_SIGMOID, GS_INIT_NORMAL, 8},     {GS_TANH, GS_INIT_ORTHOGONAL, 8}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gs_config config = rnn(cases[i].activation, cases[i].init, cases[i].batch);
    config.tied = true;
    config.seq_len = 60;
    config.input = 16;
    check(config, (allowance){0.05, 0.34, false});
  }
}

/* Examples of few units, whose norms are products of chi-squares of few degrees of freedom;
 * and what W turns. */
static void test_heavy_tails(void **state) {
  (void)state;
  const int64_t narrow[] = {3, 5, 2, 6, 1, 4};
  const int64_t out[] = {16, 16, 1};
  const int64_t turned[] = {1, 8, 12, 6, 8};
  gs_config config = mlp(5, GS_IDENTITY, GS_INIT_HE_NORMAL, 32);
  gs_support_set_widths(&config, 5, narrow);
  check(config, (allowance){0.1, 0.25, true});
  config = mlp(4, GS_IDENTITY, GS_INIT_ORTHOGONAL, 64); /* turned into more, and into fewer */
  gs_support_set_widths(&config, 4, turned);
  check(config, (allowance){0.02, 0.25, true});
  config = mlp(2, GS_IDENTITY, GS_INIT_LECUN_NORMAL, 8);
  gs_support_set_widths(&config, 2, out);
  check(config, (allowance){0.02, 0.15, true});
  check(mlp(20, GS_IDENTITY, GS_INIT_XAVIER_NORMAL, 64), (allowance){0.01, 0.2, true});
  config = rnn(GS_IDENTITY, GS_INIT_ORTHOGONAL, 2);
  config.tied = true;
  config.loss_at = GS_LOSS_EVERY;
  check(config, (allowance){0.01, 0.06, true});
}

/* Steps with a W of their own still share b, which decides which units bend. */
static void test_untied_biases(void **state) {
  (void)state;
  gs_config config = rnn(GS_TANH, GS_INIT_TORCH_DEFAULT, 1);
  config.bias_std = 1;
  check(config, (allowance){0.03, 0.34, false});
  config = rnn(GS_RELU, GS_INIT_XAVIER_NORMAL, 8);
  config.bias_std = 1;
  check(config, (allowance){0.03, 0.34, false});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exact),         cmocka_unit_test(test_wide),
      cmocka_unit_test(test_biases),        cmocka_unit_test(test_batches),
      cmocka_unit_test(test_untied),        cmocka_unit_test(test_tied_tanh),
      cmocka_unit_test(test_tied_alike),    cmocka_unit_test(test_heavy_tails),
      cmocka_unit_test(test_untied_biases),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
