/* The simple (Elman) recurrent network over device.h:
 *
 *   h_0 = 0;  z_t = W h_{t-1} + U x_t + b;  h_t = phi(z_t);      t = 1..T
 *   delta_t = phi'(z_t) (W^T delta_{t+1} + dLoss/dh_t)
 *   dW = sum_t delta_t h_{t-1}^T;  dU = sum_t delta_t x_t^T;  db = sum_t delta_t
 *
 * (THEORY section 5). The input part U x_t + b of all steps is one product before
 * the loop, and each weight gradient is one product over all steps after it.
 * Untied, every step has a W of its own, and W_{t+1} carries delta_{t+1} back. */
#include "net/network_internal.h"

gs_workspace_need gs_rnn_need(const gs_network *network) {
  const gs_config *config = &network->config;
  const int64_t n = config->hidden;
  const int64_t n_in = config->input;
  const int64_t columns = n > n_in ? n : n_in;
  const int64_t weights = n * columns;
  const int64_t state = config->batch * n;
  return (gs_workspace_need){.rows = config->seq_len * config->batch,
                             .columns = columns,
                             .weights = weights,
                             .elements = weights > state ? weights : state,
                             .replicas = config->replicas,
                             .steps = config->seq_len,
                             .dtype = config->dtype,
                             .recurrent = true,
                             .orthogonal = config->init.kind == GS_INIT_ORTHOGONAL ||
                                           config->input_init.kind == GS_INIT_ORTHOGONAL};
}

/* ---- memory ---- */

static void layout_sequences(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_rnn *rnn = &network->rnn;
  const bool extended = gs_network_extended(network);
  /* a step's input, at exponent 0, keeps h from becoming small */
  const bool tracked = extended && gs_activation_grows(config->activation.kind);
  const int64_t T = config->seq_len;
  const int64_t rows = T * config->batch;
  const int64_t n = config->hidden;
  rnn->h = gs_layout_tensor(network, layout, rows + config->batch, n, tracked, T + 1);
  rnn->projection = gs_layout_tensor(network, layout, rows, n, false, 1);
  if (gs_activation_needs_saved(config->activation.kind)) rnn->saved = rnn->projection;
  rnn->delta = gs_layout_tensor(network, layout, rows, n, extended, T);
  rnn->dh = rnn->target; /* the linear loss's gradient is its target */
  if (config->loss == GS_LOSS_MSE) {
    const bool every = config->loss_at == GS_LOSS_EVERY;
    rnn->dh = gs_layout_tensor(network, layout, rnn->target.rows, n, extended, every ? T : 1);
  }
}

static void layout_gradients(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_rnn *rnn = &network->rnn;
  const bool extended = gs_network_extended(network);
  const int64_t n = config->hidden;
  const bool many = !config->tied && network->options.keep_gradients;
  const int64_t matrices = many ? config->seq_len : 1;
  /* every step's dW has slots of its own, also when they share memory */
  const int64_t slots = config->tied ? 1 : config->seq_len;
  rnn->dW = gs_layout_tensor(network, layout, matrices * n, n, extended, slots);
  rnn->dU = gs_layout_tensor(network, layout, n, config->input, extended, 1);
  if (gs_config_has_biases(config)) rnn->db = gs_layout_tensor(network, layout, 1, n, extended, 1);
}

void gs_rnn_layout(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_rnn *rnn = &network->rnn;
  const int64_t T = config->seq_len;
  const int64_t n = config->hidden;
  const int64_t target_steps = config->loss_at == GS_LOSS_EVERY ? T : 1;
  layout->group_start = layout->arena.used;
  rnn->W = gs_layout_tensor(network, layout, (config->tied ? 1 : T) * n, n, false, 1);
  rnn->U = gs_layout_tensor(network, layout, n, config->input, false, 1);
  if (gs_config_has_biases(config)) rnn->b = gs_layout_tensor(network, layout, 1, n, false, 1);
  gs_layout_end_group(layout, &network->sizes.weights_bytes);
  rnn->x = gs_layout_tensor(network, layout, T * config->batch, config->input, false, 1);
  rnn->target = gs_layout_tensor(network, layout, target_steps * config->batch, n, false, 1);
  gs_layout_end_group(layout, &network->sizes.data_bytes);
  layout_sequences(network, layout);
  gs_layout_end_group(layout, &network->sizes.activations_bytes);
  layout_gradients(network, layout);
  gs_layout_end_group(layout, &network->sizes.gradients_bytes);
  gs_layout_quantity(network, layout, GS_ACTIVATION_H, T);
  gs_layout_quantity(network, layout, GS_DELTA, T);
  gs_layout_quantity(network, layout, GS_GRAD_WEIGHT, config->tied ? 1 : T);
  gs_layout_quantity(network, layout, GS_GRAD_BIAS, gs_config_has_biases(config) ? 1 : 0);
  gs_layout_quantity(network, layout, GS_GRAD_INPUT, 1);
  gs_layout_end_group(layout, &network->sizes.statistics_bytes);
}

/* ---- views ---- */

/* The W, or the dW, of step t. */
static gs_tensor matrix_of(const gs_tensor *stack, int64_t n, int64_t t) {
  return gs_tensor_step(stack, stack->rows / n, stack->rows > n ? t - 1 : 0);
}

static gs_tensor gradient_of(const gs_network *network, int64_t t) {
  const gs_rnn *rnn = &network->rnn;
  gs_tensor dW = matrix_of(&rnn->dW, network->config.hidden, t);
  if (rnn->dW.scale && !network->config.tied) {
    dW.scale = rnn->dW.scale + (t - 1) * rnn->dW.replicas;
  }
  return dW;
}

/* Steps first..first + steps - 1 of the T + 1 steps of h. */
static gs_tensor states_of(const gs_network *network, int64_t first, int64_t steps) {
  const gs_config *config = &network->config;
  gs_tensor states = gs_tensor_step(&network->rnn.h, config->seq_len + 1, first);
  states.rows = steps * config->batch;
  return states;
}

static gs_recurrence recurrence_of(const gs_network *network) {
  const gs_config *config = &network->config;
  const int64_t n = config->hidden;
  return (gs_recurrence){.steps = config->seq_len,
                         .loop = config->loop,
                         .activation = config->activation,
                         .w = matrix_of(&network->rnn.W, n, 1),
                         .w_step = config->tied ? 0 : n * n};
}

/* ---- weights and data ---- */

gs_status gs_rnn_fill(gs_network *network) {
  const gs_config *config = &network->config;
  gs_device *device = network->device;
  const gs_rnn *rnn = &network->rnn;
  const int64_t n = config->hidden;
  for (int64_t t = 1; t <= (config->tied ? 1 : config->seq_len); t++) {
    const gs_tensor W = matrix_of(&rnn->W, n, t);
    const gs_fill fill =
        gs_init_fill(&config->init, n, n, config->seed, gs_tensor_id(GS_KIND_WEIGHT, t));
    GS_TRY(device->ops->fill(device, &W, &fill));
  }
  const gs_fill fill = gs_init_fill(&config->input_init, config->input, n, config->seed,
                                    gs_tensor_id(GS_KIND_INPUT_WEIGHT, 0));
  GS_TRY(device->ops->fill(device, &rnn->U, &fill));
  if (gs_config_has_biases(config)) {
    const gs_fill bias = gs_bias_fill(config, 0);
    GS_TRY(device->ops->fill(device, &rnn->b, &bias));
  }
  const gs_tensor start = states_of(network, 0, 1);
  const gs_fill zero = {.kind = GS_FILL_CONSTANT, .value = 0};
  GS_TRY(device->ops->fill(device, &start, &zero));
  GS_TRY(gs_network_fill_normal(network, &rnn->x, 1, gs_tensor_id(GS_KIND_INPUT, 0)));
  return gs_network_fill_normal(network, &rnn->target, 1, gs_tensor_id(GS_KIND_TARGET, 0));
}

gs_status gs_rnn_hash(gs_network *network) {
  gs_device *device = network->device;
  const gs_config *config = &network->config;
  const gs_rnn *rnn = &network->rnn;
  for (int64_t t = 1; t <= (config->tied ? 1 : config->seq_len); t++) {
    const gs_tensor W = matrix_of(&rnn->W, config->hidden, t);
    GS_TRY(device->ops->hash(device, &W, gs_tensor_id(GS_KIND_WEIGHT, t), network->hash));
  }
  GS_TRY(device->ops->hash(device, &rnn->U, gs_tensor_id(GS_KIND_INPUT_WEIGHT, 0), network->hash));
  if (gs_config_has_biases(config)) {
    GS_TRY(device->ops->hash(device, &rnn->b, gs_tensor_id(GS_KIND_BIAS, 0), network->hash));
  }
  return GS_OK;
}

/* ---- passes ---- */

gs_status gs_rnn_forward(gs_network *network) {
  gs_device *device = network->device;
  const gs_rnn *rnn = &network->rnn;
  const gs_recurrence recurrence = recurrence_of(network);
  const gs_activation identity = {.kind = GS_IDENTITY};
  GS_TRY(device->ops->dense_forward(device, &rnn->x, &rnn->U, gs_tensor_or_null(&rnn->b), identity,
                                    NULL, &rnn->projection));
  return device->ops->recurrent_forward(device, &recurrence, &rnn->projection,
                                        gs_tensor_or_null(&rnn->saved), &rnn->h);
}

/* dW of every step, each with its statistics, through one buffer unless kept. */
static gs_status untied_gradients(gs_network *network, bool with_statistics) {
  gs_device *device = network->device;
  const gs_config *config = &network->config;
  for (int64_t t = config->seq_len; t >= 1; t--) {
    const gs_tensor delta = gs_tensor_step(&network->rnn.delta, config->seq_len, t - 1);
    const gs_tensor before = states_of(network, t - 1, 1);
    const gs_tensor dW = gradient_of(network, t);
    const gs_gradient_job gradient = {.delta = delta, .x = before, .steps = 1, .dW = dW};
    GS_TRY(device->ops->weight_gradients(device, &gradient, 1));
    if (with_statistics) {
      const gs_stats_job job = gs_network_job(network, GS_GRAD_WEIGHT, &dW, t, 1);
      GS_TRY(device->ops->stats(device, &job, 1));
    }
  }
  return GS_OK;
}

static gs_status statistics(gs_network *network) {
  gs_device *device = network->device;
  const gs_config *config = &network->config;
  const gs_rnn *rnn = &network->rnn;
  const int64_t T = config->seq_len;
  const gs_tensor states = states_of(network, 1, T);
  gs_stats_job jobs[GS_QUANTITY_COUNT];
  int64_t count = 0;
  jobs[count++] = gs_network_job(network, GS_DELTA, &rnn->delta, 1, T);
  jobs[count++] = gs_network_job(network, GS_ACTIVATION_H, &states, 1, T);
  jobs[count++] = gs_network_job(network, GS_GRAD_INPUT, &rnn->dU, 1, 1);
  if (config->tied) jobs[count++] = gs_network_job(network, GS_GRAD_WEIGHT, &rnn->dW, 1, 1);
  if (gs_config_has_biases(config))
    jobs[count++] = gs_network_job(network, GS_GRAD_BIAS, &rnn->db, 1, 1);
  return device->ops->stats(device, jobs, count);
}

gs_status gs_rnn_backward(gs_network *network, bool with_statistics) {
  gs_device *device = network->device;
  const gs_config *config = &network->config;
  const gs_rnn *rnn = &network->rnn;
  const int64_t T = config->seq_len;
  const int64_t seen = config->loss_at == GS_LOSS_EVERY ? T : 1; /* steps the loss sees */
  const gs_device_loss loss = gs_config_loss(config);
  const gs_recurrence recurrence = recurrence_of(network);
  const gs_tensor output = states_of(network, T - seen + 1, seen);
  const gs_tensor before = states_of(network, 0, T);
  GS_TRY(device->ops->loss(device, loss, &output, &rnn->target, seen, &rnn->dh, network->loss));
  GS_TRY(device->ops->recurrent_backward(device, &recurrence, &rnn->dh, seen,
                                         gs_tensor_or_null(&rnn->saved), &rnn->h, &rnn->delta));
  const gs_gradient_job of_input = {.delta = rnn->delta,
                                    .x = rnn->x,
                                    .steps = T,
                                    .dW = rnn->dU,
                                    .db = rnn->db,
                                    .has_db = gs_config_has_biases(config)};
  GS_TRY(device->ops->weight_gradients(device, &of_input, 1));
  if (config->tied) {
    const gs_gradient_job of_state = {.delta = rnn->delta, .x = before, .steps = T, .dW = rnn->dW};
    GS_TRY(device->ops->weight_gradients(device, &of_state, 1));
  } else {
    GS_TRY(untied_gradients(network, with_statistics));
  }
  return with_statistics ? statistics(network) : GS_OK;
}

gs_tensor gs_rnn_tensor(const gs_network *network, gs_role role, int64_t index) {
  const gs_rnn *rnn = &network->rnn;
  const gs_config *config = &network->config;
  const bool kept = network->options.keep_gradients;
  const bool in_range = index >= 1 && index <= (config->tied ? 1 : config->seq_len);
  switch (role) {
  case GS_ROLE_WEIGHT: return in_range ? matrix_of(&rnn->W, config->hidden, index) : (gs_tensor){0};
  case GS_ROLE_INPUT_WEIGHT: return rnn->U;
  case GS_ROLE_BIAS: return rnn->b;
  case GS_ROLE_INPUT: return rnn->x;
  case GS_ROLE_TARGET: return rnn->target;
  case GS_ROLE_OUTPUT: return states_of(network, config->seq_len, 1);
  case GS_ROLE_GRAD_WEIGHT: return in_range && kept ? gradient_of(network, index) : (gs_tensor){0};
  case GS_ROLE_GRAD_INPUT: return kept ? rnn->dU : (gs_tensor){0};
  case GS_ROLE_GRAD_BIAS: return kept ? rnn->db : (gs_tensor){0};
  }
  return (gs_tensor){0};
}
