/* The simple (Elman) recurrent layer (THEORY section 5):
 *
 *   h_0 = 0;  z_t = W h_{t-1} + U x_t + b;  h_t = phi(z_t);      t = 1..T
 *   delta_t = phi'(z_t) (W^T delta_{t+1} + dLoss/dh_t)
 *   dW = sum_t delta_t h_{t-1}^T;  dU = sum_t delta_t x_t^T;  db = sum_t delta_t
 *
 * The input part U x_t + b of all steps is one product before the loop, and each weight
 * gradient is one product over all steps after it. Untied, every step has a W of its own, and
 * W_{t+1} carries delta_{t+1} back; their gradients pass one by one. */
#include <math.h>

#include "net/init.h"
#include "net/ops.h"

/* ---- declarations ---- */

static void declare_weights(gs_tape *tape, gs_op *op, gs_shape w, gs_shape u, gs_shape b) {
  const gs_config *config = tape->config;
  const gs_fill of_w =
      gs_init_fill(&config->init, w.cols, w.rows, config->seed, gs_tensor_id(GS_KIND_WEIGHT, 1));
  const gs_fill of_u = gs_init_fill(&config->input_init, u.cols, u.rows, config->seed,
                                    gs_tensor_id(GS_KIND_INPUT_WEIGHT, 0));
  const gs_fill of_b = gs_bias_fill(config, 0);
  const int of_dw = config->tied ? GS_TRACKED : GS_TRACKED | GS_PASSING;
  gs_tape_declare(tape, op, GS_ROLE_WEIGHT, w, GS_KEPT, &of_w);
  gs_tape_declare(tape, op, GS_ROLE_INPUT_WEIGHT, u, GS_KEPT, &of_u);
  gs_tape_declare(tape, op, GS_ROLE_GRAD_WEIGHT, w, of_dw, NULL);
  gs_tape_declare(tape, op, GS_ROLE_GRAD_INPUT, u, GS_TRACKED, NULL);
  if (!gs_config_has_biases(config)) return;
  gs_tape_declare(tape, op, GS_ROLE_BIAS, b, GS_KEPT, &of_b);
  gs_tape_declare(tape, op, GS_ROLE_GRAD_BIAS, b, GS_TRACKED, NULL);
}

static void declare(gs_tape *tape, gs_op *op) {
  const gs_config *config = tape->config;
  const int64_t T = config->seq_len;
  const int64_t B = config->batch;
  const int64_t n = op->units;
  const int64_t columns = n > op->x.units ? n : op->x.units;
  const gs_fill zero = {.kind = GS_FILL_CONSTANT, .value = 0};
  /* a step's input, at exponent 0, keeps h from becoming small */
  const int grows = gs_activation_grows(op->phi.kind) ? GS_TRACKED : GS_KEPT;
  declare_weights(tape, op, (gs_shape){config->tied ? 1 : T, n, n}, (gs_shape){1, n, op->x.units},
                  (gs_shape){1, 1, n});
  gs_tape_declare(tape, op, GS_ROLE_OUTPUT, (gs_shape){T + 1, B, n}, grows, &zero);
  gs_tape_declare(tape, op, GS_ROLE_PROJECTION, (gs_shape){1, T * B, n}, GS_KEPT, NULL);
  gs_tape_declare(tape, op, GS_ROLE_DELTA, (gs_shape){T, B, n}, GS_TRACKED, NULL);
  gs_tape_need(tape,
               (gs_workspace_need){.rows = T * B,
                                   .columns = columns,
                                   .weights = n * columns,
                                   .elements = B * n,
                                   .steps = T,
                                   .recurrent = true,
                                   .orthogonal = config->init.kind == GS_INIT_ORTHOGONAL ||
                                                 config->input_init.kind == GS_INIT_ORTHOGONAL});
}

/* ---- passes ---- */

static gs_recurrence recurrence_of(const gs_tape *tape, const gs_op *op) {
  const gs_config *config = tape->config;
  return (gs_recurrence){.steps = config->seq_len,
                         .loop = config->loop,
                         .activation = op->phi,
                         .w = gs_tape_parts(tape, op->tensor[GS_ROLE_WEIGHT], 0, 1),
                         .w_step = config->tied ? 0 : op->units * op->units};
}

/* The projection becomes what phi' needs. */
static const gs_tensor *saved_of(const gs_tape *tape, const gs_op *op) {
  return gs_activation_needs_saved(op->phi.kind) ? gs_tape_of(tape, op, GS_ROLE_PROJECTION) : NULL;
}

static gs_status forward(const gs_tape *tape, const gs_op *op) {
  const gs_device_ops *ops = tape->device->ops;
  const gs_recurrence recurrence = recurrence_of(tape, op);
  const gs_tensor *projection = gs_tape_of(tape, op, GS_ROLE_PROJECTION);
  const gs_layer_forward input = {.x = gs_tape_at(tape, op->x.tensor),
                                  .w = gs_tape_of(tape, op, GS_ROLE_INPUT_WEIGHT),
                                  .b = gs_tape_of(tape, op, GS_ROLE_BIAS),
                                  .activation = {.kind = GS_IDENTITY},
                                  .h = projection};
  GS_TRY(ops->layer_forward(tape->device, &input));
  return ops->recurrent_forward(tape->device, &recurrence, projection, saved_of(tape, op),
                                gs_tape_of(tape, op, GS_ROLE_OUTPUT));
}

static gs_status input_gradient(const gs_tape *tape, const gs_op *op) {
  const gs_tensor *db = gs_tape_of(tape, op, GS_ROLE_GRAD_BIAS);
  const gs_gradient_job job = {.delta = *gs_tape_of(tape, op, GS_ROLE_DELTA),
                               .x = *gs_tape_at(tape, op->x.tensor),
                               .steps = tape->config->seq_len,
                               .dW = *gs_tape_of(tape, op, GS_ROLE_GRAD_INPUT),
                               .db = db ? *db : (gs_tensor){0},
                               .has_db = db};
  return tape->device->ops->weight_gradients(tape->device, &job, 1);
}

/* Of W, or of that of step t + 1 alone. */
static gs_status state_gradient(const gs_tape *tape, const gs_op *op, int64_t t, int64_t steps) {
  const gs_gradient_job job = {.delta = gs_tape_parts(tape, op->tensor[GS_ROLE_DELTA], t, steps),
                               .x = gs_tape_parts(tape, op->tensor[GS_ROLE_OUTPUT], t, steps),
                               .steps = steps,
                               .dW = gs_tape_parts(tape, op->tensor[GS_ROLE_GRAD_WEIGHT], t, 1)};
  return tape->device->ops->weight_gradients(tape->device, &job, 1);
}

static gs_status backward(const gs_tape *tape, const gs_op *op) {
  const gs_config *config = tape->config;
  const gs_recurrence recurrence = recurrence_of(tape, op);
  const gs_tensor *dh = gs_tape_at(tape, op->gradient.dh);
  GS_TRY(tape->device->ops->recurrent_backward(
      tape->device, &recurrence, dh, dh->rows / config->batch, saved_of(tape, op),
      gs_tape_of(tape, op, GS_ROLE_OUTPUT), gs_tape_of(tape, op, GS_ROLE_DELTA)));
  GS_TRY(input_gradient(tape, op));
  if (config->tied) GS_TRY(state_gradient(tape, op, 0, config->seq_len));
  for (int64_t t = config->tied ? 0 : config->seq_len; t-- > 0;) {
    GS_TRY(state_gradient(tape, op, t, 1));
    GS_TRY(gs_tape_measure_part(tape, op, GS_ROLE_GRAD_WEIGHT, t));
  }
  return gs_tape_measure(tape, op);
}

/* ---- cost ---- */

/* The chain is U x_1 (h_0 is 0), z_2 .. z_T, delta_{T-1} .. delta_1, dW. */
static void add_cost(const gs_config *config, const gs_op *op, gs_cost *cost) {
  const double B = (double)config->batch;
  const double T = (double)config->seq_len;
  const double n = (double)op->units;
  const double n_in = (double)op->x.units;
  /* tied weights are read once a pass, untied ones at every step */
  const double weights = n * n * (config->tied ? 1 : T) + n * n_in;
  const double saved = gs_activation_needs_saved(op->phi.kind) ? 1 : 0;
  const double states = B * n *
                        (2 /* p */ + 2 /* h */ + saved        /* forward */
                         + 2 /* phi' or h, delta */ + 2 + 1); /* backward; dU, dW, h */
  cost->flops += (6 * T - 2) * B * n * n + 4 * T * B * n * n_in;
  cost->bytes += T * (states + 2 * B * n_in) + 3 * weights;
  cost->dependent += 2 * T;
  cost->barriers +=
      gs_cost_takes_barrier(op->x.units) + (2 * T - 1) * gs_cost_takes_barrier(op->units);
  cost->launches += config->loop == GS_LOOP_STEPS ? 2 * T + 1 : 3 + fmin(T - 1, 1);
}

static const gs_op_kind recurrent = {declare, forward, backward, add_cost};

gs_value gs_op_recurrent(gs_tape *tape, gs_value x) {
  const gs_config *config = tape->config;
  return gs_tape_push(tape, (gs_op){.kind = &recurrent,
                                    .index = 1,
                                    .x = x,
                                    .units = config->hidden,
                                    .phi = config->activation});
}
