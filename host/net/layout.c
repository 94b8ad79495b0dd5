/* Carving a network's tensors from one block, or counting what that block would
 * have to hold. */
#include "net/network_internal.h"

static gs_scale *take_slots(gs_network *network, gs_layout *layout, int64_t groups) {
  const int64_t count = groups * network->config.replicas;
  gs_scale *slots = layout->next_slot;
  layout->slots_taken += count;
  if (slots) layout->next_slot += count;
  return slots;
}

gs_tensor gs_layout_view(gs_network *network, gs_layout *layout, void *data, int64_t stride,
                         int64_t rows, int64_t cols, bool tracked, int64_t steps) {
  return (gs_tensor){.data = data,
                     .scale = tracked ? take_slots(network, layout, steps) : NULL,
                     .rows = rows,
                     .cols = cols,
                     .ld = cols,
                     .stride = stride,
                     .replicas = network->config.replicas,
                     .dtype = network->config.dtype};
}

gs_tensor gs_layout_tensor(gs_network *network, gs_layout *layout, int64_t rows, int64_t cols,
                           bool tracked, int64_t steps) {
  const size_t elements = (size_t)(rows * cols) * (size_t)network->config.replicas;
  void *data = gs_arena_take(&layout->arena, elements, gs_dtype_bytes(network->config.dtype));
  return gs_layout_view(network, layout, data, rows * cols, rows, cols, tracked, steps);
}

void gs_layout_quantity(gs_network *network, gs_layout *layout, gs_quantity quantity,
                        int64_t points) {
  gs_quantity_store *store = &network->quantity[quantity];
  const gs_stats_level level = network->config.stats;
  const size_t entries = (size_t)points * (size_t)network->config.replicas;
  *store = (gs_quantity_store){.points = level == GS_STATS_OFF ? 0 : points};
  if (store->points == 0) return;
  store->stats = gs_arena_take(&layout->arena, entries, sizeof *store->stats);
  if (level == GS_STATS_FULL) {
    const size_t bins = (size_t)gs_dtype_exponent_bins(network->config.dtype);
    store->histogram = gs_arena_take(&layout->arena, entries * bins, sizeof *store->histogram);
  }
}

gs_stats_job gs_network_job(const gs_network *network, gs_quantity quantity,
                            const gs_tensor *tensor, int64_t point, int64_t steps) {
  const gs_config *config = &network->config;
  const gs_quantity_store *store = &network->quantity[quantity];
  const int64_t entry = (point - 1) * config->replicas;
  const int bins = gs_dtype_exponent_bins(config->dtype);
  gs_stats_job job = {.tensor = *tensor, .steps = steps, .stats = store->stats + entry};
  if (store->histogram) job.histogram = store->histogram + entry * bins;
  if (quantity == GS_ACTIVATION_H) {
    const gs_activation phi =
        config->model == GS_MLP ? gs_config_activation(config, point) : config->activation;
    job.saturation = gs_activation_saturation(phi.kind, &job.saturation_low, &job.saturation_high);
    job.dead = phi.kind == GS_RELU;
  }
  return job;
}
