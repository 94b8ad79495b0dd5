// One reserved range of addresses; allocations are whole pages of it, with a
// forbidden page between two. An allocation ends as near its fence as the
// alignment that cudaMalloc promises (256 bytes) allows.
//
// Opening and closing costs time in proportion to the pages in use (0.2 us
// each on a virtual machine). The heap is therefore closed after each kernel
// only while that has cost less than a set share of the run's time; then it is
// left open for a while. GRADSWEEP_SIM_PROTECT=1 closes it always, 0 never.
#include "heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <set>

#include "bytes.h"
#include "die.h"
#include "environment.h"
#include "grid.h"
#include "sanitizers.h"

namespace gs_sim {
namespace {

constexpr size_t page_bytes = 4096;
constexpr size_t alignment = 256;
constexpr size_t address_bytes = size_t{1} << 36; // 64 GiB of addresses
constexpr double protect_share = 0.1;
constexpr double protect_free_seconds = 0.1;

struct Allocation {
  size_t bytes;
  unsigned char *first_page;
  size_t mapped; // without the fence
};

unsigned char *range;
size_t next_page; // where to look next, in bytes into the range
std::map<unsigned char *, Allocation> allocations;
size_t used_bytes;
int openers;
bool open_now;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Budget {
  double since = now();
  double spent = 0;
  long setting = environment_number("GRADSWEEP_SIM_PROTECT", -1);
  bool allows() const {
    if (setting >= 0) return setting > 0;
    return spent < protect_free_seconds + protect_share * (now() - since);
  }
} budget;

void protect(const Allocation &allocation, int protection) {
  if (mprotect(allocation.first_page, allocation.mapped, protection) != 0)
    die("mprotect failed: too many allocations?");
}

void set_open(bool open) {
  if (open == open_now) return;
  const double start = now();
  for (const auto &entry : allocations)
    protect(entry.second, open ? PROT_READ | PROT_WRITE : PROT_NONE);
  open_now = open;
  budget.spent += now() - start;
}

// The allocation that holds an address, or ends there, or NULL.
const std::pair<unsigned char *const, Allocation> *holder(const void *address) {
  const auto *at = static_cast<const unsigned char *>(address);
  auto next = allocations.upper_bound(const_cast<unsigned char *>(at));
  if (next == allocations.begin()) return nullptr;
  const auto &entry = *--next;
  return at <= entry.first + entry.second.bytes ? &entry : nullptr;
}

// The first address from `from` on where so many bytes and a fence are free.
size_t free_from(size_t from, size_t bytes) {
  for (const auto &entry : allocations) {
    const auto first = static_cast<size_t>(entry.second.first_page - range);
    const size_t end = first + entry.second.mapped + page_bytes;
    if (from < end && first < from + bytes + page_bytes) from = end;
  }
  return from;
}

// Addresses are used in turn, so that freed ones stay fenced for long.
unsigned char *take_pages(size_t bytes) {
  if (range == nullptr) {
    void *reserved =
        mmap(nullptr, address_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) die("no addresses for device memory");
    range = static_cast<unsigned char *>(reserved);
  }
  size_t at = next_page;
  if (at + bytes + page_bytes > address_bytes) at = 0;
  at = free_from(at, bytes);
  if (at + bytes + page_bytes > address_bytes) die("no addresses for device memory");
  next_page = at + bytes + page_bytes;
  return range + at;
}

void check_surroundings(unsigned char *memory, const Allocation &allocation) {
  const auto before = static_cast<size_t>(memory - allocation.first_page);
  const size_t after = allocation.mapped - before - allocation.bytes;
  if (!bytes_are(allocation.first_page, 0xff, before))
    die("memory was written before an allocation of %zu bytes", allocation.bytes);
  if (!bytes_are(memory + allocation.bytes, 0xff, after))
    die("memory was written past an allocation of %zu bytes", allocation.bytes);
}

} // namespace

size_t heap_total_bytes() {
  static const auto total =
      static_cast<size_t>(environment_number("GRADSWEEP_SIM_MEMORY", 256l << 20));
  return total;
}

void *heap_allocate(size_t bytes) {
  const size_t mapped = std::max(page_bytes, (bytes + page_bytes - 1) / page_bytes * page_bytes);
  if (bytes > heap_total_bytes() || mapped > heap_total_bytes() - used_bytes) return nullptr;
  unsigned char *pages = take_pages(mapped);
  const size_t slack = (mapped - bytes) / alignment * alignment;
  unsigned char *memory = pages + slack;
  const Allocation allocation = {bytes, pages, mapped};
  protect(allocation, PROT_READ | PROT_WRITE);
  fill_bytes(pages, 0xff, mapped);
  forbid_bytes(pages, slack);
  forbid_bytes(memory + bytes, mapped - slack - bytes);
  if (!open_now) protect(allocation, PROT_NONE);
  allocations[memory] = allocation;
  used_bytes += mapped;
  return memory;
}

bool heap_free(void *memory) {
  const auto entry = allocations.find(static_cast<unsigned char *>(memory));
  if (entry == allocations.end()) return false;
  const Allocation allocation = entry->second;
  protect(allocation, PROT_READ | PROT_WRITE);
  allow_bytes(allocation.first_page, allocation.mapped);
  check_surroundings(entry->first, allocation);
  allocations.erase(entry);
  used_bytes -= allocation.mapped;
  madvise(allocation.first_page, allocation.mapped, MADV_DONTNEED);
  protect(allocation, PROT_NONE);
  return true;
}

void heap_free_all() {
  while (!allocations.empty()) heap_free(allocations.begin()->first);
}

size_t heap_live_allocations() { return allocations.size(); }
size_t heap_used_bytes() { return used_bytes; }

bool heap_contains(const void *first, size_t bytes) {
  const auto *entry = holder(first);
  if (entry == nullptr) return false;
  const auto at = static_cast<size_t>(static_cast<const unsigned char *>(first) - entry->first);
  return bytes <= entry->second.bytes - at;
}

void heap_require(const void *first, size_t bytes, const char *what) {
  const auto *entry = holder(first);
  if (entry == nullptr) die("%s: %p is not device memory", what, first);
  if (!heap_contains(first, bytes))
    die("%s: %zu bytes from %p run past an allocation of %zu bytes", what, bytes, first,
        entry->second.bytes);
}

bool heap_explain_fault(const void *address, char *words, size_t capacity) {
  const auto *at = static_cast<const unsigned char *>(address);
  if (range == nullptr || at < range || at >= range + address_bytes) return false;
  const auto *entry = holder(address);
  if (entry != nullptr && heap_contains(address, 1)) {
    std::snprintf(words, capacity,
                  "host code touches device memory (%p, in an allocation of %zu bytes)", address,
                  entry->second.bytes);
    return true;
  }
  auto next = allocations.upper_bound(const_cast<unsigned char *>(at));
  if (next == allocations.begin()) {
    std::snprintf(words, capacity, "access to freed device memory (%p)", address);
    return true;
  }
  --next;
  std::snprintf(words, capacity,
                "access out of bounds: %p is %zu bytes past the start of an allocation of %zu "
                "bytes (or was freed)",
                address, static_cast<size_t>(at - next->first), next->second.bytes);
  return true;
}

HeapOpen::HeapOpen() {
  if (openers++ == 0) set_open(true);
}

HeapOpen::~HeapOpen() {
  if (--openers == 0 && budget.allows()) set_open(false);
}

namespace {
std::map<const unsigned char *, size_t> pinned;
}

void *pinned_allocate(size_t bytes) {
  void *memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256 + 256);
  if (memory == nullptr) return nullptr;
  pinned[static_cast<unsigned char *>(memory)] = bytes;
  return memory;
}

bool pinned_free(void *memory) {
  if (pinned.erase(static_cast<unsigned char *>(memory)) == 0) return false;
  std::free(memory);
  return true;
}

bool pinned_contains(const void *address) {
  const auto *at = static_cast<const unsigned char *>(address);
  auto next = pinned.upper_bound(at);
  if (next == pinned.begin()) return false;
  --next;
  return at < next->first + next->second;
}

size_t pinned_live_allocations() { return pinned.size(); }

} // namespace gs_sim
