/* The recurrent loops, forward and backward, over hidden sizes and lengths. */
#include <inttypes.h>
#include <stdio.h>

#include "bench.h"

typedef struct rnn_shape {
  int64_t hidden, batch, steps, replicas;
} rnn_shape;

static const rnn_shape shapes[] = {
    {128, 32, 100, 1}, {128, 32, 1000, 1}, {32, 8, 1000, 16}, {512, 64, 100, 1}, {33, 1, 1000, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct loop {
  gs_recurrence recurrence;
  gs_tensor projection, saved, h, dh, delta;
} loop;

static loop make_loop(gs_bench_memory *memory, const rnn_shape *s) {
  const int64_t T = s->steps, B = s->batch, n = s->hidden, R = s->replicas;
  loop l = {.recurrence = {.steps = T, .activation = {GS_TANH, 0}}};
  gs_bench_workspace(memory, &(gs_workspace_need){.rows = T * B,
                                                  .columns = n,
                                                  .weights = n * n,
                                                  .elements = n * n,
                                                  .replicas = R,
                                                  .dtype = GS_F32,
                                                  .recurrent = true});
  l.recurrence.w = gs_bench_tensor(memory, 1, n, n, R, GS_F32, 0.05);
  l.recurrence.w.scale = NULL;
  l.projection = gs_bench_tensor(memory, T, B, n, R, GS_F32, 1);
  l.projection.scale = NULL;
  l.saved = gs_bench_tensor(memory, T, B, n, R, GS_F32, 1);
  l.h = gs_bench_tensor(memory, T + 1, B, n, R, GS_F32, 0);
  l.dh = gs_bench_tensor(memory, 1, B, n, R, GS_F32, 1);
  l.delta = gs_bench_tensor(memory, T, B, n, R, GS_F32, 1);
  return l;
}

static gs_status run_forward(gs_device *device, const loop *l) {
  return device->ops->recurrent_forward(device, &l->recurrence, &l->projection, &l->saved, &l->h);
}
static gs_status run_backward(gs_device *device, const loop *l) {
  return device->ops->recurrent_backward(device, &l->recurrence, &l->dh, 1, &l->saved, &l->h,
                                         &l->delta);
}

static void bench_loop(gs_bench *bench, const rnn_shape *s,
                       gs_status (*enqueue)(gs_device *, const loop *)) {
  gs_device *device = gs_bench_device(bench);
  const gs_floor *floor = device ? gs_bench_floor(bench) : NULL;
  if (!floor) return;
  gs_bench_memory memory = {.bench = bench, .device = device};
  const loop l = make_loop(&memory, s);
  double seconds = 0;
  bool ok = !memory.failed && gs_bench_ok(bench, run_forward(device, &l), &device->error) &&
            gs_bench_ok(bench, device->ops->sync(device), &device->error);
  while (ok && gs_bench_next(bench)) {
    const double start = gs_bench_now();
    ok = gs_bench_ok(bench, enqueue(device, &l), &device->error) &&
         gs_bench_ok(bench, device->ops->sync(device), &device->error);
    seconds += gs_bench_now() - start;
  }
  if (ok) {
    const double calls = (double)gs_bench_iterations(bench);
    const double flops =
        2.0 * calls * (double)(s->steps * s->batch * s->replicas) * (double)(s->hidden * s->hidden);
    gs_bench_counter_rate(bench, "flops", flops);
    gs_bench_counter(bench, "of_peak", flops / seconds / floor->flops_per_s[GS_F32]);
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

void gs_bench_register_recurrent(void) {
  for (int k = 0; k < SHAPES; k++) {
    const rnn_shape *s = &shapes[k];
    char name[160], where[120];
    snprintf(where, sizeof where,
             "hidden:%" PRId64 "/batch:%" PRId64 "/steps:%" PRId64 "/replicas:%" PRId64, s->hidden,
             s->batch, s->steps, s->replicas);
    snprintf(name, sizeof name, "op/recurrent_forward/%s", where);
    gs_bench_register(name, bench_forward, s, GS_BENCH_REAL_TIME, 0);
    snprintf(name, sizeof name, "op/recurrent_backward/%s", where);
    gs_bench_register(name, bench_backward, s, GS_BENCH_REAL_TIME, 0);
  }
}
