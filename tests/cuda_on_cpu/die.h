// The end of a test that broke a rule of CUDA.
#ifndef GS_CUDA_ON_CPU_DIE_H
#define GS_CUDA_ON_CPU_DIE_H

namespace gs_sim {

// Says on stderr what went wrong, and in which block and thread of which
// launch, then aborts.
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
// The same words, without the end.
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

} // namespace gs_sim

#endif
