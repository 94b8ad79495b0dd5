/* The sampling loop and its stop rule, after nvbench's: stop when the relative
 * uncertainty of the median is small, judged by the quartiles, which a few
 * disturbed samples do not move. */
#include "measure/timing.h"

#include <math.h>

#include "measure/sample.h"

enum { LEAST_SAMPLES = 5, LOOKS = 3 };

static const double LEAST_SAMPLE_NS = 200e3; /* shorter steps are timed in groups */

gs_status gs_floor_measure(gs_device *device, gs_floor *floor, gs_error *error) {
  const gs_status status = device->ops->floor(device, floor);
  if (status != GS_OK && error) *error = device->error;
  return status;
}

/* ---- one sample ---- */

/* What is timed: a network's step. */
typedef struct subject {
  gs_network *network;
  gs_device *device;
  bool with_statistics;
  gs_graph *graph; /* NULL: run eagerly */
  gs_event *start, *stop;
} subject;

static gs_status from_device(const subject *s, gs_status status, gs_error *error) {
  if (status != GS_OK && error) *error = s->device->error;
  return status;
}

static gs_status run_step(subject *s, gs_error *error) {
  if (s->graph) return from_device(s, s->device->ops->replay(s->device, s->graph), error);
  return gs_network_step(s->network, s->with_statistics, error);
}

static gs_status sample(subject *s, int64_t steps, double *ns, gs_error *error) {
  const gs_device_ops *ops = s->device->ops;
  GS_TRY(from_device(s, ops->record(s->device, s->start), error));
  for (int64_t i = 0; i < steps; i++) GS_TRY(run_step(s, error));
  GS_TRY(from_device(s, ops->record(s->device, s->stop), error));
  GS_TRY(from_device(s, ops->sync(s->device), error));
  GS_TRY(from_device(s, ops->elapsed(s->device, s->start, s->stop, ns), error));
  *ns /= (double)steps;
  return GS_OK;
}

/* Captures the step, once it has been run: a backend may choose its algorithms
 * when it sees shapes for the first time, and not while capturing. */
static gs_status capture_step(subject *s, gs_launch launch, gs_error *error) {
  const gs_device_ops *ops = s->device->ops;
  gs_device_info info;
  ops->info(s->device, &info);
  if (launch == GS_LAUNCH_EAGER || (launch == GS_LAUNCH_AUTO && !info.graphs)) return GS_OK;
  GS_TRY(gs_network_step(s->network, s->with_statistics, error));
  GS_TRY(from_device(s, ops->capture_begin(s->device), error));
  const gs_status status = gs_network_step(s->network, s->with_statistics, error);
  const gs_status ended = ops->capture_end(s->device, &s->graph);
  return status != GS_OK ? status : from_device(s, ended, error); /* the first is the news */
}

static gs_status open_subject(subject *s, gs_error *error) {
  const gs_device_ops *ops = s->device->ops;
  GS_TRY(from_device(s, ops->event_create(s->device, &s->start), error));
  GS_TRY(from_device(s, ops->event_create(s->device, &s->stop), error));
  return capture_step(s, gs_network_config(s->network)->launch, error);
}

static void close_subject(subject *s) {
  const gs_device_ops *ops = s->device->ops;
  if (s->graph) ops->graph_destroy(s->device, s->graph);
  if (s->start) ops->event_destroy(s->device, s->start);
  if (s->stop) ops->event_destroy(s->device, s->stop);
}

/* ---- the loop ---- */

/* Standard error of the median over the median, for normal noise: 1.2533 sigma /
 * sqrt(n), sigma = quartile distance / 1.349. */
static gs_status uncertainty(const gs_timing *timing, double *relative, gs_error *error) {
  gs_sample s;
  GS_TRY(gs_sample_of(timing->samples_ns, (size_t)timing->count, &s, error));
  *relative = 1.2533 * (s.p75 - s.p25) / 1.349 / sqrt((double)timing->count) / s.p50;
  return GS_OK;
}

static gs_status collect(subject *s, double limit_ns, double spread, gs_timing *timing,
                         gs_error *error) {
  double spent_ns;
  GS_TRY(sample(s, 1, &spent_ns, error)); /* warm-up: libraries make their code, pages come */
  double step_ns = spent_ns;
  for (int i = 0; i < LOOKS && spent_ns < 0.5 * limit_ns; i++) { /* how long a step really is */
    double ns;
    GS_TRY(sample(s, 1, &ns, error));
    step_ns = fmin(step_ns, ns);
    spent_ns += ns;
  }
  timing->steps_per_sample =
      step_ns < LEAST_SAMPLE_NS ? (int64_t)ceil(LEAST_SAMPLE_NS / fmax(step_ns, 100)) : 1;
  do {
    double ns;
    GS_TRY(sample(s, timing->steps_per_sample, &ns, error));
    timing->samples_ns[timing->count++] = ns;
    spent_ns += ns * (double)timing->steps_per_sample;
    if (timing->count >= LEAST_SAMPLES) {
      double relative;
      GS_TRY(uncertainty(timing, &relative, error));
      if (relative <= spread) break;
    }
  } while (spent_ns < limit_ns && timing->count < GS_TIMING_MAX_SAMPLES);
  return GS_OK;
}

gs_status gs_timing_measure(gs_network *network, bool with_statistics, double time_limit_s,
                            double spread, gs_timing *timing, gs_error *error) {
  subject s = {
      .network = network, .device = gs_network_device(network), .with_statistics = with_statistics};
  timing->count = 0;
  timing->steps_per_sample = 1;
  gs_status status = open_subject(&s, error);
  timing->launch = s.graph ? GS_LAUNCH_GRAPH : GS_LAUNCH_EAGER;
  if (status == GS_OK) status = collect(&s, time_limit_s * 1e9, spread, timing, error);
  close_subject(&s);
  return status;
}

/* ---- the record ---- */

static bool add_floor(cJSON *json, const gs_cost *cost, double median_ns, gs_dtype dtype,
                      const gs_floor *floor) {
  if (!floor) return true;
  const gs_least_time least = gs_cost_least_time(cost, dtype, floor);
  return gs_json_add_number(json, "fraction_of_flops", least.arithmetic_ns / median_ns) &&
         gs_json_add_number(json, "fraction_of_copy", least.traffic_ns / median_ns) &&
         gs_json_add_number(json, "fraction_of_meetings", least.meetings_ns / median_ns) &&
         gs_json_add_number(json, "fraction_of_launches", least.launches_ns / median_ns) &&
         gs_json_add_number(json, "floor_ns", least.floor_ns) &&
         gs_json_add_number(json, "fraction_of_floor", least.floor_ns / median_ns);
}

gs_status gs_timing_json(const gs_timing *timing, const gs_config *config, const gs_floor *floor,
                         cJSON **json, gs_error *error) {
  const gs_cost cost = gs_cost_of(config);
  const size_t count = (size_t)timing->count;
  gs_sample s;
  *json = NULL;
  GS_TRY(gs_sample_of(timing->samples_ns, count, &s, error));
  *json = cJSON_CreateObject();
  if (*json && gs_json_add_string(*json, "launch", gs_launch_name(timing->launch)) &&
      gs_json_add(*json, "samples_ns", gs_json_numbers(timing->samples_ns, count)) &&
      gs_json_add_int(*json, "steps_per_sample", timing->steps_per_sample) &&
      gs_json_add_number(*json, "median_ns", s.p50) && gs_json_add_number(*json, "p5_ns", s.p05) &&
      gs_json_add_number(*json, "p95_ns", s.p95) &&
      gs_json_add_number(*json, "noise", (s.p95 - s.p05) / s.p50) &&
      gs_json_add_number(*json, "samples_per_s", cost.samples / s.p50 * 1e9) &&
      gs_json_add_number(*json, "flops_per_s", cost.flops / s.p50 * 1e9) &&
      gs_json_add_number(*json, "bytes_per_s", cost.bytes / s.p50 * 1e9) &&
      add_floor(*json, &cost, s.p50, config->dtype, floor)) {
    return GS_OK;
  }
  cJSON_Delete(*json);
  *json = NULL;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
}
