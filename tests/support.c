/* A device and tensors for tests. */
#include "support.h"
#include "device/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gs_support_ok(gs_status status, const gs_error *error) {
  if (status != GS_OK)
    fail_msg("%s: %s", gs_name(&gs_status_names, status), error ? error->message : "");
}

bool gs_support_cuda(void) {
  const char *backend = getenv("GRADSWEEP_TEST_BACKEND");
  return backend && strcmp(backend, "cuda") == 0;
}

bool gs_support_takes(int of) {
  static int asked;
  const char *factor = getenv("GRADSWEEP_TEST_SIMULATED");
  const int every = factor ? of * (int)strtol(factor, NULL, 10) : 1;
  return asked++ % (every > 1 ? every : 1) == 0;
}

gs_device *gs_support_device(int threads) {
  enum { SKIPPED = 77 };
  gs_device *device = NULL;
  gs_error error = {0};
  if (!gs_support_cuda()) {
    gs_support_ok(gs_cpu_device_create(threads, &device, &error), &error);
    gs_cpu_device_whole_teams(device); /* small networks are to show races, too */
    return device;
  }
  const gs_status status = gs_cuda_device_create("auto", &device, &error);
  if (status == GS_ERR_NO_DEVICE) {
    printf("skipped: %s\n", error.message);
    exit(SKIPPED);
  }
  gs_support_ok(status, &error);
  return device;
}

enum { SHARED_DEVICES = 8 };
static gs_device *shared_devices[SHARED_DEVICES]; /* by threads; a GPU has the first */

static void close_shared_devices(void) {
  for (int i = 0; i < SHARED_DEVICES; i++) {
    if (shared_devices[i]) shared_devices[i]->ops->destroy(shared_devices[i]);
    shared_devices[i] = NULL;
  }
}

gs_device *gs_support_shared_device(int threads) {
  static bool closes;
  const int index = gs_support_cuda() ? 0 : threads;
  assert_in_range(index, 0, SHARED_DEVICES - 1);
  if (!shared_devices[index]) shared_devices[index] = gs_support_device(threads);
  if (!closes) closes = atexit(close_shared_devices) == 0;
  return shared_devices[index];
}

bool gs_support_has(const gs_device *device, gs_dtype dtype) {
  gs_device_info info;
  gs_device *asked = (gs_device *)device;
  asked->ops->info(asked, &info);
  return info.dtypes >> dtype & 1u;
}

/* ---- storage formats ---- */

/* The nearest number with `bits` bits of mantissa (the leading one included) and a least
 * exponent, ties to even, by one addition and subtraction; infinite past `max`. */
static double round_to(double value, int bits, int min_exponent, double max) {
  if (value == 0 || !isfinite(value)) return value;
  const int exponent = ilogb(value);
  const int last = (exponent < min_exponent ? min_exponent : exponent) - bits + 1;
  const double magic = ldexp(1.5, last + 52);
  volatile double sum = value + magic;
  const double rounded = sum - magic;
  if (fabs(rounded) > max) return copysign(INFINITY, value);
  return rounded == 0 ? copysign(0, value) : rounded;
}

double gs_support_round(gs_dtype dtype, double value) {
  switch (dtype) {
  case GS_F64: return value;
  case GS_BF16: return round_to(value, 8, -126, 0x1.fep127);
  case GS_F16: return round_to(value, 11, -14, 65504);
  case GS_TF32: return round_to(value, 11, -126, 0x1.ffcp127); /* as it is multiplied */
  default: return (double)(float)value;
  }
}

static uint16_t bf16_bits(double value) {
  const float narrow = (float)gs_support_round(GS_BF16, value);
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof bits);
  return (uint16_t)(bits >> 16);
}

static double bf16_value(uint16_t stored) {
  const uint32_t bits = (uint32_t)stored << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return (double)value;
}

static uint16_t f16_bits(double value) {
  const double rounded = gs_support_round(GS_F16, value);
  const unsigned sign = signbit(rounded) ? 0x8000u : 0;
  const double magnitude = fabs(rounded);
  if (isnan(rounded)) return (uint16_t)(sign | 0x7e00u);
  if (isinf(rounded)) return (uint16_t)(sign | 0x7c00u);
  if (magnitude < 0x1p-14) return (uint16_t)(sign | (unsigned)ldexp(magnitude, 24));
  const int exponent = ilogb(magnitude);
  const unsigned fraction = (unsigned)ldexp(magnitude, 10 - exponent) & 0x3ffu;
  return (uint16_t)(sign | (unsigned)(exponent + 15) << 10 | fraction);
}

static double f16_value(uint16_t stored) {
  const int exponent = stored >> 10 & 0x1f;
  const double fraction = stored & 0x3ff;
  double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  if (exponent == 0x1f) magnitude = fraction > 0 ? NAN : INFINITY;
  return stored & 0x8000 ? -magnitude : magnitude;
}

static double read_element(gs_dtype dtype, const void *row, size_t i) {
  switch (dtype) {
  case GS_F64: return ((const double *)row)[i];
  case GS_BF16: return bf16_value(((const uint16_t *)row)[i]);
  case GS_F16: return f16_value(((const uint16_t *)row)[i]);
  default: return (double)((const float *)row)[i];
  }
}

static void write_element(gs_dtype dtype, void *row, size_t i, double value) {
  switch (dtype) {
  case GS_F64: ((double *)row)[i] = value; return;
  case GS_BF16: ((uint16_t *)row)[i] = bf16_bits(value); return;
  case GS_F16: ((uint16_t *)row)[i] = f16_bits(value); return;
  default: ((float *)row)[i] = (float)gs_support_round(dtype, value); return;
  }
}

/* Two roundings to the storage format on the way of a 16-bit result, one of an f32's; tf32
 * rounds what goes into products, or cuts it off: 2^-10 of each factor. */
double gs_support_tolerance(gs_dtype dtype) {
  switch (dtype) {
  case GS_F64: return 1e-12;
  case GS_TF32: return 0x1p-9 + 1e-5;
  case GS_BF16: return 2e-2;
  case GS_F16: return 2e-3;
  default: return 1e-5;
  }
}

int gs_support_reach(gs_dtype dtype, int exponent) {
  return dtype == GS_F16 ? exponent / 6 : exponent;
}

/* ---- tensors ---- */

/* Bytes from the first element of replica r, row i to the tensor's first. */
static size_t row_offset(const gs_tensor *tensor, int64_t r, int64_t i) {
  return (size_t)(r * tensor->stride + i * tensor->ld) * gs_dtype_bytes(tensor->dtype);
}

gs_device *gs_group_device;

int gs_support_open_device(void **state) {
  *state = gs_group_device = gs_support_device(2);
  return 0;
}

int gs_support_open_device_alone(void **state) {
  *state = gs_group_device = gs_support_device(1);
  return 0;
}

int gs_support_close_device(void **state) {
  gs_device *device = *state;
  device->ops->destroy(device);
  return 0;
}

/* A tensor's memory, from its first element to the end of its last row. */
static size_t extent_bytes(const gs_tensor *tensor) {
  return row_offset(tensor, tensor->replicas - 1, tensor->rows - 1) +
         (size_t)tensor->cols * gs_dtype_bytes(tensor->dtype);
}

double *gs_support_download(gs_device *device, const gs_tensor *tensor) {
  const size_t cols = (size_t)tensor->cols, replicas = (size_t)tensor->replicas;
  const size_t bytes = extent_bytes(tensor);
  double *values = calloc(replicas * (size_t)tensor->rows * cols, sizeof *values);
  unsigned char *memory = malloc(bytes);
  gs_scale *scale = calloc(replicas, sizeof *scale);
  assert_non_null(values);
  assert_non_null(memory);
  assert_non_null(scale);
  if (tensor->scale)
    gs_support_ok(device->ops->download(device, scale, tensor->scale, replicas * sizeof *scale),
                  &device->error);
  gs_support_ok(device->ops->download(device, memory, tensor->data, bytes), &device->error);
  double *out = values;
  for (int64_t r = 0; r < tensor->replicas; r++)
    for (int64_t i = 0; i < tensor->rows; i++, out += cols)
      for (size_t j = 0; j < cols; j++)
        out[j] = ldexp(read_element(tensor->dtype, memory + row_offset(tensor, r, i), j),
                       scale[r].exponent);
  free(scale);
  free(memory);
  return values;
}

void gs_support_upload(gs_device *device, const gs_tensor *tensor, const double *values) {
  const size_t cols = (size_t)tensor->cols;
  const size_t bytes = extent_bytes(tensor);
  unsigned char *memory = malloc(bytes);
  assert_non_null(memory);
  gs_support_ok(device->ops->download(device, memory, tensor->data, bytes), &device->error);
  for (int64_t r = 0; r < tensor->replicas; r++)
    for (int64_t i = 0; i < tensor->rows; i++, values += cols)
      for (size_t j = 0; j < cols; j++)
        write_element(tensor->dtype, memory + row_offset(tensor, r, i), j, values[j]);
  gs_support_ok(device->ops->upload(device, tensor->data, memory, bytes), &device->error);
  free(memory);
}

const char *gs_support_path(const char *name) {
  static char path[4096];
  const char *root = getenv("GRADSWEEP_SOURCE_DIR");
  const int length = snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
  assert_true(length > 0 && (size_t)length < sizeof path);
  return path;
}
