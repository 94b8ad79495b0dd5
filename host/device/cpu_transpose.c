/* Transposed copies. With 512-bit vectors, blocks of 16 x 16 floats are turned in
 * registers: four rounds that interleave row i with row i + 8, each of which
 * rotates the address (row, column) by one bit. Elsewhere, and for what remains
 * at the edges, sixteen rows at a time, so that stores fill whole lines. */
#include <string.h>

#include "device/cpu_internal.h"

enum { BLOCK = 16 };

#define TRANSPOSE_PLAIN(type)                                                                      \
  static void plain_##type(const type *restrict in, int64_t ldi, int64_t rows, int64_t cols,       \
                           type *restrict out, int64_t ldo) {                                      \
    for (int64_t i = 0; i < rows; i += BLOCK) {                                                    \
      const int64_t i_end = i + BLOCK < rows ? i + BLOCK : rows;                                   \
      for (int64_t j = 0; j < cols; j++) {                                                         \
        for (int64_t k = i; k < i_end; k++) out[j * ldo + k] = in[k * ldi + j];                    \
      }                                                                                            \
    }                                                                                              \
  }
TRANSPOSE_PLAIN(float)
TRANSPOSE_PLAIN(double)
#undef TRANSPOSE_PLAIN

#ifdef __AVX512F__

typedef float vector __attribute__((vector_size(BLOCK * sizeof(float))));

static inline void interleave(const vector from[BLOCK], vector to[BLOCK]) {
  for (int i = 0; i < BLOCK / 2; i++) {
    const vector x = from[i];
    const vector y = from[i + BLOCK / 2];
    to[2 * i] =
        __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    to[2 * i + 1] =
        __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
}

static void block(const float *in, int64_t ldi, float *out, int64_t ldo) {
  vector a[BLOCK];
  vector b[BLOCK];
  for (int i = 0; i < BLOCK; i++) memcpy(&a[i], in + i * ldi, sizeof a[i]);
  interleave(a, b);
  interleave(b, a);
  interleave(a, b);
  interleave(b, a);
  for (int i = 0; i < BLOCK; i++) memcpy(out + i * ldo, &a[i], sizeof a[i]);
}

static void transpose_float(const float *in, int64_t ldi, int64_t rows, int64_t cols, float *out,
                            int64_t ldo) {
  const int64_t whole_rows = rows / BLOCK * BLOCK;
  const int64_t whole_cols = cols / BLOCK * BLOCK;
  for (int64_t i = 0; i < whole_rows; i += BLOCK) {
    for (int64_t j = 0; j < whole_cols; j += BLOCK) {
      block(in + i * ldi + j, ldi, out + j * ldo + i, ldo);
    }
  }
  plain_float(in + whole_rows * ldi, ldi, rows - whole_rows, cols, out + whole_rows, ldo);
  plain_float(in + whole_cols, ldi, whole_rows, cols - whole_cols, out + whole_cols * ldo, ldo);
}

#else

static void transpose_float(const float *in, int64_t ldi, int64_t rows, int64_t cols, float *out,
                            int64_t ldo) {
  plain_float(in, ldi, rows, cols, out, ldo);
}

#endif

void gs_cpu_transpose(gs_dtype dtype, const void *in, int64_t ldi, int64_t rows, int64_t cols,
                      void *out, int64_t ldo) {
  if (dtype == GS_F64) {
    plain_double(in, ldi, rows, cols, out, ldo);
  } else {
    transpose_float(in, ldi, rows, cols, out, ldo);
  }
}
