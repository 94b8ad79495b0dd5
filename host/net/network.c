/* Networks: creation, the step, and reading results back. */
#include "net/network.h"

#include <stdlib.h>

#include "base/random.h"
#include "net/init.h"
#include "net/model.h"
#include "net/ops.h"

struct gs_network {
  gs_config config;
  gs_tape tape;
  gs_network_memory sizes;
  void *memory; /* one device block; what the tape has carved points into it */
};

gs_cost gs_cost_of(const gs_config *config) {
  const double replicas = (double)config->replicas;
  gs_cost cost = {0}; /* operations add elements of one replica */
  gs_tape tape = {.config = config, .cost = &cost};
  gs_model_row_of(config->model)->build(&tape);
  cost.flops *= replicas;
  cost.bytes *= replicas * (double)gs_dtype_bytes(config->dtype);
  cost.samples = (double)config->batch * replicas;
  return cost;
}

/* ---- memory ---- */

static gs_status carve(gs_network *network, gs_arena arena, gs_error *error) {
  gs_tape_carve(&network->tape, &arena, network->sizes.bytes);
  network->sizes.total_bytes = arena.used;
  if (!arena.overflowed) return GS_OK;
  return arena.base
             ? GS_FAIL(error, GS_ERR_INTERNAL, "the memory prediction was too small")
             : GS_FAIL(error, GS_ERR_UNSUPPORTED, "the network is larger than any address space");
}

/* A network without device memory: enough to count. */
static gs_status network_new(gs_device *device, const gs_config *config,
                             const gs_network_options *options, gs_network **network,
                             gs_error *error) {
  gs_network *made = calloc(1, sizeof *made);
  if (!made) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a network");
  *network = made;
  const gs_config plain = gs_config_plain(config);
  GS_TRY(gs_config_copy(&plain, &made->config, error));
  made->tape.device = device;
  made->tape.config = &made->config;
  made->tape.keep_gradients = options && options->keep_gradients;
  if (gs_tape_build(&made->tape, gs_model_row_of(config->model)->build) != GS_OK ||
      gs_window_open(&made->tape) != GS_OK) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a network");
  }
  return carve(made, gs_arena_counting(), error);
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
  gs_device *device = network->tape.device;
  if (network->memory) {
    device->ops->set_workspace(device, NULL, NULL);
    device->ops->free(device, network->memory);
  }
  gs_tape_close(&network->tape);
  gs_config_clear(&network->config);
  free(network);
}

/* ---- creation ---- */

/* A device operation's failure, as the caller's error. */
static gs_status from_device(const gs_network *network, gs_status status, gs_error *error) {
  if (status != GS_OK && error) *error = network->tape.device->error;
  return status;
}

/* Several networks may share a device: each brings its own workspace. */
static gs_status use_workspace(gs_network *network) {
  const gs_tape *tape = &network->tape;
  return tape->device->ops->set_workspace(tape->device, tape->workspace, &tape->need);
}

static gs_status allocate_and_fill(gs_network *network) {
  gs_device *device = network->tape.device;
  const size_t bytes = network->sizes.total_bytes;
  GS_TRY(device->ops->alloc(device, bytes, &network->memory));
  GS_TRY(carve(network, gs_arena_over(network->memory, bytes), &device->error));
  GS_TRY(use_workspace(network));
  GS_TRY(gs_tape_fill(&network->tape));
  return network->config.lsuv ? gs_tape_scale_to_data(&network->tape) : GS_OK;
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
  gs_tape *tape = &network->tape;
  GS_TRY(use_workspace(network));
  GS_TRY(tape->device->ops->begin_step(tape->device, tape->slots, tape->slot_count));
  return gs_tape_forward(tape);
}

gs_status gs_network_forward(gs_network *network, gs_error *error) {
  return from_device(network, forward(network), error);
}

gs_status gs_network_step(gs_network *network, bool with_statistics, gs_error *error) {
  const bool measured = with_statistics && network->config.stats != GS_STATS_OFF;
  GS_TRY(gs_network_forward(network, error));
  return from_device(network, gs_tape_backward(&network->tape, measured), error);
}

/* ---- results ---- */

gs_status gs_network_loss(gs_network *network, gs_scaled *loss, gs_error *error) {
  gs_device *device = network->tape.device;
  const size_t replicas = (size_t)network->config.replicas;
  GS_TRY(from_device(network, device->ops->sync(device), error));
  GS_TRY(from_device(
      network, device->ops->download(device, loss, network->tape.loss, replicas * sizeof *loss),
      error));
  for (size_t r = 0; r < replicas; r++) {
    loss[r] = gs_scaled_canonical(loss[r].value, loss[r].exponent);
  }
  return GS_OK;
}

static gs_status hash_replicas(gs_network *network, uint64_t *hashes) {
  gs_device *device = network->tape.device;
  const size_t bytes = (size_t)network->config.replicas * sizeof *hashes;
  GS_TRY(device->ops->upload(device, network->tape.hash, hashes, bytes));
  GS_TRY(gs_tape_hash(&network->tape));
  GS_TRY(device->ops->sync(device));
  return device->ops->download(device, hashes, network->tape.hash, bytes);
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

/* A copy of device memory in *to; NULL stays NULL. */
static gs_status fetch(const gs_network *network, const void *from, size_t bytes, void **to,
                       gs_error *error) {
  gs_device *device = network->tape.device;
  if (!from) return GS_OK;
  *to = malloc(bytes);
  if (!*to) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the statistics");
  return from_device(network, device->ops->download(device, *to, from, bytes), error);
}

/* After all that is enqueued, where it is. */
static gs_status view(const gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                      gs_error *error) {
  gs_device *device = network->tape.device;
  *stats = network->tape.quantity[quantity];
  return from_device(network, device->ops->sync(device), error);
}

gs_status gs_network_stats(gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                           gs_error *error) {
  gs_quantity_stats there;
  void *entries = NULL;
  void *histogram = NULL;
  *stats = (gs_quantity_stats){0};
  GS_TRY(view(network, quantity, &there, error));
  const size_t count = (size_t)there.points * (size_t)network->config.replicas;
  const size_t bytes = count * (size_t)there.bins * sizeof *there.histogram;
  gs_status status = fetch(network, there.stats, count * sizeof *there.stats, &entries, error);
  if (status == GS_OK) status = fetch(network, there.histogram, bytes, &histogram, error);
  *stats = (gs_quantity_stats){there.points, entries, histogram, there.bins, .borrowed = false};
  if (status != GS_OK) gs_quantity_stats_clear(stats);
  return status;
}

gs_status gs_network_view_stats(gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                                gs_error *error) {
  return network->tape.device->host_memory ? view(network, quantity, stats, error)
                                           : gs_network_stats(network, quantity, stats, error);
}

void gs_quantity_stats_clear(gs_quantity_stats *stats) {
  if (!stats->borrowed) {
    free(stats->stats);
    free(stats->histogram);
  }
  *stats = (gs_quantity_stats){0};
}

gs_tensor gs_network_tensor(const gs_network *network, gs_role role, int64_t index) {
  return gs_tape_find(&network->tape, role, index);
}

const gs_config *gs_network_config(const gs_network *network) { return &network->config; }

gs_device *gs_network_device(const gs_network *network) { return network->tape.device; }
