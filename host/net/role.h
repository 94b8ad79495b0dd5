/* What is measured of a network, and what its tensors are for. */
#ifndef GS_NET_ROLE_H
#define GS_NET_ROLE_H

#include "base/names.h"
#include "device/tensor.h"

/* Along an axis of layers (mlp, 1..L) or steps (rnn, 1..T). X(constant, JSON name) */
#define GS_QUANTITY_LIST(X)                                                                        \
  X(GS_ACTIVATION_H, "activation")      /* h^l or h_t */                                           \
  X(GS_DELTA, "delta")                  /* dLoss/dz */                                             \
  X(GS_GRAD_WEIGHT, "grad_weight")      /* dW^l; rnn: dW (one entry, or T when untied) */          \
  X(GS_GRAD_BIAS, "grad_bias")          /* db^l; rnn: one entry; absent without biases */          \
  X(GS_GRAD_INPUT, "grad_input_weight") /* rnn: dU, one entry */                                   \
  X(GS_STREAM, "stream")                /* mlp with residual connections or norms: what is */      \
  X(GS_GRAD_STREAM, "grad_stream")      /* handed on from block to block, x first; dLoss/d of it */

typedef enum gs_quantity { GS_QUANTITY_LIST(GS_ROW_VALUE) GS_QUANTITY_COUNT } gs_quantity;

extern const gs_names gs_quantity_names;

/* Statistics of one quantity: entries [points][R]. */
typedef struct gs_quantity_stats {
  int64_t points; /* 0: the network does not have this quantity */
  gs_stats *stats;
  uint32_t *histogram; /* [points][R][bins], NULL below GS_STATS_FULL */
  int bins;
  bool borrowed; /* the network's own arrays, see gs_network_view_stats */
} gs_quantity_stats;

/* Parts of a network's memory, in their order. */
typedef enum gs_memory {
  GS_MEMORY_WEIGHTS,
  GS_MEMORY_DATA,        /* inputs, targets */
  GS_MEMORY_ACTIVATIONS, /* h, what phi' needs, dLoss/dh, delta */
  GS_MEMORY_GRADIENTS,
  GS_MEMORY_STATISTICS,
  GS_MEMORY_WORKSPACE,
  GS_MEMORY_COUNT
} gs_memory;

/* X(constant, part of memory, quantity; GS_QUANTITY_COUNT: not measured). Statistics are taken
 * in this order. */
#define GS_ROLE_LIST(X)                                                                            \
  X(GS_ROLE_WEIGHT, GS_MEMORY_WEIGHTS, GS_QUANTITY_COUNT)       /* W^l; rnn: W, or each step's */  \
  X(GS_ROLE_INPUT_WEIGHT, GS_MEMORY_WEIGHTS, GS_QUANTITY_COUNT) /* rnn: U */                       \
  X(GS_ROLE_BIAS, GS_MEMORY_WEIGHTS, GS_QUANTITY_COUNT)         /* b^l; rnn: b */                  \
  X(GS_ROLE_INPUT, GS_MEMORY_DATA, GS_QUANTITY_COUNT)           /* x; rnn: T steps */              \
  X(GS_ROLE_TARGET, GS_MEMORY_DATA, GS_QUANTITY_COUNT)          /* of all steps with a loss */     \
  X(GS_ROLE_PROJECTION, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT)  /* rnn: U x_t + b */            \
  X(GS_ROLE_SAVED, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT)       /* what phi' needs of z */      \
  X(GS_ROLE_GRAD_OUTPUT, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT) /* dLoss/dh */                  \
  X(GS_ROLE_DELTA, GS_MEMORY_ACTIVATIONS, GS_DELTA)                                                \
  X(GS_ROLE_GRAD_WEIGHT, GS_MEMORY_GRADIENTS, GS_GRAD_WEIGHT)                                      \
  X(GS_ROLE_OUTPUT, GS_MEMORY_ACTIVATIONS, GS_ACTIVATION_H) /* h; the network's: h^L or h_T */     \
  X(GS_ROLE_GRAD_BIAS, GS_MEMORY_GRADIENTS, GS_GRAD_BIAS)                                          \
  X(GS_ROLE_GRAD_INPUT, GS_MEMORY_GRADIENTS, GS_GRAD_INPUT)                                        \
  X(GS_ROLE_VALUE, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT)      /* z, y of a norm, or a sum */   \
  X(GS_ROLE_GRAD_VALUE, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT) /* dLoss/d of such a one, */     \
  X(GS_ROLE_GRAD_SUM, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT)   /* within a sum's phi, */        \
  X(GS_ROLE_GRAD_BELOW, GS_MEMORY_ACTIVATIONS, GS_QUANTITY_COUNT) /* and what comes out below */   \
  X(GS_ROLE_STREAM, GS_MEMORY_ACTIVATIONS, GS_STREAM)             /* another operation's tensor */ \
  X(GS_ROLE_GRAD_STREAM, GS_MEMORY_ACTIVATIONS, GS_GRAD_STREAM)

#define GS_ROLE_VALUE(constant, memory, quantity) constant,
typedef enum gs_role { GS_ROLE_LIST(GS_ROLE_VALUE) GS_ROLE_COUNT } gs_role;
#undef GS_ROLE_VALUE

gs_memory gs_role_memory(gs_role role);
gs_quantity gs_role_quantity(gs_role role);

#endif
