/* Whether a recurrent loop is better run in one launch (persistent.cu) or step by step, as
 * a product and a pointwise kernel each: estimates of both, in cycles, for an H100. Not
 * measured yet: constants are data-sheet numbers and what is known of such devices. */
#include "kernels/kernels.h"
#include "kernels/persistent_plan.cuh"

namespace gs::persistent {
namespace {

/* The device that estimates are for, whatever the device at hand, so that the choice
 * depends on shapes and dtype alone. */
constexpr int MULTIPROCESSORS = 132;
constexpr double FROM_L2 = 24;     /* bytes a cycle and multiprocessor: 5.5 TB/s at 1.75 GHz */
constexpr double FROM_MEMORY = 14; /* 3.3 TB/s */
constexpr double L2_BYTES = 32e6;  /* what stays there from step to step, of 50 MB */
constexpr double NODE = 2275;      /* 1.3 us from a graph's node to one that waits for it */

/* Registers allow 8 warps of 128 weights a lane on a multiprocessor, 16 of 64. */
int resident_blocks(const Plan &plan) { return (plan.inputs == 8 ? 8 : 16) / warps_of(plan); }

/* One step of all replicas by a product and a pointwise kernel. The product is given its
 * library's best: most of the peak rate, W from L2 where it stays there, and a loop over
 * the inputs that is cut among blocks as far as that helps. */
double stepwise_cycles(const Loop &loop) {
  const bool half = loop.element_bytes == 2;
  const double rows = loop.batch < 32 ? 32 : loop.batch; /* tiles are no smaller */
  const double weights = 1.0 * loop.n * loop.n * loop.replicas;
  const double multiplying = weights * rows / ((half ? 1400.0 : 100.0) * MULTIPROCESSORS);
  const double bytes = weights * static_cast<double>(loop.element_bytes);
  const double reading = bytes / ((bytes < L2_BYTES ? FROM_L2 : FROM_MEMORY) * MULTIPROCESSORS);
  const double product =
      1000 + (half ? 1 : 2) * loop.n + (multiplying > reading ? multiplying : reading);
  const double elements = 1.0 * loop.replicas * loop.batch * loop.n;
  const double pointwise =
      500 + 3 * elements * static_cast<double>(loop.element_bytes) / (FROM_L2 * MULTIPROCESSORS);
  return 2 * NODE + product + pointwise;
}

} // namespace
} // namespace gs::persistent

bool gs_persistent_preferred(const gs_recurrence *recurrence, int64_t batch, int64_t replicas,
                             gs_dtype dtype) {
  using namespace gs::persistent;
  if (!supported(*recurrence, dtype)) return false;
  const Loop loop = loop_of(*recurrence, batch, replicas, true);
  const Plan plan = plan_of(loop, MULTIPROCESSORS, resident_blocks(cut_of(loop)));
  if (plan.teams == 0) return false;
  const double once = 10000; /* the launch, and W into registers */
  const double persistent = once + loop.steps * step_cycles(loop, plan, MULTIPROCESSORS);
  const double stepwise = loop.steps * stepwise_cycles(loop);
  return persistent < 0.8 * stepwise; /* a fifth for what estimates do not know */
}
