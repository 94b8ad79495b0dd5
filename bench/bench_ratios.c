/* Paired ratios of whole training steps: the two sides take turns, so that a drift
 * of the machine hits both. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench_network.h"

enum { MAX_PAIRS = 100000 };

/* One side of a pair, timed `batch` calls at a time. */
typedef struct side {
  const gs_bench_work *work;
  int64_t batch;
} side;

static bool make_side(gs_bench *bench, const gs_bench_work *work, side *made) {
  *made = (side){work, gs_bench_batch(bench, work)};
  return made->batch > 0;
}

/* Seconds of one call; negative when it failed. */
static double time_side(gs_bench *bench, const side *timed) {
  return gs_bench_seconds(bench, timed->work, timed->batch) / (double)timed->batch;
}

void gs_bench_pair(gs_bench *bench, const gs_bench_work *a_work, const gs_bench_work *b_work) {
  double *times = malloc(3 * MAX_PAIRS * sizeof *times);
  if (!times) {
    gs_bench_fail(bench, "out of memory");
    return;
  }
  double *const a_times = times, *const b_times = times + MAX_PAIRS;
  double *const ratios = times + 2 * MAX_PAIRS;
  int64_t pairs = 0;
  side a = {0}, b = {0};
  bool ok = make_side(bench, a_work, &a) && make_side(bench, b_work, &b);
  while (ok && gs_bench_next(bench)) {
    const double a_time = time_side(bench, &a);
    const double b_time = time_side(bench, &b);
    ok = a_time > 0 && b_time > 0;
    gs_bench_iteration_seconds(bench, ok ? a_time * (double)a.batch + b_time * (double)b.batch : 1);
    if (pairs == MAX_PAIRS || !ok) continue;
    a_times[pairs] = a_time;
    b_times[pairs] = b_time;
    ratios[pairs++] = b_time / a_time;
  }
  if (ok) {
    gs_bench_counter(bench, "ratio", gs_bench_median(ratios, pairs));
    gs_bench_counter(bench, "a_us", 1e6 * gs_bench_median(a_times, pairs));
    gs_bench_counter(bench, "b_us", 1e6 * gs_bench_median(b_times, pairs));
    gs_bench_counter(bench, "pairs", (double)pairs);
  }
  free(times);
}

static void ratio_of_statistics(gs_bench *bench, const gs_bench_step_case *which,
                                gs_stats_level stats) {
  gs_bench_network open;
  if (gs_bench_network_open(bench, which, stats, &open)) {
    gs_bench_pair(bench, &open.without, &open.with);
  }
  gs_bench_network_close(&open);
}

static void ratio_of_norms(gs_bench *bench, const void *which) {
  ratio_of_statistics(bench, which, GS_STATS_NORMS);
}
static void ratio_of_full(gs_bench *bench, const void *which) {
  ratio_of_statistics(bench, which, GS_STATS_FULL);
}

/* R replicas against one. */
static void ratio_of_replicas(gs_bench *bench, const void *which) {
  gs_bench_step_case one = *(const gs_bench_step_case *)which;
  gs_bench_network single, many;
  one.shape.replicas = 1;
  const bool first = gs_bench_network_open(bench, &one, GS_STATS_OFF, &single);
  const bool second = gs_bench_network_open(bench, which, GS_STATS_OFF, &many);
  if (first && second) gs_bench_pair(bench, &single.without, &many.without);
  gs_bench_network_close(&single);
  gs_bench_network_close(&many);
}

/* An Elman network with sigmoid against the same with tanh. */
static void ratio_of_sigmoid(gs_bench *bench, const void *which) {
  gs_bench_step_case with_tanh = *(const gs_bench_step_case *)which;
  gs_bench_network tanh_network, sigmoid_network;
  with_tanh.shape.activation = GS_TANH;
  const bool first = gs_bench_network_open(bench, &with_tanh, GS_STATS_OFF, &tanh_network);
  const bool second = gs_bench_network_open(bench, which, GS_STATS_OFF, &sigmoid_network);
  if (first && second) gs_bench_pair(bench, &tanh_network.without, &sigmoid_network.without);
  gs_bench_network_close(&tanh_network);
  gs_bench_network_close(&sigmoid_network);
}

/* The graph against the same step enqueued operation by operation. */
static void ratio_of_launches(gs_bench *bench, const void *which) {
  gs_bench_network open;
  if (gs_bench_network_open(bench, which, GS_STATS_OFF, &open)) {
    const gs_bench_work eager = {.enqueue = open.without.enqueue, .subject = &open};
    gs_bench_pair(bench, &open.without, &eager);
  }
  gs_bench_network_close(&open);
}

/* Median seconds of the steps that fit into wanted_s, after one to warm up: what
 * ran before has emptied the caches. Negative on failure. */
static double median_step(gs_bench *bench, const side *timed, double wanted_s) {
  enum { MAX = 256 };
  double samples[MAX];
  double spent = 0;
  int64_t count = 0;
  bool ok = time_side(bench, timed) >= 0;
  while (ok && spent < wanted_s && count < MAX) {
    const double seconds = time_side(bench, timed);
    ok = seconds >= 0;
    spent += seconds * (double)timed->batch;
    samples[count++] = seconds;
  }
  return ok ? gs_bench_median(samples, count) : -1;
}

/* The step against the device's multiply-add rate, measured in turns with it. The
 * benchmark's time is that of a turn. */
static void ratio_to_peak(gs_bench *bench, const void *argument) {
  const gs_bench_step_case *which = argument;
  gs_bench_network open;
  enum { MAX = 1000 };
  double fractions[MAX], steps_s[MAX];
  int64_t count = 0;
  side timed = {0};
  bool ok = gs_bench_network_open(bench, which, GS_STATS_OFF, &open) &&
            make_side(bench, &open.without, &timed);
  while (ok && gs_bench_next(bench)) {
    const double wanted_s = 0.3, start = gs_clock_s();
    gs_error error = {0};
    gs_roofline roofline = {0};
    ok = gs_bench_ok(bench, gs_roofline_measure(gs_bench_device(), &roofline, &error), &error);
    const double seconds = ok ? median_step(bench, &timed, wanted_s) : -1;
    ok = seconds > 0;
    gs_bench_iteration_seconds(bench, gs_clock_s() - start);
    const double peak = roofline.flops_per_s[which->shape.dtype];
    if (!ok || !(peak > 0) || count == MAX) continue;
    steps_s[count] = seconds;
    fractions[count++] = open.cost.flops / seconds / peak;
  }
  if (ok) {
    gs_bench_counter(bench, "of_peak", gs_bench_median(fractions, count));
    gs_bench_counter(bench, "step_us", 1e6 * gs_bench_median(steps_s, count));
    gs_bench_counter(bench, "turns", (double)count);
  }
  gs_bench_network_close(&open);
}

void gs_bench_register_ratios(void) {
  const double min_time_s = 2, peak_time_s = 15;
  const gs_bench_clock clock = GS_BENCH_MANUAL_TIME;
  const gs_bench_step_case *cases;
  const int count = gs_bench_step_cases(&cases);
  for (int i = 0; i < count; i++) {
    const gs_bench_step_case *c = &cases[i];
    gs_bench_register_step("ratio/norms_to_off", c, "", ratio_of_norms, clock, min_time_s);
    gs_bench_register_step("ratio/full_to_off", c, "", ratio_of_full, clock, min_time_s);
    gs_bench_register_step("ratio/to_peak", c, "", ratio_to_peak, clock, peak_time_s);
    if (c->shape.replicas > 1)
      gs_bench_register_step("ratio/replicas_to_one", c, "", ratio_of_replicas, clock, min_time_s);
    if (c->shape.model == GS_RNN && c->shape.activation == GS_SIGMOID)
      gs_bench_register_step("ratio/sigmoid_to_tanh", c, "", ratio_of_sigmoid, clock, min_time_s);
    if (c->graph)
      gs_bench_register_step("ratio/eager_to_graph", c, "", ratio_of_launches, clock, min_time_s);
  }
}
