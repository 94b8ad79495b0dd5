// Device memory, tensors and random numbers for tests of kernels.
#ifndef GS_TEST_DEVICE_MEMORY_H
#define GS_TEST_DEVICE_MEMORY_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

extern "C" {
#include <setjmp.h>

#include <cmocka.h> // wants the headers above before it
}

#include "device/device.h"

namespace gs_test {

inline void succeed(cudaError_t status) { assert_int_equal(status, cudaSuccess); }

// Owns device memory, which is filled with NaN or whatever bytes are uploaded.
class Memory {
public:
  explicit Memory(size_t size) : bytes(size) { succeed(cudaMalloc(&data, size > 0 ? size : 1)); }
  ~Memory() { cudaFree(data); }
  Memory(Memory &&other) noexcept : data(other.data), bytes(other.bytes) { other.data = nullptr; }
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  void upload(const void *from) { succeed(cudaMemcpy(data, from, bytes, cudaMemcpyHostToDevice)); }
  void fill(int value) { succeed(cudaMemset(data, value, bytes)); }
  template <class T> std::vector<T> download() const {
    std::vector<T> to(bytes / sizeof(T));
    succeed(cudaMemcpy(to.data(), data, to.size() * sizeof(T), cudaMemcpyDeviceToHost));
    return to;
  }

  void *data = nullptr;
  size_t bytes;
};

// A number as a dtype stores it: writes it, reads it.
inline void store(gs_dtype dtype, double value, unsigned char *at) {
  const float narrow = static_cast<float>(value);
  const __nv_bfloat16 bf16 = __float2bfloat16_rn(narrow);
  const __half f16 = __float2half_rn(narrow);
  switch (dtype) {
  case GS_F64: std::memcpy(at, &value, sizeof value); return;
  case GS_BF16: std::memcpy(at, &bf16, sizeof bf16); return;
  case GS_F16: std::memcpy(at, &f16, sizeof f16); return;
  default: std::memcpy(at, &narrow, sizeof narrow); return;
  }
}
inline double load(gs_dtype dtype, const unsigned char *at) {
  double f64;
  float f32;
  __nv_bfloat16 bf16;
  __half f16;
  switch (dtype) {
  case GS_F64: std::memcpy(&f64, at, sizeof f64); return f64;
  case GS_BF16: std::memcpy(&bf16, at, sizeof bf16); return double(__bfloat162float(bf16));
  case GS_F16: std::memcpy(&f16, at, sizeof f16); return double(__half2float(f16));
  default: std::memcpy(&f32, at, sizeof f32); return double(f32);
  }
}

// Numbers from a distribution that does not depend on the C++ library.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}
  double uniform() { return static_cast<double>(engine() >> 11) * 0x1p-53; }
  double symmetric() { return 2 * uniform() - 1; }
  uint64_t below(uint64_t bound) { return engine() % bound; }

private:
  std::mt19937_64 engine;
};

// A matrix [R][rows][cols] in device memory; what lies between rows and replicas is NaN.
struct Shape {
  gs_dtype dtype;
  int64_t rows, cols;
  int64_t gap; // elements between rows
  int64_t replicas;
  int64_t stray; // elements between replicas, and before the first
};

class Matrix {
public:
  Matrix(const Shape &shape, const std::vector<double> &values)
      : memory(static_cast<size_t>(elements(shape)) * gs_dtype_bytes(shape.dtype)),
        tensor{static_cast<unsigned char *>(memory.data) +
                   static_cast<size_t>(shape.stray) * gs_dtype_bytes(shape.dtype),
               nullptr,
               shape.rows,
               shape.cols,
               shape.cols + shape.gap,
               shape.rows * (shape.cols + shape.gap) + shape.stray,
               shape.replicas,
               shape.dtype},
        stray(shape.stray) {
    set(values);
  }

  // Element (r, row, col)'s place in memory.
  size_t place(int64_t r, int64_t row, int64_t col) const {
    return static_cast<size_t>(stray + r * tensor.stride + row * tensor.ld + col) *
           gs_dtype_bytes(tensor.dtype);
  }
  void set(const std::vector<double> &values) {
    std::vector<unsigned char> bytes(memory.bytes, 0xff);
    each([&](int64_t r, int64_t row, int64_t col, size_t i) {
      store(tensor.dtype, values[i], &bytes[place(r, row, col)]);
    });
    memory.upload(bytes.data());
  }
  // [R][rows][cols], as stored.
  std::vector<double> get() const {
    const std::vector<unsigned char> bytes = memory.download<unsigned char>();
    std::vector<double> values(static_cast<size_t>(tensor.replicas * tensor.rows * tensor.cols));
    each([&](int64_t r, int64_t row, int64_t col, size_t i) {
      values[i] = load(tensor.dtype, &bytes[place(r, row, col)]);
    });
    return values;
  }
  // Is everything between rows and replicas as it was?
  void assert_gaps() const {
    std::vector<unsigned char> bytes = memory.download<unsigned char>();
    each([&](int64_t r, int64_t row, int64_t col, size_t) {
      std::memset(&bytes[place(r, row, col)], 0xff, gs_dtype_bytes(tensor.dtype));
    });
    for (const unsigned char byte : bytes) assert_int_equal(byte, 0xff);
  }

  Memory memory;
  gs_tensor tensor;

private:
  static int64_t elements(const Shape &shape) {
    return shape.stray + shape.replicas * (shape.rows * (shape.cols + shape.gap) + shape.stray);
  }
  template <class F> void each(F f) const {
    size_t i = 0;
    for (int64_t r = 0; r < tensor.replicas; r++) {
      for (int64_t row = 0; row < tensor.rows; row++) {
        for (int64_t col = 0; col < tensor.cols; col++) f(r, row, col, i++);
      }
    }
  }
  int64_t stray;
};

} // namespace gs_test

#endif
