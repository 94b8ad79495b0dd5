/* Initialisations as fills: README, "Initialisations", has the table with
 * sources. */
#ifndef GS_NET_INIT_H
#define GS_NET_INIT_H

#include <stddef.h>

#include "device/tensor.h"
#include "net/config.h"

/* Which stream of random numbers a tensor draws from: its kind and its layer or
 * step (1-based; 0 where there is only one). The second of two biases of an rnn
 * (GS_BIAS_TWO_UNIFORMS) is index 1. */
typedef enum gs_tensor_kind {
  GS_KIND_WEIGHT = 1,
  GS_KIND_BIAS,
  GS_KIND_INPUT_WEIGHT,
  GS_KIND_INPUT,
  GS_KIND_TARGET
} gs_tensor_kind;
uint32_t gs_tensor_id(gs_tensor_kind kind, int64_t index);

/* What initialisations take beside their name, in canonical order. */
typedef struct gs_init_param {
  const char *key;
  size_t offset;           /* in gs_init */
  double usual;            /* the default: a value, or which of the choices */
  const gs_names *choices; /* NULL: a number >= 0 */
  bool any_sign;           /* a number below 0, too */
} gs_init_param;

enum { GS_INIT_PARAM_COUNT = 7 };
extern const gs_init_param gs_init_params[GS_INIT_PARAM_COUNT];

/* The one of this key, if the kind takes it; else NULL. */
const gs_init_param *gs_init_param_of(gs_init_kind kind, const char *key);
/* Whether the kind got it when cells of that name had identities already. */
bool gs_init_param_is_later(gs_init_kind kind, const gs_init_param *param);

/* Whether the weights are one value by definition: constant, zeros. */
bool gs_init_is_constant(const gs_init *init);
/* Whether they are all 0: zeros, and any other whose scale or value is. */
bool gs_init_is_zero(const gs_init *init);
/* ln of the square of the parameter that the weights are proportional to (std, gain, a), of
 * which a huge one's is never formed; 0 for kinds without one. */
double gs_init_log_square(const gs_init *init);

/* The fill for a weight of shape fan_out x fan_in. */
gs_fill gs_init_fill(const gs_init *init, int64_t fan_in, int64_t fan_out, uint64_t seed,
                     uint32_t tensor_id);

/* Var(W_ij) that the initialisation aims at (THEORY section 0); orthogonal:
 * gain^2 / max(fan_in, fan_out); identity, constant: the mean square of its entries. */
double gs_init_variance(const gs_init *init, int64_t fan_in, int64_t fan_out);

/* ---- frameworks' names ---- */

/* A framework's name means all that the framework sets: the weights, the biases and, in an
 * rnn, the input weights U.
 *   torch_default  torch.nn.Linear: W, b ~ U(+-1/sqrt(fan_in)); torch.nn.RNN: W, U, b_ih
 *                  and b_hh ~ U(+-1/sqrt(hidden))
 *   keras_default  Dense: W glorot_uniform, b = 0; SimpleRNN: W orthogonal, U glorot_uniform,
 *                  b = 0
 * Whether the kind is one. */
bool gs_init_is_framework(gs_init_kind kind);

/* The biases that a framework's name sets; GS_BIAS_NORMAL (none, without a bias_std) for
 * every other kind. */
gs_bias gs_init_bias(gs_init_kind kind, gs_model model);

/* The same configuration with initialisations that a fill, a variance or a theory can take
 * by themselves: what a framework's name means for W and for U in this model. Borrows the
 * widths: not to be cleared. */
gs_config gs_config_plain(const gs_config *config);

/* Of the biases of layer l of an mlp (an rnn has one b, whatever l): ln of the variance,
 * -INFINITY where there are none or they are 0; how far they are from normal; the fill. */
double gs_bias_log_variance(const gs_config *config, int64_t l);
double gs_bias_excess_kurtosis(const gs_config *config); /* E b^4/(E b^2)^2 - 3 */
gs_fill gs_bias_fill(const gs_config *config, int64_t l);

#endif
