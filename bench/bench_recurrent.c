/* The recurrent loops, forward and backward, over hidden sizes and lengths. */
#include <inttypes.h>
#include <stdio.h>

#include "bench.h"
#include "device/device.h"
#include "net/config.h"

typedef struct rnn_shape {
  int64_t hidden, batch, steps, replicas;
  gs_loop loop;
  gs_dtype dtype;
} rnn_shape;

static const rnn_shape shapes[] = {
    {128, 32, 100, 1, GS_LOOP_AUTO, GS_F32}, {128, 32, 1000, 1, GS_LOOP_AUTO, GS_F32},
    {32, 8, 1000, 16, GS_LOOP_AUTO, GS_F32}, {512, 64, 100, 1, GS_LOOP_AUTO, GS_F32},
    {33, 1, 1000, 1, GS_LOOP_AUTO, GS_F32},
};

static const rnn_shape gpu_shapes[] = {
    {256, 64, 1024, 1, GS_LOOP_STEPS, GS_F32},   {256, 64, 1024, 1, GS_LOOP_PERSISTENT, GS_F32},
    {1024, 64, 1024, 1, GS_LOOP_STEPS, GS_F32},  {1024, 64, 1024, 1, GS_LOOP_PERSISTENT, GS_F32},
    {2048, 64, 1024, 1, GS_LOOP_STEPS, GS_F32},  {2048, 64, 1024, 1, GS_LOOP_PERSISTENT, GS_F32},
    {256, 64, 1024, 1, GS_LOOP_STEPS, GS_BF16},  {256, 64, 1024, 1, GS_LOOP_PERSISTENT, GS_BF16},
    {1024, 64, 1024, 1, GS_LOOP_STEPS, GS_BF16}, {1024, 64, 1024, 1, GS_LOOP_PERSISTENT, GS_BF16},
};

typedef struct loop {
  gs_recurrence recurrence;
  gs_tensor projection, saved, h, dh, delta;
} loop;

static loop make_loop(gs_bench_memory *memory, const rnn_shape *s) {
  const int64_t T = s->steps, B = s->batch, n = s->hidden, R = s->replicas;
  const gs_dtype dtype = s->dtype;
  loop l = {.recurrence = {.steps = T, .loop = s->loop, .activation = {GS_TANH, 0}}};
  gs_bench_workspace(memory, &(gs_workspace_need){.rows = T * B,
                                                  .columns = n,
                                                  .weights = n * n,
                                                  .elements = n * n,
                                                  .replicas = R,
                                                  .steps = T,
                                                  .dtype = dtype,
                                                  .recurrent = true});
  l.recurrence.w = gs_bench_tensor(memory, 1, n, n, R, dtype, 0.05);
  l.recurrence.w.scale = NULL;
  l.projection = gs_bench_tensor(memory, T, B, n, R, dtype, 1);
  l.projection.scale = NULL;
  l.saved = gs_bench_tensor(memory, T, B, n, R, dtype, 1);
  l.h = gs_bench_tensor(memory, T + 1, B, n, R, dtype, 0);
  l.dh = gs_bench_tensor(memory, 1, B, n, R, dtype, 1);
  l.delta = gs_bench_tensor(memory, T, B, n, R, dtype, 1);
  return l;
}

static gs_status run_forward(gs_device *device, const void *subject) {
  const loop *l = subject;
  return device->ops->recurrent_forward(device, &l->recurrence, &l->projection, &l->saved, &l->h);
}
static gs_status run_backward(gs_device *device, const void *subject) {
  const loop *l = subject;
  return device->ops->recurrent_backward(device, &l->recurrence, &l->dh, 1, &l->saved, &l->h,
                                         &l->delta);
}

/* Products alone: what the steps read and write beside depends on the loop. */
static gs_cost cost_of(const rnn_shape *s) {
  return (gs_cost){.flops = 2.0 * (double)(s->steps * s->batch * s->replicas) *
                            (double)(s->hidden * s->hidden),
                   .dependent = (double)s->steps,
                   .barriers = (double)(s->steps - 1) * gs_cost_takes_barrier(s->hidden),
                   .launches = s->loop == GS_LOOP_STEPS ? (double)s->steps : 1};
}

static void bench_loop(gs_bench *bench, const rnn_shape *s,
                       gs_status (*enqueue)(gs_device *, const void *)) {
  gs_device *device = gs_bench_device();
  const gs_roofline *roofline = gs_bench_roofline(bench);
  if (!roofline) return;
  gs_bench_memory memory = {.bench = bench, .device = device};
  const loop l = make_loop(&memory, s);
  const gs_bench_work work = {.enqueue = enqueue, .subject = &l};
  double seconds = 0;
  if (!memory.failed && gs_bench_ok(bench, run_forward(device, &l), &device->error) &&
      gs_bench_loop(bench, &work, &seconds)) {
    const double calls = (double)gs_bench_iterations(bench);
    const gs_cost cost = cost_of(s);
    gs_bench_counter_rate(bench, "flops", cost.flops * calls);
    gs_bench_limits(bench, &cost, s->dtype, roofline, seconds / calls);
    gs_bench_counter(bench, "step_ns", 1e9 * seconds / calls / (double)s->steps);
  }
  gs_bench_memory_free(&memory);
}

static void bench_forward(gs_bench *bench, const void *argument) {
  bench_loop(bench, argument, run_forward);
}
static void bench_backward(gs_bench *bench, const void *argument) {
  bench_loop(bench, argument, run_backward);
}

static void add(const rnn_shape *s) {
  char name[192], where[160];
  if (!gs_bench_has_dtype(s->dtype)) return;
  snprintf(where, sizeof where,
           "hidden:%" PRId64 "/batch:%" PRId64 "/steps:%" PRId64 "/replicas:%" PRId64 "%s%s%s%s",
           s->hidden, s->batch, s->steps, s->replicas, s->dtype == GS_F32 ? "" : "/",
           s->dtype == GS_F32 ? "" : gs_name(&gs_dtype_names, s->dtype),
           s->loop == GS_LOOP_AUTO ? "" : "/loop:",
           s->loop == GS_LOOP_AUTO ? "" : gs_name(&gs_loop_names, s->loop));
  snprintf(name, sizeof name, "op/recurrent_forward/%s", where);
  gs_bench_register(name, bench_forward, s, gs_bench_loop_clock(), 0);
  snprintf(name, sizeof name, "op/recurrent_backward/%s", where);
  gs_bench_register(name, bench_backward, s, gs_bench_loop_clock(), 0);
}

void gs_bench_register_recurrent(void) {
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) add(&shapes[k]);
  if (!gs_bench_is_gpu()) return;
  for (size_t k = 0; k < sizeof gpu_shapes / sizeof *gpu_shapes; k++) add(&gpu_shapes[k]);
}
