/* Verdicts are statements about a law: for laws that are known, the same for 16, 256
 * and 4,096 networks, up to the interval. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "measure/sample.h"
#include "measure/verdict.h"

static void assert_near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance)) fail_msg("%.9g, not %.9g", got, want);
}

/* An end of the interval is a share from which what was found is 1.96 of that share's
 * errors away. */
static void test_interval(void **state) {
  (void)state;
  static const int64_t cases[][2] = {{0, 1},  {1, 1},    {1, 2},      {1, 16},
                                     {3, 16}, {13, 256}, {205, 4096}, {4096, 4096}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const double n = (double)cases[i][1];
    const gs_share s = gs_share_of(cases[i][0], cases[i][1]);
    assert_near(s.share, (double)cases[i][0] / n, 0);
    const double ends[] = {s.low, s.high};
    for (int k = 0; k < 2; k++) {
      const double p = ends[k];
      assert_true(p >= 0 && p <= 1);
      if ((k == 0 && s.count == 0) || (k == 1 && s.share == 1)) continue; /* 0 and 1 */
      assert_near(fabs(s.share - p) / sqrt(p * (1 - p) / n), 1.959963984540054, 1e-9);
    }
    assert_true(s.low <= s.share && s.share <= s.high);
  }
  assert_true(gs_share_of(0, 7).low == 0 && gs_share_of(7, 7).high == 1);
}

static gs_law law_of(const double *decades, int64_t networks) {
  gs_sample sample;
  gs_error error = {0};
  gs_support_ok(gs_sample_of_all(decades, (size_t)networks, &sample, &error), &error);
  return gs_law_of(decades, networks, sample.p50, 1);
}

static const char *name_of(int64_t below, int64_t above, int64_t all, gs_law *law) {
  double decades[4096];
  assert_true(all <= 4096);
  for (int64_t i = 0; i < all; i++) decades[i] = i < below ? -9 : i < below + above ? 9 : 0;
  *law = law_of(decades, all);
  assert_int_equal(law->below.count, below);
  assert_int_equal(law->above.count, above);
  return gs_name(&gs_verdict_names, law->verdict);
}

/* Counts on either side of the borders. */
static void test_borders(void **state) {
  (void)state;
  static const struct {
    int64_t below, above, all;
    const char *want;
  } cases[] = {
      {7, 0, 16, "stable"},         {8, 0, 16, "vanishing"}, {0, 9, 16, "exploding"},
      {1, 15, 16, "exploding"},     {2, 14, 16, "mixed"},    {15, 1, 16, "vanishing"},
      {12, 244, 256, "exploding"},  {13, 243, 256, "mixed"}, {204, 3000, 4096, "exploding"},
      {205, 3000, 4096, "mixed"},   {1, 1, 2048, "stable"},  {2047, 1, 4096, "stable"},
      {2048, 1, 4096, "vanishing"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gs_law law;
    const char *got = name_of(cases[i].below, cases[i].above, cases[i].all, &law);
    if (strcmp(got, cases[i].want) != 0) fail_msg("case %d: %s", (int)i, got);
  }
}

/* Every count of few networks: the verdict itself is open, and counts add up. */
static void test_verdict_is_open(void **state) {
  (void)state;
  for (int64_t all = 1; all <= 40; all++) {
    for (int64_t below = 0; below <= all; below++) {
      for (int64_t above = 0; below + above <= all; above++) {
        gs_law law;
        (void)name_of(below, above, all, &law);
        if (!law.open[law.verdict]) fail_msg("%d and %d of %d", (int)below, (int)above, (int)all);
      }
    }
  }
}

/* ---- laws ---- */

typedef struct known_law {
  const char *name;
  double mean, sd; /* of decades: norms are lognormal */
  double dead, overflown;
  const char *verdict; /* threshold 1 */
} known_law;

static const known_law laws[] = {
    {"settled", 0, 0.3, 0, 0, "stable"},
    {"a network in 160 on either side", 0, 0.4, 0, 0, "stable"},
    {"one side often", 0.9, 0.5, 0, 0, "stable"},
    {"exploding, one in 40 the other way", 4, 2.55, 0, 0, "exploding"},
    {"vanishing", -5, 2, 0, 0, "vanishing"},
    {"both ways", 0, 3, 0, 0, "mixed"},
    {"nine tenths dead", 0, 0.3, 0.9, 0, "vanishing"},
    {"three in a hundred dead, the others explode", 8, 2, 0.03, 0, "exploding"},
    {"a third dead, the others explode", 8, 2, 0.33, 0, "mixed"},
    {"a tenth dead, the others stay", 0, 0.3, 0.1, 0, "stable"},
    {"overflown", 0, 0.3, 0.01, 0.8, "exploding"},
};

static double uniform(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

static void draw(const known_law *law, int64_t count, uint64_t seed, double *decades) {
  for (int64_t i = 0; i < count; i++) {
    const gs_random_words bits = gs_random_philox(seed, (uint64_t)i, 1, 0);
    const double fate = uniform(bits.word[0]);
    const double radius = sqrt(-2 * log(uniform(bits.word[1])));
    const double normal = radius * cos(2 * acos(-1.0) * uniform(bits.word[2]));
    decades[i] = law->mean + law->sd * normal;
    if (fate < law->dead + law->overflown) decades[i] = INFINITY;
    if (fate < law->dead) decades[i] = -INFINITY;
  }
}

/* Over many seeds: the law's own verdict is among the open ones as often as the
 * intervals hold, and almost always the verdict itself. */
static void test_known_laws(void **state) {
  (void)state;
  static const struct {
    int64_t networks;
    int seeds;
    double same; /* at least this share of the seeds has the law's verdict */
  } sizes[] = {{16, 400, 0.75}, {256, 200, 0.9}, {4096, 25, 1}};
  double decades[4096];
  for (size_t l = 0; l < sizeof laws / sizeof *laws; l++) {
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      int open = 0, same = 0;
      for (int seed = 1; seed <= sizes[k].seeds; seed++) {
        draw(&laws[l], sizes[k].networks, (uint64_t)seed, decades);
        const gs_law found = law_of(decades, sizes[k].networks);
        same += strcmp(gs_name(&gs_verdict_names, found.verdict), laws[l].verdict) == 0;
        for (int v = 0; v < GS_VERDICT_COUNT; v++) {
          open += found.open[v] &&
                  strcmp(gs_name(&gs_verdict_names, (gs_verdict)v), laws[l].verdict) == 0;
        }
      }
      if (!(open >= 0.93 * sizes[k].seeds && same >= sizes[k].same * sizes[k].seeds))
        fail_msg("%s, %d networks: of %d seeds %d leave it open, %d say so", laws[l].name,
                 (int)sizes[k].networks, sizes[k].seeds, open, same);
    }
  }
}

/* Shares are covered as often as stated, dead and not finite ones, too. */
static void test_coverage(void **state) {
  (void)state;
  enum { SEEDS = 1000, NETWORKS = 200 };
  const known_law law = {"", 0, 1, 0.07, 0.04, ""};
  const double tail = 0.5 * erfc(1 / sqrt(2)) * (1 - law.dead - law.overflown);
  double decades[NETWORKS];
  int covered[4] = {0};
  for (int seed = 1; seed <= SEEDS; seed++) {
    draw(&law, NETWORKS, (uint64_t)seed, decades);
    const gs_law found = law_of(decades, NETWORKS);
    const gs_share shares[] = {found.below, found.above, found.dead, found.not_finite};
    const double want[] = {tail + law.dead, tail + law.overflown, law.dead, law.overflown};
    for (int k = 0; k < 4; k++) covered[k] += shares[k].low <= want[k] && want[k] <= shares[k].high;
  }
  for (int k = 0; k < 4; k++) {
    if (!(covered[k] >= 0.93 * SEEDS && covered[k] <= 0.98 * SEEDS))
      fail_msg("share %d: covered %d of %d times", k, covered[k], SEEDS);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_interval),        cmocka_unit_test(test_borders),
      cmocka_unit_test(test_verdict_is_open), cmocka_unit_test(test_known_laws),
      cmocka_unit_test(test_coverage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
