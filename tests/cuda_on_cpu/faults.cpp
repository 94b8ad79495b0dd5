// Turns a fault at a forbidden page into words.
#include "faults.h"

#include <csignal>
#include <cstdlib>

#include "block.h"
#include "die.h"
#include "fiber.h"
#include "heap.h"

namespace gs_sim {
namespace {

struct sigaction before;

// The handler runs on a stack of its own: the thread's may be what ran out.
alignas(16) unsigned char handler_stack[64 << 10];

void explain(int, siginfo_t *info, void *) {
  char words[256];
  const void *address = info->si_addr;
  bool ours = true;
  if (heap_explain_fault(address, words, sizeof(words)))
    complain("%s", words);
  else if (fiber_is_overflow(address))
    complain("a thread's stack overflows");
  else if (current != nullptr)
    complain("access to %p, which is no memory", address);
  else
    ours = false;
  // A sanitizer goes on to show where: the access is made again.
  sigaction(SIGSEGV, &before, nullptr);
  if (ours && !with_asan && !with_tsan) std::abort();
}

} // namespace

void faults_explain() {
  static bool installed = false;
  if (installed) return;
  installed = true;
  stack_t stack{};
  if (sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_DISABLE) != 0) {
    stack.ss_sp = handler_stack;
    stack.ss_size = sizeof(handler_stack);
    stack.ss_flags = 0;
    sigaltstack(&stack, nullptr);
  }
  struct sigaction action {};
  action.sa_sigaction = explain;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &before);
}

} // namespace gs_sim
