/* Drawing normal numbers, timed. See normals.h. */
#include "normals.h"
#include "base/clock.h"
#include "base/sort.h"

#include <stdlib.h>

#include "device/device.h"
#include "net/config.h"

enum { MAX_SAMPLES = 4096, MIN_SAMPLES = 3 };

typedef struct drawing {
  gs_device *device;
  gs_tensor tensor;
  gs_event *start, *stop; /* of a GPU */
  double samples_ns[MAX_SAMPLES];
} drawing;

/* One fill and the wait for it. */
static gs_status draw(drawing *d, double *ns) {
  const gs_fill normal = {.kind = GS_FILL_NORMAL, .value = 1, .seed = 7, .tensor_id = 1};
  gs_device *device = d->device;
  const double before = 1e9 * gs_clock_s();
  if (d->start) GS_TRY(device->ops->record(device, d->start));
  GS_TRY(device->ops->fill(device, &d->tensor, &normal));
  if (d->stop) GS_TRY(device->ops->record(device, d->stop));
  GS_TRY(device->ops->sync(device));
  *ns = 1e9 * gs_clock_s() - before;
  return d->start ? device->ops->elapsed(device, d->start, d->stop, ns) : GS_OK;
}

static gs_status prepare(drawing *d) {
  gs_device *device = d->device;
  const size_t bytes = (size_t)d->tensor.stride * gs_dtype_bytes(d->tensor.dtype);
  GS_TRY(device->ops->alloc(device, bytes, &d->tensor.data));
  if (device->host_memory) return GS_OK;
  GS_TRY(device->ops->event_create(device, &d->start));
  return device->ops->event_create(device, &d->stop);
}

static gs_status sample(drawing *d, double seconds, int *count) {
  double warm_up_ns;
  GS_TRY(draw(d, &warm_up_ns));
  const double end = 1e9 * gs_clock_s() + 1e9 * seconds;
  while (*count < MIN_SAMPLES || (*count < MAX_SAMPLES && 1e9 * gs_clock_s() < end))
    GS_TRY(draw(d, &d->samples_ns[(*count)++]));
  return GS_OK;
}

static void clear(drawing *d) {
  if (d->stop) d->device->ops->event_destroy(d->device, d->stop);
  if (d->start) d->device->ops->event_destroy(d->device, d->start);
  if (d->tensor.data) d->device->ops->free(d->device, d->tensor.data);
  free(d);
}

static gs_status check(gs_device *device, int64_t rows, int64_t cols, gs_dtype dtype,
                       gs_error *error) {
  gs_device_info info = {0};
  device->ops->info(device, &info);
  if (rows < 1 || cols < 1) return GS_FAIL(error, GS_ERR_USAGE, "no elements to draw");
  if (info.dtypes >> dtype & 1u) return GS_OK;
  return GS_FAIL(error, GS_ERR_UNSUPPORTED, "%s has no %s", info.name,
                 gs_name(&gs_dtype_names, dtype));
}

gs_status gs_bench_normals(gs_device *device, int64_t rows, int64_t cols, gs_dtype dtype,
                           double seconds, double *median_ns, double *min_ns, gs_error *error) {
  int count = 0;
  GS_TRY(check(device, rows, cols, dtype, error));
  drawing *d = calloc(1, sizeof *d);
  if (!d) return GS_FAIL(error, GS_ERR_MEMORY, "out of memory");
  d->device = device;
  d->tensor = (gs_tensor){
      .rows = rows, .cols = cols, .ld = cols, .stride = rows * cols, .replicas = 1, .dtype = dtype};
  gs_status status = prepare(d);
  if (status == GS_OK) status = sample(d, seconds, &count);
  if (status != GS_OK) {
    *error = device->error;
  } else {
    gs_sort(d->samples_ns, (size_t)count);
    *median_ns = d->samples_ns[count / 2];
    *min_ns = d->samples_ns[0];
  }
  clear(d);
  return status;
}
