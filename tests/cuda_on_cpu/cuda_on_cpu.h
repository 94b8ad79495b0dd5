// CUDA's device language for a host compiler: what kernels/language.h includes
// when it is not nvcc that reads a kernel file. Types and prototypes are those
// of the real <cuda_runtime.h>; threads are fibers (README.md says more).
#ifndef GS_CUDA_ON_CPU_H
#define GS_CUDA_ON_CPU_H

#ifdef __CUDACC__
#error "cuda_on_cpu.h is for host compilers"
#endif

#include <cuda_runtime.h>
#include <math.h>

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __shared__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__ _Pragma("GCC error \"shared memory is declared by GS_SHARED_ARRAY\"")
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#ifndef __restrict__
#define __restrict__ __restrict
#endif

// cuRAND's headers declare their functions with this.
#ifndef QUALIFIERS
#define QUALIFIERS static inline
#endif

// They change from thread to thread, but not while one runs.
extern const uint3 threadIdx;
extern const uint3 blockIdx;
extern const dim3 blockDim;
extern const dim3 gridDim;
constexpr int warpSize = 32;

#include "atomics.h"
#include "intrinsics.h"
#include "launcher.h"
#include "warps.h"

// An array in shared memory, 16-byte aligned: GS_SHARED_ARRAY(float, tile, [32][33]).
#define GS_SHARED_ARRAY(type, name, ...)                                                           \
  static const char name##_declaration = 0;                                                        \
  using name##_type = type __VA_ARGS__;                                                            \
  name##_type &name =                                                                              \
      *static_cast<name##_type *>(gs_sim::shared_object(&name##_declaration, sizeof(name##_type)))

// The launch's dynamic shared memory as a pointer.
#define GS_DYNAMIC_SHARED(type, name)                                                              \
  type *const name = static_cast<type *>(gs_sim::dynamic_shared())

// In the body of a loop that waits for another block.
#define GS_SPIN_PAUSE() gs_sim::spin_pause()

#endif
