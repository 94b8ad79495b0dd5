/* The arithmetic of verdicts, on numbers made by hand; and when a cell is outside the
 * theory's reach. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/agreement.h"
#include "support_network.h"
#include "theory/binomial.h"

static const gs_allowance NONE = {0, 0, 0, 1};

static gs_judgement judge(int64_t networks, double centre, double sd, double typical,
                          double sigma) {
  const gs_measured measured = {networks, networks, centre, sd, false};
  const gs_predicted predicted = {typical, typical, sigma};
  return gs_judge(&measured, &predicted, &NONE);
}

static void near(double value, double expected) {
  assert_true(fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected)));
}

static void test_standard_error(void **state) {
  (void)state;
  gs_judgement j = judge(16, 1.5, 0.4, 1, 0.4); /* both agree: sd / sqrt(R) */
  near(j.standard_error, 0.1);
  near(j.z, 5);
  near(j.excess, 5);
  j = judge(16, 1, 0, 1.5, 0.4); /* alike by chance: the prediction's */
  near(j.standard_error, 0.1);
  near(j.z, -5);
  j = judge(16, 1, 0.8, 1, 0.4); /* wider: pooled, sqrt((0.16 + 15 * 0.64)/16)/4 */
  near(j.standard_error, sqrt((0.16 + 15 * 0.64) / 16) / 4);
  j = judge(1, 1.8, 0, 1, 0.4);
  near(j.z, 2);
  assert_true(isnan(j.sd_ratio) && j.sd_agrees);
}

static void test_allowance(void **state) {
  (void)state;
  const gs_measured measured = {16, 16, 2, 0.4, false};
  const gs_predicted predicted = {1.5, 1, 0.4}; /* rms, typical, sd */
  const gs_allowance some = {0.2, 0.5, 0.1, 1};
  gs_judgement j = gs_judge(&measured, &predicted, &some);
  near(j.allowance, 0.2 * 0.5 + 0.5 * 0.4 + 0.1);
  near(j.z, 10);
  near(j.excess, (1 - 0.4) / 0.1);
  assert_true(gs_judgement_agrees(&j, 6.01));
  assert_false(gs_judgement_agrees(&j, 5.99));
  const gs_measured close = {16, 16, 1.3, 0.4, false};
  j = gs_judge(&close, &predicted, &some);
  near(j.excess, 0);
  assert_true(gs_judgement_agrees(&j, 0));
}

static void test_median(void **state) {
  (void)state;
  const gs_measured measured = {16, 16, 1.5, 0.4, true};
  const gs_predicted predicted = {1, 1, 0.4};
  const gs_judgement j = gs_judge(&measured, &predicted, &NONE);
  near(j.standard_error, 0.1 * sqrt(M_PI / 2));
}

/* Limits of s/sigma: chi-square's quantiles for 4 standard deviations, k = 15: about
 * 0.37 and 1.83; k = 999: 0.913 and 1.092. */
static void test_sd(void **state) {
  (void)state;
  assert_true(judge(16, 0, 1.75, 0, 1).sd_agrees);
  assert_false(judge(16, 0, 1.90, 0, 1).sd_agrees);
  assert_true(judge(16, 0, 0.40, 0, 1).sd_agrees);
  assert_false(judge(16, 0, 0.34, 0, 1).sd_agrees);
  assert_true(judge(1000, 0, 1.08, 0, 1).sd_agrees);
  assert_false(judge(1000, 0, 1.11, 0, 1).sd_agrees);
  assert_false(judge(1000, 0, 0.90, 0, 1).sd_agrees);
  assert_true(judge(2, 0, 0, 0, 1).sd_agrees); /* two may well be alike */
  assert_false(judge(2, 0, 5, 0, 1).sd_agrees);
  assert_false(judge(16, 0, (double)NAN, 0, 1).sd_agrees);
}

static void test_lost(void **state) {
  (void)state;
  const gs_predicted zero = {-INFINITY, -INFINITY, NAN};
  const gs_predicted some = {1, 1, 0.4};
  const gs_measured none = {8, 0, NAN, NAN, false};
  const gs_measured max = {8, 7, 1, 0.4, false};
  gs_judgement j = gs_judge(&none, &zero, &NONE); /* zero as it should be */
  assert_true(gs_judgement_agrees(&j, 1));
  j = gs_judge(&max, &zero, &NONE);
  assert_false(gs_judgement_agrees(&j, 1e9));
  j = gs_judge(&none, &some, &NONE);
  assert_false(gs_judgement_agrees(&j, 1e9));
  j = gs_judge(&max, &some, &NONE);
  assert_true(j.lost && !gs_judgement_agrees(&j, 1e9));
}

static void test_nan(void **state) {
  (void)state;
  gs_judgement j = judge(8, (double)NAN, 0.4, 1, 0.4);
  assert_false(gs_judgement_agrees(&j, 1e9));
  j = judge(8, 1, 0.4, (double)NAN, 0.4);
  assert_false(gs_judgement_agrees(&j, 1e9));
  j = judge(8, 1, 0.4, 1, (double)NAN);
  assert_false(gs_judgement_agrees(&j, 1e9));
}

/* Tails against sums term by term. */
static void test_binomial(void **state) {
  (void)state;
  const double shares[] = {0.003, 0.2, 0.5, 0.97};
  for (int i = 0; i < 4; i++) {
    double below = 0; /* P(X < k) */
    for (int64_t k = 0; k <= 40; k++) {
      const double x = (double)k;
      const double term = exp(lgamma(41) - lgamma(x + 1) - lgamma(41 - x)) * pow(shares[i], x) *
                          pow(1 - shares[i], 40 - x);
      assert_true(fabs(gs_binomial_upper(k, 40, shares[i]) - (1 - below)) <= 1e-12);
      below += term;
      assert_true(fabs(gs_binomial_lower(k, 40, shares[i]) - below) <= 1e-12);
    }
  }
  assert_true(gs_binomial_upper(1, 100, 0) == 0 && gs_binomial_upper(0, 100, 0) == 1);
  assert_true(gs_binomial_two_sided(100, 100, 1) == 1 && gs_binomial_lower(99, 100, 1) == 0);
  assert_true(isnan(gs_binomial_upper(1, 2, (double)NAN)));
  /* a far tail keeps its relative precision (exact sum in rationals) */
  assert_true(fabs(gs_binomial_upper(2, 1000, 1e-6) / 4.991677902183655e-07 - 1) <= 1e-9);
}

/* Networks that should die are not lost; too many are, and too few of an exact law. */
static void test_deaths(void **state) {
  (void)state;
  const gs_predicted some = {1, 1, 0.4};
  const struct {
    int64_t dead, finite;
    gs_dead_law law;
    bool agrees;
  } cases[] = {{100, 900, GS_DEAD_EXACT, true},    {160, 840, GS_DEAD_EXACT, false},
               {50, 950, GS_DEAD_EXACT, false},    {50, 950, GS_DEAD_AT_MOST, true},
               {160, 840, GS_DEAD_AT_MOST, false}, {100, 899, GS_DEAD_EXACT, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const gs_measured measured = {1000, cases[i].finite, 1, 0.4, false};
    const gs_deaths deaths = {1000, cases[i].dead, 0.1, cases[i].law};
    gs_judgement j = gs_judge(&measured, &some, &NONE);
    gs_judge_deaths(&measured, &deaths, &j);
    assert_int_equal(gs_judgement_agrees(&j, 4.3), cases[i].agrees);
    near(j.dead_z, ((double)cases[i].dead - 100) / sqrt(90));
  }
  const gs_measured none = {4, 0, NAN, NAN, false}; /* all dead: their count alone */
  const gs_deaths all = {4, 4, 0.99, GS_DEAD_EXACT};
  gs_judgement j = gs_judge(&none, &some, &NONE);
  gs_judge_deaths(&none, &all, &j);
  assert_true(gs_judgement_agrees(&j, 4.3) && isnan(j.z));
}

/* ln chi^2 of one unit: skew -1.535. P(z < -4.3) is 0.0036, 2.7 normal deviations; one as
 * likely on the other side of a normal law is no more than z. */
static void test_skew(void **state) {
  (void)state;
  const gs_predicted some = {0, 0, 1};
  const gs_measured low = {1, 1, -4.3, 0, false};
  const gs_measured high = {1, 1, 4.3, 0, false};
  const gs_shape shape = {-1.535, 4};
  assert_true(fabs(gs_judge_shaped(&low, &some, &NONE, shape).excess - 2.69) <= 0.05);
  assert_true(gs_judge_shaped(&high, &some, &NONE, shape).excess == 4.3);
  near(gs_judge_shaped(&low, &some, &NONE, shape).z, -4.3);
}

static void test_limit(void **state) {
  (void)state;
  const int64_t counts[] = {1, 100, 16384};
  const double limits[] = {4.2919, 5.2565, 6.1498};
  for (int i = 0; i < 3; i++) {
    const double limit = gs_judge_limit(counts[i]);
    assert_true(fabs(limit - limits[i]) <= 1e-3);
    /* the worst of that many normal numbers is rarely beyond it */
    assert_true((double)counts[i] * erfc(limit / sqrt(2)) <= 1e-4);
  }
}

/* ---- whole cells ---- */

/* Clears the config. */
static void check_cell(gs_config config, gs_agreement_verdict verdict, const char *message) {
  gs_error error = {0};
  gs_theory theory;
  gs_agreement made;
  gs_quantity_stats stats[GS_QUANTITY_COUNT];
  config.replicas = 16;
  config.stats = GS_STATS_NORMS;
  gs_network *network = gs_support_network(gs_group_device, &config, false);
  gs_support_step(network, true);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) stats[q] = gs_support_stats(network, (gs_quantity)q);
  gs_support_ok(gs_theory_of(&config, &theory, &error), &error);
  gs_support_ok(gs_agreement_of(stats, &config, &theory, &made, &error), &error);
  print_message("  %s: %s\n", gs_name(&gs_agreement_names, made.verdict), made.message);
  assert_int_equal(made.verdict, verdict);
  assert_non_null(strstr(made.message, message));
  assert_true(verdict == GS_OUTSIDE_VALIDITY ? isnan(made.in_band)
                                             : made.in_band >= 0 && made.in_band <= 1);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) gs_quantity_stats_clear(&stats[q]);
  gs_theory_clear(&theory);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_validity(void **state) {
  (void)state;
  check_cell(gs_support_mlp(1, 64, GS_TANH, GS_INIT_XAVIER_NORMAL), GS_AS_PREDICTED, "");
  check_cell(gs_support_mlp(20, 64, GS_IDENTITY, GS_INIT_ORTHOGONAL), GS_AS_PREDICTED, "");
  check_cell(gs_support_rnn(20, 64, GS_RELU, GS_INIT_IDENTITY), GS_AS_PREDICTED, "");
  check_cell(gs_support_rnn(20, 64, GS_TANH, GS_INIT_IDENTITY), GS_OUTSIDE_VALIDITY, "identity");
  check_cell(gs_support_mlp(10, 8, GS_TANH, GS_INIT_XAVIER_NORMAL), GS_OUTSIDE_VALIDITY,
             "fewer than");
  check_cell(gs_support_mlp(10, 64, GS_SOFTSIGN, GS_INIT_NORMAL), GS_OUTSIDE_VALIDITY, "rare");
  check_cell(gs_support_mlp(100, 64, GS_ELU, GS_INIT_NORMAL), GS_AS_PREDICTED, "");
  check_cell(gs_support_mlp(100, 64, GS_RELU, GS_INIT_NORMAL), GS_AS_PREDICTED, "");
  gs_config config = gs_support_mlp(5, 64, GS_RELU, GS_INIT_HE_NORMAL);
  config.loss = GS_LOSS_MSE;
  check_cell(config, GS_OUTSIDE_VALIDITY, "mse");
}

/* However far weights take an activation, what its range does is no fault of the run's. */
static void test_far(void **state) {
  static const struct {
    gs_activation_kind kind;
    double std;
    gs_agreement_verdict verdict;
  } cells[] = {{GS_TANH, 1e-3, GS_AS_PREDICTED},   {GS_SELU, 1e-3, GS_AS_PREDICTED},
               {GS_GELU, 1e-3, GS_AS_PREDICTED},   {GS_GELU, 1e3, GS_AS_PREDICTED},
               {GS_SELU, 1e3, GS_AS_PREDICTED},    {GS_SOFTPLUS, 1e3, GS_AS_PREDICTED},
               {GS_TANH, 1e3, GS_OUTSIDE_VALIDITY}}; /* its slopes' tails */
  (void)state;
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
    gs_config config = gs_support_mlp(60, 64, cells[i].kind, GS_INIT_NORMAL);
    config.batch = 2;
    config.init.std = cells[i].std;
    check_cell(config, cells[i].verdict, "");
  }
  for (int down = 0; down <= 1; down++) {
    gs_config config = gs_support_mlp(30, 64, GS_RELU, GS_INIT_NORMAL);
    config.init.std = down ? 1e-30 : 1e30;
    check_cell(config, GS_OUTSIDE_VALIDITY, "too large or small for products");
  }
}

/* In native range a network is judged as long as it stays there. */
static void test_native(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(20, 64, GS_SIGMOID, GS_INIT_XAVIER_NORMAL);
  config.range = GS_RANGE_NATIVE;
  check_cell(config, GS_AS_PREDICTED, "");
  config = gs_support_mlp(100, 64, GS_SIGMOID, GS_INIT_XAVIER_NORMAL);
  config.range = GS_RANGE_NATIVE;
  check_cell(config, GS_OUTSIDE_VALIDITY, "native");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_standard_error),
      cmocka_unit_test(test_allowance),
      cmocka_unit_test(test_median),
      cmocka_unit_test(test_sd),
      cmocka_unit_test(test_lost),
      cmocka_unit_test(test_nan),
      cmocka_unit_test(test_binomial),
      cmocka_unit_test(test_deaths),
      cmocka_unit_test(test_skew),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_validity),
      cmocka_unit_test(test_native),
      cmocka_unit_test(test_far),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
