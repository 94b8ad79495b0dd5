// Sequences of numbers in device memory for tests of single kernels, and the functions
// that networks are made of, in float64.
#ifndef GS_TESTS_KERNELS_SEQUENCE_H
#define GS_TESTS_KERNELS_SEQUENCE_H

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include "device/scale.h"
#include "device/tensor.h"

// ---- numbers -------------------------------------------------------------------

inline void must(cudaError_t status, const char *what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "%s: %d\n", what, static_cast<int>(status));
  std::exit(1);
}

inline uint32_t random_state = 1;
inline double uniform() { // in (-1, 1)
  random_state = random_state * 1664525u + 1013904223u;
  return (static_cast<double>(random_state >> 8) + 0.5) / (1 << 23) - 1;
}

inline size_t bytes_of(gs_dtype dtype) { return dtype == GS_F32 ? 4 : 2; }

inline void put(gs_dtype dtype, unsigned char *to, double value) {
  const auto rounded = static_cast<float>(value);
  if (dtype == GS_F32) {
    std::memcpy(to, &rounded, 4);
  } else if (dtype == GS_BF16) {
    const __nv_bfloat16 bits = __float2bfloat16_rn(rounded);
    std::memcpy(to, &bits, 2);
  } else {
    const __half bits = __float2half_rn(rounded);
    std::memcpy(to, &bits, 2);
  }
}

inline double get(gs_dtype dtype, const unsigned char *from) {
  if (dtype == GS_F32) {
    float value;
    std::memcpy(&value, from, 4);
    return static_cast<double>(value);
  }
  if (dtype == GS_BF16) {
    __nv_bfloat16 value;
    std::memcpy(&value, from, 2);
    return static_cast<double>(__bfloat162float(value));
  }
  __half value;
  std::memcpy(&value, from, 2);
  return static_cast<double>(__half2float(value));
}

// phi and phi' at z.
struct Phi {
  double value, slope;
};

inline Phi phi_at(gs_activation phi, double z) {
  const double sigmoid = 1 / (1 + std::exp(-z));
  const double normal = std::erfc(-z / std::sqrt(2.0)) / 2;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
  const double lambda = 1.0507009873554805;
  const double alpha = 1.6732632423543772;
  switch (phi.kind) {
  case GS_SIGMOID: return {sigmoid, sigmoid * (1 - sigmoid)};
  case GS_TANH: return {std::tanh(z), 1 / std::pow(std::cosh(z), 2)};
  case GS_RELU: return {z > 0 ? z : 0, z > 0 ? 1.0 : 0.0};
  case GS_LEAKY_RELU: return {z > 0 ? z : phi.slope * z, z > 0 ? 1.0 : phi.slope};
  case GS_ELU: return {z > 0 ? z : std::expm1(z), z > 0 ? 1 : std::exp(z)};
  case GS_SELU:
    return {lambda * (z > 0 ? z : alpha * std::expm1(z)),
            lambda * (z > 0 ? 1 : alpha * std::exp(z))};
  case GS_GELU: return {z * normal, normal + z * density};
  case GS_SILU: return {z * sigmoid, sigmoid + z * sigmoid * (1 - sigmoid)};
  case GS_SOFTSIGN: return {z / (1 + std::fabs(z)), 1 / std::pow(1 + std::fabs(z), 2)};
  case GS_SOFTPLUS: return {std::log1p(std::exp(z)), sigmoid};
  case GS_IDENTITY:
  case GS_ACTIVATION_COUNT: break;
  }
  return {z, 1};
}

// ---- tensors in device memory -----------------------------------------------------

// A sequence of `blocks` blocks of rows. What no element occupies is NaN.
class Sequence {
public:
  Sequence(gs_dtype dtype, int replicas, int blocks, int rows, int cols, int pad, bool tracked)
      : rows_(rows), blocks_(blocks) {
    tensor = gs_tensor{};
    tensor.rows = static_cast<int64_t>(blocks) * rows;
    tensor.cols = cols;
    tensor.ld = cols + pad;
    tensor.stride = tensor.rows * tensor.ld + pad;
    tensor.replicas = replicas;
    tensor.dtype = dtype;
    image.assign(static_cast<size_t>(replicas * tensor.stride) * bytes_of(dtype), 0xff);
    must(cudaMalloc(&tensor.data, image.size()), "cudaMalloc");
    if (!tracked) return;
    slots.assign(static_cast<size_t>(blocks * replicas), gs_scale{0, GS_PEAK_NONE});
    void *memory = nullptr;
    must(cudaMalloc(&memory, slots.size() * sizeof(gs_scale)), "cudaMalloc");
    tensor.scale = static_cast<gs_scale *>(memory);
  }
  ~Sequence() {
    cudaFree(tensor.data);
    cudaFree(tensor.scale);
  }
  Sequence(const Sequence &) = delete;
  Sequence &operator=(const Sequence &) = delete;

  double digits(int replica, int block, int row, int col) const {
    return get(tensor.dtype, image.data() + offset(replica, block, row, col));
  }
  // A block's elements with their exponent, row by row.
  std::vector<double> values(int replica, int block) const {
    std::vector<double> all;
    for (int i = 0; i < rows_; i++) {
      for (int j = 0; j < tensor.cols; j++) {
        all.push_back(std::ldexp(digits(replica, block, i, j), exponent(replica, block)));
      }
    }
    return all;
  }
  int exponent(int replica, int block) const {
    return slots.empty() ? 0 : slot(replica, block).exponent;
  }
  const gs_scale &slot(int replica, int block) const {
    return slots[static_cast<size_t>(block * tensor.replicas + replica)];
  }
  // What the operations take for a slot that does not exist.
  gs_scale input(int replica, int block) const {
    return slots.empty() ? gs_scale{0, GS_PEAK_NONE} : gs_scale_input(slot(replica, block));
  }
  int32_t peak(int replica, int block) const {
    int32_t max = GS_PEAK_NONE;
    for (int i = 0; i < rows_; i++) {
      for (int j = 0; j < tensor.cols; j++) {
        const double x = digits(replica, block, i, j);
        if (x != 0 && std::isfinite(x) && std::ilogb(x) > max) max = std::ilogb(x);
      }
    }
    return max;
  }

  // Random digits of a magnitude, with an exponent that takes it to `size`.
  void fill(int block, double magnitude, int exponent) {
    for (int r = 0; r < tensor.replicas; r++) {
      for (int i = 0; i < rows_; i++) {
        for (int j = 0; j < tensor.cols; j++) {
          put(tensor.dtype, image.data() + offset(r, block, i, j), magnitude * uniform());
        }
      }
      if (!slots.empty()) {
        slots[static_cast<size_t>(block * tensor.replicas + r)] =
            gs_scale{exponent + r, peak(r, block)};
      }
    }
  }
  void fill_all(double magnitude, int exponent) {
    for (int block = 0; block < blocks_; block++) fill(block, magnitude, exponent - 3 * block);
  }

  void upload() const {
    must(cudaMemcpy(tensor.data, image.data(), image.size(), cudaMemcpyHostToDevice), "upload");
    if (slots.empty()) return;
    must(cudaMemcpy(tensor.scale, slots.data(), slots.size() * sizeof(gs_scale),
                    cudaMemcpyHostToDevice),
         "upload");
  }
  void download() {
    must(cudaMemcpy(image.data(), tensor.data, image.size(), cudaMemcpyDeviceToHost), "download");
    if (slots.empty()) return;
    must(cudaMemcpy(slots.data(), tensor.scale, slots.size() * sizeof(gs_scale),
                    cudaMemcpyDeviceToHost),
         "download");
  }
  // Slots of blocks from `first` on.
  void empty_slots(int first) {
    for (size_t i = static_cast<size_t>(first * tensor.replicas); i < slots.size(); i++) {
      slots[i] = gs_scale{0, GS_PEAK_NONE};
    }
  }
  // What no element occupies is as it was made.
  bool padded() const {
    std::vector<unsigned char> left = image;
    const auto bytes = static_cast<size_t>(tensor.cols) * bytes_of(tensor.dtype);
    for (int r = 0; r < tensor.replicas; r++) {
      for (int row = 0; row < blocks_ * rows_; row++) {
        std::memset(left.data() + offset(r, 0, row, 0), 0xff, bytes);
      }
    }
    return left == std::vector<unsigned char>(image.size(), 0xff);
  }
  bool same(const Sequence &other) const {
    return image == other.image &&
           (slots.empty() ||
            std::memcmp(slots.data(), other.slots.data(), slots.size() * sizeof(gs_scale)) == 0);
  }

  gs_tensor tensor;
  std::vector<unsigned char> image;
  std::vector<gs_scale> slots;

private:
  size_t offset(int replica, int block, int row, int col) const {
    const int64_t element =
        replica * tensor.stride + (static_cast<int64_t>(block) * rows_ + row) * tensor.ld + col;
    return static_cast<size_t>(element) * bytes_of(tensor.dtype);
  }
  int rows_, blocks_;
};

#endif
