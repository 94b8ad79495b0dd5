/* The multi-layer perceptron over device.h:
 *
 *   h^0 = x;  z^l = W^l h^{l-1} + b^l;  h^l = phi(z^l);          l = 1..L
 *   delta^L = phi'(z^L) dLoss/dh^L;  delta^l = phi'(z^l) (W^{l+1})^T delta^{l+1}
 *   dW^l = sum_b delta^l_b (h^{l-1}_b)^T;  db^l = sum_b delta^l_b
 *
 * (THEORY section 0). Rows are examples, so z^l = h^{l-1} (W^l)^T + b^l.
 *
 * A gradient sweep needs only statistics of the backward pass: two buffers hold
 * the deltas in turn, and one holds every layer's weight gradient. */
#include "net/network_internal.h"

static int64_t widest(const gs_config *config, int64_t first) {
  int64_t most = 0;
  for (int64_t l = first; l <= config->depth; l++) {
    if (config->widths[l] > most) most = config->widths[l];
  }
  return most;
}

static int64_t largest_weight(const gs_config *config) {
  int64_t most = 0;
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t elements = config->widths[l] * config->widths[l - 1];
    if (elements > most) most = elements;
  }
  return most;
}

gs_workspace_need gs_mlp_need(const gs_config *config) {
  const int64_t columns = widest(config, 0);
  const int64_t weights = largest_weight(config);
  const int64_t rows = config->batch;
  return (gs_workspace_need){.rows = rows,
                             .columns = columns,
                             .weights = weights,
                             .elements = weights > rows * columns ? weights : rows * columns,
                             .replicas = config->replicas,
                             .dtype = config->dtype,
                             .recurrent = false,
                             .orthogonal = config->init.kind == GS_INIT_ORTHOGONAL};
}

/* ---- memory ---- */

static void layout_weights(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_mlp *mlp = &network->mlp;
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t n = config->widths[l];
    mlp->W[l] = gs_layout_tensor(network, layout, n, config->widths[l - 1], false, 1);
    if (config->bias_std > 0) mlp->b[l] = gs_layout_tensor(network, layout, 1, n, false, 1);
  }
}

static void layout_activations(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_mlp *mlp = &network->mlp;
  const bool extended = gs_network_extended(network);
  const int64_t B = config->batch;
  for (int64_t l = 1; l <= config->depth; l++) {
    const gs_activation phi = gs_config_activation(config, l);
    const int64_t n = config->widths[l];
    const bool tracked = extended && gs_activation_homogeneous(phi.kind);
    mlp->h[l] = gs_layout_tensor(network, layout, B, n, tracked, 1);
    if (gs_activation_needs_saved(phi.kind)) {
      mlp->saved[l] = gs_layout_tensor(network, layout, B, n, false, 1);
    }
  }
  const int64_t stride = B * widest(config, 1);
  gs_tensor buffers[2];
  for (int i = 0; i < 2; i++) {
    buffers[i] = gs_layout_tensor(network, layout, B, widest(config, 1), false, 1);
  }
  for (int64_t l = 1; l <= config->depth; l++) {
    mlp->delta[l] = gs_layout_view(network, layout, buffers[l % 2].data, stride, B,
                                   config->widths[l], extended, 1);
  }
  mlp->dh = mlp->target; /* the linear loss's gradient is its target */
  if (config->loss == GS_LOSS_MSE) {
    mlp->dh = gs_layout_tensor(network, layout, B, config->widths[config->depth], extended, 1);
  }
}

static void layout_gradients(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_mlp *mlp = &network->mlp;
  const bool extended = gs_network_extended(network);
  const bool keep = network->options.keep_gradients;
  const int64_t stride = largest_weight(config);
  const gs_tensor buffer =
      keep ? (gs_tensor){0} : gs_layout_tensor(network, layout, 1, stride, false, 1);
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t n = config->widths[l];
    const int64_t n_in = config->widths[l - 1];
    mlp->dW[l] = keep ? gs_layout_tensor(network, layout, n, n_in, extended, 1)
                      : gs_layout_view(network, layout, buffer.data, stride, n, n_in, extended, 1);
    if (config->bias_std > 0) mlp->db[l] = gs_layout_tensor(network, layout, 1, n, extended, 1);
  }
}

void gs_mlp_layout(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_mlp *mlp = &network->mlp;
  const int64_t L = config->depth;
  layout->group_start = layout->arena.used;
  layout_weights(network, layout);
  gs_layout_end_group(layout, &network->sizes.weights_bytes);
  mlp->h[0] = gs_layout_tensor(network, layout, config->batch, config->widths[0], false, 1);
  mlp->target = gs_layout_tensor(network, layout, config->batch, config->widths[L], false, 1);
  gs_layout_end_group(layout, &network->sizes.data_bytes);
  layout_activations(network, layout);
  gs_layout_end_group(layout, &network->sizes.activations_bytes);
  layout_gradients(network, layout);
  gs_layout_end_group(layout, &network->sizes.gradients_bytes);
  gs_layout_quantity(network, layout, GS_ACTIVATION_H, L);
  gs_layout_quantity(network, layout, GS_DELTA, L);
  gs_layout_quantity(network, layout, GS_GRAD_WEIGHT, L);
  gs_layout_quantity(network, layout, GS_GRAD_BIAS, config->bias_std > 0 ? L : 0);
  gs_layout_end_group(layout, &network->sizes.statistics_bytes);
}

/* ---- weights and data ---- */

gs_status gs_mlp_fill(gs_network *network) {
  const gs_config *config = &network->config;
  gs_device *device = network->device;
  const gs_mlp *mlp = &network->mlp;
  for (int64_t l = 1; l <= config->depth; l++) {
    const gs_fill fill = gs_init_fill(&config->init, config->widths[l - 1], config->widths[l],
                                      config->seed, gs_tensor_id(GS_KIND_WEIGHT, l));
    GS_TRY(device->ops->fill(device, &mlp->W[l], &fill));
    if (config->bias_std > 0) {
      GS_TRY(gs_network_fill_normal(network, &mlp->b[l], config->bias_std,
                                    gs_tensor_id(GS_KIND_BIAS, l)));
    }
  }
  GS_TRY(gs_network_fill_normal(network, &mlp->h[0], 1, gs_tensor_id(GS_KIND_INPUT, 0)));
  return gs_network_fill_normal(network, &mlp->target, 1, gs_tensor_id(GS_KIND_TARGET, 0));
}

gs_status gs_mlp_hash(gs_network *network) {
  gs_device *device = network->device;
  const gs_mlp *mlp = &network->mlp;
  for (int64_t l = 1; l <= network->config.depth; l++) {
    GS_TRY(device->ops->hash(device, &mlp->W[l], gs_tensor_id(GS_KIND_WEIGHT, l), network->hash));
    if (network->config.bias_std > 0) {
      GS_TRY(device->ops->hash(device, &mlp->b[l], gs_tensor_id(GS_KIND_BIAS, l), network->hash));
    }
  }
  return GS_OK;
}

/* ---- passes ---- */

gs_status gs_mlp_forward(gs_network *network) {
  gs_device *device = network->device;
  const gs_mlp *mlp = &network->mlp;
  for (int64_t l = 1; l <= network->config.depth; l++) {
    GS_TRY(device->ops->dense_forward(
        device, &mlp->h[l - 1], &mlp->W[l], gs_tensor_or_null(&mlp->b[l]),
        gs_config_activation(&network->config, l), gs_tensor_or_null(&mlp->saved[l]), &mlp->h[l]));
  }
  return GS_OK;
}

static gs_status layer_statistics(gs_network *network, int64_t l) {
  gs_device *device = network->device;
  const gs_mlp *mlp = &network->mlp;
  gs_stats_job jobs[4];
  int64_t count = 0;
  jobs[count++] = gs_network_job(network, GS_DELTA, &mlp->delta[l], l, 1);
  jobs[count++] = gs_network_job(network, GS_GRAD_WEIGHT, &mlp->dW[l], l, 1);
  jobs[count++] = gs_network_job(network, GS_ACTIVATION_H, &mlp->h[l], l, 1);
  if (network->config.bias_std > 0) {
    jobs[count++] = gs_network_job(network, GS_GRAD_BIAS, &mlp->db[l], l, 1);
  }
  return device->ops->stats(device, jobs, count);
}

gs_status gs_mlp_backward(gs_network *network, bool with_statistics) {
  gs_device *device = network->device;
  const gs_config *config = &network->config;
  const gs_mlp *mlp = &network->mlp;
  const int64_t L = config->depth;
  const gs_device_loss loss = gs_config_loss(config);
  GS_TRY(device->ops->loss(device, loss, &mlp->h[L], &mlp->target, 1, &mlp->dh, network->loss));
  GS_TRY(device->ops->activation_backward(device, &mlp->dh, gs_config_activation(config, L),
                                          gs_tensor_or_null(&mlp->saved[L]), &mlp->h[L],
                                          &mlp->delta[L], gs_tensor_or_null(&mlp->db[L])));
  for (int64_t l = L; l >= 1; l--) {
    GS_TRY(
        device->ops->weight_gradient(device, &mlp->delta[l], &mlp->h[l - 1], 1, &mlp->dW[l], NULL));
    if (with_statistics) GS_TRY(layer_statistics(network, l));
    if (l == 1) break;
    GS_TRY(device->ops->dense_backward(device, &mlp->delta[l], &mlp->W[l],
                                       gs_config_activation(config, l - 1),
                                       gs_tensor_or_null(&mlp->saved[l - 1]), &mlp->h[l - 1],
                                       &mlp->delta[l - 1], gs_tensor_or_null(&mlp->db[l - 1])));
  }
  return GS_OK;
}

gs_tensor gs_mlp_tensor(const gs_network *network, gs_role role, int64_t index) {
  const gs_mlp *mlp = &network->mlp;
  const bool kept = network->options.keep_gradients;
  const bool in_range = index >= 1 && index <= network->config.depth;
  switch (role) {
  case GS_ROLE_WEIGHT: return in_range ? mlp->W[index] : (gs_tensor){0};
  case GS_ROLE_BIAS: return in_range ? mlp->b[index] : (gs_tensor){0};
  case GS_ROLE_INPUT: return mlp->h[0];
  case GS_ROLE_TARGET: return mlp->target;
  case GS_ROLE_OUTPUT: return mlp->h[network->config.depth];
  case GS_ROLE_GRAD_WEIGHT: return in_range && kept ? mlp->dW[index] : (gs_tensor){0};
  case GS_ROLE_GRAD_BIAS: return in_range && kept ? mlp->db[index] : (gs_tensor){0};
  case GS_ROLE_INPUT_WEIGHT:
  case GS_ROLE_GRAD_INPUT: break;
  }
  return (gs_tensor){0};
}
