/* What of a wide mlp's step its matrix products take: the step against the same
 * products alone, back to back, both as graphs and in turns. For l = 1..L
 *   h^l = h^{l-1} (W^l)^T,   delta^{l-1} = delta^l W^l (l > 1),   dW^l = (delta^l)^T h^{l-1},
 * the 3 L - 1 products of forward and backward; nothing else is computed. */
#include <math.h>

#include "bench_network.h"
#include "device/device.h"

enum { DEPTH = 10, SIZES = 2, DTYPES = 2 };

static const int64_t widths[SIZES] = {2048, 4096}, batches[SIZES] = {1024, 2048};
static const gs_dtype dtypes[DTYPES] = {GS_TF32, GS_BF16}; /* those of the tensor cores */

/* The tensors of the products, which, as in the step, keep no gradients. */
typedef struct chain {
  gs_tensor h[DEPTH + 1], W[DEPTH + 1], delta[2], dW;
} chain;

/* Digits alone: exponents are no part of a product. */
static gs_tensor make_matrix(gs_bench_memory *memory, const gs_bench_shape *s, int64_t rows,
                             double std) {
  gs_tensor made = gs_bench_tensor(memory, 1, rows, s->width, 1, s->dtype, std);
  made.scale = NULL;
  return made;
}

static void make_chain(gs_bench_memory *memory, const gs_bench_shape *s, chain *c) {
  const gs_workspace_need need = {.rows = s->batch,
                                  .columns = s->width,
                                  .weights = s->width * s->width,
                                  .elements = s->width * s->width,
                                  .replicas = 1,
                                  .steps = 1,
                                  .dtype = s->dtype};
  gs_bench_workspace(memory, &need);
  /* keeps the size of what goes through: power, and so speed, depends on the numbers */
  const double std = 1 / sqrt((double)s->width);
  for (int l = 1; l <= DEPTH; l++) c->W[l] = make_matrix(memory, s, s->width, std);
  for (int l = 0; l <= DEPTH; l++) c->h[l] = make_matrix(memory, s, s->batch, 1);
  for (int i = 0; i < 2; i++) c->delta[i] = make_matrix(memory, s, s->batch, 1);
  c->dW = make_matrix(memory, s, s->width, 1);
}

static gs_status enqueue_products(gs_device *device, const void *subject) {
  const chain *c = subject;
  for (int l = 1; l <= DEPTH; l++)
    GS_TRY(device->ops->gemm(device, false, &c->h[l - 1], true, &c->W[l], &c->h[l]));
  for (int l = DEPTH; l >= 1; l--) {
    const gs_tensor *delta = &c->delta[l % 2], *below = &c->delta[(l - 1) % 2];
    if (l > 1) GS_TRY(device->ops->gemm(device, false, delta, false, &c->W[l], below));
    GS_TRY(device->ops->gemm(device, true, delta, false, &c->h[l - 1], &c->dW));
  }
  return GS_OK;
}

static void ratio_of_products(gs_bench *bench, const void *argument) {
  const gs_bench_step_case *which = argument;
  gs_bench_network open;
  gs_bench_memory memory = {.bench = bench, .device = gs_bench_device()};
  chain c;
  gs_bench_work products = {.enqueue = enqueue_products, .subject = &c};
  if (gs_bench_network_open(bench, which, GS_STATS_OFF, &open)) {
    make_chain(&memory, &which->shape, &c);
    if (!memory.failed && gs_bench_capture(bench, &products))
      gs_bench_pair(bench, &open.without, &products);
  }
  gs_bench_release(&products);
  gs_bench_memory_free(&memory);
  gs_bench_network_close(&open);
}

static void add(int64_t width, int64_t batch, gs_dtype dtype) {
  static gs_bench_step_case cases[SIZES * SIZES * DTYPES * GS_ACTIVATION_COUNT];
  static int count;
  const double min_time_s = 1;
  if (!gs_bench_has_dtype(dtype)) return;
  for (int a = 0; a < GS_ACTIVATION_COUNT; a++) {
    gs_bench_step_case *which = &cases[count++];
    *which = (gs_bench_step_case){{.model = GS_MLP,
                                   .length = DEPTH,
                                   .width = width,
                                   .batch = batch,
                                   .replicas = 1,
                                   .activation = (gs_activation_kind)a,
                                   .dtype = dtype,
                                   .loop = GS_LOOP_AUTO},
                                  true};
    gs_bench_register_step("ratio/products_to_step", which, "", ratio_of_products,
                           GS_BENCH_MANUAL_TIME, min_time_s);
  }
}

void gs_bench_register_products(void) {
  if (!gs_bench_is_gpu() || !gs_bench_info()->graphs) return;
  for (int i = 0; i < SIZES; i++)
    for (int j = 0; j < SIZES; j++)
      for (int d = 0; d < DTYPES; d++) add(widths[i], batches[j], dtypes[d]);
}
