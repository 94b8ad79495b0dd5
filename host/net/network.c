/* Networks: memory, creation, the step, and reading results back. The passes of
 * each model are in mlp.c and rnn.c. */
#include "net/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "net/network_internal.h"

const char *gs_quantity_name(gs_quantity quantity) {
  static const char *const names[] = {
#define QUANTITY_NAME(constant, name) [constant] = name,
      GS_QUANTITY_LIST(QUANTITY_NAME)
#undef QUANTITY_NAME
  };
  return quantity < GS_QUANTITY_COUNT ? names[quantity] : "unknown quantity";
}

/* ---- memory ---- */

static gs_workspace_need workspace_need(const gs_network *network) {
  return network->config.model == GS_MLP ? gs_mlp_need(network) : gs_rnn_need(network);
}

/* Carves (or counts) everything. */
static void layout_all(gs_network *network, gs_layout *layout) {
  const gs_config *config = &network->config;
  const size_t replicas = (size_t)config->replicas;
  const gs_workspace_need need = workspace_need(network);
  network->sizes.workspace_bytes = network->device->ops->workspace_bytes(network->device, &need);
  network->slots =
      gs_arena_take(&layout->arena, (size_t)network->slot_count, sizeof *network->slots);
  layout->next_slot = network->slots;
  layout->slots_taken = 0;
  network->loss = gs_arena_take(&layout->arena, replicas, sizeof *network->loss);
  network->hash = gs_arena_take(&layout->arena, replicas, sizeof *network->hash);
  if (config->model == GS_MLP) {
    gs_mlp_layout(network, layout);
  } else {
    gs_rnn_layout(network, layout);
  }
  network->slot_count = layout->slots_taken;
  network->workspace = gs_arena_take(&layout->arena, network->sizes.workspace_bytes, 1);
  network->sizes.total_bytes = layout->arena.used;
}

/* Two counting passes: the first learns how many scale slots there are. */
static gs_status count_all(gs_network *network, gs_error *error) {
  for (int pass = 0; pass < 2; pass++) {
    gs_layout layout = {.arena = gs_arena_counting()};
    layout_all(network, &layout);
    if (layout.arena.overflowed) {
      return GS_FAIL(error, GS_ERR_UNSUPPORTED, "the network is larger than any address space");
    }
  }
  return GS_OK;
}

static gs_tensor *tensor_array(int64_t depth) {
  return calloc((size_t)depth + 1, sizeof(gs_tensor));
}

/* The host's arrays of an mlp. */
static bool make_arrays(gs_network *network) {
  gs_mlp *mlp = &network->mlp;
  gs_device_info info;
  network->device->ops->info(network->device, &info);
  gs_tensor **arrays[] = {&mlp->W, &mlp->b, &mlp->h, &mlp->saved, &mlp->delta, &mlp->dW, &mlp->db};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    *arrays[i] = tensor_array(network->config.depth);
    if (!*arrays[i]) return false;
  }
  mlp->window = gs_mlp_window(&network->config, info.window_bytes);
  mlp->gradients = calloc((size_t)mlp->window, sizeof *mlp->gradients);
  mlp->statistics = calloc((size_t)mlp->window * GS_MLP_QUANTITIES, sizeof *mlp->statistics);
  return mlp->gradients && mlp->statistics;
}

/* A network without device memory: enough to count. */
static gs_status network_new(gs_device *device, const gs_config *config,
                             const gs_network_options *options, gs_network **network,
                             gs_error *error) {
  gs_network *made = calloc(1, sizeof *made);
  if (!made) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a network");
  *network = made;
  made->device = device;
  if (options) made->options = *options;
  const gs_config plain = gs_config_plain(config);
  GS_TRY(gs_config_copy(&plain, &made->config, error));
  if (config->model == GS_MLP && !make_arrays(made)) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a network");
  }
  return count_all(made, error);
}

gs_status gs_network_predict(gs_device *device, const gs_config *config,
                             const gs_network_options *options, gs_network_memory *memory,
                             gs_error *error) {
  gs_network *network = NULL;
  const gs_status status = network_new(device, config, options, &network, error);
  if (status == GS_OK) *memory = network->sizes;
  gs_network_destroy(network);
  return status;
}

void gs_network_destroy(gs_network *network) {
  if (!network) return;
  if (network->memory) {
    network->device->ops->set_workspace(network->device, NULL, NULL);
    network->device->ops->free(network->device, network->memory);
  }
  gs_tensor *arrays[] = {network->mlp.W,     network->mlp.b,  network->mlp.h, network->mlp.saved,
                         network->mlp.delta, network->mlp.dW, network->mlp.db};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
  free(network->mlp.gradients);
  free(network->mlp.statistics);
  gs_config_clear(&network->config);
  free(network);
}

/* ---- creation ---- */

/* A device operation's failure, as the caller's error. */
static gs_status from_device(const gs_network *network, gs_status status, gs_error *error) {
  if (status != GS_OK && error) *error = network->device->error;
  return status;
}

gs_status gs_network_fill_normal(gs_network *network, const gs_tensor *tensor, double std,
                                 uint32_t tensor_id) {
  const gs_fill fill = {GS_FILL_NORMAL, std, network->config.seed, tensor_id};
  return network->device->ops->fill(network->device, tensor, &fill);
}

/* Several networks may share a device: each brings its own workspace. */
static gs_status use_workspace(gs_network *network) {
  const gs_workspace_need need = workspace_need(network);
  return network->device->ops->set_workspace(network->device, network->workspace, &need);
}

static gs_status allocate_and_fill(gs_network *network) {
  gs_device *device = network->device;
  GS_TRY(device->ops->alloc(device, network->sizes.total_bytes, &network->memory));
  gs_layout layout = {.arena = gs_arena_over(network->memory, network->sizes.total_bytes)};
  layout_all(network, &layout);
  if (layout.arena.overflowed) {
    return GS_FAIL(&device->error, GS_ERR_INTERNAL, "the memory prediction was too small");
  }
  GS_TRY(use_workspace(network));
  return network->config.model == GS_MLP ? gs_mlp_fill(network) : gs_rnn_fill(network);
}

gs_status gs_network_check(gs_device *device, const gs_config *config, gs_error *error) {
  gs_device_info info;
  device->ops->info(device, &info);
  if (!(info.dtypes >> config->dtype & 1u)) {
    return GS_FAIL(error, GS_ERR_UNSUPPORTED, "dtype %s is not supported by the %s backend",
                   gs_name(&gs_dtype_names, config->dtype), info.backend);
  }
  if (config->loop == GS_LOOP_PERSISTENT && !info.persistent) {
    return GS_FAIL(error, GS_ERR_UNSUPPORTED, "loop persistent: the %s backend has none here",
                   info.backend);
  }
  if (config->launch == GS_LAUNCH_GRAPH && !info.graphs) {
    return GS_FAIL(error, GS_ERR_UNSUPPORTED, "launch graph: the %s backend has no graphs",
                   info.backend);
  }
  return GS_OK;
}

gs_status gs_network_create(gs_device *device, const gs_config *config,
                            const gs_network_options *options, gs_network **network,
                            gs_error *error) {
  *network = NULL;
  GS_TRY(gs_config_check(config, error));
  GS_TRY(gs_network_check(device, config, error));
  gs_network *made = NULL;
  gs_status status = network_new(device, config, options, &made, error);
  if (status == GS_OK) status = from_device(made, allocate_and_fill(made), error);
  if (status != GS_OK) {
    gs_network_destroy(made);
    return status;
  }
  *network = made;
  return GS_OK;
}

/* ---- the step ---- */

static gs_status forward(gs_network *network) {
  gs_device *device = network->device;
  GS_TRY(use_workspace(network));
  GS_TRY(device->ops->begin_step(device, network->slots, network->slot_count));
  return network->config.model == GS_MLP ? gs_mlp_forward(network) : gs_rnn_forward(network);
}

gs_status gs_network_forward(gs_network *network, gs_error *error) {
  return from_device(network, forward(network), error);
}

static gs_status backward(gs_network *network, bool with_statistics) {
  const bool measured = with_statistics && network->config.stats != GS_STATS_OFF;
  return network->config.model == GS_MLP ? gs_mlp_backward(network, measured)
                                         : gs_rnn_backward(network, measured);
}

gs_status gs_network_step(gs_network *network, bool with_statistics, gs_error *error) {
  GS_TRY(gs_network_forward(network, error));
  return from_device(network, backward(network, with_statistics), error);
}

/* ---- results ---- */

gs_status gs_network_loss(gs_network *network, gs_scaled *loss, gs_error *error) {
  gs_device *device = network->device;
  const size_t replicas = (size_t)network->config.replicas;
  GS_TRY(from_device(network, device->ops->sync(device), error));
  GS_TRY(from_device(
      network, device->ops->download(device, loss, network->loss, replicas * sizeof *loss), error));
  for (size_t r = 0; r < replicas; r++) {
    loss[r] = gs_scaled_canonical(loss[r].value, loss[r].exponent);
  }
  return GS_OK;
}

static gs_status hash_replicas(gs_network *network, uint64_t *hashes) {
  gs_device *device = network->device;
  const size_t bytes = (size_t)network->config.replicas * sizeof *hashes;
  GS_TRY(device->ops->upload(device, network->hash, hashes, bytes));
  GS_TRY(network->config.model == GS_MLP ? gs_mlp_hash(network) : gs_rnn_hash(network));
  GS_TRY(device->ops->sync(device));
  return device->ops->download(device, hashes, network->hash, bytes);
}

gs_status gs_network_weights_hash(gs_network *network, uint64_t *hash, gs_error *error) {
  const size_t replicas = (size_t)network->config.replicas;
  uint64_t *hashes = calloc(replicas, sizeof *hashes);
  if (!hashes) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %zu hashes", replicas);
  const gs_status status = from_device(network, hash_replicas(network, hashes), error);
  *hash = 0;
  for (size_t r = 0; r < replicas; r++) {
    /* the replica's place matters, so that swapped replicas differ */
    *hash += gs_hash_element((uint32_t)(hashes[r] >> 32), r, (uint32_t)hashes[r]);
  }
  free(hashes);
  return status;
}

gs_status gs_network_stats(gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                           gs_error *error) {
  gs_device *device = network->device;
  const gs_quantity_store *store = &network->quantity[quantity];
  const size_t entries = (size_t)store->points * (size_t)network->config.replicas;
  const int bins = gs_dtype_exponent_bins(network->config.dtype);
  *stats = (gs_quantity_stats){.points = store->points, .bins = bins};
  if (store->points == 0) return GS_OK;
  const size_t stats_bytes = entries * sizeof *stats->stats;
  const size_t histogram_bytes = entries * (size_t)bins * sizeof *stats->histogram;
  stats->stats = malloc(stats_bytes);
  if (store->histogram) stats->histogram = malloc(histogram_bytes);
  gs_status status = GS_OK;
  if (!stats->stats || (store->histogram && !stats->histogram)) {
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the statistics");
  }
  if (status == GS_OK) status = from_device(network, device->ops->sync(device), error);
  if (status == GS_OK) {
    status = from_device(
        network, device->ops->download(device, stats->stats, store->stats, stats_bytes), error);
  }
  if (status == GS_OK && store->histogram) {
    status = from_device(
        network, device->ops->download(device, stats->histogram, store->histogram, histogram_bytes),
        error);
  }
  if (status != GS_OK) gs_quantity_stats_clear(stats);
  return status;
}

gs_status gs_network_view_stats(gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                                gs_error *error) {
  gs_device *device = network->device;
  const gs_quantity_store *store = &network->quantity[quantity];
  if (!device->host_memory) return gs_network_stats(network, quantity, stats, error);
  *stats = (gs_quantity_stats){.points = store->points,
                               .stats = store->stats,
                               .histogram = store->histogram,
                               .bins = gs_dtype_exponent_bins(network->config.dtype),
                               .borrowed = true};
  return from_device(network, device->ops->sync(device), error);
}

void gs_quantity_stats_clear(gs_quantity_stats *stats) {
  if (!stats->borrowed) {
    free(stats->stats);
    free(stats->histogram);
  }
  *stats = (gs_quantity_stats){0};
}

gs_tensor gs_network_tensor(const gs_network *network, gs_role role, int64_t index) {
  return network->config.model == GS_MLP ? gs_mlp_tensor(network, role, index)
                                         : gs_rnn_tensor(network, role, index);
}

const gs_config *gs_network_config(const gs_network *network) { return &network->config; }

gs_device *gs_network_device(const gs_network *network) { return network->device; }
