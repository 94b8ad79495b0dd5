/* What residual networks are made of beside layers (He et al. 2016):
 *
 *   sum      h = phi(x + by branch);   d = phi' dLoss/dh;   dLoss/dx = d;   dLoss/dbranch = by d
 *   stream   h = x, which two may read: dLoss/dx = dLoss/dh is the sum of theirs
 *
 * A sum's h may have two readers, too. */
#include "net/ops.h"

static const gs_activation identity = {.kind = GS_IDENTITY};

static gs_shape state_of(const gs_tape *tape, const gs_op *op) {
  return (gs_shape){1, tape->config->batch, op->units};
}

/* ---- stream ---- */

static void declare_stream(gs_tape *tape, gs_op *op) {
  const int64_t B = tape->config->batch;
  const gs_handle dh =
      gs_tape_declare(tape, op, GS_ROLE_GRAD_STREAM, state_of(tape, op), GS_TRACKED, NULL);
  op->value = op->x.tensor;
  gs_tape_alias(tape, op, GS_ROLE_STREAM, op->value);
  gs_tape_give(tape, op->x, (gs_gradient){.dh = dh});
  gs_tape_need(tape, (gs_workspace_need){
                         .rows = B, .columns = op->units, .elements = B * op->units, .steps = 1});
}

static gs_status stream_backward(const gs_tape *tape, const gs_op *op) {
  const gs_tensor *dh = gs_tape_of(tape, op, GS_ROLE_GRAD_STREAM);
  GS_TRY(gs_tape_receive(tape, op, identity, dh, NULL));
  return gs_tape_measure(tape, op);
}

/* The two gradients and their sum. */
static void add_stream_cost(const gs_config *config, const gs_op *op, gs_cost *cost) {
  cost->bytes += 3 * (double)config->batch * (double)op->units;
}

static const gs_op_kind stream = {declare_stream, NULL, stream_backward, add_stream_cost};

gs_value gs_op_stream(gs_tape *tape, gs_value x, int64_t l, int64_t point) {
  return gs_tape_push(
      tape, (gs_op){.kind = &stream, .index = l, .x = x, .units = x.units, .point = point});
}

/* ---- sum ---- */

static void declare_sum(gs_tape *tape, gs_op *op) {
  const gs_shape state = state_of(tape, op);
  const gs_activation_kind phi = op->phi.kind;
  const gs_role of_h = op->point ? GS_ROLE_GRAD_STREAM : GS_ROLE_GRAD_VALUE;
  op->value = gs_tape_declare(tape, op, GS_ROLE_VALUE, state, GS_TRACKED, NULL);
  if (op->point) gs_tape_alias(tape, op, GS_ROLE_STREAM, op->value);
  if (gs_activation_needs_saved(phi)) {
    gs_tape_declare(tape, op, GS_ROLE_SAVED, state, GS_KEPT, NULL);
  }
  gs_handle d = gs_tape_declare(tape, op, of_h, state, GS_TRACKED, NULL);
  if (phi != GS_IDENTITY) {
    d = gs_tape_declare(tape, op, GS_ROLE_GRAD_SUM, state, GS_TRACKED, NULL);
  }
  gs_tape_give(tape, op->x, (gs_gradient){.dh = d});
  if (op->by != 1) {
    d = gs_tape_declare(tape, op, GS_ROLE_GRAD_BELOW, state, GS_TRACKED, NULL);
  }
  gs_tape_give(tape, op->branch, (gs_gradient){.dh = d});
}

static gs_status sum_forward(const gs_tape *tape, const gs_op *op) {
  const gs_combination of = {.a = gs_tape_at(tape, op->x.tensor),
                             .b = gs_tape_at(tape, op->branch.tensor),
                             .by_a = 1,
                             .by_b = op->by,
                             .activation = op->phi,
                             .saved = gs_tape_of(tape, op, GS_ROLE_SAVED),
                             .h = gs_tape_at(tape, op->value)};
  return tape->device->ops->combine(tape->device, &of);
}

static gs_status sum_backward(const gs_tape *tape, const gs_op *op) {
  const gs_device_ops *ops = tape->device->ops;
  const gs_tensor *d = gs_tape_of(tape, op, op->point ? GS_ROLE_GRAD_STREAM : GS_ROLE_GRAD_VALUE);
  const gs_tensor *inner = gs_tape_of(tape, op, GS_ROLE_GRAD_SUM);
  const gs_tensor *below = gs_tape_of(tape, op, GS_ROLE_GRAD_BELOW);
  GS_TRY(gs_tape_receive(tape, op, identity, d, NULL));
  if (inner) {
    const gs_layer_backward through = {.dh = d,
                                       .activation = op->phi,
                                       .saved = gs_tape_of(tape, op, GS_ROLE_SAVED),
                                       .h = gs_tape_at(tape, op->value),
                                       .delta = inner};
    GS_TRY(ops->layer_backward(tape->device, &through));
    d = inner;
  }
  if (below) {
    const gs_combination of = {.a = d, .by_a = op->by, .activation = identity, .h = below};
    GS_TRY(ops->combine(tape->device, &of));
  }
  return gs_tape_measure(tape, op);
}

/* Both addends, h and what phi' needs; gradients of h (two and their sum), through phi, and of
 * the branch. */
static void add_sum_cost(const gs_config *config, const gs_op *op, gs_cost *cost) {
  const double saved = gs_activation_needs_saved(op->phi.kind) ? 1 : 0;
  const double through = op->phi.kind == GS_IDENTITY ? 0 : 3;
  const double elements = 6 + saved + through + (op->by == 1 ? 0 : 2);
  cost->bytes += elements * (double)config->batch * (double)op->units;
}

static const gs_op_kind sum = {declare_sum, sum_forward, sum_backward, add_sum_cost};

gs_value gs_op_sum(gs_tape *tape, gs_value x, gs_value branch, double by, int64_t l,
                   gs_activation phi, int64_t point) {
  return gs_tape_push(tape, (gs_op){.kind = &sum,
                                    .index = l,
                                    .point = point,
                                    .x = x,
                                    .branch = branch,
                                    .by = by,
                                    .units = x.units,
                                    .phi = phi});
}
