/* The statistics of comparisons, against values computed elsewhere (SciPy 1.17), and
 * their error rates, against simulated rounds of 60 cells. */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "compare/speed.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance * fmax(1, fabs(want))))
    fail_msg("%.17g, not %.17g", got, want);
}

/* ---- values ---- */

/* scipy.stats.ttest_ind(b, a, equal_var=False, trim=0.2): an outlier on either side. */
static void trimmed_means_are_compared(void **state) {
  (void)state;
  double a[] = {1.02, 0.97, 1.0, 1.01, 0.99, 1.30, 1.03, 0.98, 1.0};
  double b[] = {1.05, 1.06, 1.04, 1.08, 1.03, 1.07, 0.70, 1.05, 1.09, 1.06};
  const gs_ratio ratio = gs_ratio_of(a, 9, b, 10);
  assert_near(ratio.log_ratio, 0.05071428571428571, 1e-13);
  assert_near(ratio.error, 0.01096772562070211, 1e-13);
  assert_near(ratio.freedom, 10.877953419995734, 1e-12);
  assert_near(gs_ratio_above(&ratio, 0), 0.0003787175381203407, 1e-12);
  assert_near(gs_ratio_below(&ratio, 0), 1 - 0.0003787175381203407, 1e-12);
}

/* scipy.stats.ttest_ind(b, a, equal_var=False): too few to trim. */
static void few_units_are_not_trimmed(void **state) {
  (void)state;
  double a[] = {2.0, 2.1, 1.9, 2.05};
  double b[] = {2.2, 2.15, 2.3};
  const gs_ratio ratio = gs_ratio_of(a, 4, b, 3);
  assert_near(ratio.log_ratio, 0.20416666666666616, 1e-13);
  assert_near(ratio.freedom, 4.73399014778325, 1e-12);
  assert_near(gs_ratio_above(&ratio, 0), 0.01132692148902095, 1e-12);
}

/* scipy.stats.t.cdf, scipy.stats.binom.sf. */
static void distributions(void **state) {
  (void)state;
  assert_near(gs_student_cdf(0.5, 1), 0.6475836176504333, 1e-13);
  assert_near(gs_student_cdf(2, 5.5), 0.9516228048844075, 1e-13);
  assert_near(gs_student_cdf(-3.25, 12.25), 0.0033934939430989497, 1e-13);
  assert_near(gs_student_cdf(-8, 30) * 1e9, 3.1329112378503795, 1e-9);
  assert_near(gs_sign_test(43, 60), 0.0005328828895717177, 1e-12);
  assert_near(gs_sign_test(0, 5), 1, 0);
  assert_near(gs_sign_test(11, 11), 0.00048828125, 1e-12);
  assert_near(gs_sign_test(7, 20), 0.9423408508300781, 1e-12);
}

/* By hand, from the procedures' definitions. */
static void many_hypotheses(void **state) {
  (void)state;
  const double p[] = {0.011, 0.9, 0.001, 0.02, 0.04};
  bool falls[5];
  assert_int_equal(gs_holm(p, 5, 0.05, falls, NULL), GS_OK); /* 0.01, 0.0125, 0.0167 */
  assert_true(falls[2] && falls[0] && !falls[3] && !falls[4] && !falls[1]);
  assert_int_equal(gs_benjamini_hochberg(p, 5, 0.05, falls, NULL), GS_OK); /* k 0.01 */
  assert_true(falls[2] && falls[0] && falls[3] && falls[4] && !falls[1]);
  assert_int_equal(gs_holm(p, 5, 0.0001, falls, NULL), GS_OK);
  for (int i = 0; i < 5; i++) assert_false(falls[i]);
  assert_int_equal(gs_holm(p, 0, 0.05, falls, NULL), GS_OK);
}

static void one_unit_is_no_evidence(void **state) {
  (void)state;
  double one[] = {1};
  double more[] = {2, 2, 2};
  const gs_ratio none = gs_ratio_of(one, 1, more, 3);
  double low;
  double high;
  gs_ratio_interval(&none, 0.95, &low, &high);
  assert_true(isnan(none.log_ratio) && isnan(low) && isnan(high));
  assert_true(gs_ratio_above(&none, 0) == 1 && gs_ratio_below(&none, 0) == 1);
  double equal[] = {1, 1, 1};
  const gs_ratio sure = gs_ratio_of(equal, 3, more, 3); /* no scatter at all */
  assert_true(gs_ratio_above(&sure, 0.5) == 0 && gs_ratio_above(&sure, 1.5) == 1);
}

/* The interval's ends are where the one-sided tests give 2.5 %. */
static void interval_inverts_the_test(void **state) {
  (void)state;
  double a[] = {0.01, -0.02, 0, 0.015, -0.01, 0.02};
  double b[] = {0.05, 0.03, 0.04, 0.06, 0.055, 0.035};
  double low;
  double high;
  const gs_ratio ratio = gs_ratio_of(a, 6, b, 6);
  gs_ratio_interval(&ratio, 0.95, &low, &high);
  assert_near(gs_ratio_above(&ratio, log(low)), 0.025, 1e-9);
  assert_near(gs_ratio_below(&ratio, log(high)), 0.025, 1e-9);
}

/* ---- error rates ---- */

/* A generator of its own (SplitMix64, Steele et al. 2014). */
static uint64_t next_bits(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static double uniform(uint64_t *state) {
  return ((double)(next_bits(state) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *state) {
  const double radius = sqrt(-2 * log(uniform(state)));
  return radius * cos(2 * M_PI * uniform(state));
}

enum { CELLS = 60, ROUNDS = 9, SAMPLES = 10 };

/* What stands for a round: the second lowest of ten samples, or so (the quantile 0.1). Each
 * fifth sample is held up, by half its time on average; a round in five hundred as a whole,
 * by a fifth; rounds scatter by 0.8 % and samples by 1 %. */
static double round_log_ns(uint64_t *state, double base) {
  double lowest[2] = {INFINITY, INFINITY};
  const double round = 0.008 * normal(state) + (uniform(state) < 0.002 ? log(1.2) : 0);
  for (int i = 0; i < SAMPLES; i++) {
    const double held_up = uniform(state) < 0.2 ? log1p(-0.5 * log(uniform(state))) : 0;
    const double sample = base + round + 0.01 * fabs(normal(state)) + held_up;
    if (sample < lowest[0]) {
      lowest[1] = lowest[0];
      lowest[0] = sample;
    } else if (sample < lowest[1]) {
      lowest[1] = sample;
    }
  }
  return log(0.1 * exp(lowest[0]) + 0.9 * exp(lowest[1])); /* place 0.1 (n - 1) = 0.9 */
}

typedef struct rates {
  int of[GS_SPEED_COUNT];
  int together_slower;
} rates;

/* So many comparisons; cell k of the new side is slowed by slowed(k, comparison). */
static rates simulate(int comparisons, double (*slowed)(int cell, int comparison), uint64_t seed) {
  static double base[CELLS][ROUNDS];
  static double other[CELLS][ROUNDS];
  rates found = {{0}, 0};
  const gs_speed_policy policy = gs_speed_defaults();
  for (int c = 0; c < comparisons; c++) {
    gs_speed_times times[CELLS];
    gs_cell_speed cells[CELLS];
    gs_global_speed together;
    gs_speed_word overall;
    for (int k = 0; k < CELLS; k++) {
      const double ns = 8 + 0.2 * k;
      for (int r = 0; r < ROUNDS; r++) {
        base[k][r] = round_log_ns(&seed, ns);
        other[k][r] = round_log_ns(&seed, ns + log1p(slowed(k, c)));
      }
      times[k] = (gs_speed_times){base[k], ROUNDS, other[k], ROUNDS, false};
    }
    assert_int_equal(gs_speed_judge(times, CELLS, &policy, cells, &together, &overall, NULL),
                     GS_OK);
    found.of[overall]++;
    found.together_slower += together.word == GS_SPEED_SLOWER;
  }
  printf("%d comparisons: %d same, %d faster, %d slower, %d undecided; together slower %d\n",
         comparisons, found.of[GS_SPEED_SAME], found.of[GS_SPEED_FASTER], found.of[GS_SPEED_SLOWER],
         found.of[GS_SPEED_UNDECIDED], found.together_slower);
  return found;
}

static double nothing(int cell, int comparison) { return 0 * (cell + comparison); }
static double all_by_5(int cell, int comparison) { return 0.05 + 0 * (cell + comparison); }
static double one_by_5(int cell, int comparison) { return cell == comparison % CELLS ? 0.05 : 0; }
static double all_by_1(int cell, int comparison) { return 0.01 + 0 * (cell + comparison); }
static double all_better(int cell, int comparison) { return -0.05 + 0 * (cell + comparison); }

static void alarms_are_rare(void **state) {
  (void)state;
  const rates found = simulate(1000, nothing, 1);
  assert_in_range(found.of[GS_SPEED_SLOWER], 0, 1);
  assert_in_range(found.of[GS_SPEED_FASTER], 0, 50);
  assert_in_range(found.of[GS_SPEED_UNDECIDED], 0, 50);
}

static void slowdowns_are_found(void **state) {
  (void)state;
  const rates all = simulate(100, all_by_5, 2);
  assert_int_equal(all.of[GS_SPEED_SLOWER], 100);
  const rates one = simulate(300, one_by_5, 3);
  assert_in_range(one.of[GS_SPEED_SLOWER], 285, 300);
  assert_int_equal(one.of[GS_SPEED_SAME] + one.of[GS_SPEED_FASTER], 0);
}

static void small_changes_of_all_cells_are_found(void **state) {
  (void)state;
  assert_in_range(simulate(200, all_by_1, 4).together_slower, 190, 200);
}

static void improvements_are_none(void **state) {
  (void)state;
  assert_in_range(simulate(100, all_better, 5).of[GS_SPEED_FASTER], 95, 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trimmed_means_are_compared),
      cmocka_unit_test(few_units_are_not_trimmed),
      cmocka_unit_test(distributions),
      cmocka_unit_test(many_hypotheses),
      cmocka_unit_test(one_unit_is_no_evidence),
      cmocka_unit_test(interval_inverts_the_test),
      cmocka_unit_test(alarms_are_rare),
      cmocka_unit_test(slowdowns_are_found),
      cmocka_unit_test(small_changes_of_all_cells_are_found),
      cmocka_unit_test(improvements_are_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
