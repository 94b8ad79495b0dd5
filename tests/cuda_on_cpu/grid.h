// Runs the blocks of one launch.
#ifndef GS_CUDA_ON_CPU_GRID_H
#define GS_CUDA_ON_CPU_GRID_H

#include "fiber.h"
#include "launch.h"

namespace gs_sim {

// In which order blocks and threads run: GRADSWEEP_SIM_ORDER.
enum class Order { forward, backward, random };

// Runs a launch to its end in the current context. `fibers` are the stream's.
void run_grid(const Launch &launch, FiberPool &fibers);
Order thread_order();
void set_thread_order(Order order);
// Whether a kernel is running.
bool in_kernel();

} // namespace gs_sim

#endif
