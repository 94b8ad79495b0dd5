/* The cost model.
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
 * Launches. Products that need the one before cannot run beside it, whatever the
 * device: each waits for the last to end and the next to begin, which on a GPU
 * takes a time of its own (gs_floor.launch_ns). The chain of an mlp is z^1 .. z^L
 * forward, delta^{L-1} .. delta^1 backward, and dW^1: 2 L products; the other dW
 * can run beside the deltas, and what is pointwise can be part of a product. The
 * chain of an rnn is U x for all steps, z_1 .. z_T, delta_{T-1} .. delta_1, and
 * dW: 2 T + 1. That is what `loop: steps` launches. In a persistent loop a step
 * waits at a barrier inside one kernel, which costs something else that is not
 * measured; and with `loop: auto` nobody above the device knows. A least time must
 * hold however the device does it, so there a loop counts as one launch each way. */
#include "measure/cost.h"

#include <math.h>

#include "device/device.h"

static double layer_elements(double B, double n_in, double n_out, bool saved) {
  const double forward = B * n_in + n_in * n_out + B * n_out * (saved ? 2 : 1);
  const double backward =
      B * n_out /* delta above */ + n_in * n_out + B * n_in /* phi' */ + B * n_in /* delta */;
  const double gradient = B * n_out + B * n_in + n_in * n_out;
  return forward + backward + gradient;
}

static gs_cost mlp_cost(const gs_config *config) {
  const double B = (double)config->batch;
  gs_cost cost = {0};
  for (int64_t l = 1; l <= config->depth; l++) {
    const double n_in = (double)config->widths[l - 1];
    const double n_out = (double)config->widths[l];
    const gs_activation_kind phi =
        (l == config->depth ? config->output_activation : config->activation).kind;
    cost.flops += (l > 1 ? 6 : 4) * B * n_in * n_out;
    cost.bytes += layer_elements(B, n_in, n_out, gs_activation_needs_saved(phi));
  }
  cost.launches = 2 * (double)config->depth;
  return cost;
}

static gs_cost rnn_cost(const gs_config *config) {
  const double B = (double)config->batch;
  const double T = (double)config->seq_len;
  const double n = (double)config->hidden;
  const double n_in = (double)config->input;
  /* tied weights are read once a pass, untied ones at every step */
  const double weights = n * n * (config->tied ? 1 : T) + n * n_in;
  const double saved = gs_activation_needs_saved(config->activation.kind) ? 1 : 0;
  const double states = B * n *
                        (2 /* p */ + 2 /* h */ + saved        /* forward */
                         + 2 /* phi' or h, delta */ + 2 + 1); /* backward; dU, dW, h */
  gs_cost cost = {0};
  cost.flops = (6 * T - 2) * B * n * n + 4 * T * B * n * n_in;
  cost.bytes = T * (states + 2 * B * n_in) + 3 * weights;
  const double forward = config->loop == GS_LOOP_STEPS ? T : 1;
  const double backward = config->loop == GS_LOOP_STEPS ? T - 1 : fmin(T - 1, 1);
  cost.launches = 1 + forward + backward + 1;
  return cost;
}

gs_cost gs_cost_of(const gs_config *config) {
  gs_cost cost = config->model == GS_MLP ? mlp_cost(config) : rnn_cost(config);
  const double replicas = (double)config->replicas;
  cost.flops *= replicas;
  cost.bytes *= replicas * (double)gs_dtype_bytes(config->dtype);
  cost.samples = (double)config->batch * replicas;
  return cost;
}
