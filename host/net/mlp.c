/* The multi-layer perceptron (THEORY section 0):
 *
 *   h^0 = x;  z^l = W^l h^{l-1} + b^l;  h^l = phi(z^l);  l = 1..L
 *
 * with norms, h^l = phi(norm(z^l)) or norm(phi(z^l)); with residual connections, where f is a
 * branch of `block` layers and s^k what is handed on from block to block,
 *
 *   s^0 = x;  s^k = s^{k-1} + a f(s^{k-1}), or phi of that,  k = 1..L/block */
#include "net/model.h"
#include "net/ops.h"

static const gs_activation identity = {.kind = GS_IDENTITY};

/* ---- one layer ---- */

/* W, then phi, with a norm before or behind phi where that is its place. */
static gs_value layer(gs_tape *tape, gs_value x, int64_t l, gs_activation phi) {
  const gs_config *config = tape->config;
  const int64_t units = config->widths[l];
  if (config->norm == GS_NORM_NONE || config->norm_at > GS_NORM_AT_H) {
    return gs_op_dense(tape, x, l, units, phi, true);
  }
  if (config->norm_at == GS_NORM_AT_H) {
    return gs_op_norm(tape, gs_op_dense(tape, x, l, units, phi, false), l, config->norm, true);
  }
  const gs_value z = gs_op_dense(tape, x, l, units, identity, false);
  const gs_value y = gs_op_norm(tape, z, l, config->norm, phi.kind == GS_IDENTITY);
  return phi.kind == GS_IDENTITY ? y : gs_op_activation(tape, y, l, phi);
}

/* phi, then W: "pre-activation" (He et al. 2016, Identity mappings). */
static gs_value layer_behind_phi(gs_tape *tape, gs_value x, int64_t l) {
  const gs_config *config = tape->config;
  const bool normed = config->norm != GS_NORM_NONE;
  if (normed && config->norm_at == GS_NORM_AT_Z) x = gs_op_norm(tape, x, l, config->norm, false);
  x = gs_op_activation(tape, x, l, config->activation);
  if (normed && config->norm_at == GS_NORM_AT_H) x = gs_op_norm(tape, x, l, config->norm, false);
  return gs_op_dense(tape, x, l, config->widths[l], identity, false);
}

/* ---- residual connections ---- */

static bool norm_stands_at(const gs_config *config, gs_norm_at at) {
  return config->norm != GS_NORM_NONE && config->norm_at == at;
}

/* Layers first + 1 .. first + block. */
static gs_value branch(gs_tape *tape, gs_value x, int64_t first) {
  const gs_config *config = tape->config;
  const int64_t m = config->block;
  if (norm_stands_at(config, GS_NORM_AT_BRANCH)) {
    x = gs_op_norm(tape, x, first + 1, config->norm, false);
  }
  for (int64_t l = first + 1; l <= first + m; l++) {
    if (config->residual_activation == GS_RESIDUAL_PRE) {
      x = layer_behind_phi(tape, x, l);
    } else {
      x = layer(tape, x, l,
                gs_config_layer_has_phi(config, l) ? gs_model_activation(config, l) : identity);
    }
  }
  return x;
}

static gs_value residual(gs_tape *tape, gs_value x) {
  const gs_config *config = tape->config;
  const bool post = config->residual_activation == GS_RESIDUAL_POST;
  const bool normed = norm_stands_at(config, GS_NORM_AT_STREAM);
  const double by = gs_config_branch_scale(config);
  gs_value s = gs_op_stream(tape, x, 0, 1);
  for (int64_t l = 0; l < config->depth; l += config->block) {
    const int64_t last = l + config->block;
    const int64_t point = last / config->block + 1;
    const gs_value f = branch(tape, s, l);
    const gs_activation phi = post ? gs_model_activation(config, last) : identity;
    s = gs_op_sum(tape, s, f, by, last, phi, normed ? 0 : point);
    if (!normed) continue;
    s = gs_op_stream(tape, gs_op_norm(tape, s, last, config->norm, false), last, point);
  }
  return s;
}

/* ---- the network ---- */

static gs_value chain(gs_tape *tape, gs_value h) {
  const gs_config *config = tape->config;
  const bool streams = gs_config_has_stream(config);
  if (streams) h = gs_op_stream(tape, h, 0, 1);
  for (int64_t l = 1; l <= config->depth; l++) {
    h = layer(tape, h, l, gs_model_activation(config, l));
    if (streams) h = gs_op_stream(tape, h, l, l + 1);
  }
  return h;
}

void gs_mlp_build(gs_tape *tape) {
  const gs_config *config = tape->config;
  const gs_value x = gs_tape_input(tape, config->batch, config->widths[0]);
  gs_op_loss(tape, config->residual == GS_RESIDUAL_NONE ? chain(tape, x) : residual(tape, x));
}
