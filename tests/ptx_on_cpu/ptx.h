// What PTX's instructions mean, for the C++ that translate.py makes of them (PTX ISA,
// chapter 9). Compiled with -fwrapv, -fno-strict-aliasing and -ffp-contract=off: integers
// wrap, registers have no types but sizes, and every operation is rounded by itself.
#ifndef GS_PTX_ON_CPU_PTX_H
#define GS_PTX_ON_CPU_PTX_H

#include <vector_types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "device.h"
#include "die.h"
#include "kernel.h"

extern const uint3 threadIdx, blockIdx;
extern const dim3 blockDim, gridDim;

namespace gs_ptx {

enum class F16 : uint16_t {};
enum class Bf16 : uint16_t {};

// ---- registers -----------------------------------------------------------------

// A register's content as a T: the same bits, or an integer cut or extended as C++ does.
template <class T, class From> inline T as(From from) {
  if constexpr (std::is_same<T, From>::value) {
    return from;
  } else if constexpr (std::is_floating_point<T>::value || std::is_floating_point<From>::value) {
    static_assert(sizeof(T) == sizeof(From), "bits move between registers of one size");
    T to;
    std::memcpy(&to, &from, sizeof to);
    return to;
  } else {
    return static_cast<T>(from);
  }
}
template <class To, class From> inline void put(To &to, From from) { to = as<To>(from); }

inline float float_of(uint32_t bits) { return as<float>(bits); }
inline double double_of(uint64_t bits) { return as<double>(bits); }

template <class Whole, class Half> inline void split(Whole from, Half &low, Half &high) {
  const auto bits = as<std::conditional_t<sizeof(Whole) == 8, uint64_t, uint32_t>>(from);
  using Bits = std::conditional_t<sizeof(Whole) == 8, uint32_t, uint16_t>;
  put(low, static_cast<Bits>(bits));
  put(high, static_cast<Bits>(bits >> 4 * sizeof(Whole)));
}
template <class Whole, class Half> inline void join(Whole &to, Half low, Half high) {
  using Bits = std::conditional_t<sizeof(Whole) == 8, uint64_t, uint32_t>;
  using Part = std::conditional_t<sizeof(Whole) == 8, uint32_t, uint16_t>;
  put(to, static_cast<Bits>(Bits{as<Part>(low)} | Bits{as<Part>(high)} << 4 * sizeof(Whole)));
}

// ---- integers ------------------------------------------------------------------

template <class T> struct twice;
template <> struct twice<int16_t> { using type = int32_t; };
template <> struct twice<uint16_t> { using type = uint32_t; };
template <> struct twice<int32_t> { using type = int64_t; };
template <> struct twice<uint32_t> { using type = uint64_t; };
template <> struct twice<int64_t> { __extension__ using type = __int128; };
template <> struct twice<uint64_t> { __extension__ using type = unsigned __int128; };
template <class T> using wide = typename twice<T>::type;

template <class T> inline T multiply_high(T a, T b) {
  return static_cast<T>(wide<T>(a) * wide<T>(b) >> 8 * sizeof(T));
}
// The GPU has no trap for these; what it answers is unspecified, so nothing may want it.
template <class T> inline void check_division(T a, T b) {
  if (b == 0) gs_sim::die("an integer is divided by 0");
  if (std::is_signed<T>::value && b == T(-1) && a == T(T(1) << (8 * sizeof(T) - 1)))
    gs_sim::die("the least integer is divided by -1");
}
template <class T> inline T quotient(T a, T b) { return check_division(a, b), a / b; }
template <class T> inline T remainder_of(T a, T b) { return check_division(a, b), a % b; }

template <class T> inline T shift_left(T a, uint32_t by) {
  return by >= 8 * sizeof(T) ? T(0) : T(a << by);
}
template <class T> inline T shift_right(T a, uint32_t by) {
  if (by >= 8 * sizeof(T)) return a < 0 ? T(-1) : T(0);
  return static_cast<T>(a >> by);
}
template <class T> inline T insert_bits(T bits, T into, uint32_t at, uint32_t count) {
  const T ones = count >= 8 * sizeof(T) ? T(-1) : T((T(1) << count) - 1);
  const T mask = shift_left(ones, at & 0xff);
  return static_cast<T>((into & ~mask) | (shift_left(bits, at & 0xff) & mask));
}
inline uint32_t reverse_bits(uint32_t a) {
  uint32_t reversed = 0;
  for (int i = 0; i < 32; i++, a >>= 1) reversed = reversed << 1 | (a & 1);
  return reversed;
}
template <class T> inline uint32_t clz(T a) {
  if (a == 0) return 8 * sizeof(T);
  return sizeof(T) == 8 ? __builtin_clzll(a) : __builtin_clz(static_cast<uint32_t>(a));
}
template <class T> inline uint32_t popc(T a) { return __builtin_popcountll(a); }
inline uint32_t shift_to_top(uint32_t a) { return a == 0 ? 0xffffffffu : clz(a); }

// ---- comparisons; those of reals are false for NaN, with u true -----------------

template <class T> inline bool eq(T a, T b) { return a == b; }
template <class T> inline bool lt(T a, T b) { return a < b; }
template <class T> inline bool le(T a, T b) { return a <= b; }
template <class T> inline bool gt(T a, T b) { return a > b; }
template <class T> inline bool ge(T a, T b) { return a >= b; }
template <class T> inline bool ne(T a, T b) { return a < b || a > b; }
template <class T> inline bool equ(T a, T b) { return !ne(a, b); }
template <class T> inline bool neu(T a, T b) { return !(a == b); }
template <class T> inline bool ltu(T a, T b) { return !(a >= b); }
template <class T> inline bool leu(T a, T b) { return !(a > b); }
template <class T> inline bool gtu(T a, T b) { return !(a <= b); }
template <class T> inline bool geu(T a, T b) { return !(a < b); }

// ---- reals ---------------------------------------------------------------------

// The other where one is NaN; -0 is less than +0.
template <class T> inline T real_min(T a, T b) {
  if (a == b) return std::signbit(a) ? a : b;
  return std::fmin(a, b);
}
template <class T> inline T real_max(T a, T b) {
  if (a == b) return std::signbit(a) ? b : a;
  return std::fmax(a, b);
}
// To 20 bits, the rest 0; what follows it in a kernel refines it.
inline double gross_reciprocal(double a) {
  if (std::fabs(a) < 0x1p-1022) a = std::copysign(0.0, a);
  const double whole = 1 / a;
  const double cut = double_of(as<uint64_t>(whole) & 0xffffffff00000000ull);
  return std::fabs(cut) < 0x1p-1022 ? std::copysign(0.0, cut) : cut;
}
// To 2^-22.5 of the result: here the last bit but one is always cleared.
inline float gross_power_of_two(float a) {
  if (std::fabs(a) < 0x1p-126f) return 1;
  const float power = static_cast<float>(std::exp2(static_cast<double>(a)));
  return power < 0x1p-126f ? 0.0f : float_of(as<uint32_t>(power) & ~2u);
}

// To nearest, ties to even; every NaN to one. The exponents 2^low .. 2^high of the narrow
// format's normal numbers and its fraction bits say all.
template <int FRACTION, int LOW, int HIGH> inline uint16_t rounded(float a) {
  constexpr int EXPONENT = 15 - FRACTION;
  const uint16_t sign = static_cast<uint16_t>(as<uint32_t>(a) >> 31 << 15);
  const double magnitude = std::fabs(static_cast<double>(a));
  if (std::isnan(a)) return 0x7fff;
  if (magnitude == 0) return sign;
  const int exponent = std::max(std::isinf(a) ? HIGH + 1 : std::ilogb(magnitude), LOW);
  // in units of the last place, which a double holds exactly up to its own rounding
  const double units = std::nearbyint(std::ldexp(magnitude, FRACTION - exponent));
  const auto bits = static_cast<uint32_t>(std::isinf(a) ? 0 : units) +
                    (static_cast<uint32_t>(exponent - LOW) << FRACTION);
  constexpr uint32_t infinity = ((1u << EXPONENT) - 1) << FRACTION;
  return static_cast<uint16_t>(sign | (exponent > HIGH || bits > infinity ? infinity : bits));
}
template <class T> T narrow(float a);
template <> inline F16 narrow<F16>(float a) { return static_cast<F16>(rounded<10, -14, 15>(a)); }
template <> inline Bf16 narrow<Bf16>(float a) {
  return static_cast<Bf16>(rounded<7, -126, 127>(a));
}
inline float widen(Bf16 a) { return float_of(static_cast<uint32_t>(a) << 16); }
inline float widen(F16 a) {
  const auto bits = static_cast<uint32_t>(a);
  const uint32_t exponent = bits >> 10 & 31;
  const uint32_t fraction = bits & 1023;
  const float sign = bits >> 15 != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return float_of(bits >> 15 << 31 | 0x7f800000u | fraction << 13);
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), static_cast<int>(exponent) - 25);
}

// ---- memory --------------------------------------------------------------------

// N neighbours; as on a GPU, an access is aligned to all that it takes.
template <class T, int N> inline T *place(uint64_t address) {
  if (address % (N * sizeof(T)) != 0)
    gs_sim::die("an access of %zu bytes at %#llx is not aligned", N * sizeof(T),
                static_cast<unsigned long long>(address));
  return reinterpret_cast<T *>(address);
}

// A block's shared memory: its arrays from `start`, dynamic memory from `dynamic_start`.
class Shared {
public:
  static constexpr uint32_t start = 1024;
  static constexpr uint32_t dynamic_start = 1 << 20;
  Shared(const char *declaration, uint32_t bytes)
      : statics_(bytes > 0 ? static_cast<char *>(gs_sim::shared_object(declaration, bytes))
                           : nullptr),
        bytes_(bytes) {}
  uint64_t generic(uint64_t address) const {
    if (address >= dynamic_start)
      return reinterpret_cast<uint64_t>(gs_sim::dynamic_shared()) + (address - dynamic_start);
    return reinterpret_cast<uint64_t>(statics_) + (address - start);
  }
  template <class T, int N> T *place(uint32_t address) const {
    if (address < start || (address < dynamic_start && address + N * sizeof(T) > start + bytes_))
      gs_sim::die("shared memory at %u of %u bytes", address - start, bytes_);
    return gs_ptx::place<T, N>(generic(address));
  }

private:
  char *statics_;
  uint32_t bytes_;
};

inline uint64_t neighbour(uint64_t shared, uint32_t block) {
  return reinterpret_cast<uint64_t>(
      gs_sim::cluster_shared(reinterpret_cast<const void *>(shared), block));
}

// Threads take turns only where they wait: what lies between is atomic.
template <class T, class F> inline T update(T *at, F f) {
  const T before = *at;
  *at = f(before);
  return before;
}
template <class T> inline T atomic_add(T *at, T b) {
  return update(at, [b](T a) { return T(a + b); });
}
template <class T> inline T atomic_min(T *at, T b) {
  return update(at, [b](T a) { return a < b ? a : b; });
}
template <class T> inline T atomic_max(T *at, T b) {
  return update(at, [b](T a) { return a > b ? a : b; });
}
template <class T> inline T atomic_inc(T *at, T b) {
  return update(at, [b](T a) { return a >= b ? T(0) : T(a + 1); });
}
template <class T> inline T atomic_and(T *at, T b) {
  return update(at, [b](T a) { return T(a & b); });
}
template <class T> inline T atomic_or(T *at, T b) {
  return update(at, [b](T a) { return T(a | b); });
}
template <class T> inline T atomic_xor(T *at, T b) {
  return update(at, [b](T a) { return T(a ^ b); });
}
template <class T> inline T atomic_exch(T *at, T b) {
  return update(at, [b](T) { return b; });
}

// ---- warps ---------------------------------------------------------------------

enum class Shuffle { up, down, bfly, idx };

// The value of another lane; `found`: it is one of the segment that `clamp` describes.
inline uint32_t shuffle(Shuffle mode, uint32_t value, uint32_t lane, uint32_t clamp, uint32_t mask,
                        bool &found, gs_sim::Site site) {
  const int own = static_cast<int>(gs_sim::lane_number());
  const int segment = static_cast<int>(clamp >> 8 & 31);
  const int by = static_cast<int>(lane & 31);
  const int last = (own & segment) | (static_cast<int>(clamp & 31) & ~segment);
  int source = own;
  switch (mode) {
  case Shuffle::up: source = own - by; break;
  case Shuffle::down: source = own + by; break;
  case Shuffle::bfly: source = own ^ by; break;
  case Shuffle::idx: source = (own & segment) | (by & ~segment); break;
  }
  found = mode == Shuffle::up ? source >= last : source <= last;
  const gs_sim::ShuffleValue moved =
      gs_sim::warp_shuffle(mask, {{value, 0}}, static_cast<unsigned>(found ? source : own), site);
  return static_cast<uint32_t>(moved.word[0]);
}

// ---- counts --------------------------------------------------------------------

// Of the thread that runs; added to the kernel's at its end.
class CountOfThread {
public:
  explicit CountOfThread(Count &kernel) : kernel_(kernel) {}
  ~CountOfThread() {
    kernel_.threads++;
    kernel_.instructions += instructions_;
    kernel_.fences += fences_;
  }
  CountOfThread(const CountOfThread &) = delete;
  CountOfThread &operator=(const CountOfThread &) = delete;
  void step(uint32_t instructions, uint32_t fences, uint32_t loads) {
    instructions_ += instructions;
    fences_ += fences;
    loads_ += loads;
  }
  void wide_load() {
    if (found_) return;
    found_ = true;
    if (instructions_ > kernel_.to_data) kernel_.to_data = instructions_;
    if (loads_ > kernel_.loads_before) kernel_.loads_before = loads_;
  }

private:
  Count &kernel_;
  uint64_t instructions_ = 0, fences_ = 0, loads_ = 0;
  bool found_ = false;
};

} // namespace gs_ptx

using namespace gs_ptx;

#endif
