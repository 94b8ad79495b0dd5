// Fibers: stacks that the scheduler switches to and from. All of them run on
// the calling host thread, one at a time.
#ifndef GS_CUDA_ON_CPU_FIBER_H
#define GS_CUDA_ON_CPU_FIBER_H

#include <memory>
#include <vector>

#include "sanitizers.h"

namespace gs_sim {

struct Fiber {
  void *stack_pointer = nullptr;
  unsigned char *stack = nullptr; // lowest byte; a forbidden page lies below
  void *fake_stack = nullptr;     // the address sanitizer's own
  Context context = nullptr;      // stack and context belong together: a variable on the
                                  // stack is always the same logical thread's
};

// Creates a fiber that calls entry() when it is resumed for the first time.
// entry never returns. Fibers live as long as the process.
Fiber *fiber_create(void (*entry)());
// From the scheduler: runs the fiber until it suspends itself.
void fiber_resume(Fiber *fiber);
// From a fiber: back to the scheduler.
void fiber_suspend(Fiber *fiber);
// Whether an address is in a page below a fiber's stack (a stack overflow).
bool fiber_is_overflow(const void *address);

// A stream's own fibers under the thread sanitizer: thread t of a block always
// runs on the same fiber, and a block never on those of the block before it, so
// that blocks are not ordered. Elsewhere fibers are taken from one free list.
struct FiberPool {
  std::vector<std::vector<Fiber *>> blocks;
  Fiber *at(size_t block, size_t thread, void (*entry)());
};
// A pool for a new stream: one that no stream uses any more, if there is one,
// because the thread sanitizer has some 8000 contexts in all.
std::shared_ptr<FiberPool> fiber_pool_take();

} // namespace gs_sim

#endif
