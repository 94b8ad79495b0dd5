/* Functions that C, C++ and CUDA C++ share: the same source, so the same
 * arithmetic, on the host and in kernels. */
#ifndef GS_BASE_PORTABLE_H
#define GS_BASE_PORTABLE_H

#ifdef __FAST_MATH__
#error "fast-math changes the bits that gradsweep promises"
#endif

#ifdef __CUDACC__
#define GS_PORTABLE_FN static __host__ __device__ __forceinline__
#else
#define GS_PORTABLE_FN static inline
#endif

#endif
