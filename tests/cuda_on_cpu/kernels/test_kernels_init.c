/* The kernels of initialisation and hashes against base/random.h and base/orthogonal.h,
 * bit for bit, in every dtype and layout: what lies between rows and replicas stays as it
 * was. Every group runs in three orders of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/orthogonal.h"
#include "base/random.h"
#include "cuda_on_cpu_control.h"
#include "device/device.h"
#include "kernels/kernels.h"

enum { ID = (int)0x80000003 };
static const uint64_t SEED = 0xfedcba9876543210;

/* ---- tensors in device memory ---- */

typedef struct gs_layout_case {
  int64_t rows, cols, pad; /* pad: ld - cols */
  int64_t gap;             /* elements between replicas */
  int64_t replicas;
  bool shared;   /* stride 0 */
  size_t offset; /* of the data from aligned memory, in elements */
} gs_layout_case;

/* Odd sizes, whole quads and none, rows with gaps, more replicas than one block takes. */
static const gs_layout_case layouts[] = {
    {1, 1, 0, 0, 1, false, 0},   {1, 37, 0, 0, 9, false, 0}, {3, 5, 0, 1, 2, false, 0},
    {7, 8, 0, 0, 3, false, 0},   {7, 8, 4, 8, 3, false, 0},  {7, 9, 2, 0, 2, false, 0},
    {5, 3, 0, 0, 3, true, 0},    {9, 12, 0, 3, 2, false, 1}, {5, 2, 3, 0, 2, false, 3},
    {33, 64, 0, 0, 2, false, 0}, {1, 6, 5, 2, 17, false, 0}, {40, 31, 1, 0, 1, false, 0},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

typedef struct device_tensor {
  gs_tensor tensor;
  unsigned char *memory;
  unsigned char *host; /* a copy of it */
  size_t bytes;
  size_t start; /* of the tensor's first element in it */
} device_tensor;

static gs_queue queue(void) { return (gs_queue){.stream = NULL, .multiprocessors = 1}; }

static void run(cudaError_t status) {
  assert_int_equal(status, cudaSuccess);
  assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
}

static int64_t matrices(const gs_tensor *tensor) { return tensor->stride ? tensor->replicas : 1; }

static device_tensor create(gs_layout_case layout, gs_dtype dtype) {
  device_tensor device = {.tensor = {.rows = layout.rows,
                                     .cols = layout.cols,
                                     .ld = layout.cols + layout.pad,
                                     .replicas = layout.replicas,
                                     .dtype = dtype}};
  gs_tensor *tensor = &device.tensor;
  const size_t size = gs_dtype_bytes(dtype);
  if (!layout.shared) tensor->stride = layout.rows * tensor->ld + layout.gap;
  const int64_t extent = (matrices(tensor) - 1) * tensor->stride + layout.rows * tensor->ld;
  device.start = layout.offset * size;
  device.bytes = device.start + (size_t)extent * size;
  run(cudaMalloc((void **)&device.memory, device.bytes));
  device.host = malloc(device.bytes);
  assert_non_null(device.host);
  memset(device.host, 0x5a, device.bytes);
  run(cudaMemcpy(device.memory, device.host, device.bytes, cudaMemcpyHostToDevice));
  tensor->data = device.memory + device.start;
  return device;
}

static void destroy(device_tensor *device) {
  run(cudaFree(device->memory));
  free(device->host);
}

/* float32 to 16 bits by rounding to nearest even; normal results only, and 0. */
static uint16_t narrow(float x, int exponent_bits) {
  const int drop = 8 + exponent_bits; /* bits of float32's fraction */
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const uint32_t bits = gs_float_bits(x);
  const uint32_t sign = bits >> 31 << 15;
  if ((bits & 0x7fffffffu) == 0) return (uint16_t)sign;
  const uint32_t magnitude = (bits & 0x7fffffffu) - ((uint32_t)(127 - bias) << 23);
  assert_true(magnitude >> 23 >= 1 && magnitude >> 23 < (uint32_t)(1 << exponent_bits) - 1);
  const uint32_t half = (1u << (drop - 1)) - 1;
  return (uint16_t)(sign | ((magnitude + half + (magnitude >> drop & 1u)) >> drop));
}

/* Writes value as the tensor's dtype stores it. */
static void encode(gs_dtype dtype, float value, void *out) {
  const double wide = (double)value;
  uint16_t narrowed;
  switch (dtype) {
  case GS_F64: memcpy(out, &wide, sizeof wide); return;
  case GS_BF16: narrowed = narrow(value, 8); break;
  case GS_F16: narrowed = narrow(value, 5); break;
  default: memcpy(out, &value, sizeof value); return;
  }
  memcpy(out, &narrowed, sizeof narrowed);
}

static unsigned char *host_element(const device_tensor *device, int64_t r, int64_t i) {
  const gs_tensor *t = &device->tensor;
  const int64_t at = r * t->stride + i / t->cols * t->ld + i % t->cols;
  return device->host + device->start + (size_t)at * gs_dtype_bytes(t->dtype);
}

static void set_host(device_tensor *device, int64_t r, const float *values) {
  const gs_tensor *t = &device->tensor;
  for (int64_t i = 0; i < t->rows * t->cols; i++) {
    encode(t->dtype, values[i], host_element(device, r, i));
  }
}

/* Device memory holds what the host's copy holds, gaps included. */
static void assert_equal(const device_tensor *device) {
  unsigned char *got = malloc(device->bytes);
  assert_non_null(got);
  run(cudaMemcpy(got, device->memory, device->bytes, cudaMemcpyDeviceToHost));
  assert_memory_equal(got, device->host, device->bytes);
  free(got);
}

/* ---- fills ---- */

static void expect_fill(float *values, const gs_tensor *tensor, const gs_fill *fill, int64_t r) {
  const size_t count = (size_t)(tensor->rows * tensor->cols);
  const float scale = (float)fill->value;
  const uint32_t replica = (uint32_t)r;
  for (size_t i = 0; i < count; i++) values[i] = 1;
  switch (fill->kind) {
  case GS_FILL_NORMAL:
    gs_random_normal(values, 0, count, fill->seed, fill->tensor_id, replica);
    break;
  case GS_FILL_UNIFORM:
    gs_random_uniform(values, 0, count, fill->seed, fill->tensor_id, replica);
    break;
  case GS_FILL_TRUNCATED_NORMAL:
    gs_random_truncated(values, 0, count, fill->seed, fill->tensor_id, replica);
    break;
  case GS_FILL_IDENTITY:
    for (int64_t i = 0; i < (int64_t)count; i++) values[i] = i / tensor->cols == i % tensor->cols;
    break;
  default: break;
  }
  for (size_t i = 0; i < count; i++) values[i] *= scale;
}

static void check_fill(gs_layout_case layout, gs_dtype dtype, gs_fill_kind kind) {
  const gs_fill fill = {kind, 0.7, SEED, (uint32_t)ID};
  device_tensor device = create(layout, dtype);
  run(gs_launch_fill(queue(), &device.tensor, &fill));
  float *values = malloc((size_t)(layout.rows * layout.cols) * sizeof *values);
  assert_non_null(values);
  for (int64_t r = 0; r < matrices(&device.tensor); r++) {
    expect_fill(values, &device.tensor, &fill, r);
    set_host(&device, r, values);
  }
  assert_equal(&device);
  free(values);
  destroy(&device);
}

static const gs_fill_kind kinds[] = {GS_FILL_CONSTANT, GS_FILL_NORMAL, GS_FILL_UNIFORM,
                                     GS_FILL_TRUNCATED_NORMAL, GS_FILL_IDENTITY};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void test_fill(void **state) {
  (void)state;
  for (int l = 0; l < LAYOUTS; l++) {
    for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) {
      for (int k = 0; k < KINDS; k++) check_fill(layouts[l], (gs_dtype)dtype, kinds[k]);
    }
  }
}

/* More quads than a launch has threads, so that threads go on to others. */
static void test_fill_strides(void **state) {
  (void)state;
  for (int k = 0; k < KINDS; k++) {
    check_fill((gs_layout_case){401, 100, 0, 0, 1, false, 0}, GS_F32, kinds[k]);
    check_fill((gs_layout_case){301, 131, 2, 0, 1, false, 0}, GS_BF16, kinds[k]);
    check_fill((gs_layout_case){37, 13, 0, 0, 67, false, 0}, GS_F32, kinds[k]);
  }
}

/* ---- hashes ---- */

/* Numbers of many magnitudes, all normal in f16 but 0 and -0. */
static void random_values(float *values, size_t count, uint32_t stream) {
  gs_random_normal(values, 0, count, SEED, stream, 0);
  for (size_t i = 0; i < count; i++) {
    values[i] += copysignf(0x1p-10f, values[i]);
    if (i % 7 == 3) values[i] = 0;
    if (i % 11 == 5) values[i] = -0.0f;
  }
}

/* As a hash reads the element: float32 of what is stored. */
static float decode(gs_dtype dtype, const void *element) {
  double wide;
  float value;
  uint16_t bits;
  switch (dtype) {
  case GS_F64: memcpy(&wide, element, sizeof wide); return (float)wide;
  case GS_BF16:
    memcpy(&bits, element, sizeof bits);
    return gs_float_from_bits((uint32_t)bits << 16);
  case GS_F16:
    memcpy(&bits, element, sizeof bits);
    value = ldexpf((float)(bits & 0x3ffu) + (bits >> 10 & 31u ? 1024.0f : 0.0f),
                   (bits >> 10 & 31u ? (int)(bits >> 10 & 31u) : 1) - 25);
    return bits >> 15 ? -value : value;
  default: memcpy(&value, element, sizeof value); return value;
  }
}

typedef struct sums {
  uint64_t value[20];
} sums;

static sums run_hash(const gs_tensor *tensor, bool digest) {
  sums start;
  void *memory;
  for (uint64_t i = 0; i < 20; i++) start.value[i] = i << 40 | i; /* they are added to */
  run(cudaMalloc(&memory, sizeof start));
  run(cudaMemcpy(memory, &start, sizeof start, cudaMemcpyHostToDevice));
  run(digest ? gs_launch_digest(queue(), tensor, memory)
             : gs_launch_hash(queue(), tensor, (uint32_t)ID, memory));
  run(cudaMemcpy(&start, memory, sizeof start, cudaMemcpyDeviceToHost));
  run(cudaFree(memory));
  return start;
}

/* All bits of an element as it is stored. */
static uint64_t digest_of(gs_dtype dtype, float x, uint64_t index) {
  const double wide = (double)x;
  uint64_t bits;
  memcpy(&bits, &wide, sizeof bits);
  if (dtype != GS_F64) return gs_hash_element(0, index, gs_float_bits(x));
  return gs_hash_element(0, index, (uint32_t)bits) +
         gs_hash_element(1, index, (uint32_t)(bits >> 32));
}

static void check_hash(gs_layout_case layout, gs_dtype dtype) {
  device_tensor device = create(layout, dtype);
  const gs_tensor *t = &device.tensor;
  const int64_t count = t->rows * t->cols;
  float *values = malloc((size_t)count * sizeof *values);
  assert_non_null(values);
  for (int64_t r = 0; r < matrices(t); r++) {
    random_values(values, (size_t)count, (uint32_t)r);
    set_host(&device, r, values);
  }
  run(cudaMemcpy(device.memory, device.host, device.bytes, cudaMemcpyHostToDevice));
  sums want;
  sums digest;
  for (uint64_t i = 0; i < 20; i++) digest.value[i] = want.value[i] = i << 40 | i;
  for (int64_t r = 0; r < t->replicas; r++) {
    for (int64_t i = 0; i < count; i++) {
      const float x = decode(dtype, host_element(&device, r, i));
      want.value[r] += gs_hash_element((uint32_t)ID, (uint64_t)i, gs_float_bits(x));
      digest.value[0] += digest_of(dtype, x, (uint64_t)(r * count + i));
      digest.value[1] += x != 0;
    }
  }
  const sums hash = run_hash(t, false);
  assert_memory_equal(&hash, &want, sizeof want);
  const sums got = run_hash(t, true);
  assert_memory_equal(&got, &digest, sizeof digest);
  free(values);
  destroy(&device);
}

static void test_hash(void **state) {
  (void)state;
  for (int l = 0; l < LAYOUTS; l++) {
    for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) check_hash(layouts[l], (gs_dtype)dtype);
  }
  check_hash((gs_layout_case){401, 100, 0, 0, 1, false, 0}, GS_F32);
  check_hash((gs_layout_case){301, 131, 2, 0, 2, false, 0}, GS_F16);
}

/* A digest counts neither infinities nor NaNs, nor anything that rounds to float32's 0 or
 * infinity otherwise than as what it is. */
static void test_digest_count(void **state) {
  (void)state;
  static const double values[10] = {1,   0,      -0.0,   INFINITY, -INFINITY,
                                    NAN, 1e-300, -1e300, 5,        0x1p-149};
  for (int wide = 0; wide < 2; wide++) {
    device_tensor device =
        create((gs_layout_case){2, 5, 0, 0, 1, false, 0}, wide ? GS_F64 : GS_F32);
    for (int64_t i = 0; i < 10; i++) {
      const float narrowed = (float)values[i];
      if (wide) memcpy(host_element(&device, 0, i), &values[i], sizeof *values);
      if (!wide) memcpy(host_element(&device, 0, i), &narrowed, sizeof narrowed);
    }
    run(cudaMemcpy(device.memory, device.host, device.bytes, cudaMemcpyHostToDevice));
    assert_int_equal((int)(run_hash(&device.tensor, true).value[1] - (UINT64_C(1) << 40) - 1),
                     wide ? 5 : 3);
    destroy(&device);
  }
}

/* ---- orthogonal matrices ---- */

static cudaError_t make_orthogonal(const device_tensor *device, const gs_fill *fill, size_t bytes) {
  gs_scratch scratch = {.bytes = bytes};
  run(cudaMalloc(&scratch.data, bytes));
  const cudaError_t status = gs_launch_orthogonal(queue(), &device->tensor, fill, scratch);
  run(cudaDeviceSynchronize());
  run(cudaFree(scratch.data));
  return status;
}

static void check_orthogonal(gs_layout_case layout, gs_dtype dtype, double gain, int at_once) {
  const gs_fill fill = {GS_FILL_ORTHOGONAL, gain, SEED, (uint32_t)ID};
  const int64_t longest = layout.rows > layout.cols ? layout.rows : layout.cols;
  device_tensor device = create(layout, dtype);
  const size_t bytes = gs_orthogonal_bytes(layout.rows * layout.cols, longest, at_once);
  run(make_orthogonal(&device, &fill, bytes));
  float *values = malloc((size_t)(layout.rows * layout.cols) * sizeof *values);
  double *workspace =
      malloc(gs_random_orthogonal_workspace(layout.rows, layout.cols) * sizeof *workspace);
  assert_non_null(values);
  assert_non_null(workspace);
  for (int64_t r = 0; r < matrices(&device.tensor); r++) {
    gs_random_orthogonal(values, layout.rows, layout.cols, gain, fill.seed, fill.tensor_id,
                         (uint32_t)r, workspace);
    set_host(&device, r, values);
  }
  assert_equal(&device);
  free(workspace);
  free(values);
  destroy(&device);
}

static void test_orthogonal(void **state) {
  (void)state;
  static const gs_layout_case cases[] = {
      {1, 1, 0, 0, 5, false, 0},    {1, 5, 0, 0, 2, false, 0},   {5, 1, 3, 0, 2, false, 0},
      {33, 37, 0, 0, 3, false, 0},  {37, 33, 0, 2, 3, false, 1}, {32, 32, 0, 0, 2, true, 0},
      {100, 70, 0, 0, 1, false, 0}, {66, 97, 2, 1, 2, false, 0}, {16, 31, 0, 0, 3, false, 0},
      {65, 17, 0, 0, 2, false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    check_orthogonal(cases[i], GS_F32, 1.5, 1);
    check_orthogonal(cases[i], GS_F32, -0.25, 2);
  }
  for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) {
    check_orthogonal(cases[8], (gs_dtype)dtype, 1, 3);
  }
}

/* One replica's bytes, then as many as there are up to a bound; too few are refused. */
static void test_orthogonal_bytes(void **state) {
  (void)state;
  const size_t one = gs_orthogonal_bytes(64 * 64, 64, 1);
  assert_true(one >= 2 * 64 * 64 * sizeof(double));
  assert_true(gs_orthogonal_bytes(64 * 64, 64, 7) == 7 * one);
  assert_true(gs_orthogonal_bytes(64 * 64, 64, 1 << 20) == (size_t)256 << 20);
  const size_t large = gs_orthogonal_bytes(INT64_C(1) << 32, 1 << 16, 1);
  assert_true(large > (size_t)1 << 36);
  assert_true(gs_orthogonal_bytes(INT64_C(1) << 32, 1 << 16, 9) == large);
  const gs_fill fill = {GS_FILL_ORTHOGONAL, 1, 1, 1};
  device_tensor device = create((gs_layout_case){64, 64, 0, 0, 1, false, 0}, GS_F32);
  assert_int_equal(make_orthogonal(&device, &fill, 2 * 64 * 64 * sizeof(double)),
                   cudaErrorInvalidValue);
  destroy(&device);
}

/* A kind that is another launcher's. */
static void test_refused(void **state) {
  (void)state;
  const gs_fill fill = {GS_FILL_ORTHOGONAL, 1, 1, 1};
  device_tensor device = create(layouts[0], GS_F32);
  assert_int_equal(gs_launch_fill(queue(), &device.tensor, &fill), cudaErrorInvalidValue);
  destroy(&device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fill),       cmocka_unit_test(test_fill_strides),
      cmocka_unit_test(test_hash),       cmocka_unit_test(test_digest_count),
      cmocka_unit_test(test_orthogonal), cmocka_unit_test(test_orthogonal_bytes),
      cmocka_unit_test(test_refused),
  };
  int failed = 0;
  for (int order = 0; order < 3; order++) {
    gs_sim_set_order(order);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
  }
  return failed != 0;
}
