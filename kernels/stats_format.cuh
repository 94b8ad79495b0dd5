/* How the statistics see elements of a storage type: magnitudes as integers, which order
 * as the magnitudes do, and the exponent bins they fall into.
 *
 * bf16 and f16 are widened to f32 first, which is exact; a subnormal f16 then is a normal
 * number with an exponent of its own. Elements are counted in *rows*, one for each biased
 * exponent of the wide type (zero and its subnormals share row 0), and behind those one
 * for each leading bit of its subnormals. */
#ifndef GS_KERNELS_STATS_FORMAT_CUH
#define GS_KERNELS_STATS_FORMAT_CUH

#include "device/tensor.h"
#include "kernels/language.h"
#include "kernels/vector.cuh"

namespace gs {

/* Exponents (ilogb) of a storage type: smallest subnormal, smallest normal, largest. */
struct Exponents {
  int min, min_normal, max;
};
constexpr Exponents exponents_of(gs_dtype dtype) {
  constexpr Exponents all[] = {
#define GS_EXPONENTS(constant, name, bytes, min, min_normal, max) {min, min_normal, max},
      GS_DTYPE_LIST(GS_EXPONENTS)
#undef GS_EXPONENTS
  };
  return all[dtype];
}

template <typename T> struct dtype_of;
template <> struct dtype_of<double> { static constexpr gs_dtype value = GS_F64; };
template <> struct dtype_of<float> { static constexpr gs_dtype value = GS_F32; };
template <> struct dtype_of<__nv_bfloat16> { static constexpr gs_dtype value = GS_BF16; };
template <> struct dtype_of<__half> { static constexpr gs_dtype value = GS_F16; };

/* The wide type's bits. */
template <typename C> struct Wide;
template <> struct Wide<float> {
  using Bits = uint32_t;
  static constexpr int digits = 23; /* behind the point */
  static constexpr int bias = 127;
  static __device__ __forceinline__ Bits magnitude(float x) {
    return __float_as_uint(x) & 0x7fffffffu;
  }
  static __device__ __forceinline__ double value(Bits magnitude) {
    return static_cast<double>(__uint_as_float(magnitude));
  }
  static __device__ __forceinline__ int leading_bit(Bits magnitude) {
    return 31 - __clz(static_cast<int>(magnitude));
  }
};
template <> struct Wide<double> {
  using Bits = unsigned long long;
  static constexpr int digits = 52;
  static constexpr int bias = 1023;
  static __device__ __forceinline__ Bits magnitude(double x) {
    return static_cast<Bits>(__double_as_longlong(x)) & 0x7fffffffffffffffull;
  }
  static __device__ __forceinline__ double value(Bits magnitude) {
    return __longlong_as_double(static_cast<long long>(magnitude));
  }
  static __device__ __forceinline__ int leading_bit(Bits magnitude) {
    return 63 - __clzll(static_cast<long long>(magnitude));
  }
};

/* 16 bytes as read, and the wide value of element i in them. */
struct Words {
  alignas(16) uint32_t at[4];
};

template <typename T> struct Unpack;
template <> struct Unpack<double> {
  static __device__ __forceinline__ double at(const Words &words, int i) {
    const uint64_t low = words.at[2 * i];
    const uint64_t high = words.at[2 * i + 1];
    return __longlong_as_double(static_cast<long long>(high << 32 | low));
  }
};
template <> struct Unpack<float> {
  static __device__ __forceinline__ float at(const Words &words, int i) {
    return __uint_as_float(words.at[i]);
  }
};
template <> struct Unpack<__nv_bfloat16> {
  static __device__ __forceinline__ float at(const Words &words, int i) {
    const uint32_t two = words.at[i / 2];
    return __uint_as_float(i % 2 ? two & 0xffff0000u : two << 16);
  }
};
template <> struct Unpack<__half> {
  static __device__ __forceinline__ float at(const Words &words, int i) {
    __half_raw half;
    half.x = static_cast<unsigned short>(i % 2 ? words.at[i / 2] >> 16 : words.at[i / 2] & 0xffff);
    return widen(__half(half));
  }
};

template <unsigned POWER> constexpr int log2_of = 1 + log2_of<POWER / 2>;
template <> inline constexpr int log2_of<1> = 0;

template <typename T> struct Format : Wide<Compute<T>> {
  using W = Wide<Compute<T>>;
  using Bits = typename W::Bits;
  static constexpr int min_exponent = exponents_of(dtype_of<T>::value).min;
  static constexpr int normal_exponent = exponents_of(dtype_of<T>::value).min_normal;
  static constexpr int bins = exponents_of(dtype_of<T>::value).max - min_exponent + 1;
  static constexpr int subnormal_bins = normal_exponent - min_exponent;

  static constexpr int wide_exponents = 2 * W::bias + 2;
  static constexpr Bits infinity = static_cast<Bits>(2 * W::bias + 1) << W::digits;
  static constexpr Bits min_normal = static_cast<Bits>(normal_exponent + W::bias) << W::digits;
  /* Are T's subnormals subnormal in the wide type, too? */
  static constexpr bool subnormal_rows = normal_exponent == 1 - W::bias;
  static constexpr int rows = wide_exponents + (subnormal_rows ? subnormal_bins : 0);

  static __device__ __forceinline__ int row(Bits magnitude) {
    return static_cast<int>(magnitude >> W::digits);
  }
  /* row * size, for a power of two: in one shift and one mask. */
  template <unsigned SIZE> static __device__ __forceinline__ uint32_t row_times(Bits magnitude) {
    constexpr int shift = W::digits - log2_of<SIZE>;
    return static_cast<uint32_t>(magnitude >> shift) & (wide_exponents - 1) * SIZE;
  }
  static __device__ __forceinline__ int subnormal_row(Bits magnitude) {
    return wide_exponents + W::leading_bit(magnitude) - (W::digits - subnormal_bins);
  }
  /* The bin that a row's elements belong to, or -1: zeros, NaN and infinities. */
  static __device__ __forceinline__ int bin(int at) {
    if (at >= wide_exponents) return at - wide_exponents;
    const int own = at - W::bias - min_exponent;
    return at == 0 || own >= bins ? -1 : own;
  }
};

} // namespace gs

#endif
