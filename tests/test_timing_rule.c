/* When a timing ends, and what the machine did meanwhile: the rules, without a clock. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "measure/machine.h"
#include "measure/timing_json.h"

/* ---- endings ---- */

/* Samples of one length until the rule ends them; the uncertainty is what the spread of
 * so many would be. Returns what ended them. */
static gs_timing_stop run(const gs_timing_limits *limits, double sample_ns, double sd,
                          gs_timing_progress *progress) {
  gs_timing_stop stop = GS_STOP_NOT_YET;
  *progress = (gs_timing_progress){.spent_ns = 2 * sample_ns};
  while (stop == GS_STOP_NOT_YET) {
    progress->count++;
    progress->last_ns = sample_ns;
    progress->timed_ns += sample_ns;
    progress->spent_ns += sample_ns;
    progress->uncertainty = 1.2533 * sd / sqrt((double)progress->count);
    stop = gs_timing_decide(limits, progress);
  }
  return stop;
}

static const gs_timing_limits USUAL = {1, 0.5, 10, 0.01};

static void what_ends_it(void **state) {
  (void)state;
  static const struct {
    double sample_ms, sd;
    gs_timing_stop stop;
    int64_t count;
    unsigned lacks;
  } cases[] = {
      {2, 0.01, GS_STOP_MIN_TIME, 250, 0},
      {100, 0.001, GS_STOP_TIME_LIMIT, 8, GS_LACKS_MIN_SAMPLES}, /* two more warmed up */
      {60, 0.001, GS_STOP_MIN_SAMPLES, 10, 0},
      {10, 0.07, GS_STOP_SPREAD, 77, 0}, /* (1.2533 x 0.07 / 0.01)^2 */
      {10, 1, GS_STOP_TIME_LIMIT, 98, GS_LACKS_SPREAD},
      {0.5, 1, GS_STOP_MAX_SAMPLES, 1000, GS_LACKS_SPREAD},
      {3000, 0.001, GS_STOP_TIME_LIMIT, 1, GS_LACKS_MIN_SAMPLES | GS_LACKS_SPREAD},
      {0.1, 0.001, GS_STOP_MAX_SAMPLES, 1000, GS_LACKS_MIN_TIME},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    gs_timing_progress progress;
    assert_int_equal(run(&USUAL, cases[i].sample_ms * 1e6, cases[i].sd, &progress), cases[i].stop);
    assert_int_equal(progress.count, cases[i].count);
    assert_int_equal(gs_timing_lacks(&USUAL, &progress), cases[i].lacks);
  }
}

/* Whatever is asked for, both least values are reached or lacking, and a lack has a limit
 * as its reason. */
static void a_lack_is_said(void **state) {
  (void)state;
  for (int i = 0; i < 2000; i++) {
    const gs_timing_limits limits = {0.02 * (i % 7), 0.01 * (i % 5), 1 + i % 40, 0.005 * (i % 3)};
    gs_timing_progress progress;
    const gs_timing_stop stop = run(&limits, 1e5 * (1 + i % 111), 0.01 * (i % 13), &progress);
    const unsigned lacks = gs_timing_lacks(&limits, &progress);
    const bool limited = stop == GS_STOP_TIME_LIMIT || stop == GS_STOP_MAX_SAMPLES;
    assert_true(progress.count >= 1);
    assert_int_equal(limited, lacks != 0);
    assert_int_equal(progress.timed_ns >= limits.min_time_s * 1e9, !(lacks & GS_LACKS_MIN_TIME));
    assert_int_equal(progress.count >= limits.min_samples, !(lacks & GS_LACKS_MIN_SAMPLES));
    if (stop == GS_STOP_TIME_LIMIT) {
      assert_true(progress.spent_ns >= limits.time_limit_s * 1e9);
      /* and not a sample longer than that */
      assert_true(progress.count == 1 ||
                  progress.spent_ns - progress.last_ns < limits.time_limit_s * 1e9);
    }
  }
}

/* A spread that is not a number settles nothing. */
static void an_unknown_spread(void **state) {
  (void)state;
  const gs_timing_progress progress = {
      .count = 100, .timed_ns = 6e8, .last_ns = 6e6, .spent_ns = 6e8, .uncertainty = NAN};
  assert_int_equal(gs_timing_decide(&USUAL, &progress), GS_STOP_NOT_YET);
  assert_int_equal(gs_timing_lacks(&USUAL, &progress), GS_LACKS_SPREAD);
}

static void short_steps_go_together(void **state) {
  (void)state;
  gs_timing_limits limits = USUAL;
  assert_int_equal(gs_timing_group(&limits, 2e6), 1);
  assert_int_equal(gs_timing_group(&limits, 1e6), 2); /* a quarter of 1000 makes 0.5 s */
  assert_int_equal(gs_timing_group(&limits, 1e3), 2000);
  assert_int_equal(gs_timing_group(&limits, 0), 20000); /* what no clock can tell */
  limits.time_limit_s = 0.1;                            /* which the least time cannot pass */
  assert_int_equal(gs_timing_group(&limits, 1e5), 4);
  limits.min_time_s = 0;
  assert_int_equal(gs_timing_group(&limits, 1e5), 2); /* 0.2 ms */
}

/* ---- the machine ---- */

static void what_holds_up(void **state) {
  (void)state;
  /* wall, cpu, sleeps, taken, known, waited, turns */
  const gs_machine_use quiet = {1e6, 0.99e6, 0, 0, true, 0, 0};
  const gs_machine_use waited = {1e6, 0.4e6, 0, 2, true, 0.5e6, 2};
  const gs_machine_use woken = {1e6, 0.5e6, 30, 0, true, 0.3e6, 30}; /* 10 us each */
  const gs_machine_use late = {1e6, 0.5e6, 10, 0, true, 0.7e6, 10};  /* 70 us each */
  const gs_machine_use blind = {1e6, 0.4e6, 0, 2, false, 0, 0};      /* CPU against wall */
  const gs_machine_use asleep = {1e6, 0.4e6, 3, 2, false, 0, 0};
  const gs_machine_use stolen = {1e6, 0.2e6, 0, 0, true, 0, 0};
  const gs_machine_use several = {1e6, 0.4e6, 5, 4, true, 3e6, 4}; /* threads, one after another */
  assert_true(fabs(gs_machine_held_up_ns(&quiet) - 0.01e6) < 1);
  assert_true(fabs(gs_machine_held_up_ns(&waited) - 0.6e6) < 1);
  assert_true(gs_machine_held_up_ns(&woken) == 0);
  assert_true(fabs(gs_machine_held_up_ns(&late) - 0.5e6) < 1);
  assert_true(fabs(gs_machine_held_up_ns(&blind) - 0.6e6) < 1);
  assert_true(isnan(gs_machine_held_up_ns(&asleep)));
  assert_true(fabs(gs_machine_held_up_ns(&stolen) - 0.8e6) < 1);
  assert_true(gs_machine_held_up_ns(&several) == 1e6);
}

static void what_is_busy(void **state) {
  (void)state;
  assert_true(gs_machine_disturbed(1e6, 0.06e6));
  assert_false(gs_machine_disturbed(1e6, 0.04e6));
  assert_false(gs_machine_disturbed(1e6, NAN));
  assert_true(gs_machine_busy(1e9, 0.2e9));
  assert_false(gs_machine_busy(1e9, 0.09e9));
  assert_false(gs_machine_busy(1e8, 0.2e8)); /* 20 ms are no load */
  assert_false(gs_machine_busy(1e9, NAN));
  /* where nobody else ran, nobody was waited for */
  assert_true(gs_machine_held_up_round_ns(1e9, 0.5e9, 0.03e9) == 0);
  assert_true(gs_machine_held_up_round_ns(1e9, 0.5e9, -0.01e9) == 0);
  assert_true(gs_machine_held_up_round_ns(1e9, 0.5e9, 0.3e9) == 0.3e9);
  assert_true(gs_machine_held_up_round_ns(1e9, 0.5e9, 1.9e9) == 0.5e9);
  assert_true(gs_machine_held_up_round_ns(1e9, 0.5e9, NAN) == 0.5e9);
  assert_true(isnan(gs_machine_held_up_round_ns(1e9, NAN, 1e9)));
}

/* What is read of the kernel makes sense. */
static void the_watch(void **state) {
  (void)state;
  gs_machine_watch *watch = gs_machine_watch_open();
  const double others_ns = gs_machine_others_ns();
  volatile double sum = 0;
  assert_non_null(watch);
  gs_machine_watch_start(watch);
  for (int i = 0; i < 3000000; i++) sum = sum + 1e-9 * i;
  const gs_machine_use use = gs_machine_watch_stop(watch);
  gs_machine_watch_close(watch);
  assert_true(use.wall_ns > 0);
  assert_true(use.cpu_ns > 0 && use.cpu_ns <= 1.01 * use.wall_ns + 1e5);
  assert_true(use.sleeps >= 0 && use.taken >= 0 && use.waited_ns >= 0 && use.turns >= 0);
  const double held_up_ns = gs_machine_held_up_ns(&use);
  assert_true(isnan(held_up_ns) || (held_up_ns >= 0 && held_up_ns <= use.wall_ns));
  assert_true(isnan(others_ns) || others_ns >= -1e9);
}

/* ---- rounds ---- */

static gs_config config_of(void) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, 3, 20, &error), &error);
  return config;
}

/* A round of samples around a time; every third is disturbed. */
static cJSON *round_of(const gs_config *config, int64_t round, double ns, int64_t count) {
  gs_timing *timing = calloc(1, sizeof *timing);
  gs_error error = {0};
  cJSON *json = NULL;
  assert_non_null(timing);
  timing->count = count;
  timing->steps_per_sample = 4;
  timing->stopped = round == 1 ? GS_STOP_TIME_LIMIT : GS_STOP_SPREAD;
  timing->lacks = round == 1 ? GS_LACKS_SPREAD : round == 2 ? GS_LACKS_MIN_TIME : 0;
  timing->wall_ns = 1e9;
  timing->held_up_ns = round == 0 ? 0.5e9 : 0;
  timing->taken = 7;
  for (int64_t i = 0; i < count; i++) {
    timing->samples_ns[i] = ns + (double)(i - count / 2);
    timing->disturbed[i] = i % 3 == 0;
  }
  gs_support_ok(gs_timing_json(timing, round, config, NULL, &json, &error), &error);
  free(timing);
  return json;
}

static double field(const cJSON *json, const char *key) {
  const cJSON *found = cJSON_GetObjectItemCaseSensitive(json, key);
  if (!cJSON_IsNumber(found)) fail_msg("there is no number %s", key);
  return found->valuedouble;
}

static double at(const cJSON *json, const char *key, int index) {
  return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, key), index)->valuedouble;
}

static void rounds_are_put_together(void **state) {
  (void)state;
  enum { ROUNDS = 9 };
  gs_config config = config_of();
  gs_error error = {0};
  cJSON *rounds[ROUNDS];
  cJSON *all = NULL;
  cJSON *none = NULL;
  for (int i = 0; i < ROUNDS; i++) {
    rounds[i] = round_of(&config, i, 1e5 + 1e3 * ((i * 4) % ROUNDS), 5 + 2 * i);
    assert_true(gs_timing_is_round(rounds[i]));
  }
  const cJSON *const *borrowed = (const cJSON *const *)rounds;
  const gs_roofline_best roofline = {
      .limits = {.flops_per_s = {[GS_F32] = 1e18}, .copy_bytes_per_s = 1e8}, .measurements = 4};
  gs_support_ok(gs_timing_compose(borrowed, ROUNDS, &config, &roofline, &all, &error), &error);
  assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(all, "samples_ns")), 117);
  assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(all, "sample_round")), 117);
  assert_true(at(all, "sample_round", 0) == 0 && at(all, "sample_round", 5) == 1);
  assert_true(at(all, "samples_ns", 5) == 104e3 - 3 && at(all, "sample_round", 116) == 8);
  assert_true(field(all, "median_ns") == 104e3);          /* of the rounds' medians */
  assert_true(at(all, "median_interval_ns", 0) == 101e3); /* the second of nine, */
  assert_true(at(all, "median_interval_ns", 1) == 107e3); /* and the second from the end */
  assert_true(field(all, "disturbed") == 2 + 3 + 3 + 4 + 5 + 5 + 6 + 7 + 7);
  assert_true(at(all, "disturbed_samples", 2) == 5); /* the first of round 1 */
  assert_true(fabs(field(all, "held_up_share") - 0.5 / 9) < 1e-12);
  assert_true(cJSON_IsFalse(cJSON_GetObjectItem(all, "machine_busy")));
  assert_string_equal(cJSON_GetObjectItem(all, "stopped")->valuestring, "time_limit");
  assert_int_equal(gs_timing_lacks_from_json(cJSON_GetObjectItem(all, "lacks")),
                   GS_LACKS_SPREAD | GS_LACKS_MIN_TIME);
  assert_true(field(all, "floor_ns") == gs_cost_of(&config).bytes * 10);
  assert_string_equal(cJSON_GetObjectItem(all, "floor")->valuestring, "not trustworthy");
  assert_true(field(all, "floor_measurements") == 4);
  assert_false(gs_timing_is_round(all)); /* nine rounds are not one */
  assert_int_equal(gs_timing_compose((const cJSON *const *)&all, 1, &config, NULL, &none, &error),
                   GS_ERR_DATA);
  assert_null(none);
  cJSON_Delete(all);
  for (int i = 0; i < ROUNDS; i++) cJSON_Delete(rounds[i]);
  gs_config_clear(&config);
}

/* One sample has a time and no noise. */
static void one_sample(void **state) {
  (void)state;
  gs_config config = config_of();
  cJSON *json = round_of(&config, 0, 1e5, 1);
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "noise")));
  assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "median_interval_ns")));
  assert_true(field(json, "p5_ns") == 1e5 && field(json, "p95_ns") == 1e5);
  cJSON_Delete(json);
  json = round_of(&config, 0, 1e5, 2);
  assert_true(field(json, "noise") > 0);
  cJSON_Delete(json);
  gs_config_clear(&config);
}

/* What a journal may have in the place of a round. */
static void what_is_no_round(void **state) {
  (void)state;
  static const char *const keys[] = {"samples_ns", "rounds", "launch", "steps_per_sample",
                                     "disturbed_samples"};
  gs_config config = config_of();
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    cJSON *json = round_of(&config, 0, 1e5, 4);
    cJSON_DeleteItemFromObject(json, keys[i]);
    assert_false(gs_timing_is_round(json));
    cJSON_Delete(json);
  }
  static const char *const of_entry[] = {"round", "samples",   "median_ns", "stopped",
                                         "lacks", "disturbed", "wall_ns"};
  for (size_t i = 0; i < sizeof of_entry / sizeof *of_entry; i++) {
    cJSON *json = round_of(&config, 0, 1e5, 4);
    cJSON *entry = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "rounds"), 0);
    cJSON_DeleteItemFromObject(entry, of_entry[i]);
    assert_false(gs_timing_is_round(json));
    cJSON_Delete(json);
  }
  assert_false(gs_timing_is_round(NULL));
  gs_config_clear(&config);
}

/* The interval holds the median at least 95 times of 100, and not much more often than it
 * must: the next order statistics would not. P(X <= k) of a binomial, by its sum. */
static void the_interval(void **state) {
  (void)state;
  double sorted[60];
  for (int i = 0; i < 60; i++) sorted[i] = i + 1;
  for (int n = 1; n <= 60; n++) {
    double low, high;
    gs_median_interval(sorted, n, &low, &high);
    double tail = 0;
    double term = pow(0.5, n);
    int k = 0; /* the most with P(X < k) <= 2.5 % */
    while (tail + term <= 0.025) {
      tail += term;
      term *= (double)(n - k) / (k + 1);
      k++;
    }
    if (k == 0) {
      assert_true(isnan(low) && isnan(high) && n < 6);
    } else {
      assert_true(low == k && high == n + 1 - k);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_ends_it),      cmocka_unit_test(a_lack_is_said),
      cmocka_unit_test(an_unknown_spread), cmocka_unit_test(short_steps_go_together),
      cmocka_unit_test(what_holds_up),     cmocka_unit_test(what_is_busy),
      cmocka_unit_test(the_watch),         cmocka_unit_test(rounds_are_put_together),
      cmocka_unit_test(one_sample),        cmocka_unit_test(what_is_no_round),
      cmocka_unit_test(the_interval),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
