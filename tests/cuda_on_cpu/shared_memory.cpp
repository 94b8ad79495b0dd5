// Shared memory of one block.
//
// Objects lie in an arena that keeps its place from block to block: forbidden
// to the address sanitizer except where an object lies, and compared with its
// filling at the end, so that writes past an object are found without it, too.
// Under the thread sanitizer every object is an allocation of its own: the next
// block's shared memory is other memory, as far as races are concerned.
#include <algorithm>
#include <cstdlib>

#include "block.h"
#include "bytes.h"
#include "die.h"

namespace gs_sim {
namespace {

constexpr size_t gap = 64;
constexpr size_t arena_bytes = (256 << 10);

size_t rounded(size_t bytes) { return (bytes + 15) & ~size_t{15}; }

} // namespace

void SharedMemory::begin(size_t dynamic_bytes) {
  if (!with_tsan && arena_ == nullptr) {
    arena_ = static_cast<unsigned char *>(std::aligned_alloc(gap, arena_bytes));
    fill_bytes(arena_, 0xff, arena_bytes);
    forbid_bytes(arena_, arena_bytes);
  }
  used_ = gap;
  static_bytes_ = 0;
  dynamic_ = dynamic_bytes > 0 ? allocate(dynamic_bytes) : nullptr;
  if (dynamic_bytes > 0) {
    const Quiet quiet;
    objects_.push_back({nullptr, static_cast<unsigned char *>(dynamic_), dynamic_bytes});
  }
}

unsigned char *SharedMemory::allocate(size_t bytes) {
  if (with_tsan) {
    const Quiet quiet;
    auto *memory = static_cast<unsigned char *>(std::aligned_alloc(16, rounded(bytes)));
    fill_bytes(memory, 0xff, rounded(bytes));
    return memory;
  }
  unsigned char *memory = arena_ + used_;
  used_ += rounded(bytes) + gap;
  allow_bytes(memory, bytes);
  return memory;
}

void *SharedMemory::object(const void *declaration, size_t bytes) {
  for (const Object &object : objects_)
    if (object.declaration == declaration) return object.first;
  static_bytes_ += rounded(bytes);
  if (static_bytes_ > max_static_shared_bytes)
    die("%zu bytes of shared arrays: more than %zu", static_bytes_, max_static_shared_bytes);
  if (used_ + rounded(bytes) + gap > arena_bytes) die("shared memory is full");
  unsigned char *memory = allocate(bytes);
  const Quiet quiet;
  objects_.push_back({declaration, memory, bytes});
  return memory;
}

void SharedMemory::end() {
  const Quiet quiet;
  if (with_tsan) {
    for (const Object &object : objects_) std::free(object.first);
  } else if (!objects_.empty()) {
    allow_bytes(arena_, used_);
    const unsigned char *gap_first = arena_;
    for (const Object &object : objects_) {
      if (!bytes_are(gap_first, 0xff, static_cast<size_t>(object.first - gap_first)))
        die("shared memory was written before an array of %zu bytes", object.bytes);
      gap_first = object.first + object.bytes;
    }
    const Object &last = objects_.back();
    if (!bytes_are(gap_first, 0xff, static_cast<size_t>(arena_ + used_ - gap_first)))
      die("shared memory was written past an array of %zu bytes", last.bytes);
    fill_bytes(arena_, 0xff, used_);
    forbid_bytes(arena_, used_);
  }
  objects_.clear();
}

} // namespace gs_sim
