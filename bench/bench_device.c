/* The device, its roofline, and memory for benchmarks. */
#include "bench.h"

#include <stdio.h>

#include "device/device.h"
#include "open.h"

static gs_device *shared_device;
static gs_device_info shared_info;
static gs_roofline shared_roofline;
static bool roofline_measured;

bool gs_bench_ok(gs_bench *bench, gs_status status, const gs_error *error) {
  if (status == GS_OK) return true;
  char message[sizeof error->message + 16];
  snprintf(message, sizeof message, "%s%s", status == GS_ERR_UNSUPPORTED ? "unsupported: " : "",
           error ? error->message : gs_name(&gs_status_names, status));
  gs_bench_fail(bench, message);
  return false;
}

gs_status gs_bench_device_open(gs_error *error) {
  GS_TRY(gs_bench_open(&shared_device, error));
  shared_device->ops->info(shared_device, &shared_info);
  return GS_OK;
}

void gs_bench_device_close(void) {
  if (shared_device) shared_device->ops->destroy(shared_device);
  shared_device = NULL;
}

gs_device *gs_bench_device(void) { return shared_device; }
const gs_device_info *gs_bench_info(void) { return &shared_info; }
bool gs_bench_is_gpu(void) { return shared_info.multiprocessors > 0; }
bool gs_bench_has_dtype(gs_dtype dtype) { return shared_info.dtypes >> dtype & 1u; }

const gs_roofline *gs_bench_roofline(gs_bench *bench) {
  gs_error error = {0};
  if (!roofline_measured &&
      !gs_bench_ok(bench, gs_roofline_measure(shared_device, &shared_roofline, &error), &error))
    return NULL;
  roofline_measured = true;
  return &shared_roofline;
}

void *gs_bench_take(gs_bench_memory *memory, size_t bytes) {
  void *block = NULL;
  if (memory->failed || memory->count == GS_BENCH_MAX_BLOCKS) {
    memory->failed = true;
    return NULL;
  }
  memory->failed =
      !gs_bench_ok(memory->bench, memory->device->ops->alloc(memory->device, bytes, &block),
                   &memory->device->error);
  if (!memory->failed) memory->blocks[memory->count++] = block;
  return block;
}

gs_tensor gs_bench_tensor(gs_bench_memory *memory, int64_t steps, int64_t rows, int64_t cols,
                          int64_t replicas, gs_dtype dtype, double std) {
  gs_device *device = memory->device;
  const int64_t elements = steps * rows * cols, slots = steps * replicas;
  gs_tensor tensor = {
      .data = gs_bench_take(memory, (size_t)(elements * replicas) * gs_dtype_bytes(dtype)),
      .scale = gs_bench_take(memory, (size_t)slots * sizeof(gs_scale)),
      .rows = steps * rows,
      .cols = cols,
      .ld = cols,
      .stride = elements,
      .replicas = replicas,
      .dtype = dtype};
  if (memory->failed) return tensor;
  const gs_fill fill = {
      .kind = GS_FILL_NORMAL, .value = std, .seed = 1, .tensor_id = (uint32_t)memory->count};
  memory->failed =
      !gs_bench_ok(memory->bench, device->ops->begin_step(device, tensor.scale, slots),
                   &device->error) ||
      !gs_bench_ok(memory->bench, device->ops->fill(device, &tensor, &fill), &device->error);
  return tensor;
}

void gs_bench_workspace(gs_bench_memory *memory, const gs_workspace_need *need) {
  gs_device *device = memory->device;
  const size_t bytes = device->ops->workspace_bytes(device, need);
  if (!bytes) return;
  void *workspace = gs_bench_take(memory, bytes);
  if (!memory->failed)
    memory->failed = !gs_bench_ok(
        memory->bench, device->ops->set_workspace(device, workspace, need), &device->error);
}

void gs_bench_memory_free(gs_bench_memory *memory) {
  memory->device->ops->set_workspace(memory->device, NULL, NULL);
  for (int i = 0; i < memory->count; i++)
    memory->device->ops->free(memory->device, memory->blocks[i]);
  memory->count = 0;
}
