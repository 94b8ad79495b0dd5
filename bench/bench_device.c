/* The device, its floor, and memory for benchmarks. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

static gs_device *shared_device;
static gs_floor shared_floor;
static bool floor_measured;

bool gs_bench_ok(gs_bench *bench, gs_status status, const gs_error *error) {
  if (status == GS_OK) return true;
  gs_bench_fail(bench, error ? error->message : gs_status_name(status));
  return false;
}

gs_device *gs_bench_device(gs_bench *bench) {
  gs_error error = {0};
  if (!shared_device &&
      !gs_bench_ok(bench, gs_cpu_device_create(0, &shared_device, &error), &error))
    return NULL;
  return shared_device;
}

const gs_floor *gs_bench_floor(gs_bench *bench) {
  gs_error error = {0};
  gs_device *device = gs_bench_device(bench);
  if (!device) return NULL;
  if (!floor_measured &&
      !gs_bench_ok(bench, gs_floor_measure(device, &shared_floor, &error), &error))
    return NULL;
  floor_measured = true;
  return &shared_floor;
}

void gs_bench_device_close(void) {
  if (shared_device) shared_device->ops->destroy(shared_device);
  shared_device = NULL;
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

double gs_bench_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double gs_bench_median(double *values, int64_t count) {
  if (count < 1) return 0;
  qsort(values, (size_t)count, sizeof *values, compare);
  return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}
