/* A CPU that plays a GPU. See support_fake_gpu.h. Captured operations are
 * counted and not run; a replay moves the clock and computes nothing. */
#include "support_fake_gpu.h"
#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gs_event {
  double ns;
};
struct gs_graph {
  int64_t operations;
};

static gs_fake_gpu *fake(gs_device *device) { return (gs_fake_gpu *)device; }
static gs_device *cpu(gs_device *device) { return fake(device)->cpu; }

static gs_status pass_on(gs_device *device, gs_status status) {
  if (status != GS_OK) device->error = cpu(device)->error;
  return status;
}

/* Notes an operation; *runs is false while capturing. */
static gs_status enqueue(gs_device *device, bool *runs) {
  gs_fake_gpu *p = fake(device);
  *runs = !p->capturing;
  if (p->capturing) {
    p->captured++;
    if (p->captured != p->fail_captured_at) return GS_OK;
    return GS_FAIL(&device->error, GS_ERR_DEVICE, "a failure inside the capture");
  }
  p->run++;
  p->clock_ns += p->operation_ns;
  if (!device->lost && p->run != p->fail_at) return GS_OK;
  device->lost = device->lost || p->lose;
  return GS_FAIL(&device->error, GS_ERR_DEVICE, "the failure that was asked for");
}

/* ---- memory and time ---- */

static void destroy(gs_device *device) {
  assert_int_equal(fake(device)->live_graphs, 0);
  assert_int_equal(fake(device)->live_events, 0);
  cpu(device)->ops->destroy(cpu(device));
  free(device);
}

static void info(gs_device *device, gs_device_info *about) { *about = fake(device)->info; }

static gs_status alloc(gs_device *device, size_t bytes, void **memory) {
  return pass_on(device, cpu(device)->ops->alloc(cpu(device), bytes, memory));
}

static void release(gs_device *device, void *memory) {
  cpu(device)->ops->free(cpu(device), memory);
  if (!fake(device)->lose_at_free) return;
  device->lost = true;
  (void)GS_FAIL(&device->error, GS_ERR_DEVICE, "lost at last");
}

static gs_status upload(gs_device *device, void *to, const void *from, size_t bytes) {
  return pass_on(device, cpu(device)->ops->upload(cpu(device), to, from, bytes));
}

static gs_status download(gs_device *device, void *to, const void *from, size_t bytes) {
  return pass_on(device, cpu(device)->ops->download(cpu(device), to, from, bytes));
}

static size_t workspace_bytes(gs_device *device, const gs_workspace_need *need) {
  return cpu(device)->ops->workspace_bytes(cpu(device), need);
}

static gs_status set_workspace(gs_device *device, void *memory, const gs_workspace_need *need) {
  return pass_on(device, cpu(device)->ops->set_workspace(cpu(device), memory, need));
}

/* An idle device waits for the host, ... */
static double device_ns(gs_fake_gpu *p) {
  if (p->clock_ns < p->host_ns) p->clock_ns = p->host_ns;
  return p->clock_ns;
}

/* ... and who synchronises for the device. */
static gs_status sync_all(gs_device *device) {
  fake(device)->host_ns = device_ns(fake(device));
  if (!device->lost) return GS_OK;
  return GS_FAIL(&device->error, GS_ERR_DEVICE, "the device is lost");
}

static gs_status event_create(gs_device *device, gs_event **event) {
  *event = calloc(1, sizeof **event);
  assert_non_null(*event);
  fake(device)->live_events++;
  return GS_OK;
}

static void event_destroy(gs_device *device, gs_event *event) {
  fake(device)->live_events--;
  free(event);
}

static gs_status record(gs_device *device, gs_event *event) {
  event->ns = device_ns(fake(device));
  return GS_OK;
}

static gs_status elapsed(gs_device *device, const gs_event *from, const gs_event *to, double *ns) {
  (void)device;
  *ns = to->ns - from->ns;
  return GS_OK;
}

static gs_status capture_begin(gs_device *device) {
  gs_fake_gpu *p = fake(device);
  if (!p->info.graphs || p->no_capture) {
    return GS_FAIL(&device->error, GS_ERR_UNSUPPORTED, "this device has no graphs");
  }
  assert_false(p->capturing);
  p->capturing = true;
  p->captured = 0;
  return GS_OK;
}

static gs_status capture_end(gs_device *device, gs_graph **graph) {
  gs_fake_gpu *p = fake(device);
  assert_true(p->capturing);
  p->capturing = false;
  p->captures++;
  if (p->captured == p->fail_captured_at) {
    return GS_FAIL(&device->error, GS_ERR_DEVICE, "the capture is spoilt");
  }
  *graph = calloc(1, sizeof **graph);
  assert_non_null(*graph);
  (*graph)->operations = p->captured;
  p->live_graphs++;
  return GS_OK;
}

static gs_status replay(gs_device *device, gs_graph *graph) {
  gs_fake_gpu *p = fake(device);
  p->replays++;
  p->host_ns += p->launch_ns;
  p->clock_ns = device_ns(p) + p->replayed_ns * (double)graph->operations;
  return GS_OK;
}

static void graph_destroy(gs_device *device, gs_graph *graph) {
  fake(device)->live_graphs--;
  free(graph);
}

static gs_status measure_roofline(gs_device *device, gs_roofline *roofline) {
  *roofline = fake(device)->roofline;
  return GS_OK;
}

/* ---- operations ---- */

static gs_status fill(gs_device *device, const gs_tensor *tensor, const gs_fill *how) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->fill(cpu(device), tensor, how)) : GS_OK;
}

static gs_status hash(gs_device *device, const gs_tensor *tensor, uint32_t id, uint64_t *hashes) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->hash(cpu(device), tensor, id, hashes)) : GS_OK;
}

static gs_status begin_step(gs_device *device, gs_scale *slots, int64_t count) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->begin_step(cpu(device), slots, count)) : GS_OK;
}

static gs_status gemm(gs_device *device, bool trans_a, const gs_tensor *a, bool trans_b,
                      const gs_tensor *b, const gs_tensor *c) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->gemm(cpu(device), trans_a, a, trans_b, b, c))
              : GS_OK;
}

static gs_status layer_forward(gs_device *device, const gs_layer_forward *layer) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->layer_forward(cpu(device), layer)) : GS_OK;
}

static gs_status layer_backward(gs_device *device, const gs_layer_backward *layer) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->layer_backward(cpu(device), layer)) : GS_OK;
}

static gs_status weight_gradients(gs_device *device, const gs_gradient_job *jobs, int64_t count) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->weight_gradients(cpu(device), jobs, count))
              : GS_OK;
}

static gs_status loss(gs_device *device, gs_device_loss kind, const gs_tensor *h,
                      const gs_tensor *target, int64_t steps, const gs_tensor *dh,
                      gs_scaled *value) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  if (!runs) return GS_OK;
  return pass_on(device, cpu(device)->ops->loss(cpu(device), kind, h, target, steps, dh, value));
}

static gs_status recurrent_forward(gs_device *device, const gs_recurrence *recurrence,
                                   const gs_tensor *projection, const gs_tensor *saved,
                                   const gs_tensor *h) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  if (!runs) return GS_OK;
  return pass_on(
      device, cpu(device)->ops->recurrent_forward(cpu(device), recurrence, projection, saved, h));
}

static gs_status recurrent_backward(gs_device *device, const gs_recurrence *recurrence,
                                    const gs_tensor *dh, int64_t dh_steps, const gs_tensor *saved,
                                    const gs_tensor *h, const gs_tensor *delta) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  if (!runs) return GS_OK;
  return pass_on(device, cpu(device)->ops->recurrent_backward(cpu(device), recurrence, dh, dh_steps,
                                                              saved, h, delta));
}

static gs_status stats(gs_device *device, const gs_stats_job *jobs, int64_t count) {
  bool runs;
  GS_TRY(enqueue(device, &runs));
  return runs ? pass_on(device, cpu(device)->ops->stats(cpu(device), jobs, count)) : GS_OK;
}

static const gs_device_ops fake_ops = {
    .destroy = destroy,
    .info = info,
    .alloc = alloc,
    .free = release,
    .upload = upload,
    .download = download,
    .workspace_bytes = workspace_bytes,
    .set_workspace = set_workspace,
    .sync = sync_all,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .record = record,
    .elapsed = elapsed,
    .capture_begin = capture_begin,
    .capture_end = capture_end,
    .replay = replay,
    .graph_destroy = graph_destroy,
    .roofline = measure_roofline,
    .fill = fill,
    .hash = hash,
    .begin_step = begin_step,
    .gemm = gemm,
    .layer_forward = layer_forward,
    .layer_backward = layer_backward,
    .weight_gradients = weight_gradients,
    .loss = loss,
    .recurrent_forward = recurrent_forward,
    .recurrent_backward = recurrent_backward,
    .stats = stats,
};

gs_fake_gpu *gs_support_fake_gpu(void) {
  gs_fake_gpu *made = calloc(1, sizeof *made);
  gs_error error = {0};
  assert_non_null(made);
  gs_support_ok(gs_cpu_device_create(1, &made->cpu, &error), &error);
  made->base.ops = &fake_ops;
  made->info = (gs_device_info){.backend = "cuda",
                                .name = "Pretender 100",
                                .memory_bytes = INT64_C(1) << 30,
                                .dtypes = (1u << GS_DTYPE_COUNT) - 1,
                                .libraries = "none 1.2.3",
                                .graphs = true,
                                .persistent = true,
                                .uuid = "GPU-01234567-89ab-cdef-0123-456789abcdef",
                                .pci = "0000:1b:00.0",
                                .capability = "9.0",
                                .driver = "580.65.06",
                                .multiprocessors = 132};
  made->roofline = (gs_roofline){
      .flops_per_s =
          {[GS_F64] = 1e12, [GS_F32] = 2e12, [GS_TF32] = 4e12, [GS_BF16] = 8e12, [GS_F16] = 16e12},
      .copy_bytes_per_s = 1e12,
      .launch_ns = 1300,
      .block_barrier_ns = 12.5,
      .cluster_hop_ns = 110,
      .cluster_barrier_ns = 190,
      .grid_barrier_ns = 1100};
  made->operation_ns = 10e3;
  made->replayed_ns = 2e3;
  return made;
}
