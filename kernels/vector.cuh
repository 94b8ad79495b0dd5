/* Storage types and what is computed with them: f64 in double, everything else in
 * float. Elements are moved V at a time, 16 bytes where the addresses allow. */
#ifndef GS_KERNELS_VECTOR_CUH
#define GS_KERNELS_VECTOR_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <string.h>

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

/* The same bytes as one of the types that a single instruction moves. */
template <size_t BYTES> struct bits_of;
template <> struct bits_of<2> { using type = unsigned short; };
template <> struct bits_of<4> { using type = float; };
template <> struct bits_of<8> { using type = uint2; };
template <> struct bits_of<16> { using type = uint4; };
template <typename V> using Bits = typename bits_of<sizeof(V)>::type;

template <typename V> __device__ __forceinline__ Bits<V> to_bits(const V &value) {
  Bits<V> bits;
  memcpy(&bits, static_cast<const void *>(&value), sizeof bits);
  return bits;
}
template <typename V> __device__ __forceinline__ V from_bits(Bits<V> bits) {
  V value;
  memcpy(static_cast<void *>(&value), &bits, sizeof value);
  return value;
}

/* From L2, since L1 may hold an older value than another block has written in this launch. */
template <typename V> __device__ __forceinline__ V load_fresh(const V *from) {
  return from_bits<V>(__ldcg(reinterpret_cast<const Bits<V> *>(from)));
}

/* In one access, to L2, where all stores go. A structure that is assigned is not: nvcc's
 * front end stores it element by element. */
template <typename V> __device__ __forceinline__ void store_fresh(V *to, V value) {
  __stcg(reinterpret_cast<Bits<V> *>(to), to_bits(value));
}

/* A pack as it was loaded. Where several are loaded they stay so until they are computed with:
 * nvcc takes 16-bit elements out of a Pack at once, and so waits for each load before the next. */
template <typename T, int N, bool WIDE = (sizeof(T) > 2)> struct packed_of {
  using type = Pack<T, N>;
};
template <typename T, int N> struct packed_of<T, N, false> { using type = Bits<Pack<T, N>>; };
template <typename T, int N> using Packed = typename packed_of<T, N>::type;

template <typename T, int N>
__device__ __forceinline__ Packed<T, N> packed(const Pack<T, N> &pack) {
  if constexpr (sizeof(T) == 2) {
    return to_bits(pack);
  } else {
    return pack;
  }
}
template <typename T, int N>
__device__ __forceinline__ Pack<T, N> unpacked(const Packed<T, N> &from) {
  if constexpr (sizeof(T) == 2) {
    return from_bits<Pack<T, N>>(from);
  } else {
    return from;
  }
}

/* N elements from `from`, in accesses of 16 bytes where `whole` (aligned, and all inside),
 * else the first `count` one by one; the others are 0. */
template <typename T, int N>
__device__ __forceinline__ Packed<T, N> load_packed(const T *from, bool whole, int count) {
  Packed<T, N> result;
  if (whole) {
    result = *reinterpret_cast<const Packed<T, N> *>(from);
  } else {
    Pack<T, N> pack;
#pragma unroll
    for (int i = 0; i < N; i++) pack.at[i] = i < count ? from[i] : narrow<T>(0);
    result = packed<T, N>(pack);
  }
  return result;
}

template <typename T, int N>
__device__ __forceinline__ Pack<T, N> load_pack(const T *from, bool whole, int count) {
  return unpacked<T, N>(load_packed<T, N>(from, whole, count));
}

template <typename T, int N>
__device__ __forceinline__ void store_pack(T *to, const Pack<T, N> &pack, bool whole, int count) {
  constexpr int V = sizeof(Pack<T, N>) > 16 ? lanes_of<T> : N; /* of one access */
  if (whole) {
#pragma unroll
    for (int i = 0; i < N; i += V) {
      Pack<T, V> part;
#pragma unroll
      for (int j = 0; j < V; j++) part.at[j] = pack.at[i + j];
      store_fresh(reinterpret_cast<Pack<T, V> *>(to + i), part);
    }
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
