/* The multi-layer perceptron (THEORY section 0):
 *
 *   h^0 = x;  z^l = W^l h^{l-1} + b^l;  h^l = phi(z^l);  l = 1..L */
#include "net/model.h"
#include "net/ops.h"

void gs_mlp_build(gs_tape *tape) {
  const gs_config *config = tape->config;
  gs_value h = gs_tape_input(tape, config->batch, config->widths[0]);
  for (int64_t l = 1; l <= config->depth; l++) {
    h = gs_op_dense(tape, h, l, config->widths[l], gs_model_activation(config, l));
  }
  gs_op_loss(tape, h);
}
