/* The GPU's own limits, measured: cuBLASLt's largest products, a copy, a chain of
 * operations that do next to nothing in a replayed graph, and kernels whose parts do
 * nothing but wait for each other. The best of several rounds
 * counts: a limit is not an average. Operands are normal numbers: products of zeros draw
 * less power and run faster than any network. */
#include <math.h>

#include "device/cuda_internal.h"

enum { ROUNDS = 8, CHAIN = 256, MIN_SIDE = 256, MAX_SIDE = 8192 };

static const size_t MAX_COPY = (size_t)1 << 30;

/* Nanoseconds of what `enqueue` puts on the device, the best of ROUNDS, after one to warm
 * up. */
typedef gs_status (*enqueuer)(gs_device *device, void *what);
static gs_status best_ns(gs_device *device, enqueuer enqueue, void *what, double *best) {
  gs_event *start = NULL;
  gs_event *stop = NULL;
  gs_status status = gs_cuda_event_create(device, &start);
  if (status == GS_OK) status = gs_cuda_event_create(device, &stop);
  *best = INFINITY;
  for (int round = 0; status == GS_OK && round <= ROUNDS; round++) {
    double ns = 0;
    status = gs_cuda_record(device, start);
    if (status == GS_OK) status = enqueue(device, what);
    if (status == GS_OK) status = gs_cuda_record(device, stop);
    if (status == GS_OK) status = device->ops->sync(device);
    if (status == GS_OK) status = gs_cuda_elapsed(device, start, stop, &ns);
    if (status == GS_OK && round > 0 && ns > 0 && ns < *best) *best = ns;
  }
  gs_cuda_event_destroy(device, stop);
  gs_cuda_event_destroy(device, start);
  return status;
}

/* ---- products ---- */

static gs_status multiply(gs_device *device, void *what) {
  return gs_cuda_multiply(device, what, false);
}

static gs_tensor square(void *data, int64_t n, gs_dtype dtype) {
  return (gs_tensor){
      .data = data, .rows = n, .cols = n, .ld = n, .stride = n * n, .replicas = 1, .dtype = dtype};
}

/* memory: three squares of n. */
static gs_status time_products(gs_device *device, gs_dtype dtype, char *memory, int64_t n,
                               double *ns) {
  const size_t bytes = (size_t)(n * n) * gs_dtype_bytes(dtype);
  gs_cuda_product product = {false, true, square(memory, n, dtype),
                             square(memory + bytes, n, dtype),
                             square(memory + 2 * bytes, n, dtype)};
  const gs_fill first = {GS_FILL_NORMAL, 1, 1, 1};
  const gs_fill second = {GS_FILL_NORMAL, 1 / sqrt((double)n), 1, 2};
  GS_TRY(gs_cuda_fill(device, &product.a, &first));
  GS_TRY(gs_cuda_fill(device, &product.b, &second));
  return best_ns(device, multiply, &product, ns);
}

/* Squares grow until a product takes long enough to show its rate. */
static gs_status measure_products(gs_device *device, gs_dtype dtype, char *memory, size_t bytes,
                                  double *flops_per_s) {
  const double long_enough_ns = 1e6;
  const size_t size = gs_dtype_bytes(dtype);
  *flops_per_s = 0;
  for (int64_t n = MIN_SIDE; n <= MAX_SIDE && (size_t)(3 * n * n) * size <= bytes; n *= 2) {
    double ns = 0;
    GS_TRY(time_products(device, dtype, memory, n, &ns));
    *flops_per_s = fmax(*flops_per_s, 2 * (double)n * (double)n * (double)n / ns * 1e9);
    if (ns >= long_enough_ns) break;
  }
  return GS_OK;
}

/* ---- copies ---- */

typedef struct copying {
  char *from, *to;
  size_t bytes;
} copying;

static gs_status copy(gs_device *device, void *what) {
  const copying *c = what;
  return gs_cuda_check(device,
                       cudaMemcpyAsync(c->to, c->from, c->bytes, cudaMemcpyDeviceToDevice,
                                       gs_cuda(device)->streams.main),
                       "copying");
}

/* ---- launches ---- */

static gs_status replay(gs_device *device, void *graph) { return gs_cuda_replay(device, graph); }

static gs_status measure_launches(gs_device *device, void *memory, double *launch_ns) {
  gs_graph *graph = NULL;
  double ns = 0;
  GS_TRY(gs_cuda_capture_begin(device));
  gs_status status = GS_OK;
  for (int i = 0; status == GS_OK && i < CHAIN; i++) {
    status = gs_cuda_begin_step(device, memory, 1);
  }
  const gs_status ended = gs_cuda_capture_end(device, &graph);
  if (status == GS_OK) status = ended;
  if (status == GS_OK) status = best_ns(device, replay, graph, &ns);
  gs_cuda_graph_destroy(device, graph);
  *launch_ns = ns / CHAIN;
  return status;
}

/* ---- waits inside a kernel ---- */

enum { FEWEST_TURNS = 64, MAX_TURNS = 1 << 15, ATTEMPTS = 3 };

typedef struct waiting {
  gs_latency which;
  int turns;
  uint32_t *words; /* the counter, 0; the result */
} waiting;

static gs_status wait_in_turns(gs_device *device, void *what) {
  const waiting *w = what;
  return gs_cuda_check(
      device, gs_launch_latency(gs_cuda_main(device), w->which, w->turns, w->words, w->words + 1),
      "launching a kernel that waits");
}

/* What `turns` more turns take after as many: the difference has no launch in it. Noise can
 * leave nothing of it, hardly ever twice. */
static gs_status measure_more(gs_device *device, waiting *w, double *ns) {
  const int turns = w->turns;
  gs_status status = GS_OK;
  *ns = 0;
  for (int attempt = 0; status == GS_OK && attempt < ATTEMPTS && !(*ns > 0); attempt++) {
    double once = 0;
    double twice = 0;
    w->turns = turns;
    status = best_ns(device, wait_in_turns, w, &once);
    w->turns = 2 * turns;
    if (status == GS_OK) status = best_ns(device, wait_in_turns, w, &twice);
    *ns = fmax(twice - once, 0);
  }
  return status;
}

/* As many turns as show. 0 where the device has no such thing. */
static gs_status measure_latency(gs_device *device, gs_latency which, uint32_t *words,
                                 double *latency_ns) {
  const double long_enough_ns = 1e5;
  waiting w = {which, FEWEST_TURNS, words};
  bool exists = false;
  double ns = 0;
  *latency_ns = 0;
  GS_TRY(gs_cuda_check(device, gs_latency_exists(which, &exists), "asking about barriers"));
  if (!exists) return GS_OK;
  GS_TRY(best_ns(device, wait_in_turns, &w, &ns));
  while (ns < long_enough_ns && 4 * w.turns <= MAX_TURNS) {
    w.turns *= 2;
    GS_TRY(best_ns(device, wait_in_turns, &w, &ns));
  }
  const double turns = w.turns;
  GS_TRY(measure_more(device, &w, &ns));
  *latency_ns = ns / turns;
  return GS_OK;
}

static gs_status measure_latencies(gs_device *device, void *memory, gs_roofline *roofline) {
  double *const results[GS_LATENCY_COUNT] = {
      [GS_LATENCY_BLOCK_BARRIER] = &roofline->block_barrier_ns,
      [GS_LATENCY_CLUSTER_HOP] = &roofline->cluster_hop_ns,
      [GS_LATENCY_CLUSTER_BARRIER] = &roofline->cluster_barrier_ns,
      [GS_LATENCY_GRID_BARRIER] = &roofline->grid_barrier_ns,
  };
  uint32_t *words = memory;
  GS_TRY(gs_cuda_check(device,
                       cudaMemsetAsync(words, 0, 2 * sizeof *words, gs_cuda(device)->streams.main),
                       "clearing a counter"));
  for (int i = 0; i < GS_LATENCY_COUNT; i++) {
    GS_TRY(measure_latency(device, (gs_latency)i, words, results[i]));
  }
  return GS_OK;
}

/* ---- all of it ---- */

static gs_status measure_all(gs_device *device, char *memory, size_t bytes, gs_roofline *roofline) {
  const gs_cuda_device *cuda = gs_cuda(device);
  copying halves = {memory, memory + bytes / 2, bytes / 2};
  double ns = 0;
  for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) {
    if (!(cuda->info.dtypes >> dtype & 1u)) continue;
    GS_TRY(measure_products(device, (gs_dtype)dtype, memory, bytes, &roofline->flops_per_s[dtype]));
  }
  GS_TRY(best_ns(device, copy, &halves, &ns));
  roofline->copy_bytes_per_s = 2 * (double)halves.bytes / ns * 1e9;
  GS_TRY(measure_launches(device, memory, &roofline->launch_ns));
  return measure_latencies(device, memory, roofline);
}

gs_status gs_cuda_roofline(gs_device *device, gs_roofline *roofline) {
  gs_device_info info;
  void *memory = NULL;
  void *workspace = NULL;
  const gs_workspace_need need = {
      .rows = 1, .columns = 1, .weights = 1, .elements = 1, .replicas = 1, .dtype = GS_F32};
  device->ops->info(device, &info);
  const size_t share = (size_t)info.memory_bytes / 4;
  const size_t bytes = (share < 2 * MAX_COPY ? share : 2 * MAX_COPY) / 512 * 512;
  *roofline = (gs_roofline){0};
  gs_status status = device->ops->alloc(device, bytes, &memory);
  if (status == GS_OK) {
    status = device->ops->alloc(device, gs_cuda_workspace_bytes(device, &need), &workspace);
  }
  if (status == GS_OK) status = gs_cuda_set_workspace(device, workspace, &need);
  if (status == GS_OK) status = measure_all(device, memory, bytes, roofline);
  gs_cuda_set_workspace(device, NULL, NULL);
  device->ops->free(device, workspace);
  device->ops->free(device, memory);
  return status;
}
