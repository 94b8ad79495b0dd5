/* Every operation of one layer, over shapes. The recurrent ones are in
 * bench_recurrent.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "device/device.h"
#include "net/config.h"

/* R layers: x: B x n_in, W: n_out x n_in. */
typedef struct op_shape {
  int64_t batch, n_in, n_out, replicas;
  gs_dtype dtype;
} op_shape;

/* All that the operations of a layer read and write. */
typedef struct layer {
  op_shape shape;
  gs_activation activation;
  gs_tensor x, w, b, saved, h, target, delta, delta_below, h_below, saved_below, dW, db, dx;
  gs_scaled *loss;
  gs_stats *stats;
  uint32_t *histogram;
} layer;

typedef struct op_kind {
  const char *name;
  gs_activation_kind activation;
  gs_status (*enqueue)(gs_device *, const layer *);
  /* Per layer, in units of B n_in n_out multiply-adds, and of elements moved
   * (read or written once): weights, inputs, outputs. */
  int multiply_adds;
  int weights, inputs, outputs;
  int64_t largest_width; /* wider shapes are left out; 0: none */
} op_kind;

static gs_status run_gemm(gs_device *device, const layer *l) {
  return device->ops->gemm(device, false, &l->x, true, &l->w, &l->h);
}
static const gs_tensor *needed(const layer *l, const gs_tensor *saved) {
  return gs_activation_needs_saved(l->activation.kind) ? saved : NULL;
}
static gs_status run_dense_forward(gs_device *device, const layer *l) {
  const gs_layer_forward forward = {&l->x, &l->w, &l->b, l->activation, needed(l, &l->saved),
                                    &l->h};
  return device->ops->layer_forward(device, &forward);
}
static gs_status run_activation_backward(gs_device *device, const layer *l) {
  const gs_layer_backward backward = {.dh = &l->target,
                                      .activation = l->activation,
                                      .saved = needed(l, &l->saved),
                                      .h = &l->h,
                                      .delta = &l->delta,
                                      .db = &l->db};
  return device->ops->layer_backward(device, &backward);
}
static gs_status run_dense_backward(gs_device *device, const layer *l) {
  const gs_layer_backward backward = {.delta_next = &l->delta,
                                      .w_next = &l->w,
                                      .activation = l->activation,
                                      .saved = needed(l, &l->saved_below),
                                      .h = &l->h_below,
                                      .delta = &l->delta_below};
  return device->ops->layer_backward(device, &backward);
}
static gs_status run_weight_gradient(gs_device *device, const layer *l) {
  const gs_gradient_job job = {l->delta, l->x, 1, l->dW, l->db, true};
  return device->ops->weight_gradients(device, &job, 1);
}
static gs_status run_loss_linear(gs_device *device, const layer *l) {
  return device->ops->loss(device, GS_DEVICE_LOSS_LINEAR, &l->h, &l->target, 1, &l->delta, l->loss);
}
static gs_status run_loss_mse(gs_device *device, const layer *l) {
  return device->ops->loss(device, GS_DEVICE_LOSS_MSE, &l->h, &l->target, 1, &l->delta, l->loss);
}
static gs_status run_fill_normal(gs_device *device, const layer *l) {
  const gs_fill fill = {.kind = GS_FILL_NORMAL, .value = 1, .seed = 7, .tensor_id = 1};
  return device->ops->fill(device, &l->dW, &fill);
}
static gs_status run_fill_orthogonal(gs_device *device, const layer *l) {
  const gs_fill fill = {.kind = GS_FILL_ORTHOGONAL, .value = 1, .seed = 7, .tensor_id = 1};
  return device->ops->fill(device, &l->dW, &fill);
}
static gs_status run_hash(gs_device *device, const layer *l) {
  return device->ops->hash(device, &l->w, 1, (uint64_t *)(void *)l->loss);
}
static gs_status run_stats(gs_device *device, const layer *l, uint32_t *histogram) {
  const gs_stats_job job = {.tensor = l->w, .steps = 1, .stats = l->stats, .histogram = histogram};
  return device->ops->stats(device, &job, 1);
}
static gs_status run_stats_norms(gs_device *device, const layer *l) {
  return run_stats(device, l, NULL);
}
static gs_status run_stats_full(gs_device *device, const layer *l) {
  return run_stats(device, l, l->histogram);
}
static gs_status run_begin_step(gs_device *device, const layer *l) {
  return device->ops->begin_step(device, l->h.scale, l->shape.replicas);
}

static const op_kind ops[] = {
    {"gemm", GS_IDENTITY, run_gemm, 1, 1, 1, 1, 0},
    {"dense_forward/relu", GS_RELU, run_dense_forward, 1, 1, 1, 1, 0},
    {"dense_forward/tanh", GS_TANH, run_dense_forward, 1, 1, 1, 2, 0},
    {"dense_forward/gelu", GS_GELU, run_dense_forward, 1, 1, 1, 2, 0},
    {"activation_backward/relu", GS_RELU, run_activation_backward, 0, 0, 0, 3, 0},
    {"activation_backward/tanh", GS_TANH, run_activation_backward, 0, 0, 0, 3, 0},
    {"dense_backward/relu", GS_RELU, run_dense_backward, 1, 1, 2, 1, 0},
    {"dense_backward/tanh", GS_TANH, run_dense_backward, 1, 1, 2, 1, 0},
    {"weight_gradient", GS_TANH, run_weight_gradient, 1, 1, 1, 1, 0},
    {"loss/linear", GS_TANH, run_loss_linear, 0, 0, 0, 3, 0},
    {"loss/mse", GS_TANH, run_loss_mse, 0, 0, 0, 3, 0},
    {"fill/normal", GS_TANH, run_fill_normal, 0, 1, 0, 0, 0},
    {"fill/orthogonal", GS_TANH, run_fill_orthogonal, 0, 1, 0, 0, 256},
    {"hash", GS_TANH, run_hash, 0, 1, 0, 0, 0},
    {"stats/norms", GS_TANH, run_stats_norms, 0, 1, 0, 0, 0},
    {"stats/full", GS_TANH, run_stats_full, 0, 1, 0, 0, 0},
    {"begin_step", GS_TANH, run_begin_step, 0, 0, 0, 0, 128},
};

static const op_shape shapes[] = {
    {64, 128, 128, 1, GS_F32},   {256, 512, 512, 1, GS_F32}, {256, 1024, 1024, 1, GS_F32},
    {1024, 256, 256, 1, GS_F32}, {32, 64, 64, 64, GS_F32},   {1, 1024, 1024, 1, GS_F32},
    {37, 33, 129, 3, GS_F32},    {64, 128, 128, 1, GS_F64},
};

/* Too large for a processor; the dtypes are those that the GPU has. */
static const op_shape gpu_shapes[] = {
    {1024, 2048, 2048, 1, GS_F32},  {1024, 2048, 2048, 1, GS_TF32}, {1024, 2048, 2048, 1, GS_BF16},
    {1024, 2048, 2048, 1, GS_F16},  {2048, 4096, 4096, 1, GS_F32},  {2048, 4096, 4096, 1, GS_TF32},
    {2048, 4096, 4096, 1, GS_BF16}, {2048, 4096, 4096, 1, GS_F16},  {256, 512, 512, 1, GS_BF16},
    {32, 64, 64, 1024, GS_F32},
};

enum {
  OPS = sizeof ops / sizeof *ops,
  SHAPES = sizeof shapes / sizeof *shapes,
  GPU_SHAPES = sizeof gpu_shapes / sizeof *gpu_shapes
};

typedef struct op_case {
  const op_kind *op;
  const op_shape *shape;
  bool cold; /* nothing of it is in the last cache */
} op_case;
static op_case cases[2 * OPS * (SHAPES + GPU_SHAPES)];
static int case_count;

static layer make_layer(gs_bench_memory *memory, const op_case *which) {
  const op_shape s = *which->shape;
  const int64_t R = s.replicas, B = s.batch;
  const gs_dtype dtype = s.dtype;
  layer l = {.shape = s, .activation = {which->op->activation, 0.01}};
  gs_bench_workspace(memory,
                     &(gs_workspace_need){.rows = B,
                                          .columns = s.n_in > s.n_out ? s.n_in : s.n_out,
                                          .weights = s.n_in * s.n_out,
                                          .elements = s.n_in * s.n_out,
                                          .replicas = R,
                                          .steps = 1,
                                          .dtype = dtype,
                                          .orthogonal = which->op->enqueue == run_fill_orthogonal});
  l.x = gs_bench_tensor(memory, 1, B, s.n_in, R, dtype, 1);
  l.w = gs_bench_tensor(memory, 1, s.n_out, s.n_in, R, dtype, 0.05);
  l.b = gs_bench_tensor(memory, 1, 1, s.n_out, R, dtype, 1);
  l.saved = gs_bench_tensor(memory, 1, B, s.n_out, R, dtype, 0.5);
  l.h = gs_bench_tensor(memory, 1, B, s.n_out, R, dtype, 0.5);
  l.target = gs_bench_tensor(memory, 1, B, s.n_out, R, dtype, 1);
  l.delta = gs_bench_tensor(memory, 1, B, s.n_out, R, dtype, 1);
  l.delta_below = gs_bench_tensor(memory, 1, B, s.n_in, R, dtype, 1);
  l.h_below = gs_bench_tensor(memory, 1, B, s.n_in, R, dtype, 0.5);
  l.saved_below = gs_bench_tensor(memory, 1, B, s.n_in, R, dtype, 0.5);
  l.dW = gs_bench_tensor(memory, 1, s.n_out, s.n_in, R, dtype, 1);
  l.db = gs_bench_tensor(memory, 1, 1, s.n_out, R, dtype, 1);
  l.loss = gs_bench_take(memory, (size_t)R * sizeof *l.loss);
  l.stats = gs_bench_take(memory, (size_t)R * sizeof *l.stats);
  l.histogram =
      gs_bench_take(memory, (size_t)(R * gs_dtype_exponent_bins(dtype)) * sizeof *l.histogram);
  return l;
}

/* A buffer larger than the last cache of today's GPUs. */
static gs_tensor make_flush(gs_bench_memory *memory) {
  enum { SIDE = 1 << 13 }; /* 256 MiB */
  return gs_bench_tensor(memory, 1, SIDE, SIDE, 1, GS_F32, 1);
}

static gs_cost cost_of(const op_case *which) {
  const op_shape *s = which->shape;
  const op_kind *op = which->op;
  const double elements = (double)(op->weights * s->n_in * s->n_out + //
                                   op->inputs * s->batch * s->n_in +  //
                                   op->outputs * s->batch * s->n_out) *
                          (double)s->replicas;
  return (gs_cost){.flops = 2.0 * op->multiply_adds *
                            (double)(s->batch * s->n_in * s->n_out * s->replicas),
                   .bytes = elements * (double)gs_dtype_bytes(s->dtype),
                   .dependent = 1,
                   .launches = 1};
}

static void report(gs_bench *bench, const op_case *which, const gs_roofline *roofline,
                   double seconds) {
  const double calls = (double)gs_bench_iterations(bench);
  const gs_cost cost = cost_of(which);
  if (cost.flops > 0) gs_bench_counter_rate(bench, "flops", cost.flops * calls);
  if (cost.bytes > 0) gs_bench_bytes(bench, (int64_t)(cost.bytes * calls));
  gs_bench_limits(bench, &cost, which->shape->dtype, roofline, seconds / calls);
}

typedef struct op_subject {
  const op_kind *op;
  const layer *layer;
} op_subject;

static gs_status enqueue_op(gs_device *device, const void *subject) {
  const op_subject *what = subject;
  return what->op->enqueue(device, what->layer);
}

static void bench_op(gs_bench *bench, const void *argument) {
  const op_case *which = argument;
  gs_device *device = gs_bench_device();
  const gs_roofline *roofline = gs_bench_roofline(bench);
  if (!roofline) return;
  gs_bench_memory memory = {.bench = bench, .device = device};
  const layer l = make_layer(&memory, which);
  const gs_tensor flush = which->cold ? make_flush(&memory) : (gs_tensor){0};
  const op_subject subject = {which->op, &l};
  const gs_bench_work work = {
      .enqueue = enqueue_op, .subject = &subject, .flush = which->cold ? &flush : NULL};
  double seconds = 0;
  /* the forward pass leaves h and saved as the backward ones expect them */
  if (!memory.failed && gs_bench_ok(bench, run_dense_forward(device, &l), &device->error) &&
      gs_bench_loop(bench, &work, &seconds))
    report(bench, which, roofline, seconds);
  gs_bench_memory_free(&memory);
}

static void add(const op_kind *op, const op_shape *s, bool cold) {
  char name[160];
  if (op->largest_width && s->n_out > op->largest_width) return;
  if (!gs_bench_has_dtype(s->dtype)) return;
  op_case *which = &cases[case_count++];
  *which = (op_case){op, s, cold};
  snprintf(name, sizeof name,
           "op/%s/batch:%" PRId64 "/in:%" PRId64 "/out:%" PRId64 "/replicas:%" PRId64 "/%s%s",
           op->name, s->batch, s->n_in, s->n_out, s->replicas, gs_name(&gs_dtype_names, s->dtype),
           cold ? "/l2:cold" : "");
  /* emptying the caches takes far longer than most calls, and is not in their time */
  gs_bench_register(name, bench_op, which, gs_bench_loop_clock(), cold ? 0.02 : 0);
}

void gs_bench_register_ops(void) {
  const bool gpu = gs_bench_is_gpu();
  for (int i = 0; i < OPS; i++)
    for (int k = 0; k < SHAPES + (gpu ? GPU_SHAPES : 0); k++) {
      const op_shape *s = k < SHAPES ? &shapes[k] : &gpu_shapes[k - SHAPES];
      add(&ops[i], s, false);
      if (gpu) add(&ops[i], s, true);
    }
}
