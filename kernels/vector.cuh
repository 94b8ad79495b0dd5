/* Storage types and what is computed with them: f64 in double, everything else in
 * float. Elements are moved V at a time, 16 bytes where the addresses allow. */
#ifndef GS_KERNELS_VECTOR_CUH
#define GS_KERNELS_VECTOR_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "device/tensor.h"
#include "kernels/language.h"

namespace gs {

/* T: how a dtype is stored. Compute<T>: what arithmetic is done in. */
template <typename T> struct compute_of { using type = float; };
template <> struct compute_of<double> { using type = double; };
template <typename T> using Compute = typename compute_of<T>::type;

__device__ __forceinline__ double widen(double x) { return x; }
__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float widen(__half x) { return __half2float(x); }

/* Rounds to nearest even. */
template <typename T> __device__ __forceinline__ T narrow(Compute<T> x) { return x; }
template <> __device__ __forceinline__ __nv_bfloat16 narrow<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <> __device__ __forceinline__ __half narrow<__half>(float x) { return __float2half_rn(x); }

/* Elements of T in 16 bytes. */
template <typename T> constexpr int lanes_of = static_cast<int>(16 / sizeof(T));

/* N elements, aligned as a whole when that is a power of two of at most 16 bytes. */
template <typename T, int N> struct alignas(sizeof(T) * N > 16 ? 16 : sizeof(T) * N) Pack {
  T at[N];
};

/* N elements from `from`, in one access where `whole` (aligned, and all inside), else
 * the first `count` one by one; the others are 0. */
template <typename T, int N>
__device__ __forceinline__ Pack<T, N> load_pack(const T *from, bool whole, int count) {
  Pack<T, N> pack;
  if (whole) {
    pack = *reinterpret_cast<const Pack<T, N> *>(from);
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) pack.at[i] = i < count ? from[i] : narrow<T>(0);
  }
  return pack;
}

template <typename T, int N>
__device__ __forceinline__ void store_pack(T *to, const Pack<T, N> &pack, bool whole, int count) {
  if (whole) {
    *reinterpret_cast<Pack<T, N> *>(to) = pack;
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) {
      if (i < count) to[i] = pack.at[i];
    }
  }
}

/* Can rows of this tensor be read N elements of T at a time, from any multiple of N? */
template <typename T, int N> inline bool packs(const gs_tensor &tensor) {
  const size_t address = reinterpret_cast<size_t>(tensor.data);
  return address % sizeof(Pack<T, N>) == 0 && tensor.ld % N == 0 && tensor.stride % N == 0;
}

/* Element (row, col) of a replica. */
template <typename T>
__device__ __forceinline__ T *element(const gs_tensor &tensor, int64_t replica, int64_t row,
                                      int64_t col) {
  return static_cast<T *>(tensor.data) + (replica * tensor.stride + row * tensor.ld + col);
}

/* ilogb of the largest finite magnitude seen; start from 0. NaN and infinities do not
 * count, whatever their order. */
__device__ __forceinline__ void raise_magnitude(float &most, float x) {
  const float magnitude = fabsf(x);
  if (magnitude > most && magnitude <= 3.402823466e+38f) most = magnitude;
}
__device__ __forceinline__ void raise_magnitude(double &most, double x) {
  const double magnitude = fabs(x);
  if (magnitude > most && magnitude <= 1.7976931348623157e+308) most = magnitude;
}

/* Calls f with a value of the storage type of `dtype`, as a tag. */
template <typename F> inline cudaError_t with_storage(gs_dtype dtype, F f) {
  switch (dtype) {
  case GS_F64: return f(double{});
  case GS_F32:
  case GS_TF32: return f(float{});
  case GS_BF16: return f(__nv_bfloat16{});
  case GS_F16: return f(__half{});
  case GS_DTYPE_COUNT: break;
  }
  return cudaErrorInvalidValue;
}

} // namespace gs

#endif
