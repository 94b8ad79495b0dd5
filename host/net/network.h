/* A network on a device: weights, data, and one enqueue-only training step
 * (forward, loss, backward, statistics) for any model: what everything above uses. It
 * is a list of operations (tape.h). */
#ifndef GS_NET_NETWORK_H
#define GS_NET_NETWORK_H

#include "device/facts.h"
#include "net/config.h"
#include "net/cost.h"
#include "net/role.h"

typedef struct gs_network gs_network;

typedef struct gs_network_options {
  /* Keep every weight gradient instead of only its statistics (gradient tests). */
  bool keep_gradients;
} gs_network_options;

/* Device memory the network will ask for, from the same code that carves it. */
typedef struct gs_network_memory {
  size_t bytes[GS_MEMORY_COUNT];
  size_t total_bytes;
} gs_network_memory;
gs_status gs_network_predict(gs_device *device, const gs_config *config,
                             const gs_network_options *options, gs_network_memory *memory,
                             gs_error *error);

/* Whether the device can run such a network: its dtype, its loop and its way of
 * launching. Whether a persistent loop can have these shapes shows only when it is
 * enqueued. Errors: GS_ERR_UNSUPPORTED with words. */
gs_status gs_network_check(gs_device *device, const gs_config *config, gs_error *error);

/* Allocates (one block) and initialises weights and data from the seed. The
 * device must outlive the network. Errors: GS_ERR_MEMORY, GS_ERR_DEVICE, of
 * gs_config_check and gs_network_check. */
gs_status gs_network_create(gs_device *device, const gs_config *config,
                            const gs_network_options *options, gs_network **network,
                            gs_error *error);
void gs_network_destroy(gs_network *network);

/* Enqueue one pass. gs_network_step is all of it: forward, loss, backward, and
 * with statistics at the config's level if asked. */
gs_status gs_network_forward(gs_network *network, gs_error *error);
gs_status gs_network_step(gs_network *network, bool with_statistics, gs_error *error);

/* Wait, then read results of the last step. loss: R values, canonical. */
gs_status gs_network_loss(gs_network *network, gs_scaled *loss, gs_error *error);
/* Hash of every replica's weights and biases together. */
gs_status gs_network_weights_hash(gs_network *network, uint64_t *hash, gs_error *error);
/* Downloads the statistics into malloc'd arrays; gs_quantity_stats_clear frees. */
gs_status gs_network_stats(gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                           gs_error *error);
/* The same for reading only, without a copy where the host can read the device's
 * memory: full statistics of a deep network are as large as the network. Valid
 * until its next step or its end. */
gs_status gs_network_view_stats(gs_network *network, gs_quantity quantity, gs_quantity_stats *stats,
                                gs_error *error);
void gs_quantity_stats_clear(gs_quantity_stats *stats);

/* Tensors by role, for tests and tools. `index` is a layer 1..L or a step 1..T; where there is
 * only one, it does not matter. A tensor the network lacks has data NULL, and so have
 * gradients without keep_gradients. */
gs_tensor gs_network_tensor(const gs_network *network, gs_role role, int64_t index);
const gs_config *gs_network_config(const gs_network *network);
gs_device *gs_network_device(const gs_network *network);

#endif
