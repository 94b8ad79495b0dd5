// Counts and pretended failures.
#ifndef GS_CUDA_ON_CPU_INJECTION_H
#define GS_CUDA_ON_CPU_INJECTION_H

#include "api.h"
#include "cuda_on_cpu_control.h"

namespace gs_sim {

extern gs_sim_failures failures;
extern gs_sim_counts counts;

// Ends a sticky error (cudaDeviceReset).
void forget_sticky_error();
// Whether this allocation must find no memory. Counts it.
bool malloc_fails();
// This host thread's last error; `forget` resets it.
cudaError_t last_error(bool forget);

} // namespace gs_sim

#endif
