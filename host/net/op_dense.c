/* A dense layer (THEORY section 0); rows are examples:
 *
 *   h = phi(x W^T + b);  delta = phi'(z) dLoss/dh;  dLoss/dx = delta W
 *   dW = delta^T x;  db = the sum of delta over its rows */
#include "net/init.h"
#include "net/ops.h"

static void declare(gs_tape *tape, gs_op *op) {
  const gs_config *config = tape->config;
  const gs_activation_kind phi = op->phi.kind;
  const bool biased = gs_config_has_biases(config);
  const bool tracked = gs_activation_grows(phi) || gs_activation_shrinks(phi);
  const int64_t columns = op->x.units > op->units ? op->x.units : op->units;
  const gs_shape weight = {1, op->units, op->x.units};
  const gs_shape bias = {1, 1, op->units};
  const gs_shape state = {1, config->batch, op->units};
  const gs_role made = op->measured ? GS_ROLE_OUTPUT : GS_ROLE_VALUE;
  const gs_fill w = gs_init_fill(gs_config_init(config, op->index), op->x.units, op->units,
                                 config->seed, gs_tensor_id(GS_KIND_WEIGHT, op->index));
  const gs_fill b = gs_bias_fill(config, op->index);
  gs_gradient below = {0};
  below.w = gs_tape_declare(tape, op, GS_ROLE_WEIGHT, weight, GS_KEPT, &w);
  if (biased) gs_tape_declare(tape, op, GS_ROLE_BIAS, bias, GS_KEPT, &b);
  op->value = gs_tape_declare(tape, op, made, state, tracked ? GS_TRACKED : GS_KEPT, NULL);
  if (gs_activation_needs_saved(phi)) {
    gs_tape_declare(tape, op, GS_ROLE_SAVED, state, GS_KEPT, NULL);
  }
  below.delta = gs_tape_declare(tape, op, GS_ROLE_DELTA, state, GS_TRACKED | GS_WINDOWED, NULL);
  gs_tape_declare(tape, op, GS_ROLE_GRAD_WEIGHT, weight, GS_TRACKED | GS_WINDOWED, NULL);
  if (biased) gs_tape_declare(tape, op, GS_ROLE_GRAD_BIAS, bias, GS_TRACKED, NULL);
  gs_tape_give(tape, op->x, below);
  gs_tape_need(tape, (gs_workspace_need){.rows = config->batch,
                                         .columns = columns,
                                         .weights = op->x.units * op->units,
                                         .elements = config->batch * columns,
                                         .steps = 1,
                                         .orthogonal = w.kind == GS_FILL_ORTHOGONAL});
}

static gs_status forward(const gs_tape *tape, const gs_op *op) {
  const gs_layer_forward layer = {.x = gs_tape_at(tape, op->x.tensor),
                                  .w = gs_tape_of(tape, op, GS_ROLE_WEIGHT),
                                  .b = gs_tape_of(tape, op, GS_ROLE_BIAS),
                                  .activation = op->phi,
                                  .saved = gs_tape_of(tape, op, GS_ROLE_SAVED),
                                  .h = gs_tape_at(tape, op->value)};
  return tape->device->ops->layer_forward(tape->device, &layer);
}

static gs_status backward(const gs_tape *tape, const gs_op *op) {
  const gs_tensor *delta = gs_tape_of(tape, op, GS_ROLE_DELTA);
  const gs_gradient_job job = {.delta = *delta,
                               .x = *gs_tape_at(tape, op->x.tensor),
                               .steps = 1,
                               .dW = *gs_tape_of(tape, op, GS_ROLE_GRAD_WEIGHT)};
  GS_TRY(gs_tape_receive(tape, op, op->phi, delta, gs_tape_of(tape, op, GS_ROLE_GRAD_BIAS)));
  return gs_tape_join(tape, op, &job);
}

/* z reads the units of x, and the products back those of h. */
static void add_cost(const gs_config *config, const gs_op *op, gs_cost *cost) {
  const double B = (double)config->batch;
  const double n_in = (double)op->x.units;
  const double n = (double)op->units;
  const bool saved = gs_activation_needs_saved(op->phi.kind);
  const double forward_elements = B * n_in + n_in * n + B * n * (saved ? 2 : 1);
  const double backward_elements =
      B * n /* delta */ + n_in * n + B * n_in /* phi' */ + B * n_in /* delta below */;
  const double gradient_elements = B * n + B * n_in + n_in * n;
  cost->flops += (op->x.op ? 6 : 4) * B * n_in * n;
  cost->bytes += forward_elements + backward_elements + gradient_elements;
  cost->dependent += 2;
  cost->barriers += gs_cost_takes_barrier(op->x.units) + gs_cost_takes_barrier(op->units);
  cost->launches += 2;
}

static const gs_op_kind dense = {declare, forward, backward, add_cost};

gs_value gs_op_dense(gs_tape *tape, gs_value x, int64_t l, int64_t units, gs_activation phi,
                     bool measured) {
  return gs_tape_push(
      tape,
      (gs_op){
          .kind = &dense, .index = l, .x = x, .units = units, .phi = phi, .measured = measured});
}
