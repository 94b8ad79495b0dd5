/* What claims are judged by: statistics against known values, the two rules, set-ups in
 * words, and that a claim whose expectation is wrong does fail. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "claims/setup.h"
#include "claims/trial.h"
#include "support_network.h"
#include "support_sanitizer.h"

static void close_to(double value, double expected, double tolerance) {
  if (fabs(value - expected) <= tolerance) return;
  print_message("%.17g, not %.17g\n", value, expected);
  fail();
}

/* ---- distributions ---- */

static void test_normal(void **state) {
  (void)state;
  close_to(gs_normal_cdf(1.959963984540054), 0.975, 1e-15);
  close_to(gs_normal_cdf(-6.361340902404056), 1e-10, 1e-23);
  close_to(gs_normal_quantile(0.975), 1.959963984540054, 1e-14);
  close_to(gs_normal_quantile(0.5), 0, 1e-15);
  close_to(gs_normal_quantile(1e-10), -6.361340902404056, 1e-13);
  assert_true(isnan(gs_normal_quantile(0)) && isnan(gs_normal_quantile(NAN)));
}

static void test_beta(void **state) {
  (void)state;
  close_to(gs_beta_share(2, 3, 0.5), 0.6875, 1e-14);
  close_to(gs_beta_share(0.5, 0.5, 0.25), 1.0 / 3, 1e-14); /* arc-sine law */
  close_to(gs_beta_share(5, 1, 0.9), pow(0.9, 5), 1e-14);
  close_to(gs_beta_share(300, 400, 0.4) + gs_beta_share(400, 300, 0.6), 1, 1e-12);
  assert_true(gs_beta_share(2, 3, 0) == 0 && gs_beta_share(2, 3, 1) == 1);
}

static void test_student(void **state) {
  (void)state;
  close_to(gs_student_quantile(0.975, 1), tan(0.475 * M_PI), 1e-12);
  close_to(gs_student_quantile(0.975, 2), 0.95 * sqrt(2 / (1 - 0.95 * 0.95)), 1e-12);
  close_to(gs_student_quantile(0.975, 10), 2.228138852, 1e-9); /* tables */
  close_to(gs_student_quantile(0.025, 100), -1.983971519, 1e-8);
  close_to(gs_student_quantile(0.95, 3), 2.353363435, 1e-9);
  close_to(gs_student_quantile(0.975, 1e7), gs_normal_quantile(0.975), 1e-6);
}

/* The 5 % and 1 % points of the limiting distribution; a distance by hand. */
static void test_ks(void **state) {
  (void)state;
  const double sample[] = {-1, 0, 1};
  const double bad[] = {-1, NAN, 1};
  const int64_t many = 100000000;
  close_to(gs_ks_distance(sample, 3), 1.0 / 3 - gs_normal_cdf(-1), 1e-15);
  assert_true(isnan(gs_ks_distance(bad, 3)));
  close_to(gs_ks_probability(1.3580986393 / 1e4, many), 0.05, 2e-5);
  close_to(gs_ks_probability(1.6276236115 / 1e4, many), 0.01, 1e-5);
  close_to(gs_ks_probability(0.2242, 35), 0.05, 0.002); /* tables of small samples */
  assert_true(gs_ks_probability(1e-9, 100) == 1 && gs_ks_probability(1, 1000) < 1e-300);
  assert_true(isnan(gs_ks_probability(NAN, 100)));
}

/* ---- estimates ---- */

static void test_means(void **state) {
  (void)state;
  const double values[] = {1, 2, 3};
  const double broken[] = {1, INFINITY, 3};
  const gs_estimate mean = gs_estimate_mean(values, 3);
  close_to(mean.value, 2, 0);
  close_to(mean.error, 1 / sqrt(3), 1e-15);
  close_to(mean.high, 2 + 0.95 * sqrt(2 / (1 - 0.95 * 0.95)) / sqrt(3), 1e-12);
  close_to(mean.low + mean.high, 4, 1e-12);
  assert_true(isnan(gs_estimate_mean(broken, 3).value) && isnan(gs_estimate_mean(values, 1).low));
  const gs_estimate variance = gs_estimate_variance(values, 3); /* m2 = m4 = 2/3 */
  close_to(variance.value, 1, 1e-15);
  close_to(variance.error, sqrt((2.0 / 3 - 4.0 / 9) / 3), 1e-15);
  const gs_estimate turned = gs_estimate_linear(mean, -2, 1);
  close_to(turned.value, -3, 1e-15);
  close_to(turned.low, 1 - 2 * mean.high, 1e-12);
  close_to(turned.error, 2 * mean.error, 1e-15);
}

static void test_shares(void **state) {
  (void)state;
  const gs_estimate none = gs_estimate_share(0, 10);
  const gs_estimate half = gs_estimate_share(5, 10);
  assert_true(none.value == 0 && none.low == 0);
  close_to(none.high, 0.3084971078187608, 1e-12);
  close_to(half.low, 0.1870860284474045, 1e-12);
  close_to(half.high, 0.8129139715525955, 1e-12);
  close_to(gs_estimate_share(10, 10).low, 1 - none.high, 1e-12);
}

/* Squares 1 and 3 over squares 2 and 2, far outside double's range. */
static void test_rms_ratio(void **state) {
  (void)state;
  const double far = 6000;
  const double a[] = {far, far + 0.5 * log10(3)};
  const double b[] = {-far + 0.5 * log10(2), -far + 0.5 * log10(2)};
  const gs_estimate ratio = gs_estimate_rms_ratio(a, b, 2);
  close_to(ratio.value, 2 * far, 1e-9);
  /* influences -1/2, 1/2: variance 1/2 over 2, halved and in decades */
  close_to(ratio.error, 0.5 * sqrt(0.25) / log(10), 1e-9);
  const double broken[] = {far, NAN};
  assert_true(isnan(gs_estimate_rms_ratio(broken, b, 2).value));
}

/* Lines of slope 2 through 3 + e_r: the crossing varies as e_r, at whichever point. */
static void test_crossing(void **state) {
  (void)state;
  const double x[] = {1, 2, 4, 5};
  const double e[] = {-0.1, 0, 0.25};
  double y[12];
  double roots[3];
  for (int r = 0; r < 3; r++) {
    roots[r] = 3 + e[r];
    for (int i = 0; i < 4; i++) y[3 * i + r] = 2 * (x[i] - roots[r]);
  }
  const gs_estimate found = gs_estimate_crossing(x, y, 4, 3);
  const gs_estimate expected = gs_estimate_mean(roots, 3);
  close_to(found.value, expected.value, 1e-14);
  close_to(found.error, expected.error, 1e-14);
  const double one[] = {-4, -2, 2, 4};
  close_to(gs_estimate_crossing(x, one, 4, 1).value, 3, 1e-14);
  assert_true(gs_estimate_crossing(x, one, 4, 1).error == 0);
}

/* ---- judging ---- */

static bool passes(gs_expectation expected, double value, double error) {
  gs_check check = {.expected = expected, .measured = gs_estimate_normal(value, error)};
  gs_check_judge(&check);
  assert_true(check.finding == (check.passed ? GS_HOLDS : GS_HOLDS_NOT));
  return check.passed;
}

static void test_rules(void **state) {
  (void)state;
  const gs_expectation near = gs_expect_near(1, 0.01, 0.4);
  const gs_expectation range = gs_expect_inside(-INFINITY, 0);
  assert_true(passes(near, 1, 0));
  assert_true(passes(near, 1.398, 0.1)); /* Phi^-1(1 - 5e-5) = 3.8906 */
  assert_false(passes(near, 1.400, 0.1));
  assert_false(passes(near, 0.600, 0.1));
  assert_false(passes(near, 1, 0.11)); /* too vague to say anything */
  assert_true(passes(gs_expect_near(0, 0, 0), 0, 0));
  assert_false(passes(gs_expect_near(0, 0, 0), 1, 0));
  assert_true(passes(range, -0.390, 0.1));
  assert_false(passes(range, -0.388, 0.1));
  assert_false(passes(near, NAN, 0) || passes(near, 1, NAN));
  assert_false(passes(range, NAN, 0) || passes(range, -1, NAN));
  assert_false(passes(gs_expect_inside(NAN, NAN), 0, 0));
  assert_false(passes(gs_expect_near(NAN, 0, 1), 0, 0));
  assert_false(passes(gs_expect_near(1, NAN, 1), 1, 0));
}

/* A true statement fails once in 10,000 times, also by the mean of three networks: with
 * known errors of 3.89 it would in 6 % of them. Here one in 100, over many samples. */
static void test_false_alarms(void **state) {
  (void)state;
  enum { SAMPLES = 40000, COUNT = 3 };
  const double chance = 0.01;
  float normal[SAMPLES * COUNT];
  int alarms = 0, known = 0;
  gs_random_normal(normal, 0, SAMPLES * COUNT, 5, 1, 0);
  for (int s = 0; s < SAMPLES; s++) {
    double values[COUNT];
    for (int i = 0; i < COUNT; i++) values[i] = (double)normal[s * COUNT + i];
    const gs_estimate mean = gs_estimate_mean(values, COUNT);
    alarms += !(fabs(mean.value) <= gs_estimate_reach(&mean, chance));
    known += !(fabs(mean.value) <= gs_normal_quantile(1 - 0.5 * chance) * mean.error);
  }
  assert_true(fabs(alarms - chance * SAMPLES) < 4 * sqrt(chance * SAMPLES));
  assert_true(known > 10 * alarms / 2);
  const gs_estimate exact = gs_estimate_exact(3);
  assert_true(gs_estimate_reach(&exact, chance) == 0);
  const gs_estimate nothing = gs_estimate_mean(NULL, 0);
  assert_true(isnan(gs_estimate_reach(&nothing, chance)));
}

/* Against sums from the end; Poisson's of 1/5 has 1 - 0.99994 beyond 3. */
static void test_binomial_range(void **state) {
  (void)state;
  int64_t low = 0, high = 0;
  gs_binomial_range(10, 0.5, 0.05, &low, &high); /* P(X <= 1) = 11/1024, P(X <= 2) = 56/1024 */
  assert_true(low == 2 && high == 8);
  gs_binomial_range(100000000, 2e-9, 1e-4, &low, &high);
  assert_true(low == 0 && high == 4); /* P(X > 3) = 5.7e-5, P(X > 4) = 2.3e-6 */
  gs_binomial_range(5, 0.999999, 1e-4, &low, &high);
  assert_true(low == 5 && high == 5);
  gs_binomial_range(1000000, 0.001, 0.0455, &low, &high); /* 2 sigma: 1000 +- 63 */
  assert_true(labs(low - 937) <= 2 && labs(high - 1063) <= 2);
}

/* ---- set-ups ---- */

static void test_setup(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config config;
  char text[GS_CHECK_SETUP_BYTES];
  const gs_claim_run run = {.seed = 7};
  const int64_t widths[] = {3, 5, 2};
  gs_init init = gs_init_default(GS_INIT_HE_NORMAL);
  init.slope = 0.25;
  init.fan = GS_FAN_OUT;
  gs_support_ok(gs_trial_mlp(&run, 4, 9, GS_LEAKY_RELU, init, &config, &error), &error);
  config.bias_std = 0.1;
  assert_string_equal(
      gs_setup_command(&config, NULL, NULL, text, sizeof text),
      "mlp --depth 4 --width 9 --activation leaky_relu --slope 0.01 --init "
      "he_normal:fan=out:slope=0.25 --bias-std 0.1 --batch 1 --replicas 1 --seed 7");
  gs_support_ok(gs_trial_widths(&config, widths, 2, &error), &error);
  config.seed = 1;
  config.activation.kind = config.output_activation.kind = GS_TANH;
  config.init = gs_trial_scaled(1.5);
  config.bias_std = 0;
  assert_string_equal(gs_setup_command(&config, "seed", "1,2", text, sizeof text),
                      "mlp --widths 3,5,2 --activation tanh --init scaled:sigma_w2=1.5 --batch 1 "
                      "--replicas 1 --seed 1,2");
  gs_setup_command(&config, NULL, NULL, text, 12); /* cut, and no further */
  assert_string_equal(text, "mlp --width");
  gs_config_clear(&config);
  gs_support_ok(gs_trial_rnn(&run, 6, 4, GS_TANH, gs_trial_scaled(1), &config, &error), &error);
  assert_string_equal(gs_setup_command(&config, "init", "normal,scaled", text, sizeof text),
                      "rnn --seq-len 6 --hidden 4 --input 4 --activation tanh --init "
                      "normal,scaled --batch 1 --replicas 1 --seed 7");
  config.init = gs_init_default(GS_INIT_TORCH_DEFAULT); /* W alone */
  config.seed = 1;
  assert_string_equal(gs_setup_command(&config, NULL, NULL, text, sizeof text),
                      "rnn --seq-len 6 --hidden 4 --input 4 --activation tanh --init "
                      "torch_default --input-init scaled --bias-std 0 --batch 1 "
                      "--replicas 1");
  config.input_init = config.init;
  config.bias = GS_BIAS_TWO_UNIFORMS;
  assert_string_equal(gs_setup_command(&config, NULL, NULL, text, sizeof text),
                      "rnn --seq-len 6 --hidden 4 --input 4 --activation tanh --init "
                      "torch_default --batch 1 --replicas 1");
  config.tied = false; /* whatever changes numbers is told */
  config.loss_at = GS_LOSS_EVERY;
  config.range = GS_RANGE_NATIVE;
  config.stats = GS_STATS_OFF; /* which does not */
  assert_string_equal(gs_setup_command(&config, NULL, NULL, text, sizeof text),
                      "rnn --seq-len 6 --hidden 4 --input 4 --activation tanh --init "
                      "torch_default --tied false --loss-at every --batch 1 --replicas 1 "
                      "--range native");
  gs_config_clear(&config);
}

/* Four seeds of three networks are the trials of each, one behind the other. */
static void test_seeds(void **state) {
  (void)state;
  gs_error error = {0};
  char text[GS_CHECK_SETUP_BYTES];
  gs_config config;
  gs_trial all;
  for (int seeds = 1; seeds <= 4; seeds += 3) {
    const gs_claim_run run = {.device = gs_group_device, .seed = 7};
    gs_support_ok(gs_trial_mlp(&run, 5, 9, GS_TANH, gs_trial_scaled(2), &config, &error), &error);
    config.replicas = 3;
    gs_support_ok(gs_trial_run_seeds(&run, &config, seeds, &all, &error), &error);
    double gaps[12];
    gs_trial_gaps(&all, GS_GRAD_WEIGHT, 2, GS_TRIAL_LAST, gaps);
    for (int s = 0; s < seeds; s++) {
      const gs_claim_run shifted = {.device = gs_group_device, .seed = 7 + (uint64_t)s};
      gs_trial part;
      double own[3];
      gs_support_ok(gs_trial_mlp(&shifted, 5, 9, GS_TANH, gs_trial_scaled(2), &config, &error),
                    &error);
      config.replicas = 3;
      gs_support_ok(gs_trial_run(&shifted, &config, &part, &error), &error);
      gs_trial_gaps(&part, GS_GRAD_WEIGHT, 2, GS_TRIAL_LAST, own);
      assert_memory_equal(own, gaps + (ptrdiff_t)3 * s, sizeof own);
      gs_trial_clear(&part);
    }
    assert_int_equal(all.config.replicas, 3 * seeds);
    assert_true(gs_trial_rms_gap(&all, GS_DELTA, 1, GS_TRIAL_LAST).freedom == 3 * seeds - 1);
    gs_trial_command(&all, NULL, NULL, text);
    assert_string_equal(strstr(text, " --replicas"),
                        seeds == 1 ? " --replicas 3 --seed 7" : " --replicas 3 --seed 7,8,9,10");
    gs_trial_clear(&all);
  }
}

/* ---- claims ---- */

static gs_decades_case right(void) {
  return (gs_decades_case){.sentence = "It vanishes.",
                           .source = "a test",
                           .depth = 12,
                           .width = 24,
                           .activation = GS_RELU,
                           .init = gs_init_default(GS_INIT_XAVIER_NORMAL),
                           .replicas = 64,
                           .resolution = 0.5};
}

static bool holds(const gs_decades_case *wanted, bool falsify) {
  gs_error error = {0};
  gs_claim_run run = {.device = gs_group_device, .seed = 3, .falsify = falsify};
  assert_false(gs_claim_passed(&run)); /* of nothing */
  gs_support_ok(gs_trial_check_decades(&run, wanted, &error), &error);
  assert_int_equal(run.count, 1);
  print_message("  %s: %.4f [%.4f, %.4f], expected %.4f: %s\n", run.checks[0].setup,
                run.checks[0].measured.value, run.checks[0].measured.low,
                run.checks[0].measured.high, run.checks[0].expected.low,
                gs_name(&gs_finding_names, run.checks[0].finding));
  const bool passed = gs_claim_passed(&run);
  assert_true(passed == run.checks[0].passed);
  gs_claim_run_clear(&run);
  return passed;
}

static void test_true_and_false(void **state) {
  (void)state;
  gs_decades_case wrong = right();
  assert_true(holds(&wrong, false));
  assert_false(holds(&wrong, true));
  wrong.resolution = 0.001; /* 64 networks do not tell so much */
  assert_false(holds(&wrong, false));
  wrong = right();
  wrong.low = 0; /* it would explode */
  wrong.high = INFINITY;
  assert_false(holds(&wrong, false));
  wrong.low = -INFINITY;
  wrong.high = -0.5;
  assert_true(holds(&wrong, false));
}

/* What one trial reads: gaps between layers add up, and rms and theory go with them. */
static void test_trial(void **state) {
  (void)state;
  gs_error error = {0};
  gs_config config;
  gs_trial trial;
  const gs_claim_run run = {.device = gs_group_device, .seed = 5};
  gs_support_ok(gs_trial_mlp(&run, 5, 16, GS_TANH, gs_trial_scaled(1), &config, &error), &error);
  config.replicas = 8;
  gs_support_ok(gs_trial_run(&run, &config, &trial, &error), &error);
  const double whole = gs_trial_gap(&trial, GS_DELTA, 1, GS_TRIAL_LAST).value;
  const double parts =
      gs_trial_gap(&trial, GS_DELTA, 1, 3).value + gs_trial_gap(&trial, GS_DELTA, 3, 5).value;
  close_to(whole, parts, 1e-12);
  assert_true(gs_trial_rms_gap(&trial, GS_DELTA, 2, 2).value == 0);
  close_to(gs_trial_rms(&trial, GS_DELTA, 1, GS_TRIAL_LAST), trial.theory.decades_rms, 1e-9);
  assert_true(gs_trial_stats(&trial, GS_DELTA, 5, 7) ==
              gs_trial_stats(&trial, GS_DELTA, GS_TRIAL_LAST, 7));
  gs_trial_clear(&trial);
  gs_support_ok(gs_trial_mlp(&run, 5, 16, GS_TANH, gs_trial_scaled(-1), &config, &error), &error);
  assert_int_equal(gs_trial_run(&run, &config, &trial, &error), GS_ERR_DATA);
  assert_null(trial.config.widths);
}

static void test_names(void **state) {
  (void)state;
  assert_null(gs_claim_find("no such claim"));
  for (int i = 0; i < gs_claim_count; i++) {
    assert_true(gs_claim_find(gs_claims[i].name) == &gs_claims[i]);
    assert_true(gs_claims[i].title[0] && gs_claims[i].source[0]);
  }
}

static void keep(void *context, const gs_check *check) { *(int *)context += check->passed; }

/* A whole one, which the sanitizers can afford. */
static void test_a_claim(void **state) {
  (void)state;
  gs_error error = {0};
  int passed = 0;
  gs_claim_run run = {.device = gs_group_device, .seed = 1, .report = keep, .context = &passed};
  if (GS_SANITIZED) return;
  gs_support_ok(gs_claim_pascanu2013(&run, &error), &error);
  assert_true(gs_claim_passed(&run));
  assert_int_equal(passed, run.count);
  gs_json_writer w = gs_json_writer_array();
  gs_claim_put(&w, gs_claim_find("pascanu2013"), &run);
  cJSON *json = gs_json_finish(&w);
  const cJSON *checks = cJSON_GetObjectItem(cJSON_GetArrayItem(json, 0), "checks");
  assert_int_equal(cJSON_GetArraySize(checks), run.count);
  cJSON_Delete(json);
  gs_claim_run_clear(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normal),         cmocka_unit_test(test_beta),
      cmocka_unit_test(test_student),        cmocka_unit_test(test_ks),
      cmocka_unit_test(test_means),          cmocka_unit_test(test_shares),
      cmocka_unit_test(test_rms_ratio),      cmocka_unit_test(test_crossing),
      cmocka_unit_test(test_false_alarms),   cmocka_unit_test(test_binomial_range),
      cmocka_unit_test(test_rules),          cmocka_unit_test(test_setup),
      cmocka_unit_test(test_seeds),          cmocka_unit_test(test_names),
      cmocka_unit_test(test_true_and_false), cmocka_unit_test(test_trial),
      cmocka_unit_test(test_a_claim),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
