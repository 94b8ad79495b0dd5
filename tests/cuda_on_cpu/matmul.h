// Matrix products as cublasLt defines them, column-major:
// D = alpha op(A) op(B) + beta C, for each of `batch` matrices.
#ifndef GS_CUDA_ON_CPU_MATMUL_H
#define GS_CUDA_ON_CPU_MATMUL_H

#include <library_types.h>

#include <cstddef>
#include <cstdint>

namespace gs_sim {

struct Matrix {
  void *data;
  cudaDataType type;
  int64_t rows; // as stored
  int64_t cols;
  int64_t ld;     // elements between columns
  int64_t stride; // elements between matrices of the batch
  bool transposed;
};

enum class Summation {
  ascending,    // k from 0 up, in the type of alpha
  halves,       // the two halves of k apart: other bits
  eights,       // eight terms at a time, and their sums one after another
  narrow_halves // the two halves, each rounded to the type of D
};

// What becomes of the inputs' mantissas: 10 bits of them, or all.
enum class Tf32 { no, nearest /* ties to even */, truncated };

struct Matmul {
  int64_t m;
  int64_t n;
  int64_t k;
  int64_t batch;
  Matrix a;
  Matrix b;
  Matrix c;
  Matrix d;
  const void *alpha; // float, or double for CUDA_R_64F
  const void *beta;
  Tf32 tf32;
  Summation summation;
};

size_t element_bytes(cudaDataType type); // 0: not simulated
// Computes it; all memory must be accessible.
void matmul_compute(const Matmul &matmul);

} // namespace gs_sim

#endif
