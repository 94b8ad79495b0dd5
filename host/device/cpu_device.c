/* The CPU backend: creation, memory, time, and the table of its operations.
 * Operations run when they are called: the queue is always empty, sync has
 * nothing to wait for, and there is nothing to capture. */
#include <errno.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/blas.h"
#include "base/threads.h"
#include "device/cpu_internal.h"

struct gs_event {
  struct timespec time;
};

static void destroy(gs_device *device) {
  free(gs_cpu(device)->groups);
  free(device);
}

static void info(gs_device *device, gs_device_info *info) {
  const dnnl_version_t *version = dnnl_version();
  memset(info, 0, sizeof *info);
  snprintf(info->backend, sizeof info->backend, "cpu");
  snprintf(info->name, sizeof info->name, "%s", gs_cpu(device)->name);
  info->threads = gs_cpu(device)->threads;
  info->largest_team = gs_cpu(device)->largest_team;
  gs_cpu_memory(gs_cpu(device)->groups, &info->memory_bytes, &info->capacity_bytes);
  info->dtypes = 1u << GS_F32 | 1u << GS_F64;
  snprintf(info->libraries, sizeof info->libraries, "oneDNN %d.%d.%d (f32), %s (f64)",
           version->major, version->minor, version->patch, gs_blas_name());
}

/* Large blocks ask for huge pages: first touching 4 KiB pages one by one can take as
 * long as the networks themselves, and products miss the TLB less. Where the system has
 * none, nothing changes. */
static gs_status device_alloc(gs_device *device, size_t bytes, void **memory) {
  const size_t huge = (size_t)2 << 20;
  const bool large = bytes >= 4 * huge;
  const size_t align = large ? huge : GS_ARENA_ALIGNMENT;
  const size_t rounded = bytes > SIZE_MAX - align ? bytes : (bytes + align - 1) / align * align;
  *memory = aligned_alloc(align, rounded ? rounded : align);
  if (*memory && large) (void)madvise(*memory, rounded, MADV_HUGEPAGE);
  return *memory ? GS_OK
                 : GS_FAIL_NATIVE(&device->error, GS_ERR_MEMORY, errno, "cannot allocate %zu bytes",
                                  bytes);
}

static void device_free(gs_device *device, void *memory) {
  (void)device;
  free(memory);
}

static gs_status upload(gs_device *device, void *to, const void *from, size_t bytes) {
  (void)device;
  memcpy(to, from, bytes);
  return GS_OK;
}

static gs_status download(gs_device *device, void *to, const void *from, size_t bytes) {
  return upload(device, to, from, bytes);
}

static size_t workspace_bytes(gs_device *device, const gs_workspace_need *need) {
  const int threads = gs_cpu(device)->threads;
  const size_t needs[] = {
      gs_cpu_fill_workspace(need, threads),     gs_cpu_dense_workspace(need, threads),
      gs_cpu_gradient_workspace(need, threads), gs_cpu_recurrent_workspace(need, threads),
      gs_cpu_stats_workspace(need, threads),    gs_cpu_normalize_workspace(need, threads)};
  size_t max = 0;
  for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
    if (needs[i] > max) max = needs[i];
  }
  return max;
}

static gs_status set_workspace(gs_device *device, void *memory, const gs_workspace_need *need) {
  gs_cpu(device)->workspace = memory;
  gs_cpu(device)->workspace_bytes = memory ? workspace_bytes(device, need) : 0;
  if (memory) gs_cpu(device)->largest_team = 0;
  return GS_OK;
}

static gs_status sync_all(gs_device *device) {
  (void)device;
  return GS_OK;
}

static gs_status event_create(gs_device *device, gs_event **event) {
  *event = calloc(1, sizeof **event);
  return *event ? GS_OK : GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for an event");
}

static void event_destroy(gs_device *device, gs_event *event) {
  (void)device;
  free(event);
}

static gs_status record(gs_device *device, gs_event *event) {
  (void)device;
  clock_gettime(CLOCK_MONOTONIC, &event->time);
  return GS_OK;
}

static gs_status elapsed(gs_device *device, const gs_event *from, const gs_event *to, double *ns) {
  (void)device;
  *ns = (double)(to->time.tv_sec - from->time.tv_sec) * 1e9 +
        (double)(to->time.tv_nsec - from->time.tv_nsec);
  return GS_OK;
}

static gs_status no_capture(gs_device *device) {
  return GS_FAIL(&device->error, GS_ERR_UNSUPPORTED, "the cpu backend runs operations eagerly");
}

static gs_status capture_end(gs_device *device, gs_graph **graph) {
  *graph = NULL;
  return no_capture(device);
}

static gs_status replay(gs_device *device, gs_graph *graph) {
  (void)graph;
  return no_capture(device);
}

static void graph_destroy(gs_device *device, gs_graph *graph) {
  (void)device;
  (void)graph;
}

static gs_status begin_step(gs_device *device, gs_scale *slots, int64_t count) {
  (void)device;
  for (int64_t i = 0; i < count; i++) slots[i] = (gs_scale){0, GS_PEAK_NONE};
  return GS_OK;
}

static const gs_device_ops cpu_ops = {
    .destroy = destroy,
    .info = info,
    .alloc = device_alloc,
    .free = device_free,
    .upload = upload,
    .download = download,
    .workspace_bytes = workspace_bytes,
    .set_workspace = set_workspace,
    .sync = sync_all,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .record = record,
    .elapsed = elapsed,
    .capture_begin = no_capture,
    .capture_end = capture_end,
    .replay = replay,
    .graph_destroy = graph_destroy,
    .roofline = gs_cpu_roofline,
    .fill = gs_cpu_fill,
    .hash = gs_cpu_hash,
    .begin_step = begin_step,
    .gemm = gs_cpu_gemm,
    .layer_forward = gs_cpu_layer_forward,
    .layer_backward = gs_cpu_layer_backward,
    .weight_gradients = gs_cpu_weight_gradients,
    .combine = gs_cpu_combine,
    .normalize_forward = gs_cpu_normalize_forward,
    .normalize_backward = gs_cpu_normalize_backward,
    .loss = gs_cpu_loss,
    .recurrent_forward = gs_cpu_recurrent_forward,
    .recurrent_backward = gs_cpu_recurrent_backward,
    .stats = gs_cpu_stats,
};

gs_status gs_cpu_device_create(int threads, gs_device **device, gs_error *error) {
  if (threads <= 0) threads = gs_threads_default();
  GS_TRY(gs_blas_load(threads, error));
  gs_cpu_device *cpu = calloc(1, sizeof *cpu);
  if (cpu) cpu->groups = gs_cgroups_find("");
  if (!cpu || !cpu->groups) {
    free(cpu);
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the cpu device");
  }
  cpu->base.ops = &cpu_ops;
  cpu->base.host_memory = true;
  gs_cpu_processor_name(cpu->name, sizeof cpu->name);
  cpu->threads = threads;
  /* Regions ask for their threads by name; everything else, oneDNN outside a
   * region included, stays on one, or results would depend on the number. */
  omp_set_num_threads(1);
  *device = &cpu->base;
  return GS_OK;
}
