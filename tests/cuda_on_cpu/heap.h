// Device memory: filled with 0xff (NaN) when it is allocated, fenced by pages
// that nobody may touch, and closed to the host while no kernel or copy runs.
#ifndef GS_CUDA_ON_CPU_HEAP_H
#define GS_CUDA_ON_CPU_HEAP_H

#include <cstddef>

namespace gs_sim {

// NULL when the pretended memory is full.
void *heap_allocate(size_t bytes);
// False when this is not the start of an allocation. Dies when bytes around the
// allocation were written.
bool heap_free(void *memory);
void heap_free_all();
size_t heap_live_allocations();
size_t heap_used_bytes();
size_t heap_total_bytes();
// Whether [first, first + bytes) lies within one allocation.
bool heap_contains(const void *first, size_t bytes);
// Dies unless it does (`what` names the range).
void heap_require(const void *first, size_t bytes, const char *what);
// Words for a fault at an address; false when it is none of the heap's.
bool heap_explain_fault(const void *address, char *words, size_t capacity);

// Device memory is accessible while one lives.
class HeapOpen {
public:
  HeapOpen();
  ~HeapOpen();
  HeapOpen(const HeapOpen &) = delete;
  HeapOpen &operator=(const HeapOpen &) = delete;
};

// Page-locked host memory.
void *pinned_allocate(size_t bytes);
bool pinned_free(void *memory);
bool pinned_contains(const void *address);
size_t pinned_live_allocations();

} // namespace gs_sim

#endif
