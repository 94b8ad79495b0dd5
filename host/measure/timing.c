/* The sampling loop. See timing.h; what a backend may do behind its first steps is in
 * capture_step. The quartiles judge the spread: a few disturbed samples do not move
 * them. */
#include "measure/timing.h"

#include <math.h>
#include <string.h>

#include "device/device.h"
#include "measure/machine.h"
#include "measure/measure.h"
#include "measure/sample.h"

enum { LOOKS = 3, QUEUED_STEPS = 4 };

static const double LED_STEP_NS = 5e6; /* of a longer step the host's launch is no part */

gs_status gs_roofline_measure(gs_device *device, gs_roofline *roofline, gs_error *error) {
  const gs_status status = device->ops->roofline(device, roofline);
  if (status != GS_OK && error) *error = device->error;
  return status;
}

/* ---- one sample ---- */

/* What is timed: a network's step. */
typedef struct subject {
  gs_network *network;
  gs_device *device;
  bool with_statistics;
  bool led;        /* a step that is not timed runs before those that are */
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

/* An idle device would wait, between the events, for the host to launch the first step:
 * while it does the one that leads, the host enqueues all others. */
static gs_status sample(subject *s, int64_t steps, double *ns, gs_error *error) {
  const gs_device_ops *ops = s->device->ops;
  if (s->led) GS_TRY(run_step(s, error));
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

/* Libraries make their code, pages come; then how long a step really is. */
static gs_status warm_up(subject *s, const gs_timing_limits *limits, gs_timing *timing,
                         gs_timing_progress *progress, gs_error *error) {
  GS_TRY(sample(s, 1, &progress->spent_ns, error));
  double step_ns = progress->spent_ns;
  for (int i = 0; i < LOOKS && progress->spent_ns < 0.5e9 * limits->time_limit_s; i++) {
    double ns;
    GS_TRY(sample(s, 1, &ns, error));
    step_ns = fmin(step_ns, ns);
    progress->spent_ns += ns;
  }
  s->led = !s->device->host_memory && step_ns < LED_STEP_NS;
  if (timing->steps_per_sample >= 1) return GS_OK;
  timing->steps_per_sample = gs_timing_group(limits, step_ns);
  /* so that the one that leads costs a quarter of the time */
  if (s->led && timing->steps_per_sample < QUEUED_STEPS) timing->steps_per_sample = QUEUED_STEPS;
  return GS_OK;
}

static gs_status take_sample(subject *s, gs_machine_watch *watch, gs_timing *timing,
                             gs_timing_progress *progress, gs_error *error) {
  double ns;
  gs_machine_watch_start(watch);
  GS_TRY(sample(s, timing->steps_per_sample, &ns, error));
  const gs_machine_use use = gs_machine_watch_stop(watch);
  const double held_up_ns = gs_machine_held_up_ns(&use);
  timing->samples_ns[timing->count] = ns;
  timing->disturbed[timing->count] = gs_machine_disturbed(use.wall_ns, held_up_ns);
  timing->count++;
  timing->wall_ns += use.wall_ns;
  timing->held_up_ns += held_up_ns;
  timing->taken += use.taken;
  progress->count = timing->count;
  progress->last_ns = ns * (double)timing->steps_per_sample;
  progress->timed_ns += progress->last_ns;
  progress->spent_ns += progress->last_ns + (s->led ? ns : 0);
  return GS_OK;
}

static gs_status collect(subject *s, const gs_timing_limits *limits, gs_machine_watch *watch,
                         gs_timing *timing, gs_timing_progress *progress, gs_error *error) {
  while (timing->stopped == GS_STOP_NOT_YET) {
    GS_TRY(take_sample(s, watch, timing, progress, error));
    if (gs_timing_has_min(limits, progress)) {
      GS_TRY(uncertainty(timing, &progress->uncertainty, error));
    }
    timing->stopped = gs_timing_decide(limits, progress);
  }
  if (!gs_timing_has_min(limits, progress)) {
    GS_TRY(uncertainty(timing, &progress->uncertainty, error));
  }
  timing->lacks = gs_timing_lacks(limits, progress);
  return GS_OK;
}

static gs_status time_subject(subject *s, const gs_timing_limits *limits, gs_timing *timing,
                              gs_error *error) {
  gs_timing_progress progress = {.uncertainty = INFINITY};
  GS_TRY(warm_up(s, limits, timing, &progress, error));
  gs_machine_watch *watch = gs_machine_watch_open(); /* threads are there by now */
  if (!watch) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for timing");
  const double others_ns = gs_machine_others_ns();
  const gs_status status = collect(s, limits, watch, timing, &progress, error);
  gs_machine_watch_close(watch);
  timing->held_up_ns = gs_machine_held_up_round_ns(timing->wall_ns, timing->held_up_ns,
                                                   gs_machine_others_ns() - others_ns);
  if (!(timing->held_up_ns > 0)) memset(timing->disturbed, 0, sizeof timing->disturbed);
  return status;
}

gs_status gs_timing_measure(gs_network *network, bool with_statistics,
                            const gs_timing_limits *limits, int64_t steps_per_sample,
                            gs_timing *timing, gs_error *error) {
  subject s = {
      .network = network, .device = gs_network_device(network), .with_statistics = with_statistics};
  timing->count = 0;
  timing->steps_per_sample = steps_per_sample;
  timing->stopped = GS_STOP_NOT_YET;
  timing->lacks = 0;
  timing->wall_ns = timing->held_up_ns = 0;
  timing->taken = 0;
  gs_status status = open_subject(&s, error);
  timing->launch = s.graph ? GS_LAUNCH_GRAPH : GS_LAUNCH_EAGER;
  if (status == GS_OK) status = time_subject(&s, limits, timing, error);
  close_subject(&s);
  return status;
}
