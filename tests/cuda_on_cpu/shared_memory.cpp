// Shared memory of one block.
//
// Objects lie in an arena that keeps its place from block to block. The bytes
// between two are forbidden to the address sanitizer, and compared with their
// filling at the end, so that writes past an object are found without it, too.
// Under the thread sanitizer every object is an allocation of its own: the next
// block's shared memory is other memory, as far as races are concerned.
#include <cstdint>
#include <cstdlib>

#include "block.h"
#include "bytes.h"
#include "die.h"

namespace gs_sim {
namespace {

constexpr size_t gap = 64;
constexpr size_t arena_bytes = 256 << 10;

// An object with the gap behind it.
size_t taken(size_t bytes) { return (bytes + 15) / 16 * 16 + gap; }

} // namespace

void SharedMemory::begin(size_t dynamic_bytes, size_t static_limit) {
  if (!with_tsan && arena_ == nullptr) {
    arena_ = static_cast<unsigned char *>(std::aligned_alloc(gap, arena_bytes));
    fill_bytes(arena_, 0xff, arena_bytes);
    forbid_bytes(arena_, arena_bytes);
  }
  used_ = gap;
  static_bytes_ = 0;
  static_limit_ = static_limit;
  dynamic_ = dynamic_bytes > 0 ? add(nullptr, dynamic_bytes) : nullptr;
}

void *SharedMemory::object(const void *declaration, size_t bytes) {
  for (const Object &object : objects_)
    if (object.declaration == declaration) return object.first;
  static_bytes_ += bytes;
  if (static_bytes_ > static_limit_)
    die("%zu bytes of shared arrays: this launch leaves %zu for them", static_bytes_,
        static_limit_);
  return add(declaration, bytes);
}

unsigned char *SharedMemory::add(const void *declaration, size_t bytes) {
  const Quiet quiet;
  unsigned char *memory = arena_ + used_;
  if (with_tsan) {
    memory = static_cast<unsigned char *>(std::aligned_alloc(16, taken(bytes)));
    fill_bytes(memory, 0xff, taken(bytes));
  } else {
    used_ += taken(bytes);
    if (used_ > arena_bytes) die("too many shared arrays");
    allow_bytes(memory, bytes);
  }
  objects_.push_back({declaration, memory, bytes});
  return memory;
}

void *SharedMemory::same_place(const void *address, const SharedMemory &other) const {
  const auto at = reinterpret_cast<uintptr_t>(address);
  for (const Object &object : objects_) {
    const uintptr_t offset = at - reinterpret_cast<uintptr_t>(object.first);
    if (offset >= object.bytes) continue; // also where it lies before
    for (const Object &theirs : other.objects_)
      if (theirs.declaration == object.declaration) return theirs.first + offset;
  }
  return nullptr;
}

void SharedMemory::end() {
  const Quiet quiet;
  if (!with_tsan) allow_bytes(arena_, used_);
  if (!with_tsan && !bytes_are(arena_, 0xff, gap))
    die("shared memory was written before its start");
  for (const Object &object : objects_) {
    if (!bytes_are(object.first + object.bytes, 0xff, taken(object.bytes) - object.bytes))
      die("shared memory was written past an array of %zu bytes", object.bytes);
    if (with_tsan) std::free(object.first);
  }
  objects_.clear();
  if (with_tsan) return;
  fill_bytes(arena_, 0xff, used_);
  forbid_bytes(arena_, used_);
}

} // namespace gs_sim
