// Intrinsics of device code: loads and stores that name a cache, bits, and
// arithmetic that is rounded once.
#ifndef GS_CUDA_ON_CPU_INTRINSICS_H
#define GS_CUDA_ON_CPU_INTRINSICS_H

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

// ---- memory ------------------------------------------------------------------
// Floats and vectors are data: a load that no barrier orders after the store is
// a race. Integers of 4 and 8 bytes may be flags that are polled: their loads
// and stores are relaxed atomics, and what they guard needs __threadfence().

namespace gs_sim {
template <class T>
constexpr bool may_be_flag = std::is_integral<T>::value && (sizeof(T) == 4 || sizeof(T) == 8);
}

template <class T> T __ldg(const T *address) { return *address; }
template <class T> T __ldcg(const T *address) {
  if constexpr (gs_sim::may_be_flag<T>)
    return __atomic_load_n(address, __ATOMIC_RELAXED);
  else
    return *address;
}
template <class T> T __ldcs(const T *address) { return *address; }
template <class T> void __stcg(T *address, T value) {
  if constexpr (gs_sim::may_be_flag<T>)
    __atomic_store_n(address, value, __ATOMIC_RELAXED);
  else
    *address = value;
}
template <class T> void __stcs(T *address, T value) { *address = value; }

// Flags and counters in device memory by which blocks of a cooperative launch tell each
// other how far they are: what was written before the store, or before the addition, is
// visible after the load that sees it.
inline unsigned gs_flag_load(const unsigned *flag) {
  return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}
inline void gs_flag_store(unsigned *flag, unsigned value) {
  __atomic_store_n(flag, value, __ATOMIC_RELEASE);
}
inline void gs_flag_add(unsigned *flag, unsigned value) {
  __atomic_fetch_add(flag, value, __ATOMIC_RELEASE);
}

// ---- bits --------------------------------------------------------------------

namespace gs_sim {
template <class To, class From> To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}
} // namespace gs_sim

inline float __int_as_float(int bits) { return gs_sim::bits_as<float>(bits); }
inline float __uint_as_float(unsigned bits) { return gs_sim::bits_as<float>(bits); }
inline int __float_as_int(float value) { return gs_sim::bits_as<int>(value); }
inline unsigned __float_as_uint(float value) { return gs_sim::bits_as<unsigned>(value); }
inline double __longlong_as_double(long long bits) { return gs_sim::bits_as<double>(bits); }
inline long long __double_as_longlong(double value) { return gs_sim::bits_as<long long>(value); }

inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((uint64_t{a} * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using wide = unsigned __int128;
  return static_cast<unsigned long long>((wide{a} * b) >> 64);
}

// ---- arithmetic, rounded to nearest -------------------------------------------

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return std::sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }
inline double rsqrt(double a) { return 1.0 / std::sqrt(a); }

// CUDA has these without std::.
#define GS_SIM_MIN_MAX(type)                                                                       \
  inline type min(type a, type b) { return b < a ? b : a; }                                        \
  inline type max(type a, type b) { return a < b ? b : a; }
GS_SIM_MIN_MAX(int)
GS_SIM_MIN_MAX(unsigned)
GS_SIM_MIN_MAX(long)
GS_SIM_MIN_MAX(unsigned long)
GS_SIM_MIN_MAX(long long)
GS_SIM_MIN_MAX(unsigned long long)
#undef GS_SIM_MIN_MAX
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }

#endif
