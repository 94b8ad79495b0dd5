/* Whole training steps (forward, loss, backward): their time with statistics
 * off, norms and full, against the machine's own peak; and paired ratios, where
 * the two sides take turns so that a drift of the machine hits both. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "net/network.h"

typedef struct step_shape {
  gs_model model;
  int64_t length; /* depth, or time steps */
  int64_t width;  /* or hidden and input size */
  int64_t batch, replicas;
  gs_activation_kind activation;
} step_shape;

static const step_shape shapes[] = {
    {GS_MLP, 10, 1024, 256, 1, GS_RELU}, {GS_MLP, 4, 2048, 256, 1, GS_RELU},
    {GS_MLP, 10, 512, 256, 1, GS_RELU},  {GS_MLP, 100, 128, 64, 1, GS_RELU},
    {GS_MLP, 100, 128, 64, 1, GS_TANH},  {GS_MLP, 50, 64, 32, 1, GS_RELU},
    {GS_MLP, 50, 64, 32, 64, GS_RELU},   {GS_RNN, 1000, 128, 32, 1, GS_TANH},
    {GS_RNN, 100, 128, 32, 16, GS_TANH},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* A network with a device of its own. */
typedef struct measured {
  gs_device *device;
  gs_network *network;
} measured;

static gs_status make_config(const step_shape *s, gs_stats_level stats, gs_config *config,
                             gs_error *error) {
  GS_TRY(gs_config_default(s->model, config, error));
  if (s->model == GS_MLP) {
    GS_TRY(gs_config_set_widths(config, s->length, s->width, error));
  } else {
    config->hidden = config->input = s->width;
    config->seq_len = s->length;
  }
  config->batch = s->batch;
  config->replicas = s->replicas;
  config->activation.kind = config->output_activation.kind = s->activation;
  config->init.kind = s->activation == GS_RELU ? GS_INIT_HE_NORMAL : GS_INIT_XAVIER_NORMAL;
  config->stats = stats;
  return gs_config_check(config, error);
}

static void close_subject(measured *subject) {
  gs_network_destroy(subject->network);
  if (subject->device) subject->device->ops->destroy(subject->device);
  *subject = (measured){0};
}

static bool open_subject(gs_bench *bench, const step_shape *s, gs_stats_level stats,
                         measured *subject) {
  const gs_network_options options = {.keep_gradients = false};
  gs_error error = {0};
  gs_config config = {0};
  gs_status status = make_config(s, stats, &config, &error);
  if (status == GS_OK) status = gs_cpu_device_create(0, &subject->device, &error);
  if (status == GS_OK)
    status = gs_network_create(subject->device, &config, &options, &subject->network, &error);
  gs_config_clear(&config);
  if (status != GS_OK) close_subject(subject);
  return gs_bench_ok(bench, status, &error);
}

/* Seconds of one step and its wait; negative when it failed. */
static double time_step(gs_bench *bench, const measured *subject, bool with_statistics) {
  gs_error error = {0};
  const double start = gs_bench_now();
  if (!gs_bench_ok(bench, gs_network_step(subject->network, with_statistics, &error), &error) ||
      !gs_bench_ok(bench, subject->device->ops->sync(subject->device), &subject->device->error))
    return -1;
  return gs_bench_now() - start;
}

/* Multiply-adds and additions of a step's matrix products: forward, and twice
 * that backward, less the gradient of the input, which nobody needs. */
static double step_flops(const step_shape *s) {
  const double product = 2.0 * (double)(s->batch * s->replicas) * (double)(s->width * s->width);
  const double length = (double)s->length;
  return s->model == GS_MLP ? product * (3 * length - 1) : product * (5 * length - 1);
}

static void bench_step(gs_bench *bench, const step_shape *s, gs_stats_level stats) {
  const gs_floor *floor = gs_bench_floor(bench);
  measured subject = {0};
  if (!floor || !open_subject(bench, s, stats, &subject)) return;
  const bool with_statistics = stats != GS_STATS_OFF;
  double seconds = 0;
  bool ok = time_step(bench, &subject, with_statistics) >= 0;
  while (ok && gs_bench_next(bench)) {
    const double step = time_step(bench, &subject, with_statistics);
    ok = step >= 0;
    seconds += step;
  }
  if (ok) {
    const int64_t steps = gs_bench_iterations(bench);
    gs_bench_items(bench, steps * s->batch * s->replicas);
    gs_bench_counter(bench, "of_peak",
                     step_flops(s) * (double)steps / seconds / floor->flops_per_s[GS_F32]);
  }
  close_subject(&subject);
}

static void bench_off(gs_bench *bench, const void *shape) {
  bench_step(bench, shape, GS_STATS_OFF);
}
static void bench_norms(gs_bench *bench, const void *shape) {
  bench_step(bench, shape, GS_STATS_NORMS);
}
static void bench_full(gs_bench *bench, const void *shape) {
  bench_step(bench, shape, GS_STATS_FULL);
}

/* ---- paired ratios ---- */

typedef struct side {
  const measured *subject;
  bool with_statistics;
} side;

enum { MAX_PAIRS = 100000 };

/* Times a and b in turns; reports their medians and the median of b / a. */
static void bench_pair(gs_bench *bench, side a, side b) {
  double *times = malloc(3 * MAX_PAIRS * sizeof *times);
  if (!times) {
    gs_bench_fail(bench, "out of memory");
    return;
  }
  double *const a_times = times, *const b_times = times + MAX_PAIRS;
  double *const ratios = times + 2 * MAX_PAIRS;
  int64_t pairs = 0;
  bool ok = time_step(bench, a.subject, a.with_statistics) >= 0 &&
            time_step(bench, b.subject, b.with_statistics) >= 0;
  while (ok && gs_bench_next(bench)) {
    const double a_time = time_step(bench, a.subject, a.with_statistics);
    const double b_time = time_step(bench, b.subject, b.with_statistics);
    ok = a_time > 0 && b_time > 0;
    gs_bench_iteration_seconds(bench, ok ? a_time + b_time : 1);
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

static void ratio_of_statistics(gs_bench *bench, const step_shape *s, gs_stats_level stats) {
  measured subject = {0};
  if (!open_subject(bench, s, stats, &subject)) return;
  bench_pair(bench, (side){&subject, false}, (side){&subject, true});
  close_subject(&subject);
}

static void ratio_of_norms(gs_bench *bench, const void *shape) {
  ratio_of_statistics(bench, shape, GS_STATS_NORMS);
}
static void ratio_of_full(gs_bench *bench, const void *shape) {
  ratio_of_statistics(bench, shape, GS_STATS_FULL);
}

/* R replicas against one. */
static void ratio_of_replicas(gs_bench *bench, const void *shape) {
  step_shape one = *(const step_shape *)shape;
  measured single = {0}, many = {0};
  one.replicas = 1;
  if (open_subject(bench, &one, GS_STATS_OFF, &single) &&
      open_subject(bench, shape, GS_STATS_OFF, &many))
    bench_pair(bench, (side){&single, false}, (side){&many, false});
  close_subject(&single);
  close_subject(&many);
}

/* Median seconds of the steps that fit into wanted_s, after one to warm up: what
 * ran before has emptied the caches. Negative on failure. */
static double median_step(gs_bench *bench, const measured *subject, double wanted_s) {
  enum { MOST = 256 };
  double samples[MOST];
  double spent = 0;
  int64_t count = 0;
  bool ok = time_step(bench, subject, false) >= 0;
  while (ok && spent < wanted_s && count < MOST) {
    const double seconds = time_step(bench, subject, false);
    ok = seconds >= 0;
    spent += seconds;
    samples[count++] = seconds;
  }
  return ok ? gs_bench_median(samples, count) : -1;
}

/* The step against the machine's multiply-add rate, measured in turns with it. */
static void ratio_to_peak(gs_bench *bench, const void *shape) {
  const step_shape *s = shape;
  measured subject = {0};
  enum { MOST = 1000 };
  double fractions[MOST];
  int64_t count = 0;
  if (!open_subject(bench, s, GS_STATS_OFF, &subject)) return;
  bool ok = true;
  while (ok && gs_bench_next(bench)) {
    const double wanted_s = 0.3;
    gs_error error = {0};
    gs_floor floor = {0};
    ok = gs_bench_ok(bench, gs_floor_measure(subject.device, &floor, &error), &error);
    const double seconds = ok ? median_step(bench, &subject, wanted_s) : -1;
    ok = seconds > 0;
    gs_bench_iteration_seconds(bench, ok ? seconds : 1);
    if (ok && count < MOST)
      fractions[count++] = step_flops(s) / seconds / floor.flops_per_s[GS_F32];
  }
  if (ok) gs_bench_counter(bench, "of_peak", gs_bench_median(fractions, count));
  close_subject(&subject);
}

static void add(const char *group, const step_shape *s, const char *suffix,
                gs_bench_function function, gs_bench_clock clock, double min_time_s) {
  char name[192];
  snprintf(name, sizeof name,
           "%s/%s:%" PRId64 "/width:%" PRId64 "/batch:%" PRId64 "/replicas:%" PRId64 "/%s%s", group,
           s->model == GS_MLP ? "mlp/depth" : "rnn/length", s->length, s->width, s->batch,
           s->replicas, gs_activation_name(s->activation), suffix);
  gs_bench_register(name, function, s, clock, min_time_s);
}

void gs_bench_register_steps(void) {
  for (int k = 0; k < SHAPES; k++) {
    const step_shape *s = &shapes[k];
    add("step", s, "/stats:off", bench_off, GS_BENCH_REAL_TIME, 0);
    add("step", s, "/stats:norms", bench_norms, GS_BENCH_REAL_TIME, 0);
    add("step", s, "/stats:full", bench_full, GS_BENCH_REAL_TIME, 0);
    add("ratio/norms_to_off", s, "", ratio_of_norms, GS_BENCH_MANUAL_TIME, 2);
    add("ratio/full_to_off", s, "", ratio_of_full, GS_BENCH_MANUAL_TIME, 2);
    add("ratio/to_peak", s, "", ratio_to_peak, GS_BENCH_MANUAL_TIME, 2);
    if (s->replicas > 1)
      add("ratio/replicas_to_one", s, "", ratio_of_replicas, GS_BENCH_MANUAL_TIME, 2);
  }
}
