// What the sanitizers must be told about fibers and about memory that we manage.
//
// Address sanitizer: which stack is in use, and which bytes are out of bounds.
//
// Thread sanitizer: the runtime itself is compiled without it, so its own
// accesses are invisible; every CUDA thread, every stream and the host is a
// logical thread (a "context"). Changing from one to another orders nothing;
// only the edges that CUDA promises do: barriers, events, synchronisation.
// A SyncPoint is where such an edge starts (release) and ends (acquire).
#ifndef GS_CUDA_ON_CPU_SANITIZERS_H
#define GS_CUDA_ON_CPU_SANITIZERS_H

#include <cstddef>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#define GS_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GS_SIM_ASAN 1
#endif
#endif

#ifdef GS_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef GRADSWEEP_SIM_TSAN
extern "C" {
void *__tsan_get_current_fiber();
void *__tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void __tsan_read_range(void *address, size_t bytes);
void __tsan_write_range(void *address, size_t bytes);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}
#endif

namespace gs_sim {

#ifdef GS_SIM_ASAN
constexpr bool with_asan = true;
inline void forbid_bytes(const void *first, size_t bytes) {
  __asan_poison_memory_region(first, bytes);
}
inline void allow_bytes(const void *first, size_t bytes) {
  __asan_unpoison_memory_region(first, bytes);
}
#else
constexpr bool with_asan = false;
inline void forbid_bytes(const void *, size_t) {}
inline void allow_bytes(const void *, size_t) {}
#endif

using Context = void *; // a logical thread; NULL without the thread sanitizer

#ifdef GRADSWEEP_SIM_TSAN
constexpr bool with_tsan = true;
constexpr unsigned switch_without_edge = 1;

inline Context context_current() { return __tsan_get_current_fiber(); }
inline Context context_create() { return __tsan_create_fiber(0); }
inline void context_switch(Context context) {
  __tsan_switch_to_fiber(context, switch_without_edge);
}
inline void note_read(const void *first, size_t bytes) {
  __tsan_read_range(const_cast<void *>(first), bytes);
}
inline void note_write(void *first, size_t bytes) { __tsan_write_range(first, bytes); }

// While one lives, the current context's accesses are not watched. Memory that
// is allocated meanwhile has no past, so earlier users of it are no race.
class Quiet {
public:
  Quiet() { __tsan_ignore_thread_begin(); }
  ~Quiet() { __tsan_ignore_thread_end(); }
  Quiet(const Quiet &) = delete;
  Quiet &operator=(const Quiet &) = delete;
};

class SyncPoint {
public:
  SyncPoint() { reset(); }
  ~SyncPoint() { drop(); }
  SyncPoint(const SyncPoint &) = delete;
  SyncPoint &operator=(const SyncPoint &) = delete;
  void release() { __tsan_release(address_); }
  void acquire() { __tsan_acquire(address_); }
  // Forgets everything that was released here: a new address has no past.
  void reset() {
    const Quiet quiet;
    std::free(address_);
    address_ = std::malloc(8);
  }

private:
  void drop() {
    const Quiet quiet;
    std::free(address_);
  }
  void *address_ = nullptr;
};
#else
constexpr bool with_tsan = false;

inline Context context_current() { return nullptr; }
inline Context context_create() { return nullptr; }
inline void context_switch(Context) {}
inline void note_read(const void *, size_t) {}
inline void note_write(void *, size_t) {}

class Quiet {
public:
  Quiet() {}
  ~Quiet() {}
};

class SyncPoint {
public:
  void release() {}
  void acquire() {}
  void reset() {}
};
#endif

} // namespace gs_sim

#endif
