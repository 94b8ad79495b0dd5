/* Tensors in device memory, and what may be asked of them. */
#include "support_tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "support_reference.h"

enum { PATTERN = 0xff }; /* four or eight of these bytes are a NaN */

/* Uninitialised. */
static void *take(gs_pool *pool, size_t bytes) {
  assert_true(pool->count < GS_POOL_MEMORY);
  void **memory = &pool->memory[pool->count];
  gs_support_ok(pool->device->ops->alloc(pool->device, bytes, memory), &pool->device->error);
  pool->count++;
  return *memory;
}

void *gs_pool_take(gs_pool *pool, size_t bytes) {
  void *memory = take(pool, bytes);
  unsigned char *pattern = malloc(bytes);
  assert_non_null(pattern);
  memset(pattern, PATTERN, bytes);
  gs_support_ok(pool->device->ops->upload(pool->device, memory, pattern, bytes),
                &pool->device->error);
  free(pattern);
  return memory;
}

/* A workspace of NaNs. It may have many megabytes: the device itself fills it. */
static void *take_workspace(gs_pool *pool, size_t bytes) {
  const gs_fill nan = {.kind = GS_FILL_CONSTANT, .value = NAN};
  const int64_t count = (int64_t)(bytes / sizeof(float));
  const gs_tensor all = {.data = take(pool, bytes),
                         .rows = 1,
                         .cols = count,
                         .ld = count,
                         .replicas = 1,
                         .dtype = GS_F32};
  gs_support_ok(pool->device->ops->fill(pool->device, &all, &nan), &pool->device->error);
  return all.data;
}

gs_pool gs_pool_open(gs_dtype dtype, int64_t rows, int64_t columns, int64_t replicas, int64_t steps,
                     int threads) {
  gs_pool pool = {.device = gs_support_shared_device(threads), .random = 1};
  const int64_t elements = columns * (rows > columns ? rows : columns);
  const gs_workspace_need need = {.rows = rows,
                                  .columns = columns,
                                  .weights = columns * columns,
                                  .elements = elements,
                                  .replicas = replicas,
                                  .dtype = dtype,
                                  .steps = steps > 0 ? steps : 1,
                                  .recurrent = steps > 0};
  const size_t bytes = pool.device->ops->workspace_bytes(pool.device, &need);
  void *workspace = take_workspace(&pool, bytes);
  gs_support_ok(pool.device->ops->set_workspace(pool.device, workspace, &need),
                &pool.device->error);
  return pool;
}

void gs_pool_close(gs_pool *pool) {
  pool->device->ops->set_workspace(pool->device, NULL, NULL);
  for (int i = 0; i < pool->count; i++) pool->device->ops->free(pool->device, pool->memory[i]);
}

static void put(gs_device *device, void *to, const void *from, size_t bytes) {
  gs_support_ok(device->ops->upload(device, to, from, bytes), &device->error);
}

static void get(gs_device *device, void *to, const void *from, size_t bytes) {
  gs_support_ok(device->ops->download(device, to, from, bytes), &device->error);
}

gs_scale gs_support_slot(gs_device *device, const gs_tensor *tensor, int64_t index) {
  gs_scale slot;
  get(device, &slot, &tensor->scale[index], sizeof slot);
  return slot;
}

/* Elements of memory behind a tensor of this shape. */
static int64_t extent(const gs_tensor *tensor) {
  return tensor->stride ? tensor->replicas * tensor->stride : tensor->rows * tensor->ld;
}

gs_tensor gs_pool_tensor(gs_pool *pool, gs_shape shape) {
  gs_tensor tensor = {.rows = shape.rows,
                      .cols = shape.cols,
                      .ld = shape.cols + shape.pad,
                      .replicas = shape.replicas,
                      .dtype = shape.dtype};
  if (!shape.shared) tensor.stride = tensor.rows * tensor.ld + shape.pad;
  tensor.data = gs_pool_take(pool, (size_t)extent(&tensor) * gs_dtype_bytes(shape.dtype));
  const int64_t slots = shape.slots * shape.replicas;
  if (slots == 0) return tensor;
  tensor.scale = gs_pool_take(pool, (size_t)slots * sizeof *tensor.scale);
  gs_support_ok(pool->device->ops->begin_step(pool->device, tensor.scale, slots),
                &pool->device->error);
  return tensor;
}

static int32_t peak_of(const double *digits, int64_t count) {
  int32_t peak = GS_PEAK_NONE;
  for (int64_t i = 0; i < count; i++)
    if (digits[i] != 0 && isfinite(digits[i]) && ilogb(digits[i]) > peak) peak = ilogb(digits[i]);
  return peak;
}

/* Digits of one replica and step, without its exponent. */
static double *digits_of(gs_device *device, const gs_tensor *step, int64_t replica) {
  gs_tensor one = *step;
  one.scale = NULL;
  one.replicas = 1;
  one.data = (char *)one.data + (size_t)(replica * one.stride) * gs_dtype_bytes(one.dtype);
  return gs_support_download(device, &one);
}

gs_tensor gs_pool_random(gs_pool *pool, gs_shape shape, int digit, const int32_t *exponents) {
  const gs_tensor tensor = gs_pool_tensor(pool, shape);
  const size_t size = (size_t)((shape.shared ? 1 : shape.replicas) * shape.rows * shape.cols);
  double *values = malloc(size * sizeof *values);
  assert_non_null(values);
  for (size_t i = 0; i < size; i++) values[i] = ldexp(gs_reference_random(&pool->random), digit);
  gs_tensor digits = tensor;
  digits.replicas = shape.shared ? 1 : shape.replicas;
  gs_support_upload(pool->device, &digits, values);
  free(values);
  for (int64_t t = 0; t < shape.slots; t++) {
    const gs_tensor step = gs_tensor_step(&tensor, shape.slots, t);
    for (int64_t r = 0; r < shape.replicas; r++) {
      double *own = digits_of(pool->device, &step, r);
      const gs_scale slot = {exponents ? exponents[t] : 0, peak_of(own, step.rows * step.cols)};
      put(pool->device, &step.scale[r], &slot, sizeof slot);
      free(own);
    }
  }
  return tensor;
}

void gs_pool_zero_step(gs_pool *pool, const gs_tensor *sequence, int64_t steps, int64_t t) {
  const gs_tensor step = gs_tensor_step(sequence, steps, t);
  double *values = calloc((size_t)(step.replicas * step.rows * step.cols), sizeof *values);
  assert_non_null(values);
  gs_support_upload(pool->device, &step, values);
  free(values);
  for (int64_t r = 0; step.scale && r < step.replicas; r++) {
    gs_scale slot = gs_support_slot(pool->device, &step, r);
    slot.peak = GS_PEAK_NONE;
    put(pool->device, &step.scale[r], &slot, sizeof slot);
  }
}

double *gs_support_values(gs_device *device, const gs_tensor *sequence, int64_t steps) {
  const int64_t size = sequence->replicas * sequence->rows / steps * sequence->cols;
  double *values = malloc((size_t)(steps * size) * sizeof *values);
  assert_non_null(values);
  for (int64_t t = 0; t < steps; t++) {
    const gs_tensor step = gs_tensor_step(sequence, steps, t);
    double *own = gs_support_download(device, &step);
    memcpy(values + t * size, own, (size_t)size * sizeof *own);
    free(own);
  }
  return values;
}

void gs_support_check_padding(gs_device *device, const gs_tensor *tensor) {
  const size_t bytes = gs_dtype_bytes(tensor->dtype);
  const int64_t count = extent(tensor);
  unsigned char *all = malloc((size_t)count * bytes);
  unsigned char pattern[8];
  assert_non_null(all);
  memset(pattern, PATTERN, sizeof pattern);
  get(device, all, tensor->data, (size_t)count * bytes);
  for (int64_t i = 0; i < count; i++) {
    const int64_t within = tensor->stride ? i % tensor->stride : i;
    if (within / tensor->ld < tensor->rows && within % tensor->ld < tensor->cols) continue;
    assert_memory_equal(all + (size_t)i * bytes, pattern, bytes);
  }
  free(all);
}

void gs_support_check_peaks(gs_device *device, const gs_tensor *sequence, int64_t steps) {
  for (int64_t t = 0; t < steps; t++) {
    const gs_tensor step = gs_tensor_step(sequence, steps, t);
    for (int64_t r = 0; r < step.replicas; r++) {
      double *digits = digits_of(device, &step, r);
      assert_int_equal(gs_support_slot(device, &step, r).peak,
                       peak_of(digits, step.rows * step.cols));
      free(digits);
    }
  }
}
