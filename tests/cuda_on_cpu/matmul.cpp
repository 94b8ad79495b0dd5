// The arithmetic of the matrix products. Operands are first copied into panels
// (the order in which the inner loop reads them, converted to the type of the
// sums), so that one vectorised loop serves all layouts. Each output is one sum,
// in ascending k unless the algorithm has another order, whatever the sizes: the same
// bits from every algorithm that promises them. Compiled without sanitizers; ranges were checked
// before.
#include "matmul.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace gs_sim {
namespace {

constexpr int tile_m = 32;
constexpr int tile_n = 4;

float tf32_of(float value, Tf32 how) {
  if (!std::isfinite(value)) return value;
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if (how == Tf32::nearest) bits += 0xfff + (bits >> 13 & 1);
  bits &= ~uint32_t{0x1fff};
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}

template <class Sum> Sum load(const Matrix &matrix, int64_t at) {
  switch (matrix.type) {
  case CUDA_R_64F: return static_cast<Sum>(static_cast<const double *>(matrix.data)[at]);
  case CUDA_R_16BF:
    return static_cast<Sum>(__bfloat162float(static_cast<const __nv_bfloat16 *>(matrix.data)[at]));
  case CUDA_R_16F:
    return static_cast<Sum>(__half2float(static_cast<const __half *>(matrix.data)[at]));
  default: return static_cast<Sum>(static_cast<const float *>(matrix.data)[at]);
  }
}

template <class Sum> void store(const Matrix &matrix, int64_t at, Sum value) {
  switch (matrix.type) {
  case CUDA_R_64F: static_cast<double *>(matrix.data)[at] = static_cast<double>(value); break;
  case CUDA_R_16BF:
    static_cast<__nv_bfloat16 *>(matrix.data)[at] = __float2bfloat16_rn(static_cast<float>(value));
    break;
  case CUDA_R_16F:
    static_cast<__half *>(matrix.data)[at] = __float2half_rn(static_cast<float>(value));
    break;
  default: static_cast<float *>(matrix.data)[at] = static_cast<float>(value);
  }
}

// Copies element (first + i, k) of an operand with `count` rows to panel[k * tile + i];
// zero past the end. `along` and `across` are the strides of i and k.
template <int tile, class Sum, class Convert>
void pack_strip(const Matrix &matrix, int64_t at, int64_t first, int64_t count, int64_t k,
                int64_t along, int64_t across, Sum *panel, Convert convert) {
  const int64_t filled = std::min<int64_t>(tile, count - first);
  for (int64_t row = 0; row < k; row++) {
    Sum *out = panel + row * tile;
    int64_t from = at + first * along + row * across;
    for (int64_t i = 0; i < filled; i++, from += along) out[i] = convert(load<Sum>(matrix, from));
    for (int64_t i = filled; i < tile; i++) out[i] = 0;
  }
}

template <int tile, class Sum>
void pack(const Matmul &matmul, const Matrix &matrix, int64_t at, int64_t count, bool k_is_column,
          Sum *panel) {
  const int64_t along = k_is_column ? 1 : matrix.ld;
  const int64_t across = k_is_column ? matrix.ld : 1;
  const int64_t k = matmul.k;
  for (int64_t first = 0; first < count; first += tile, panel += k * tile) {
    if (matmul.tf32 != Tf32::no)
      pack_strip<tile>(matrix, at, first, count, k, along, across, panel, [&](Sum x) {
        return static_cast<Sum>(tf32_of(static_cast<float>(x), matmul.tf32));
      });
    else
      pack_strip<tile>(matrix, at, first, count, k, along, across, panel, [](Sum x) { return x; });
  }
}

// sums[j][i] = sum over k of a[k][i] b[k][j].
template <class Sum>
void multiply_tile(const Sum *a, const Sum *b, int64_t k, Sum (&sums)[tile_n][tile_m]) {
  Sum local[tile_n][tile_m] = {};
  for (int64_t row = 0; row < k; row++, a += tile_m, b += tile_n)
    for (int j = 0; j < tile_n; j++)
      for (int i = 0; i < tile_m; i++) local[j][i] += a[i] * b[j];
  std::memcpy(sums, local, sizeof(local));
}

// As if it had been stored as an element of this type.
template <class Sum> Sum rounded(cudaDataType type, Sum value) {
  switch (type) {
  case CUDA_R_16BF:
    return static_cast<Sum>(__bfloat162float(__float2bfloat16_rn(static_cast<float>(value))));
  case CUDA_R_16F:
    return static_cast<Sum>(__half2float(__float2half_rn(static_cast<float>(value))));
  default: return value;
  }
}

// How many terms are added before they are added to the others.
int64_t chunk_of(const Matmul &matmul) {
  switch (matmul.summation) {
  case Summation::halves:
  case Summation::narrow_halves: return std::max<int64_t>(matmul.k - matmul.k / 2, 1);
  case Summation::eights: return 8;
  default: return matmul.k;
  }
}

template <class Sum>
void sum_tile(const Matmul &matmul, const Sum *a, const Sum *b, Sum (&sums)[tile_n][tile_m]) {
  const int64_t chunk = chunk_of(matmul);
  const bool narrow = matmul.summation == Summation::narrow_halves;
  Sum part[tile_n][tile_m];
  std::memset(sums, 0, sizeof(sums));
  for (int64_t from = 0; from < matmul.k; from += chunk) {
    multiply_tile(a + from * tile_m, b + from * tile_n, std::min(chunk, matmul.k - from), part);
    for (int j = 0; j < tile_n; j++)
      for (int i = 0; i < tile_m; i++) {
        sums[j][i] += narrow ? rounded(matmul.d.type, part[j][i]) : part[j][i];
        if (narrow) sums[j][i] = rounded(matmul.d.type, sums[j][i]);
      }
  }
}

template <class Sum>
void write_tile(const Matmul &matmul, int64_t item, int64_t row, int64_t col,
                const Sum (&sums)[tile_n][tile_m]) {
  const Sum alpha = *static_cast<const Sum *>(matmul.alpha);
  const Sum beta = *static_cast<const Sum *>(matmul.beta);
  const int64_t rows = std::min<int64_t>(tile_m, matmul.m - row);
  const int64_t cols = std::min<int64_t>(tile_n, matmul.n - col);
  for (int64_t j = 0; j < cols; j++) {
    const int64_t to = item * matmul.d.stride + (col + j) * matmul.d.ld + row;
    const int64_t from = item * matmul.c.stride + (col + j) * matmul.c.ld + row;
    for (int64_t i = 0; i < rows; i++) {
      Sum value = alpha * sums[j][i];
      if (beta != 0) value += beta * load<Sum>(matmul.c, from + i);
      store(matmul.d, to + i, value);
    }
  }
}

template <class Sum> void compute(const Matmul &matmul) {
  const auto strips = [](int64_t count, int64_t tile) { return (count + tile - 1) / tile * tile; };
  std::vector<Sum> a(static_cast<size_t>(strips(matmul.m, tile_m) * matmul.k));
  std::vector<Sum> b(static_cast<size_t>(strips(matmul.n, tile_n) * matmul.k));
  for (int64_t item = 0; item < matmul.batch; item++) {
    if (item == 0 || matmul.a.stride != 0)
      pack<tile_m>(matmul, matmul.a, item * matmul.a.stride, matmul.m, !matmul.a.transposed,
                   a.data());
    if (item == 0 || matmul.b.stride != 0)
      pack<tile_n>(matmul, matmul.b, item * matmul.b.stride, matmul.n, matmul.b.transposed,
                   b.data());
    for (int64_t row = 0; row < matmul.m; row += tile_m)
      for (int64_t col = 0; col < matmul.n; col += tile_n) {
        Sum sums[tile_n][tile_m];
        sum_tile(matmul, a.data() + row * matmul.k, b.data() + col * matmul.k, sums);
        write_tile(matmul, item, row, col, sums);
      }
  }
}

} // namespace

size_t element_bytes(cudaDataType type) {
  switch (type) {
  case CUDA_R_64F: return 8;
  case CUDA_R_32F: return 4;
  case CUDA_R_16BF:
  case CUDA_R_16F: return 2;
  default: return 0;
  }
}

void matmul_compute(const Matmul &matmul) {
  if (matmul.a.type == CUDA_R_64F)
    compute<double>(matmul);
  else
    compute<float>(matmul);
}

} // namespace gs_sim
