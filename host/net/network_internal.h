/* What network.c, layout.c, mlp.c and rnn.c share. */
#ifndef GS_NET_NETWORK_INTERNAL_H
#define GS_NET_NETWORK_INTERNAL_H

#include "net/init.h"
#include "net/network.h"

/* Device arrays of one quantity's statistics. */
typedef struct gs_quantity_store {
  int64_t points;
  gs_stats *stats;
  uint32_t *histogram;
} gs_quantity_store;

/* Tensors of an mlp with L layers; arrays are indexed by layer, 1..L (h: 0..L). */
typedef struct gs_mlp {
  gs_tensor *W, *b, *h, *saved, *delta, *dW, *db;
  gs_tensor target, dh;
  int64_t window;             /* layers whose gradients and statistics are one call, see mlp.c */
  gs_gradient_job *gradients; /* [window] */
  gs_stats_job *statistics;   /* [window][GS_MLP_QUANTITIES] */
} gs_mlp;

enum { GS_MLP_QUANTITIES = 4 }; /* delta, dW, h, db */

/* Tensors of an rnn: sequences of T steps (h: T + 1, step 0 is h_0). */
typedef struct gs_rnn {
  gs_tensor W; /* untied: T matrices one below the other */
  gs_tensor U, b, x, target;
  gs_tensor projection, saved, h, delta, dh;
  gs_tensor dW; /* untied and kept: T matrices; else one */
  gs_tensor dU, db;
} gs_rnn;

struct gs_network {
  gs_device *device;
  gs_config config;
  gs_network_options options;
  void *memory; /* one device block; everything below points into it */
  void *workspace;
  gs_network_memory sizes;
  gs_scale *slots; /* every scale slot, for begin_step */
  int64_t slot_count;
  gs_scaled *loss; /* [R] */
  uint64_t *hash;  /* [R] */
  gs_quantity_store quantity[GS_QUANTITY_COUNT];
  gs_mlp mlp;
  gs_rnn rnn;
};

/* Carving in progress: the arena, and the next free scale slot. */
typedef struct gs_layout {
  gs_arena arena;
  gs_scale *next_slot; /* NULL while counting */
  int64_t slots_taken;
  size_t group_start; /* where the group of tensors now being carved began */
} gs_layout;

/* Ends a group: stores its bytes and begins the next. */
static inline void gs_layout_end_group(gs_layout *layout, size_t *bytes) {
  *bytes = layout->arena.used - layout->group_start;
  layout->group_start = layout->arena.used;
}

/* A tensor of R replicas, packed; `tracked` gives it `steps` groups of R slots. */
gs_tensor gs_layout_tensor(gs_network *network, gs_layout *layout, int64_t rows, int64_t cols,
                           bool tracked, int64_t steps);
/* The same, over memory that another tensor owns. */
gs_tensor gs_layout_view(gs_network *network, gs_layout *layout, void *data, int64_t stride,
                         int64_t rows, int64_t cols, bool tracked, int64_t steps);
void gs_layout_quantity(gs_network *network, gs_layout *layout, gs_quantity quantity,
                        int64_t points);

/* Each model: carve everything, group by group; fill weights and data; enqueue
 * the passes; hash the weights. `layout` sets the sizes of its groups. */
void gs_mlp_layout(gs_network *network, gs_layout *layout);
gs_status gs_mlp_fill(gs_network *network);
gs_status gs_mlp_forward(gs_network *network);
gs_status gs_mlp_backward(gs_network *network, bool with_statistics);
gs_status gs_mlp_hash(gs_network *network);
gs_workspace_need gs_mlp_need(const gs_network *network);
/* The window that the device's memory for windows allows, at least 1. */
int64_t gs_mlp_window(const gs_config *config, int64_t window_bytes);
gs_tensor gs_mlp_tensor(const gs_network *network, gs_role role, int64_t index);

void gs_rnn_layout(gs_network *network, gs_layout *layout);
gs_status gs_rnn_fill(gs_network *network);
gs_status gs_rnn_forward(gs_network *network);
gs_status gs_rnn_backward(gs_network *network, bool with_statistics);
gs_status gs_rnn_hash(gs_network *network);
gs_workspace_need gs_rnn_need(const gs_network *network);
gs_tensor gs_rnn_tensor(const gs_network *network, gs_role role, int64_t index);

static inline bool gs_network_extended(const gs_network *network) {
  return network->config.range == GS_RANGE_EXTENDED;
}

static inline gs_device_loss gs_config_loss(const gs_config *config) {
  return config->loss == GS_LOSS_MSE ? GS_DEVICE_LOSS_MSE : GS_DEVICE_LOSS_LINEAR;
}

/* The activation function of layer l. */
static inline gs_activation gs_config_activation(const gs_config *config, int64_t layer) {
  return layer == config->depth ? config->output_activation : config->activation;
}

/* A statistics job for a quantity's point (1-based layer or step) or, with
 * steps > 1, for points 1..steps. */
gs_stats_job gs_network_job(const gs_network *network, gs_quantity quantity,
                            const gs_tensor *tensor, int64_t point, int64_t steps);

/* NULL for a tensor that the network does not have. */
static inline const gs_tensor *gs_tensor_or_null(const gs_tensor *tensor) {
  return tensor->cols > 0 ? tensor : NULL;
}

gs_status gs_network_fill_normal(gs_network *network, const gs_tensor *tensor, double std,
                                 uint32_t tensor_id);

#endif
