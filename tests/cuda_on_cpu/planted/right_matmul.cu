// Matrix products: every type, layout and algorithm against sums in float64.
#include "product.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace planted {
namespace {

// Number i of a fixed sequence in (-1, 1).
float number(size_t i) {
  return static_cast<float>((i * 2654435761u >> 8) % 65536) / 32768.0f - 1.0f;
}

template <class T> T as(float x) { return static_cast<T>(x); }
template <> __nv_bfloat16 as(float x) { return __float2bfloat16_rn(x); }
template <> __half as(float x) { return __float2half_rn(x); }
double back(double x) { return x; }
double back(float x) { return static_cast<double>(x); }
double back(__nv_bfloat16 x) { return static_cast<double>(__bfloat162float(x)); }
double back(__half x) { return static_cast<double>(__half2float(x)); }

template <class T> std::vector<T> numbers(size_t count, size_t seed) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; i++) values[i] = as<T>(number(i + seed));
  return values;
}

struct Sizes {
  int64_t m, n, k;
  int batch;
  bool trans_a, trans_b;
  int64_t slack; // of leading dimensions
  bool shared_b; // stride 0
};

// D = 0.75 op(A) op(B) + beta D, compared element by element with float64 sums.
template <class In, class Out, class Scalar>
void compare(cudaDataType in, cudaDataType out, cublasComputeType_t compute, const Sizes &sizes,
             Scalar beta, double tolerance) {
  const auto [m, n, k, batch, trans_a, trans_b, slack, shared_b] = sizes;
  const int64_t a_rows = trans_a ? k : m;
  const int64_t a_cols = trans_a ? m : k;
  const int64_t b_rows = trans_b ? n : k;
  const int64_t b_cols = trans_b ? k : n;
  const int64_t lda = a_rows + slack;
  const int64_t ldb = b_rows + slack;
  const int64_t ldd = m + slack;
  const int64_t a_stride = lda * a_cols;
  const int64_t b_stride = shared_b ? 0 : ldb * b_cols;
  const int64_t d_stride = ldd * n + 5;
  const std::vector<In> a = numbers<In>(static_cast<size_t>(a_stride * batch), 1);
  const std::vector<In> b = numbers<In>(static_cast<size_t>(ldb * b_cols * batch), 77);
  const std::vector<Out> before = numbers<Out>(static_cast<size_t>(d_stride * batch), 5);
  Array<In> device_a(a);
  Array<In> device_b(b);
  Array<Out> device_d(before);
  const auto u = [](int64_t x) { return static_cast<uint64_t>(x); };
  const Product product(compute, trans_a, trans_b, batch,
                        {device_a.data, in, u(a_rows), u(a_cols), lda, a_stride},
                        {device_b.data, in, u(b_rows), u(b_cols), ldb, b_stride},
                        {device_d.data, out, u(m), u(n), ldd, d_stride});
  const Scalar alpha = as<Scalar>(0.75f);
  CHECK(product.run(&alpha, &beta, nullptr, nullptr, 0, nullptr) == CUBLAS_STATUS_SUCCESS);
  const std::vector<Out> result = device_d.values();
  std::vector<bool> written(result.size(), false);
  for (int64_t r = 0; r < batch; r++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < m; i++) {
        double sum = 0;
        for (int64_t l = 0; l < k; l++)
          sum +=
              back(a[static_cast<size_t>(r * a_stride + (trans_a ? l + i * lda : i + l * lda))]) *
              back(b[static_cast<size_t>(r * b_stride + (trans_b ? j + l * ldb : l + j * ldb))]);
        const auto at = static_cast<size_t>(r * d_stride + j * ldd + i);
        const double expected = 0.75 * sum + back(beta) * back(before[at]);
        CHECK(std::fabs(back(result[at]) - expected) <=
              tolerance * (1 + std::sqrt(static_cast<double>(k))));
        written[at] = true;
      }
  for (size_t i = 0; i < result.size(); i++)
    CHECK(written[i] || std::memcmp(&result[i], &before[i], sizeof(Out)) == 0);
}

void types_and_layouts() {
  for (int trans = 0; trans < 4; trans++) {
    const bool trans_a = trans % 2 == 1;
    const bool trans_b = trans >= 2;
    const Sizes odd = {37, 13, 29, 3, trans_a, trans_b, 2, trans == 1};
    const Sizes thin = {1, 70, 5, 1, trans_a, trans_b, 0, false};
    for (const Sizes &sizes : {odd, thin}) {
      compare<float, float, float>(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, sizes, 0.0f, 1e-6);
      compare<float, float, float>(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, sizes, -2.0f, 1e-6);
      compare<float, float, float>(CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, sizes,
                                   1.0f, 1e-3);
      compare<double, double, double>(CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F, sizes, 0.5,
                                      1e-15);
      compare<__nv_bfloat16, float, float>(CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F, sizes, 1.0f,
                                           1e-6);
      compare<__nv_bfloat16, __nv_bfloat16, float>(CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F,
                                                   sizes, 0.0f, 4e-3);
      compare<__half, __half, float>(CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, sizes, 0.0f, 5e-4);
    }
  }
}

// As the device rounds 1 + 2^-11, a tie in 10 bits, 1 + 3 * 2^-11, another, and a number
// between the two.
void check_tf32(const std::vector<float> &expected) {
  Array<float> a(std::vector<float>{1 + 0x1p-11f, 1 + 3 * 0x1p-11f, 1 + 0x1.1p-11f});
  Array<float> b(std::vector<float>{1});
  Array<float> d(3);
  const Product product(CUBLAS_COMPUTE_32F_FAST_TF32, false, false, 1,
                        {a.data, CUDA_R_32F, 3, 1, 3, 0}, {b.data, CUDA_R_32F, 1, 1, 1, 0},
                        {d.data, CUDA_R_32F, 3, 1, 3, 0});
  const float one = 1;
  const float zero = 0;
  CHECK(product.run(&one, &zero, nullptr, nullptr, 0, nullptr) == CUBLAS_STATUS_SUCCESS);
  CHECK(d.values() == expected);
}

void tf32_rounding() {
  if (std::getenv("GRADSWEEP_SIM_TF32_TRUNCATES") != nullptr)
    check_tf32({1, 1 + 0x1p-10f, 1});
  else
    check_tf32({1, 1 + 0x1p-9f, 1 + 0x1p-10f});
}

void algorithms() {
  const int64_t size = 65;
  const auto elements = static_cast<size_t>(size * size);
  Array<float> a(numbers<float>(elements, 3));
  Array<float> b(numbers<float>(elements, 4));
  Array<float> d(elements);
  Array<float> scalars(std::vector<float>{1, 0});
  Array<float> workspace(20000);
  const Side side_a = {a.data, CUDA_R_32F, 65, 65, 65, 0};
  const Side side_b = {b.data, CUDA_R_32F, 65, 65, 65, 0};
  Product product(CUBLAS_COMPUTE_32F, false, true, 1, side_a, side_b,
                  {d.data, CUDA_R_32F, 65, 65, 65, 0});
  product.take_scalars_from_device();
  const size_t bytes = workspace.count * sizeof(float);
  CHECK(product.algorithms(0).size() == 6);
  auto found = product.algorithms(bytes);
  CHECK(found.size() == 7 && found[4].workspaceSize > 0 && found[4].workspaceSize <= bytes);
  CHECK(found[6].state != CUBLAS_STATUS_SUCCESS);
  found.pop_back();
  std::vector<std::vector<float>> results;
  for (size_t i = 0; i < found.size(); i++) {
    const cublasStatus_t status =
        product.run(scalars.data, scalars.data + 1, &found[i].algo, workspace.data, bytes, nullptr);
    CHECK(status == (i == 3 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS));
    results.push_back(d.values());
  }
  CHECK(results[0] == results[1] && results[0] == results[4] && results[0] != results[2]);
  CHECK(results[0] != results[5] && results[2] != results[5]);
  CHECK(product.run(scalars.data, scalars.data + 1, &found[4].algo, nullptr, 0, nullptr) ==
        CUBLAS_STATUS_INVALID_VALUE);
  CHECK(std::isnan(workspace.values()[0]));
}

// 256 + 1 is 256 in bf16, and 256 + 2 is 258.
void partial_sums_of_16_bits() {
  const std::vector<__nv_bfloat16> terms = {as<__nv_bfloat16>(256), as<__nv_bfloat16>(1),
                                            as<__nv_bfloat16>(1), as<__nv_bfloat16>(0)};
  const std::vector<__nv_bfloat16> ones(4, as<__nv_bfloat16>(1));
  Array<__nv_bfloat16> a(terms);
  Array<__nv_bfloat16> b(ones);
  Array<__nv_bfloat16> d(1);
  const Product product(CUBLAS_COMPUTE_32F, false, false, 1, {a.data, CUDA_R_16BF, 1, 4, 1, 0},
                        {b.data, CUDA_R_16BF, 4, 1, 4, 0}, {d.data, CUDA_R_16BF, 1, 1, 1, 0});
  const float one = 1;
  const float zero = 0;
  const auto found = product.algorithms(0); /* nothing is preferred: narrow sums come first */
  CHECK(found.size() == 7);
  for (size_t i = 0; i < 2; i++) {
    CHECK(product.run(&one, &zero, &found[i].algo, nullptr, 0, nullptr) == CUBLAS_STATUS_SUCCESS);
    CHECK(back(d.values()[0]) == (i == 0 ? 256 : 258));
  }
}

void batch_of_65536() {
  constexpr int64_t count = 65536;
  Array<float> a(std::vector<float>(count, 1));
  Array<float> d(count);
  const Product product(CUBLAS_COMPUTE_32F, false, false, static_cast<int>(count),
                        {a.data, CUDA_R_32F, 1, 1, 1, 1}, {a.data, CUDA_R_32F, 1, 1, 1, 1},
                        {d.data, CUDA_R_32F, 1, 1, 1, 1});
  const float one = 1;
  CHECK(product.algorithms(0).empty());
  CHECK(product.run(&one, &one, nullptr, nullptr, 0, nullptr) == CUBLAS_STATUS_NOT_SUPPORTED);
}

void refused_shapes() {
  Array<float> a(64);
  Array<float> d(64);
  const float one = 1;
  const Product inner(CUBLAS_COMPUTE_32F, false, false, 1, {a.data, CUDA_R_32F, 4, 3, 4, 0},
                      {a.data, CUDA_R_32F, 4, 4, 4, 0}, {d.data, CUDA_R_32F, 4, 4, 4, 0});
  CHECK(inner.run(&one, &one, nullptr, nullptr, 0, nullptr) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(inner.algorithms(0).empty());
  const Product mixed(CUBLAS_COMPUTE_32F, false, false, 1, {a.data, CUDA_R_16F, 4, 4, 4, 0},
                      {a.data, CUDA_R_16BF, 4, 4, 4, 0}, {d.data, CUDA_R_32F, 4, 4, 4, 0});
  CHECK(mixed.run(&one, &one, nullptr, nullptr, 0, nullptr) == CUBLAS_STATUS_NOT_SUPPORTED);
}

} // namespace

const Case right_matmul_cases[] = {{"types_and_layouts", types_and_layouts},
                                   {"tf32_rounding", tf32_rounding},
                                   {"partial_sums_of_16_bits", partial_sums_of_16_bits},
                                   {"batch_of_65536", batch_of_65536},
                                   {"algorithms", algorithms},
                                   {"refused_shapes", refused_shapes},
                                   {nullptr, nullptr}};

} // namespace planted
