/* The multi-layer perceptron over device.h:
 *
 *   h^0 = x;  z^l = W^l h^{l-1} + b^l;  h^l = phi(z^l);          l = 1..L
 *   delta^L = phi'(z^L) dLoss/dh^L;  delta^l = phi'(z^l) (W^{l+1})^T delta^{l+1}
 *   dW^l = sum_b delta^l_b (h^{l-1}_b)^T;  db^l = sum_b delta^l_b
 *
 * (THEORY section 0). Rows are examples, so z^l = h^{l-1} (W^l)^T + b^l.
 *
 * A gradient sweep needs only statistics of the backward pass, so deltas and
 * weight gradients are not kept. Going back, layers are taken in windows of K:
 * when the deltas of a window are there, its weight gradients and then its
 * statistics are one call each. Two windows of deltas take turns, so that the next
 * may be filled while the last is still being read; one window of gradients
 * suffices. K is 1 where every layer is best dealt with while it is in cache. */
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

int64_t gs_mlp_window(const gs_config *config, int64_t window_bytes) {
  const double elements = 2.0 * (double)config->batch * (double)widest(config, 1) +
                          (double)largest_weight(config); /* two deltas and a gradient */
  const double layer_bytes =
      elements * (double)config->replicas * (double)gs_dtype_bytes(config->dtype);
  const double layers = (double)window_bytes / layer_bytes;
  if (!(layers >= 1)) return 1;
  return layers < (double)config->depth ? (int64_t)layers : config->depth;
}

gs_workspace_need gs_mlp_need(const gs_network *network) {
  const gs_config *config = &network->config;
  const int64_t columns = widest(config, 0);
  const int64_t weights = largest_weight(config);
  const int64_t rows = config->batch;
  return (gs_workspace_need){.rows = rows,
                             .columns = columns,
                             .weights = weights,
                             .elements = weights > rows * columns ? weights : rows * columns,
                             .replicas = config->replicas,
                             .steps = 1,
                             .dtype = config->dtype,
                             .recurrent = false,
                             .orthogonal = config->init.kind == GS_INIT_ORTHOGONAL};
}

/* ---- windows ---- */

/* The place of layer l in its window: it rises with l, so that tensors of layers
 * in a row are equally far apart. */
static int64_t window_place(const gs_network *network, int64_t l) {
  const int64_t K = network->mlp.window;
  return K - 1 - (network->config.depth - l) % K;
}

/* Of the two windows of deltas, the one that holds layer l's. */
static int64_t window_turn(const gs_network *network, int64_t l) {
  return (network->config.depth - l) / network->mlp.window % 2;
}

/* ---- memory ---- */

static void layout_weights(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_mlp *mlp = &network->mlp;
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t n = config->widths[l];
    mlp->W[l] = gs_layout_tensor(network, layout, n, config->widths[l - 1], false, 1);
    if (gs_config_has_biases(config)) mlp->b[l] = gs_layout_tensor(network, layout, 1, n, false, 1);
  }
}

/* `count` buffers of R replicas one behind the other, as one block: elements from
 * one to the next in *spacing. */
static char *layout_buffers(gs_network *network, gs_layout *layout, int64_t count, int64_t stride,
                            size_t *spacing) {
  const gs_tensor block = gs_layout_tensor(network, layout, count, stride, false, 1);
  *spacing = (size_t)(network->config.replicas * stride) * gs_dtype_bytes(network->config.dtype);
  return block.data;
}

static void layout_deltas(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  gs_mlp *mlp = &network->mlp;
  const int64_t K = mlp->window;
  const int64_t stride = config->batch * widest(config, 1);
  size_t spacing;
  char *buffers = layout_buffers(network, layout, K < config->depth ? 2 * K : K, stride, &spacing);
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t buffer = window_turn(network, l) * K + window_place(network, l);
    void *data = buffers ? buffers + (size_t)buffer * spacing : NULL;
    mlp->delta[l] = gs_layout_view(network, layout, data, stride, config->batch, config->widths[l],
                                   gs_network_extended(network), 1);
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
    const bool tracked =
        extended && (gs_activation_grows(phi.kind) || gs_activation_shrinks(phi.kind));
    mlp->h[l] = gs_layout_tensor(network, layout, B, n, tracked, 1);
    if (gs_activation_needs_saved(phi.kind)) {
      mlp->saved[l] = gs_layout_tensor(network, layout, B, n, false, 1);
    }
  }
  layout_deltas(network, layout);
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
  size_t spacing = 0;
  char *buffers = keep ? NULL : layout_buffers(network, layout, mlp->window, stride, &spacing);
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t n = config->widths[l];
    const int64_t n_in = config->widths[l - 1];
    void *data = buffers ? buffers + (size_t)window_place(network, l) * spacing : NULL;
    mlp->dW[l] = keep ? gs_layout_tensor(network, layout, n, n_in, extended, 1)
                      : gs_layout_view(network, layout, data, stride, n, n_in, extended, 1);
    if (gs_config_has_biases(config))
      mlp->db[l] = gs_layout_tensor(network, layout, 1, n, extended, 1);
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
  gs_layout_quantity(network, layout, GS_GRAD_BIAS, gs_config_has_biases(config) ? L : 0);
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
    if (gs_config_has_biases(config)) {
      const gs_fill bias = gs_bias_fill(config, l);
      GS_TRY(device->ops->fill(device, &mlp->b[l], &bias));
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
    if (gs_config_has_biases(&network->config)) {
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

/* The statistics jobs of layer l; returns how many. */
static int64_t layer_statistics(const gs_network *network, int64_t l,
                                gs_stats_job jobs[GS_MLP_QUANTITIES]) {
  const gs_mlp *mlp = &network->mlp;
  int64_t count = 0;
  jobs[count++] = gs_network_job(network, GS_DELTA, &mlp->delta[l], l, 1);
  jobs[count++] = gs_network_job(network, GS_GRAD_WEIGHT, &mlp->dW[l], l, 1);
  jobs[count++] = gs_network_job(network, GS_ACTIVATION_H, &mlp->h[l], l, 1);
  if (gs_config_has_biases(&network->config)) {
    jobs[count++] = gs_network_job(network, GS_GRAD_BIAS, &mlp->db[l], l, 1);
  }
  return count;
}

/* Weight gradients, and statistics if asked, of layers first..last. */
static gs_status window_gradients(gs_network *network, int64_t first, int64_t last,
                                  bool with_statistics) {
  gs_device *device = network->device;
  const gs_mlp *mlp = &network->mlp;
  int64_t count = 0;
  for (int64_t l = first; l <= last; l++) {
    mlp->gradients[l - first] =
        (gs_gradient_job){.delta = mlp->delta[l], .x = mlp->h[l - 1], .steps = 1, .dW = mlp->dW[l]};
    if (with_statistics) count += layer_statistics(network, l, mlp->statistics + count);
  }
  GS_TRY(device->ops->weight_gradients(device, mlp->gradients, last - first + 1));
  return with_statistics ? device->ops->stats(device, mlp->statistics, count) : GS_OK;
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
  int64_t last = L; /* of the window at work */
  for (int64_t l = L; l >= 1; l--) {
    if (l < L) {
      GS_TRY(device->ops->dense_backward(device, &mlp->delta[l + 1], &mlp->W[l + 1],
                                         gs_config_activation(config, l),
                                         gs_tensor_or_null(&mlp->saved[l]), &mlp->h[l],
                                         &mlp->delta[l], gs_tensor_or_null(&mlp->db[l])));
    }
    if (l > 1 && window_place(network, l) > 0) continue;
    GS_TRY(window_gradients(network, l, last, with_statistics));
    last = l - 1;
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
