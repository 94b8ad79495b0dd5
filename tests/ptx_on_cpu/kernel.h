// Kernels that were made from PTX: which there are, how they are launched, and what they
// executed.
#ifndef GS_PTX_ON_CPU_KERNEL_H
#define GS_PTX_ON_CPU_KERNEL_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

// A kernel of the host compiler is only a name and an address, whose definition gives way
// to the one from the PTX.
#undef __global__
#define __global__ __attribute__((weak))

namespace gs_ptx {

// What the threads of a kernel executed, in PTX instructions.
struct Count {
  uint64_t launches, threads;
  uint64_t instructions; // of all threads
  uint64_t fences;       // of all threads: fences, and accesses that order others
  uint64_t to_data;      // most instructions of a thread before its first 16-byte load from
  uint64_t loads_before; // global memory, and most loads from there before it
};

struct Registered {
  Registered(const char *name, const void *kernel, Count &count);
};

// Ends the process where the kernel is not one from PTX.
void begin_launch(const void *kernel);

// A kernel with its arguments, laid out as PTX has them.
template <class... Parameters> struct Closure {
  void (*kernel)(Parameters...);
  alignas(16) unsigned char bytes[(sizeof(Parameters) + ... + 0) + 16 * sizeof...(Parameters) + 1];

  Closure(void (*of)(Parameters...), const std::tuple<std::decay_t<Parameters>...> &arguments)
      : kernel(of), bytes{} {
    begin_launch(reinterpret_cast<const void *>(of));
    size_t at = 0;
    std::apply([&](const auto &...each) { (put(at, each), ...); }, arguments);
  }
  template <class T> void put(size_t &at, const T &argument) {
    at = (at + alignof(T) - 1) / alignof(T) * alignof(T);
    std::memcpy(bytes + at, &argument, sizeof(T));
    at += sizeof(T);
  }
  static void call(const void *closure) {
    const auto *self = static_cast<const Closure *>(closure);
    reinterpret_cast<void (*)(const unsigned char *)>(self->kernel)(self->bytes);
  }
};

} // namespace gs_ptx

#endif
