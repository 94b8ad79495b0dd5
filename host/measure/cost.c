/* The cost model: what operations count (op_*.c in net/), and the least time it takes.
 *
 * FLOPs. A layer of n_in to n_out takes 2 B n_in n_out for each of: z forward,
 * delta below, dW; the first layer has no delta below. Equal widths give
 * (6 L - 2) B n^2. An rnn takes, per step, 2 B n^2 for each of W h, W^T delta
 * (not at the last step) and dW, and 2 B n n_x for each of U x and dU.
 *
 * Bytes, unfused, per layer: read h below, W; write h (and phi' where it is
 * kept); read delta above, W, phi' or h; write delta; read delta and h below,
 * write dW. With a equal widths that is at least 7 B n + 3 n^2 elements.
 *
 * Waiting. A product that needs the one before cannot run beside it, on no device. The
 * longest chain of an mlp is z^1 .. z^L, delta^{L-1} .. delta^1, dW^1: 2 L products; the
 * other dW can run beside the deltas, and what is pointwise can be part of a product. That
 * of an rnn is U x_1 (h_0 is 0), z_2 .. z_T, delta_{T-1} .. delta_1, dW: 2 T.
 * What does each have to wait for? A least time must hold however the device does it. Rows
 * of a batch never meet on their way through the layers, so one kernel can carry them, a
 * block of threads a few rows, and no launch and no other block is waited for. But a unit
 * reads all units of the layer before. Where these are more than 32, one warp alone takes
 * longer to multiply (a lane n_in n_out / 32 multiply-adds, or three dependent instructions
 * of a tensor core) than two warps that share the work take to meet at their block's
 * barrier: that is the least wait, and counts as a barrier
 * (gs_roofline.block_barrier_ns). Narrower layers may do without any. Weights that one
 * multiprocessor cannot hold must be read again for each product, or shared with others at
 * the barrier of a cluster or the grid; which, nobody knows, so it counts no more.
 * The first product waits for the step before and the last perhaps for nothing, but between
 * two steps lies a launch, which takes longer than both.
 *
 * Launches. What today's implementation makes of the chain, for comparison: every product
 * is an operation of its own that waits for the one before to end (gs_roofline.launch_ns), 2 L
 * in an mlp. An rnn has U x for all steps, z_1 .. z_T, delta_{T-1} .. delta_1 and dW,
 * 2 T + 1 with `loop: steps`; in a persistent loop, or where the device chooses, a loop
 * counts as one each way. Pointwise kernels between products are not counted. */
#include "measure/cost.h"

#include <math.h>

gs_time_bound gs_cost_time_bound(const gs_cost *cost, gs_dtype dtype, const gs_roofline *roofline) {
  const double peak = roofline->flops_per_s[dtype];
  gs_time_bound bound = {
      .arithmetic_ns = peak > 0 ? cost->flops / peak * 1e9 : (double)NAN,
      .traffic_ns = cost->bytes / roofline->copy_bytes_per_s * 1e9,
      .barriers_ns = cost->barriers * roofline->block_barrier_ns,
      .launches_ns = cost->launches * roofline->launch_ns,
  };
  /* fmax passes over NaN */
  bound.floor_ns = fmax(fmax(bound.arithmetic_ns, bound.traffic_ns), bound.barriers_ns);
  return bound;
}
