/* An activation by itself, where something stands between a product and its phi:
 *
 *   h = phi(x);  dLoss/dx = phi'(x) dLoss/dh */
#include "net/ops.h"

static void declare(gs_tape *tape, gs_op *op) {
  const gs_activation_kind phi = op->phi.kind;
  const bool tracked = gs_activation_grows(phi) || gs_activation_shrinks(phi);
  const gs_shape state = {1, tape->config->batch, op->units};
  gs_tape_declare(tape, op, GS_ROLE_OUTPUT, state, tracked ? GS_TRACKED : GS_KEPT, NULL);
  if (gs_activation_needs_saved(phi)) {
    gs_tape_declare(tape, op, GS_ROLE_SAVED, state, GS_KEPT, NULL);
  }
  op->value = op->tensor[GS_ROLE_OUTPUT];
  const gs_handle dx = gs_tape_declare(tape, op, GS_ROLE_GRAD_BELOW, state, GS_TRACKED, NULL);
  gs_tape_give(tape, op->x, (gs_gradient){.dh = dx});
}

static gs_status forward(const gs_tape *tape, const gs_op *op) {
  const gs_combination of = {.a = gs_tape_at(tape, op->x.tensor),
                             .by_a = 1,
                             .activation = op->phi,
                             .saved = gs_tape_of(tape, op, GS_ROLE_SAVED),
                             .h = gs_tape_at(tape, op->value)};
  return tape->device->ops->combine(tape->device, &of);
}

static gs_status backward(const gs_tape *tape, const gs_op *op) {
  const gs_tensor *dx = gs_tape_of(tape, op, GS_ROLE_GRAD_BELOW);
  GS_TRY(gs_tape_receive(tape, op, op->phi, dx, NULL));
  return gs_tape_measure(tape, op);
}

/* x, h and what phi' needs; phi', the gradient of h and that of x */
static void add_cost(const gs_config *config, const gs_op *op, gs_cost *cost) {
  const double saved = gs_activation_needs_saved(op->phi.kind) ? 1 : 0;
  cost->bytes += (5 + saved) * (double)config->batch * (double)op->units;
}

static const gs_op_kind activation = {declare, forward, backward, add_cost};

gs_value gs_op_activation(gs_tape *tape, gs_value x, int64_t l, gs_activation phi) {
  return gs_tape_push(
      tape, (gs_op){.kind = &activation, .index = l, .x = x, .units = x.units, .phi = phi});
}
