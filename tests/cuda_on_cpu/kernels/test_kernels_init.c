/* The kernels of fills and hashes against base/random.h, bit for bit, in every dtype and
 * layout: what lies between rows and replicas stays as it was. */
#include "support_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "cuda_on_cpu_control.h"

enum { ID = (int)0x80000003 };
static const uint64_t SEED = 0xfedcba9876543210;

/* Odd sizes, whole quads and none, rows with gaps, more replicas than one block takes. */
static const gs_kernel_layout layouts[] = {
    {1, 1, 0, 0, 1, false, 0},   {1, 37, 0, 0, 9, false, 0}, {3, 5, 0, 1, 2, false, 0},
    {7, 8, 0, 0, 3, false, 0},   {7, 8, 4, 8, 3, false, 0},  {7, 9, 2, 0, 2, false, 0},
    {5, 3, 0, 0, 3, true, 0},    {9, 12, 0, 3, 2, false, 1}, {5, 2, 3, 0, 2, false, 3},
    {33, 64, 0, 0, 2, false, 0}, {1, 6, 5, 2, 17, false, 0}, {40, 31, 1, 0, 1, false, 0},
    {9, 12, 0, 0, 2, false, 1},  {9, 12, 4, 0, 2, false, 2}, {5, 1, 0, 0, 2, false, 0},
    {6, 6, 0, 0, 3, false, 0},   {5, 12, 4, 0, 3, false, 0}, {9, 16, 0, 0, 2, false, 4},
    {6, 24, 8, 0, 2, false, 0},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

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
  case GS_FILL_TWO_UNIFORMS:
    gs_random_two_uniforms(values, 0, count, fill->seed, fill->tensor_id, replica);
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

static void check_fill(gs_kernel_layout layout, gs_dtype dtype, gs_fill_kind kind) {
  const gs_fill fill = {kind, 0.7, SEED, (uint32_t)ID};
  gs_kernel_tensor device = gs_kernel_create(layout, dtype);
  gs_kernel_run(gs_launch_fill(gs_kernel_queue(), &device.tensor, &fill));
  float *values = malloc((size_t)(layout.rows * layout.cols) * sizeof *values);
  assert_non_null(values);
  for (int64_t r = 0; r < gs_kernel_matrices(&device.tensor); r++) {
    expect_fill(values, &device.tensor, &fill, r);
    gs_kernel_expect(&device, r, values);
  }
  gs_kernel_check(&device);
  free(values);
  gs_kernel_destroy(&device);
}

static const gs_fill_kind kinds[] = {GS_FILL_CONSTANT, GS_FILL_NORMAL,
                                     GS_FILL_UNIFORM,  GS_FILL_TRUNCATED_NORMAL,
                                     GS_FILL_IDENTITY, GS_FILL_TWO_UNIFORMS};
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
    check_fill((gs_kernel_layout){401, 100, 0, 0, 1, false, 0}, GS_F32, kinds[k]);
    check_fill((gs_kernel_layout){301, 131, 2, 0, 1, false, 0}, GS_BF16, kinds[k]);
    check_fill((gs_kernel_layout){37, 13, 0, 0, 67, false, 0}, GS_F32, kinds[k]);
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
  gs_kernel_run(cudaMalloc(&memory, sizeof start));
  gs_kernel_run(cudaMemcpy(memory, &start, sizeof start, cudaMemcpyHostToDevice));
  gs_kernel_run(digest ? gs_launch_digest(gs_kernel_queue(), tensor, memory)
                       : gs_launch_hash(gs_kernel_queue(), tensor, (uint32_t)ID, memory));
  gs_kernel_run(cudaMemcpy(&start, memory, sizeof start, cudaMemcpyDeviceToHost));
  gs_kernel_run(cudaFree(memory));
  return start;
}

/* All bits of an element as it is stored, f64's in two parts. */
static uint64_t digest_of(gs_dtype dtype, const void *element, uint64_t index) {
  uint64_t bits;
  if (dtype != GS_F64) return gs_hash_element(0, index, gs_float_bits(decode(dtype, element)));
  memcpy(&bits, element, sizeof bits);
  return gs_hash_element(0, index, (uint32_t)bits) +
         gs_hash_element(1, index, (uint32_t)(bits >> 32));
}

/* Gives float64 elements digits that float32 has not. */
static void widen(gs_kernel_tensor *device, int64_t r, int64_t count) {
  for (int64_t i = 0; i < count && device->tensor.dtype == GS_F64; i++) {
    double value;
    memcpy(&value, gs_kernel_element(device, r, i), sizeof value);
    value *= 1 + 0x1p-20 / (double)(i + 3);
    memcpy(gs_kernel_element(device, r, i), &value, sizeof value);
  }
}

static void check_hash(gs_kernel_layout layout, gs_dtype dtype) {
  gs_kernel_tensor device = gs_kernel_create(layout, dtype);
  const gs_tensor *t = &device.tensor;
  const int64_t count = t->rows * t->cols;
  float *values = malloc((size_t)count * sizeof *values);
  assert_non_null(values);
  for (int64_t r = 0; r < gs_kernel_matrices(t); r++) {
    random_values(values, (size_t)count, (uint32_t)r);
    gs_kernel_expect(&device, r, values);
    widen(&device, r, count);
  }
  gs_kernel_upload(&device);
  sums want;
  sums digest;
  for (uint64_t i = 0; i < 20; i++) digest.value[i] = want.value[i] = i << 40 | i;
  for (int64_t r = 0; r < t->replicas; r++) {
    for (int64_t i = 0; i < count; i++) {
      const void *element = gs_kernel_element(&device, r, i);
      const float x = decode(dtype, element);
      want.value[r] += gs_hash_element((uint32_t)ID, (uint64_t)i, gs_float_bits(x));
      digest.value[0] += digest_of(dtype, element, (uint64_t)(r * count + i));
      digest.value[1] += x != 0;
    }
  }
  const sums hash = run_hash(t, false);
  assert_memory_equal(&hash, &want, sizeof want);
  const sums got = run_hash(t, true);
  assert_memory_equal(&got, &digest, sizeof digest);
  free(values);
  gs_kernel_destroy(&device);
}

static void test_hash(void **state) {
  (void)state;
  for (int l = 0; l < LAYOUTS; l++) {
    for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) check_hash(layouts[l], (gs_dtype)dtype);
  }
  check_hash((gs_kernel_layout){401, 100, 0, 0, 1, false, 0}, GS_F32);
  check_hash((gs_kernel_layout){301, 131, 2, 0, 2, false, 0}, GS_F16);
}

/* A digest counts neither infinities nor NaNs, nor anything that rounds to float32's 0 or
 * infinity otherwise than as what it is. */
static void test_digest_count(void **state) {
  (void)state;
  static const double values[10] = {1,   0,      -0.0,   INFINITY, -INFINITY,
                                    NAN, 1e-300, -1e300, 5,        0x1p-149};
  for (int wide = 0; wide < 2; wide++) {
    gs_kernel_tensor device =
        gs_kernel_create((gs_kernel_layout){2, 5, 0, 0, 1, false, 0}, wide ? GS_F64 : GS_F32);
    for (int64_t i = 0; i < 10; i++) {
      const float narrowed = (float)values[i];
      if (wide) memcpy(gs_kernel_element(&device, 0, i), &values[i], sizeof *values);
      if (!wide) memcpy(gs_kernel_element(&device, 0, i), &narrowed, sizeof narrowed);
    }
    gs_kernel_upload(&device);
    assert_int_equal((int)(run_hash(&device.tensor, true).value[1] - (UINT64_C(1) << 40) - 1),
                     wide ? 5 : 3);
    gs_kernel_destroy(&device);
  }
}

/* A kind that is another launcher's. */
static void test_refused(void **state) {
  (void)state;
  const gs_fill fill = {GS_FILL_ORTHOGONAL, 1, 1, 1};
  gs_kernel_tensor device = gs_kernel_create(layouts[0], GS_F32);
  assert_int_equal(gs_launch_fill(gs_kernel_queue(), &device.tensor, &fill), cudaErrorInvalidValue);
  gs_kernel_destroy(&device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fill),         cmocka_unit_test(test_fill_strides),
      cmocka_unit_test(test_refused),      cmocka_unit_test(test_hash),
      cmocka_unit_test(test_digest_count),
  };
  int failed = 0;
  for (int order = 0; order < 3; order++) { /* of threads */
    gs_sim_set_order(order);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
  }
  return failed != 0;
}
