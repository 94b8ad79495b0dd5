// Fibers for x86-64 (a dozen instructions), and by ucontext elsewhere.
#include "fiber.h"

#include <sys/mman.h>

#include <algorithm>

#include "die.h"

// GRADSWEEP_SIM_UCONTEXT: the portable way on any processor.
#if defined(__x86_64__) && !defined(GRADSWEEP_SIM_UCONTEXT)
#define GS_SIM_OWN_SWITCH 1
#else
#include <ucontext.h>
#endif

namespace gs_sim {
namespace {

constexpr size_t page_bytes = 4096;
constexpr size_t stack_bytes = (with_asan ? 256 : 128) << 10;
constexpr size_t slab_stacks = 32;

unsigned char *slab_next = nullptr;
size_t slab_left = 0;
std::vector<unsigned char *> slabs;

void *scheduler_stack_pointer;
Context scheduler_context;
#ifdef GS_SIM_ASAN
void *scheduler_fake_stack;
const void *scheduler_stack;
size_t scheduler_stack_bytes;
#endif

unsigned char *new_stack() {
  if (slab_left == 0) {
    const size_t bytes = slab_stacks * (stack_bytes + page_bytes);
    void *slab = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slab == MAP_FAILED) die("no memory for the stacks of threads");
    slab_next = static_cast<unsigned char *>(slab);
    slab_left = slab_stacks;
    slabs.push_back(slab_next);
  }
  mprotect(slab_next, page_bytes, PROT_NONE);
  unsigned char *stack = slab_next + page_bytes;
  slab_next += page_bytes + stack_bytes;
  slab_left--;
  return stack;
}

} // namespace

bool fiber_is_overflow(const void *address) {
  const size_t step = stack_bytes + page_bytes;
  for (unsigned char *slab : slabs) {
    const auto at = reinterpret_cast<size_t>(address) - reinterpret_cast<size_t>(slab);
    if (at < slab_stacks * step) return at % step < page_bytes;
  }
  return false;
}

#ifdef GS_SIM_OWN_SWITCH

// Saves the registers that a call preserves and the stack pointer, then takes
// up another stack where it was left.
extern "C" void gs_sim_switch(void **save, void *load);
asm(R"(
.text
.globl gs_sim_switch
.type gs_sim_switch, @function
gs_sim_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size gs_sim_switch, .-gs_sim_switch
)");

namespace {

void switch_stack(void **save, void *load) { gs_sim_switch(save, load); }

void prepare_stack(Fiber *fiber, void (*entry)()) {
  // Stacks that all began at the same offset in a page would share a few cache sets.
  static size_t created = 0;
  const size_t colour = created++ % 16 * 192;
  auto **top = reinterpret_cast<void **>(fiber->stack + stack_bytes - colour);
  *--top = nullptr; // a return address for entry, so that the stack is aligned as after a call
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  fiber->stack_pointer = top;
}

} // namespace

#else

namespace {

void switch_stack(void **save, void *load) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t *>(load));
}

void prepare_stack(Fiber *fiber, void (*entry)()) {
  auto *start = new ucontext_t;
  getcontext(start);
  start->uc_stack.ss_sp = fiber->stack;
  start->uc_stack.ss_size = stack_bytes;
  start->uc_link = nullptr;
  makecontext(start, entry, 0);
  fiber->stack_pointer = start;
}

} // namespace

#endif

namespace {

void (*first_entry)();

// Runs once on each fiber, on its own stack.
void begin() {
#ifdef GS_SIM_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
#endif
  first_entry();
}

} // namespace

Fiber *fiber_create(void (*entry)()) {
  const Quiet quiet;
  first_entry = entry;
  auto *fiber = new Fiber;
  fiber->stack = new_stack();
  fiber->context = context_create();
  prepare_stack(fiber, begin);
  return fiber;
}

void fiber_resume(Fiber *fiber) {
#ifdef GS_SIM_ASAN
  __sanitizer_start_switch_fiber(&scheduler_fake_stack, fiber->stack, stack_bytes);
#endif
  scheduler_context = context_current();
  context_switch(fiber->context);
  switch_stack(&scheduler_stack_pointer, fiber->stack_pointer);
#ifdef GS_SIM_ASAN
  __sanitizer_finish_switch_fiber(scheduler_fake_stack, nullptr, nullptr);
#endif
}

void fiber_suspend(Fiber *fiber) {
#ifdef GS_SIM_ASAN
  __sanitizer_start_switch_fiber(&fiber->fake_stack, scheduler_stack, scheduler_stack_bytes);
#endif
  context_switch(scheduler_context);
  switch_stack(&fiber->stack_pointer, scheduler_stack_pointer);
#ifdef GS_SIM_ASAN
  __sanitizer_finish_switch_fiber(fiber->fake_stack, &scheduler_stack, &scheduler_stack_bytes);
#endif
}

namespace {
std::vector<FiberPool *> &spare_pools = *new std::vector<FiberPool *>;
}

std::shared_ptr<FiberPool> fiber_pool_take() {
  FiberPool *pool = nullptr;
  if (spare_pools.empty()) {
    pool = new FiberPool;
  } else {
    pool = spare_pools.back();
    spare_pools.pop_back();
  }
  return std::shared_ptr<FiberPool>(pool, [](FiberPool *unused) {
    const Quiet quiet;
    spare_pools.push_back(unused);
  });
}

Fiber *FiberPool::at(size_t block, size_t thread, void (*entry)()) {
  if (blocks.size() <= block || blocks[block].size() <= thread) {
    const Quiet quiet;
    blocks.resize(std::max(blocks.size(), block + 1));
    std::vector<Fiber *> &fibers = blocks[block];
    while (fibers.size() <= thread) fibers.push_back(fiber_create(entry));
  }
  return blocks[block][thread];
}

} // namespace gs_sim
