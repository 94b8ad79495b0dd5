// What must be gone when the process ends.
#ifndef GS_CUDA_ON_CPU_LEAKS_H
#define GS_CUDA_ON_CPU_LEAKS_H

namespace gs_sim {

// When the process ends with status 0 and something was not freed, says what
// and makes the status 7. GRADSWEEP_SIM_LEAKS=0: does not look.
void leaks_check_at_exit();

} // namespace gs_sim

#endif
