/* Predictions for whole networks against the numbers that THEORY and papers state,
 * and that there is one for every configuration. Measured networks are in
 * test_theory_measured.c. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "support_network.h"
#include "support_sanitizer.h"
#include "theory/identity.h"
#include "theory/ratio.h"
#include "theory/theory.h"

static bool near(double value, double expected, double tolerance) {
  if (fabs(value - expected) <= tolerance) return true;
  print_message("%.12g, expected %.12g +- %.3g\n", value, expected, tolerance);
  return false;
}

/* Clears the config; the caller clears the theory. */
static gs_theory theory_of(gs_config *config) {
  gs_theory theory;
  gs_error error = {0};
  gs_support_ok(gs_config_check(config, &error), &error);
  gs_support_ok(gs_theory_of(config, &theory, &error), &error);
  gs_config_clear(config);
  return theory;
}

/* ---- whole networks ---- */

/* He et al. 2015: 2^(-29/2); and the exact norms of THEORY section 3. */
static void test_relu_exact(void **state) {
  (void)state;
  const int64_t widths[] = {40, 100, 60, 200, 30, 80};
  gs_config config = gs_support_mlp(30, 64, GS_RELU, GS_INIT_XAVIER_NORMAL);
  gs_theory theory = theory_of(&config);
  assert_true(near(theory.decades_rms, -4.365, 5e-4));
  gs_theory_clear(&theory);
  config = gs_support_mlp(5, 1, GS_RELU, GS_INIT_HE_NORMAL);
  gs_support_set_widths(&config, 5, widths);
  config.init.fan = GS_FAN_OUT; /* s = 2 n_{l-1}/n_l: E|delta^l|^2 follows n_l */
  config.batch = 1;
  theory = theory_of(&config);
  assert_int_equal(theory.validity, GS_VALIDITY_EXACT);
  double variance = 0;
  for (int l = 1; l <= 5; l++) {
    const double expected = 80 / 2.0 * (double)widths[l] / 80;
    const double s_above = l < 5 ? 2.0 * (double)widths[l] / (double)widths[l + 1] : 0;
    assert_true(near(2 * theory.series[GS_DELTA].rms[l - 1], log10(expected), 1e-12));
    if (l < 5) assert_true(near(theory.log10_chi[l - 1], log10(s_above / 2), 1e-12));
    if (l < 5) variance += gs_ratio_exact(widths[l], true, 0).variance;
  }
  assert_true(near(theory.decades_sd, sqrt(variance) / (2 * log(10)), 1e-12));
  gs_theory_clear(&theory);
  config = gs_support_mlp(4, 1, GS_RELU, GS_INIT_HE_NORMAL); /* E|dW^l|^2 = B n_L n_{l-1}/2 */
  gs_support_set_widths(&config, 4, widths);
  config.batch = 7;
  theory = theory_of(&config);
  for (int l = 1; l <= 4; l++) {
    const double expected = 7.0 * 30 * (double)widths[l - 1] / 2;
    assert_true(near(2 * theory.series[GS_GRAD_WEIGHT].rms[l - 1], log10(expected), 1e-12));
  }
  gs_theory_clear(&theory);
}

/* tanh + Xavier: q^l ~ 1/(2l) and never settles (THEORY section 1). */
static void test_transient(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(4000, 64, GS_TANH, GS_INIT_XAVIER_NORMAL);
  gs_theory theory = theory_of(&config);
  assert_true(near(pow(10, theory.log10_q[3999]) * 2 * 4000, 1, 0.01));
  gs_theory_clear(&theory);
}

/* An orthogonal linear network keeps every norm. */
static void test_orthogonal_linear(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(100, 64, GS_IDENTITY, GS_INIT_ORTHOGONAL);
  gs_theory theory = theory_of(&config);
  assert_true(near(theory.decades_rms, 0, 1e-12) && near(theory.decades_typical, 0, 1e-12));
  assert_true(near(theory.decades_sd, 0, 1e-7));
  gs_theory_clear(&theory);
}

/* ---- identity weights ---- */

static double central(int64_t k) {
  return exp(lgamma((double)k + 0.5) - lgamma((double)k + 1)) / sqrt(M_PI);
}

static void test_irnn(void **state) {
  (void)state;
  const int64_t T = 300;
  gs_config config = gs_support_rnn(T, 64, GS_RELU, GS_INIT_IDENTITY);
  gs_theory theory = theory_of(&config);
  assert_int_equal(theory.validity, GS_VALIDITY_EXACT);
  assert_true(near(theory.decades_rms, 0.5 * log10(central(T) / (1 - central(T))), 1e-12));
  double convolved = 0;
  for (int64_t t = 1; t <= T; t++) {
    double share = 0;
    for (int64_t tau = 0; tau < t; tau++) share += central(tau) * central(T - tau);
    assert_true(near(gs_irnn_log_survival(t, T), log(share), 1e-11));
    const double elements = 64.0 * 32;
    assert_true(near(2 * theory.series[GS_DELTA].rms[t - 1], log10(elements * share), 1e-11));
    for (int64_t j = 1; j < t; j++) convolved += 1 / sqrt((double)j * (double)(t - j));
    const double h2 = (double)t / 2 + convolved / (2 * M_PI);
    assert_true(near(2 * theory.series[GS_ACTIVATION_H].rms[t - 1], log10(elements * h2), 1e-8));
  }
  gs_theory_clear(&theory);
  config = gs_support_mlp(20, 64, GS_LEAKY_RELU, GS_INIT_IDENTITY);
  config.init.gain = 0.5;
  config.activation.slope = config.output_activation.slope = 0.25;
  theory = theory_of(&config); /* gains 1/2, and 1/8 below zero */
  const double slopes = (1 + pow(0.25, 40)) / (1 + pow(0.25, 2));
  assert_true(near(theory.decades_rms, 19 * log10(0.5) + 0.5 * log10(slopes), 1e-12));
  gs_theory_clear(&theory);
  config = gs_support_rnn(50, 64, GS_TANH, GS_INIT_IDENTITY);
  theory = theory_of(&config);
  assert_int_equal(theory.validity, GS_VALIDITY_OUTSIDE);
  assert_true(theory.reasons[GS_REASON_IDENTITY] && isnan(theory.decades_rms));
  gs_theory_clear(&theory);
}

/* Weights that are all one value, and nothing but zeros, are not random. */
static void test_constant_weights(void **state) {
  (void)state;
  gs_config configs[] = {gs_support_mlp(10, 64, GS_TANH, GS_INIT_CONSTANT),
                         gs_support_mlp(10, 64, GS_RELU, GS_INIT_ZEROS),
                         gs_support_rnn(10, 64, GS_TANH, GS_INIT_ZEROS),
                         gs_support_rnn(10, 64, GS_TANH, GS_INIT_XAVIER_NORMAL),
                         gs_support_mlp(10, 64, GS_RELU, GS_INIT_XAVIER_NORMAL)};
  configs[3].input_init = gs_init_default(GS_INIT_CONSTANT);
  configs[4].init.gain = 0;
  for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
    gs_theory theory = theory_of(&configs[i]);
    assert_int_equal(theory.validity, GS_VALIDITY_OUTSIDE);
    for (int r = 0; r < GS_REASON_COUNT; r++)
      assert_true(theory.reasons[r] == (r == GS_REASON_CONSTANT));
    assert_true(isnan(theory.decades_rms) && isnan(theory.decades_sd));
    assert_true(isnan(theory.series[GS_DELTA].typical[0]) && isnan(theory.log10_q[0]));
    gs_theory_clear(&theory);
  }
}

/* A Xavier gain multiplies the weights of every layer, and only it makes the theory's. So
 * does the gain of an rnn's U. */
static void test_gains(void **state) {
  (void)state;
  gs_config plain = gs_support_mlp(10, 64, GS_RELU, GS_INIT_XAVIER_NORMAL);
  gs_config scaled = gs_support_mlp(10, 64, GS_RELU, GS_INIT_XAVIER_NORMAL);
  scaled.init.gain = 1.4;
  gs_theory a = theory_of(&plain);
  gs_theory b = theory_of(&scaled);
  assert_true(near(b.decades_typical - a.decades_typical, 9 * log10(1.4), 1e-12));
  gs_theory_clear(&a);
  gs_theory_clear(&b);
  plain = gs_support_rnn(3, 64, GS_TANH, GS_INIT_XAVIER_NORMAL);
  scaled = gs_support_rnn(3, 64, GS_TANH, GS_INIT_XAVIER_NORMAL);
  plain.input_init = scaled.input_init = gs_init_default(GS_INIT_IDENTITY);
  scaled.input_init.gain = 2;
  a = theory_of(&plain);
  b = theory_of(&scaled);
  assert_true(near(b.log10_q[0] - a.log10_q[0], log10(4), 1e-12));
  gs_theory_clear(&a);
  gs_theory_clear(&b);
}

/* ---- reach and extremes ---- */

static void check_reason(gs_config config, gs_reason reason, bool expected) {
  gs_theory theory = theory_of(&config);
  assert_int_equal(theory.reasons[reason], expected);
  if (expected && gs_reason_outside(reason)) assert_int_equal(theory.validity, GS_VALIDITY_OUTSIDE);
  gs_theory_clear(&theory);
}

static void test_validity(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(10, 64, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.loss = GS_LOSS_MSE;
  check_reason(config, GS_REASON_LOSS, true);
  check_reason(gs_support_mlp(10, 64, GS_TANH, GS_INIT_XAVIER_NORMAL), GS_REASON_LOSS, false);
  check_reason(gs_support_mlp(10, 8, GS_TANH, GS_INIT_XAVIER_NORMAL), GS_REASON_NARROW, true);
  check_reason(gs_support_mlp(10, 64, GS_SOFTSIGN, GS_INIT_NORMAL), GS_REASON_HEAVY_TAILS, true);
  check_reason(gs_support_mlp(100, 64, GS_SOFTPLUS, GS_INIT_HE_NORMAL), GS_REASON_ALIGNED, true);
  check_reason(gs_support_mlp(100, 64, GS_SIGMOID, GS_INIT_HE_NORMAL), GS_REASON_ALIGNED, false);
  check_reason(gs_support_mlp(30, 64, GS_SILU, GS_INIT_HE_NORMAL), GS_REASON_SENSITIVE, true);
  check_reason(gs_support_mlp(30, 64, GS_ELU, GS_INIT_HE_NORMAL), GS_REASON_SENSITIVE, false);
  check_reason(gs_support_rnn(100, 64, GS_IDENTITY, GS_INIT_XAVIER_NORMAL), GS_REASON_TIED_LINEAR,
               true);
  check_reason(gs_support_rnn(100, 64, GS_TANH, GS_INIT_NORMAL), GS_REASON_TIED_LINEAR, false);
  check_reason(gs_support_rnn(100, 64, GS_TANH, GS_INIT_NORMAL), GS_REASON_TIED, true);
  check_reason(gs_support_rnn(1000, 64, GS_RELU, GS_INIT_HE_NORMAL), GS_REASON_TIED_LINEAR, true);
  check_reason(gs_support_rnn(1000, 64, GS_RELU, GS_INIT_ORTHOGONAL), GS_REASON_TIED_LINEAR, false);
  config = gs_support_rnn(1000, 64, GS_RELU, GS_INIT_HE_NORMAL);
  config.tied = false;
  check_reason(config, GS_REASON_TIED_LINEAR, false);
  config = gs_support_rnn(100, 64, GS_RELU, GS_INIT_HE_NORMAL);
  config.loss_at = GS_LOSS_EVERY;
  check_reason(config, GS_REASON_TIED_MIXED, true);
  config = gs_support_rnn(100, 64, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.loss_at = GS_LOSS_EVERY;
  check_reason(config, GS_REASON_TIED_MIXED, false);
  config = gs_support_rnn(10, 64, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.input = 3;
  check_reason(config, GS_REASON_NARROW, true);
  check_reason(gs_support_mlp(10, 7, GS_RELU, GS_INIT_HE_NORMAL), GS_REASON_NARROW, true);
  check_reason(gs_support_mlp(10, 8, GS_RELU, GS_INIT_HE_NORMAL), GS_REASON_NARROW, false);
  check_reason(gs_support_mlp(10, 3, GS_IDENTITY, GS_INIT_HE_NORMAL), GS_REASON_NARROW, false);
}

static gs_config mlp_of_std(double std, gs_dtype dtype) {
  gs_config config = gs_support_mlp(5, 64, GS_RELU, GS_INIT_NORMAL);
  config.init.std = std;
  config.dtype = dtype;
  return config;
}

/* Orders that grow, networks too far apart, and weights that no product holds. */
static void test_validity_of_extremes(void **state) {
  (void)state;
  gs_config config = gs_support_rnn(400, 64, GS_RELU, GS_INIT_ORTHOGONAL);
  check_reason(config, GS_REASON_GROWING, false);
  config = gs_support_rnn(400, 64, GS_RELU, GS_INIT_ORTHOGONAL);
  config.init.gain = 1.41; /* rates of either sign */
  check_reason(config, GS_REASON_GROWING, true);
  config = gs_support_rnn(400, 16, GS_SIGMOID, GS_INIT_NORMAL);
  config.input = 16;
  check_reason(config, GS_REASON_SCATTERED, true);
  check_reason(mlp_of_std(1e13, GS_F32), GS_REASON_RANGE, false);
  check_reason(mlp_of_std(1e-13, GS_F32), GS_REASON_RANGE, false);
  check_reason(mlp_of_std(1e20, GS_F32), GS_REASON_RANGE, true);
  check_reason(mlp_of_std(1e-30, GS_F32), GS_REASON_RANGE, true);
  check_reason(mlp_of_std(1e20, GS_F64), GS_REASON_RANGE, false);
  check_reason(mlp_of_std(1e300, GS_F64), GS_REASON_RANGE, true);
  check_reason(mlp_of_std(0, GS_F32), GS_REASON_RANGE, false);
  config = mlp_of_std(1, GS_F32);
  config.bias_std = 1e300;
  check_reason(config, GS_REASON_RANGE, true);
}

/* W turns: delta keeps its norm, |h_t|^2 is a sum of t inputs. */
static void test_rotation(void **state) {
  (void)state;
  const int64_t T = 400;
  gs_config config = gs_support_rnn(T, 24, GS_IDENTITY, GS_INIT_ORTHOGONAL);
  config.input = 24;
  config.batch = 1;
  gs_theory theory = theory_of(&config);
  assert_true(theory.decades_rms == 0 && theory.decades_typical == 0 && theory.decades_sd == 0);
  for (int64_t t = 1; t <= T; t++) {
    const double inputs = log10(24 * (double)t);
    assert_true(near(2 * theory.series[GS_ACTIVATION_H].rms[t - 1], inputs, 1e-12));
  }
  /* chi^2_24 chi^2_24 / 24: the first step, exactly */
  const double sd = sqrt(2 * gs_trigamma(12)) / (2 * log(10));
  assert_true(near(theory.series[GS_ACTIVATION_H].sd[0], sd, 1e-12));
  assert_true(isnan(theory.series[GS_GRAD_WEIGHT].typical[0])); /* steps correlate */
  gs_theory_clear(&theory);
  config = gs_support_rnn(3, 24, GS_IDENTITY, GS_INIT_ORTHOGONAL);
  config.init.gain = 2;
  config.loss_at = GS_LOSS_EVERY; /* |delta_1|^2 = (1 + 4 + 16) chi^2 */
  theory = theory_of(&config);
  assert_true(near(2 * theory.decades_rms, log10(21), 1e-12));
  gs_theory_clear(&theory);
}

/* Inside reach every number is there, outside none, and there is a reason. */
static void check_whole(gs_config config) {
  gs_theory theory = theory_of(&config);
  const bool outside = theory.validity == GS_VALIDITY_OUTSIDE;
  bool reason = false;
  for (int r = 0; r < GS_REASON_COUNT; r++) {
    reason = reason || (theory.reasons[r] && gs_reason_outside((gs_reason)r));
  }
  assert_int_equal(reason, outside);
  assert_int_equal(isnan(theory.decades_rms), outside);
  assert_int_equal(isnan(theory.decades_typical), outside);
  assert_int_equal(theory.decades_sd >= 0, !outside);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    for (int64_t i = 0; i < theory.series[q].points; i++) {
      assert_int_equal(isnan(theory.series[q].rms[i]), outside);
      assert_int_equal(isnan(theory.series[q].typical[i]), outside);
      assert_int_equal(theory.series[q].sd[i] >= 0, !outside);
    }
  }
  gs_theory_clear(&theory);
}

static bool phi_is_bounded(gs_activation_kind kind) {
  return kind == GS_SIGMOID || kind == GS_TANH || kind == GS_SOFTSIGN;
}

/* Every activation and initialisation, and values at the edge of sense. */
static void test_no_holes(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (int init = 0; init < GS_INIT_COUNT; init++) {
      if (init == GS_INIT_IDENTITY) continue;
      gs_config config = gs_support_mlp(12, 24, (gs_activation_kind)kind, (gs_init_kind)init);
      config.bias_std = init % 2 ? 0.5 : 0;
      check_whole(config);
      config = gs_support_rnn(12, 24, (gs_activation_kind)kind, (gs_init_kind)init);
      config.bias_std = init % 2 ? 0.5 : 0;
      config.tied = init % 3 > 0;
      config.loss_at = init % 2 ? GS_LOSS_EVERY : GS_LOSS_LAST;
      config.loss = init % 4 ? GS_LOSS_LINEAR : GS_LOSS_MSE;
      check_whole(config);
    }
    gs_config config = gs_support_mlp(300, 24, (gs_activation_kind)kind, GS_INIT_NORMAL);
    config.init.std = phi_is_bounded((gs_activation_kind)kind) ? 1e10 : 1e200;
    check_whole(config);
    config = gs_support_mlp(300, 24, (gs_activation_kind)kind, GS_INIT_NORMAL);
    config.init.std = 1e-200;
    check_whole(config);
    check_whole(gs_support_mlp(1, 1, (gs_activation_kind)kind, GS_INIT_XAVIER_NORMAL));
    check_whole(gs_support_rnn(1, 1, (gs_activation_kind)kind, GS_INIT_XAVIER_NORMAL));
  }
  gs_config config = gs_support_mlp(3, 24, GS_TANH, GS_INIT_SCALED);
  config.init.sigma_w2 = 0; /* nothing comes through */
  gs_theory theory = theory_of(&config);
  assert_true(theory.decades_rms == -INFINITY);
  gs_theory_clear(&theory);
}

/* Milliseconds for 10,000 layers; a busy machine may take its time. */
static void test_speed(void **state) {
  (void)state;
  const double max_s = GS_SANITIZED ? 20 : 0.5;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    gs_config config = gs_support_mlp(10000, 128, (gs_activation_kind)kind, GS_INIT_XAVIER_NORMAL);
    const clock_t start = clock();
    gs_theory theory = theory_of(&config);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    print_message("%s: %.1f ms\n", gs_name(&gs_activation_names, (gs_activation_kind)kind),
                  seconds * 1000);
    assert_true(seconds <= max_s);
    gs_theory_clear(&theory);
  }
}

/* ---- where the sigmoid's gradient turns ---- */

static gs_theory sigmoid_theory(int64_t depth, int64_t width, int64_t batch) {
  gs_config config = gs_support_mlp(depth, width, GS_SIGMOID, GS_INIT_NORMAL);
  config.batch = batch;
  gs_theory theory = theory_of(&config);
  return theory;
}

/* The table of THEORY section 4: N(0,1) weights, the width at which decades pass 0. */
static void test_width_at_which_the_sigmoid_turns(void **state) {
  (void)state;
  static const struct {
    int64_t depth;
    int64_t batch;
    double typical;
    double rms;
  } turns[] = {{20, 1, 122.3, 107.8},  {60, 1, 118.6, 104.5},  {100, 1, 117.9, 103.9},
               {20, 32, 111.1, 107.8}, {60, 32, 109.9, 104.5}, {100, 32, 110.2, 103.9}};
  for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
    for (int above = 0; above <= 1; above++) {
      const int64_t typical = (int64_t)floor(turns[i].typical) + above;
      const int64_t rms = (int64_t)floor(turns[i].rms) + above;
      gs_theory theory = sigmoid_theory(turns[i].depth, typical, turns[i].batch);
      assert_true(above ? theory.decades_typical > 0 : theory.decades_typical < 0);
      gs_theory_clear(&theory);
      theory = sigmoid_theory(turns[i].depth, rms, turns[i].batch);
      assert_true(above ? theory.decades_rms > 0 : theory.decades_rms < 0);
      gs_theory_clear(&theory);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relu_exact),
      cmocka_unit_test(test_transient),
      cmocka_unit_test(test_orthogonal_linear),
      cmocka_unit_test(test_irnn),
      cmocka_unit_test(test_validity),
      cmocka_unit_test(test_constant_weights),
      cmocka_unit_test(test_gains),
      cmocka_unit_test(test_validity_of_extremes),
      cmocka_unit_test(test_width_at_which_the_sigmoid_turns),
      cmocka_unit_test(test_rotation),
      cmocka_unit_test(test_no_holes),
      cmocka_unit_test(test_speed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
