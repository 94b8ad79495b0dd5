/* The loss of the network's output, for an rnn at its last step or at every one. Its gradient
 * dLoss/dh begins the backward pass (device.h has the formulas). */
#include "net/init.h"
#include "net/ops.h"

static int64_t steps_of(const gs_config *config) {
  return config->loss_at == GS_LOSS_EVERY ? config->seq_len : 1;
}

static void declare(gs_tape *tape, gs_op *op) {
  const gs_config *config = tape->config;
  const int64_t steps = steps_of(config);
  const gs_shape target = {1, steps * config->batch, op->x.units};
  const gs_shape gradient = {steps, config->batch, op->x.units};
  const gs_fill fill = {GS_FILL_NORMAL, 1, config->seed, gs_tensor_id(GS_KIND_TARGET, 0)};
  gs_handle dh = gs_tape_declare(tape, op, GS_ROLE_TARGET, target, GS_KEPT, &fill);
  if (config->loss == GS_LOSS_MSE) { /* the linear loss's gradient is its target */
    dh = gs_tape_declare(tape, op, GS_ROLE_GRAD_OUTPUT, gradient, GS_TRACKED, NULL);
  }
  gs_tape_give(tape, op->x, (gs_gradient){.dh = dh});
}

static gs_status backward(const gs_tape *tape, const gs_op *op) {
  const gs_config *config = tape->config;
  const int64_t steps = steps_of(config);
  const int64_t before = tape->declared[op->x.tensor].shape.parts - steps;
  const gs_tensor h = gs_tape_parts(tape, op->x.tensor, before, steps);
  const gs_tensor *target = gs_tape_of(tape, op, GS_ROLE_TARGET);
  const gs_tensor *dh = gs_tape_of(tape, op, GS_ROLE_GRAD_OUTPUT);
  const gs_device_loss kind =
      config->loss == GS_LOSS_MSE ? GS_DEVICE_LOSS_MSE : GS_DEVICE_LOSS_LINEAR;
  return tape->device->ops->loss(tape->device, kind, &h, target, steps, dh ? dh : target,
                                 tape->loss);
}

static const gs_op_kind loss = {.declare = declare, .backward = backward};

void gs_op_loss(gs_tape *tape, gs_value output) {
  (void)gs_tape_push(tape, (gs_op){.kind = &loss, .index = INT64_MAX, .x = output});
}
