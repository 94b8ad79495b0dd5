/* How a call is timed: by the host's clock on the CPU, by the device's events on a
 * GPU, where calls are timed several at a time or, with the caches emptied before
 * each, one by one. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/sort.h"
#include "bench.h"
#include "device/device.h"

static const double BATCH_S = 200e-6; /* shorter calls are timed in batches, */
static const double QUEUED_S = 5e-3;  /* and these a few at a time */
enum { MAX_CALLS = 4096, QUEUED_CALLS = 4 };

double gs_bench_median(double *values, int64_t count) {
  if (count < 1) return 0;
  gs_sort(values, (size_t)count);
  return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* ---- calls ---- */

static gs_status call(gs_device *device, const gs_bench_work *work) {
  return work->graph ? device->ops->replay(device, work->graph)
                     : work->enqueue(device, work->subject);
}

static gs_status call_all(gs_device *device, const gs_bench_work *work, int64_t calls) {
  for (int64_t i = 0; i < calls; i++) GS_TRY(call(device, work));
  return GS_OK;
}

static gs_status by_the_host(gs_device *device, const gs_bench_work *work, int64_t calls,
                             double *seconds) {
  const double start = gs_clock_s();
  GS_TRY(call_all(device, work, calls));
  GS_TRY(device->ops->sync(device));
  *seconds = gs_clock_s() - start;
  return GS_OK;
}

/* While the device empties its caches, or makes a call that is not timed, the host enqueues
 * those that are: no gap in between, and the host's launch is no part of them. */
static gs_status lead(gs_device *device, const gs_bench_work *work) {
  const gs_fill zeros = {.kind = GS_FILL_CONSTANT, .value = 0};
  return work->flush ? device->ops->fill(device, work->flush, &zeros) : call(device, work);
}

static gs_status between_events(gs_device *device, const gs_bench_work *work, int64_t calls,
                                gs_event *start, gs_event *stop, double *seconds) {
  double ns = 0;
  GS_TRY(lead(device, work));
  GS_TRY(device->ops->record(device, start));
  GS_TRY(call_all(device, work, calls));
  GS_TRY(device->ops->record(device, stop));
  GS_TRY(device->ops->sync(device));
  GS_TRY(device->ops->elapsed(device, start, stop, &ns));
  *seconds = 1e-9 * ns;
  return GS_OK;
}

static gs_status by_the_device(gs_device *device, const gs_bench_work *work, int64_t calls,
                               double *seconds) {
  gs_event *start = NULL, *stop = NULL;
  gs_status status = device->ops->event_create(device, &start);
  if (status == GS_OK) status = device->ops->event_create(device, &stop);
  if (status == GS_OK) status = between_events(device, work, calls, start, stop, seconds);
  if (stop) device->ops->event_destroy(device, stop);
  if (start) device->ops->event_destroy(device, start);
  return status;
}

double gs_bench_seconds(gs_bench *bench, const gs_bench_work *work, int64_t calls) {
  gs_device *device = gs_bench_device();
  double seconds = -1;
  const gs_status status = device->host_memory ? by_the_host(device, work, calls, &seconds)
                                               : by_the_device(device, work, calls, &seconds);
  return gs_bench_ok(bench, status, &device->error) ? seconds : -1;
}

int64_t gs_bench_batch(gs_bench *bench, const gs_bench_work *work) {
  double seconds = gs_bench_seconds(bench, work, 1); /* warms up */
  if (seconds < 0) return 0;
  if (gs_bench_device()->host_memory || work->flush) return 1;
  for (int i = 0; i < 2; i++) {
    const double again = gs_bench_seconds(bench, work, 1);
    if (again < 0) return 0;
    seconds = fmin(seconds, again);
  }
  if (seconds >= QUEUED_S) return 1;
  if (seconds * QUEUED_CALLS >= BATCH_S) return QUEUED_CALLS;
  return (int64_t)fmin(ceil(BATCH_S / fmax(seconds, 1e-9)), MAX_CALLS);
}

/* ---- graphs ---- */

bool gs_bench_capture(gs_bench *bench, gs_bench_work *work) {
  gs_device *device = gs_bench_device();
  work->graph = NULL;
  if (!gs_bench_ok(bench, call(device, work), &device->error) ||
      !gs_bench_ok(bench, device->ops->capture_begin(device), &device->error)) {
    return false;
  }
  const gs_status status = call(device, work);
  const gs_error reason = device->error; /* the first is the news */
  const gs_status ended = device->ops->capture_end(device, &work->graph);
  return gs_bench_ok(bench, status, &reason) && gs_bench_ok(bench, ended, &device->error);
}

void gs_bench_release(gs_bench_work *work) {
  gs_device *device = gs_bench_device();
  if (work->graph) device->ops->graph_destroy(device, work->graph);
  work->graph = NULL;
}

/* ---- the loop ---- */

gs_bench_clock gs_bench_loop_clock(void) {
  return gs_bench_device()->host_memory ? GS_BENCH_REAL_TIME : GS_BENCH_MANUAL_TIME;
}

bool gs_bench_loop(gs_bench *bench, const gs_bench_work *work, double *seconds) {
  const int64_t batch = gs_bench_batch(bench, work);
  bool ok = batch > 0;
  *seconds = 0;
  while (ok && (batch > 1 ? gs_bench_next_batch(bench, batch) : gs_bench_next(bench))) {
    const double taken = gs_bench_seconds(bench, work, batch);
    ok = taken >= 0;
    gs_bench_iteration_seconds(bench, ok ? taken : 1);
    *seconds += taken;
  }
  return ok;
}

void gs_bench_limits(gs_bench *bench, const gs_cost *cost, gs_dtype dtype,
                     const gs_roofline *roofline, double seconds_per_call) {
  const gs_time_bound bound = gs_cost_time_bound(cost, dtype, roofline);
  const struct {
    const char *name;
    double ns;
  } parts[] = {{"of_peak", bound.arithmetic_ns},
               {"of_copy", bound.traffic_ns},
               {"of_barriers", bound.barriers_ns},
               {"of_launches", bound.launches_ns}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (!(parts[i].ns > 0)) continue;
    gs_bench_counter(bench, parts[i].name, 1e-9 * parts[i].ns / seconds_per_call);
  }
  if (bound.floor_ns > 0) gs_bench_counter(bench, "floor_us", 1e-3 * bound.floor_ns);
}
