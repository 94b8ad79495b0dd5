/* A normalisation, with the equations of device.h; it keeps nothing: mean and square are those
 * of x again when the gradient comes back. */
#include "net/ops.h"

static void declare(gs_tape *tape, gs_op *op) {
  const int64_t B = tape->config->batch;
  const gs_shape state = {1, B, op->units};
  const gs_role made = op->measured ? GS_ROLE_OUTPUT : GS_ROLE_VALUE;
  op->value = gs_tape_declare(tape, op, made, state, GS_TRACKED, NULL);
  gs_tape_declare(tape, op, GS_ROLE_GRAD_VALUE, state, GS_TRACKED, NULL);
  const gs_handle dx = gs_tape_declare(tape, op, GS_ROLE_GRAD_BELOW, state, GS_TRACKED, NULL);
  gs_tape_give(tape, op->x, (gs_gradient){.dh = dx});
  gs_tape_need(tape, (gs_workspace_need){.rows = B,
                                         .columns = op->units,
                                         .elements = B * op->units,
                                         .steps = 1,
                                         .normalized = true});
}

static gs_status forward(const gs_tape *tape, const gs_op *op) {
  return tape->device->ops->normalize_forward(
      tape->device, op->norm, gs_tape_at(tape, op->x.tensor), gs_tape_at(tape, op->value));
}

/* What comes without a product is taken as it is. */
static gs_status backward(const gs_tape *tape, const gs_op *op) {
  const gs_tensor *dy = gs_tape_of(tape, op, GS_ROLE_GRAD_VALUE);
  if (op->gradient.w) {
    GS_TRY(gs_tape_receive(tape, op, (gs_activation){.kind = GS_IDENTITY}, dy, NULL));
  } else {
    dy = gs_tape_at(tape, op->gradient.dh);
  }
  GS_TRY(tape->device->ops->normalize_backward(tape->device, op->norm,
                                               gs_tape_at(tape, op->x.tensor), dy,
                                               gs_tape_of(tape, op, GS_ROLE_GRAD_BELOW)));
  return gs_tape_measure(tape, op);
}

/* x and y; x, dy and dx: nothing is read twice */
static void add_cost(const gs_config *config, const gs_op *op, gs_cost *cost) {
  cost->bytes += 5 * (double)config->batch * (double)op->units;
}

static const gs_op_kind normalization = {declare, forward, backward, add_cost};

gs_value gs_op_norm(gs_tape *tape, gs_value x, int64_t l, gs_norm norm, bool measured) {
  return gs_tape_push(tape, (gs_op){.kind = &normalization,
                                    .index = l,
                                    .x = x,
                                    .units = x.units,
                                    .norm = norm,
                                    .measured = measured});
}
