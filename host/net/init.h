/* Initialisations as fills: README, "Initialisations", has the table with
 * sources. */
#ifndef GS_NET_INIT_H
#define GS_NET_INIT_H

#include "device/device.h"
#include "net/config.h"

/* Which stream of random numbers a tensor draws from: its kind and its layer or
 * step (1-based; 0 where there is only one). */
typedef enum gs_tensor_kind {
  GS_KIND_WEIGHT = 1,
  GS_KIND_BIAS,
  GS_KIND_INPUT_WEIGHT,
  GS_KIND_INPUT,
  GS_KIND_TARGET
} gs_tensor_kind;
uint32_t gs_tensor_id(gs_tensor_kind kind, int64_t index);

/* The fill for a weight of shape fan_out x fan_in. */
gs_fill gs_init_fill(const gs_init *init, int64_t fan_in, int64_t fan_out, uint64_t seed,
                     uint32_t tensor_id);

/* Var(W_ij) that the initialisation aims at (THEORY section 0); orthogonal:
 * gain^2 / max(fan_in, fan_out); identity: that of its entries. */
double gs_init_variance(const gs_init *init, int64_t fan_in, int64_t fan_out);

#endif
