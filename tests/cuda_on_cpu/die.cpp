#include "die.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <vector_types.h>

#include "block.h"
#include "grid.h"

extern uint3 threadIdx;
extern uint3 blockIdx;

namespace gs_sim {
namespace {

void say(const char *format, va_list arguments) {
  std::fprintf(stderr, "CUDA on the CPU: ");
  if (current != nullptr)
    std::fprintf(stderr, "block (%u,%u,%u) thread (%u,%u,%u): ", blockIdx.x, blockIdx.y, blockIdx.z,
                 threadIdx.x, threadIdx.y, threadIdx.z);
  std::vfprintf(stderr, format, arguments);
  std::fputc('\n', stderr);
}

} // namespace

void complain(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  va_end(arguments);
#ifdef GS_SIM_ASAN
  __sanitizer_print_stack_trace();
#endif
  std::abort();
}

} // namespace gs_sim
