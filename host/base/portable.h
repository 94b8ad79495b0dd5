/* Functions that C, C++ and CUDA C++ share: the same source, so the same
 * arithmetic, on the host and in kernels. */
#ifndef GS_BASE_PORTABLE_H
#define GS_BASE_PORTABLE_H

#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "fast-math changes the bits that gradsweep promises"
#endif

#ifdef __CUDACC__
#define GS_PORTABLE_FN static __host__ __device__ __forceinline__
#else
#define GS_PORTABLE_FN static inline
#endif

/* The bits of a float32, and the float32 of these bits. */
GS_PORTABLE_FN uint32_t gs_float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

GS_PORTABLE_FN float gs_float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* The same of a float64. */
GS_PORTABLE_FN uint64_t gs_double_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

GS_PORTABLE_FN double gs_double_from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
