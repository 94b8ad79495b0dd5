/* Tensors for tests of single kernels. */
#include "support_kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

gs_queue gs_kernel_queue(void) { return (gs_queue){.stream = NULL, .multiprocessors = 1}; }

void gs_kernel_run(cudaError_t status) {
  assert_int_equal(status, cudaSuccess);
  assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
}

int64_t gs_kernel_matrices(const gs_tensor *tensor) {
  return tensor->stride ? tensor->replicas : 1;
}

gs_kernel_tensor gs_kernel_create(gs_kernel_layout layout, gs_dtype dtype) {
  gs_kernel_tensor device = {.tensor = {.rows = layout.rows,
                                        .cols = layout.cols,
                                        .ld = layout.cols + layout.pad,
                                        .replicas = layout.replicas,
                                        .dtype = dtype}};
  gs_tensor *tensor = &device.tensor;
  const size_t size = gs_dtype_bytes(dtype);
  if (!layout.shared) tensor->stride = layout.rows * tensor->ld + layout.gap;
  const int64_t extent =
      (gs_kernel_matrices(tensor) - 1) * tensor->stride + layout.rows * tensor->ld;
  device.start = layout.offset * size;
  device.bytes = device.start + (size_t)extent * size;
  gs_kernel_run(cudaMalloc((void **)&device.memory, device.bytes));
  device.host = malloc(device.bytes);
  assert_non_null(device.host);
  memset(device.host, 0x5a, device.bytes);
  gs_kernel_run(cudaMemcpy(device.memory, device.host, device.bytes, cudaMemcpyHostToDevice));
  tensor->data = device.memory + device.start;
  return device;
}

void gs_kernel_destroy(gs_kernel_tensor *device) {
  gs_kernel_run(cudaFree(device->memory));
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

unsigned char *gs_kernel_element(const gs_kernel_tensor *device, int64_t r, int64_t i) {
  const gs_tensor *t = &device->tensor;
  const int64_t at = r * t->stride + i / t->cols * t->ld + i % t->cols;
  return device->host + device->start + (size_t)at * gs_dtype_bytes(t->dtype);
}

void gs_kernel_expect(gs_kernel_tensor *device, int64_t r, const float *values) {
  const gs_tensor *t = &device->tensor;
  for (int64_t i = 0; i < t->rows * t->cols; i++) {
    encode(t->dtype, values[i], gs_kernel_element(device, r, i));
  }
}

void gs_kernel_upload(const gs_kernel_tensor *device) {
  gs_kernel_run(cudaMemcpy(device->memory, device->host, device->bytes, cudaMemcpyHostToDevice));
}

void gs_kernel_check(const gs_kernel_tensor *device) {
  unsigned char *got = malloc(device->bytes);
  assert_non_null(got);
  gs_kernel_run(cudaMemcpy(got, device->memory, device->bytes, cudaMemcpyDeviceToHost));
  assert_memory_equal(got, device->host, device->bytes);
  free(got);
}
