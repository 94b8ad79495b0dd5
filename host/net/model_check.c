/* What is possible for each model. */
#include <inttypes.h>
#include <stdio.h>

#include "net/check.h"

/* Multiplies *count by a positive factor; false when it passes 2^62. */
static bool multiply(int64_t *count, int64_t factor) {
  int64_t product = 0;
  if (__builtin_mul_overflow(*count, factor, &product) || product > GS_MAX_ELEMENTS) return false;
  *count = product;
  return true;
}

/* The product of four positive sizes must stay within 2^62. */
static gs_status check_product(const char *what, int64_t a, int64_t b, int64_t c, int64_t d,
                               gs_error *error) {
  int64_t count = a;
  if (multiply(&count, b) && multiply(&count, c) && multiply(&count, d)) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA,
                 "%s: %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
                 " elements are more than 2^62",
                 what, a, b, c, d);
}

/* Identity matrices are square. */
static gs_status check_square(const char *field, const gs_init *init, int64_t rows, int64_t cols,
                              gs_error *error) {
  if (init->kind != GS_INIT_IDENTITY || rows == cols) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s identity needs square weights, not %" PRId64 " x %" PRId64,
                 field, rows, cols);
}

/* What asks for the width of layer l: a word and a number. */
static int64_t asked_width(const gs_config *config, int64_t l, const char **word) {
  const int64_t end = l == 0 ? config->input : config->output;
  const bool inner = config->width == 0 || (l > 0 && l < config->depth);
  *word = inner || end == config->width ? "width" : l == 0 ? "input" : "output";
  return inner ? config->width : end;
}

static gs_status check_width(const gs_config *config, int64_t l, gs_error *error) {
  const char *word = NULL;
  const int64_t n = config->widths[l];
  const int64_t asked = asked_width(config, l, &word);
  if (n >= 1 && (config->width == 0 || n == asked)) return GS_OK;
  if (n == asked) return gs_check_size(word, n, error);
  if (n >= 1) {
    return GS_FAIL(error, GS_ERR_DATA, "%s is %" PRId64 " but widths[%" PRId64 "] is %" PRId64,
                   word, asked, l, n);
  }
  char field[40];
  snprintf(field, sizeof field, "widths[%" PRId64 "]", l);
  return gs_check_size(field, n, error);
}

/* ---- residual connections and norms ---- */

static gs_status check_output_phi(const gs_config *config, gs_error *error) {
  const gs_activation phi = config->activation;
  const gs_activation own = config->output_activation;
  const bool behind = config->residual_activation == GS_RESIDUAL_POST;
  if (behind || gs_config_layer_has_phi(config, config->depth) || own.kind == phi.kind) {
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_DATA,
                 "output_activation %s: with residual_activation %s the last layer has none",
                 gs_name(&gs_activation_names, own.kind),
                 gs_name(&gs_residual_activation_names, config->residual_activation));
}

static gs_status check_residual(const gs_config *config, gs_error *error) {
  if (config->residual == GS_RESIDUAL_NONE) return GS_OK;
  const int64_t m = config->block;
  GS_TRY(gs_check_range("block", m, GS_MAX_DEPTH, error));
  GS_TRY(gs_check_value("residual_scale", config->residual_scale, error));
  GS_TRY(gs_check_init("branch_init", &config->branch_init, error));
  if (config->depth % m != 0) {
    return GS_FAIL(error, GS_ERR_DATA,
                   "residual blocks of %" PRId64 " layers do not make a depth of %" PRId64, m,
                   config->depth);
  }
  for (int64_t l = m; l <= config->depth; l += m) {
    const int64_t in = config->widths[l - m];
    const int64_t out = config->widths[l];
    GS_TRY(check_square("branch_init", &config->branch_init, out, config->widths[l - 1], error));
    if (in == out) continue;
    return GS_FAIL(error, GS_ERR_DATA,
                   "a residual connection adds the %" PRId64 " units of layer %" PRId64
                   " to the %" PRId64 " of layer %" PRId64 ": they must be as many",
                   in, l - m, out, l);
  }
  return check_output_phi(config, error);
}

/* Whether layer l (0: the input) is among what is normalised. */
static bool is_normalised(const gs_config *config, int64_t l) {
  const int64_t m = config->block;
  switch (config->norm_at) {
  case GS_NORM_AT_BRANCH: return l % m == 0 && l < config->depth;
  case GS_NORM_AT_STREAM: return l % m == 0 && l > 0;
  default: break;
  }
  /* before a layer, what it reads */
  const bool pre =
      config->residual != GS_RESIDUAL_NONE && config->residual_activation == GS_RESIDUAL_PRE;
  return pre ? l < config->depth : l > 0;
}

static gs_status check_norm(const gs_config *config, gs_error *error) {
  const char *norm = gs_name(&gs_norm_names, config->norm);
  if (config->norm == GS_NORM_NONE) return GS_OK;
  if (config->residual == GS_RESIDUAL_NONE && config->norm_at > GS_NORM_AT_H) {
    return GS_FAIL(error, GS_ERR_DATA, "norm_at %s needs residual connections",
                   gs_name(&gs_norm_at_names, config->norm_at));
  }
  if (config->norm == GS_NORM_BATCH && config->batch < 2) {
    return GS_FAIL(error, GS_ERR_DATA, "norm batch needs two examples or more, not batch %" PRId64,
                   config->batch);
  }
  for (int64_t l = 0; config->norm != GS_NORM_BATCH && l <= config->depth; l++) {
    if (config->widths[l] > 1 || !is_normalised(config, l)) continue;
    return GS_FAIL(error, GS_ERR_DATA,
                   "norm %s needs two units or more, and %s %" PRId64 " has one", norm,
                   l > 0 ? "layer" : "the input, layer", l);
  }
  return GS_OK;
}

/* ---- models ---- */

/* The layers together must stay within 2^62 too, so that sums over layers of
 * any count the passes need cannot overflow. */
gs_status gs_check_mlp(const gs_config *config, gs_error *error) {
  GS_TRY(gs_check_range("depth", config->depth, GS_MAX_DEPTH, error));
  if (!config->widths) return GS_FAIL(error, GS_ERR_INTERNAL, "an mlp without widths");
  if (config->width < 0) return gs_check_size("width", config->width, error);
  GS_TRY(check_width(config, 0, error));
  int64_t widest = config->widths[0];
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t in = config->widths[l - 1];
    const int64_t out = config->widths[l];
    GS_TRY(check_width(config, l, error));
    if (gs_config_init(config, l) == &config->init) {
      GS_TRY(check_square("init", &config->init, out, in, error));
    }
    if (out > widest) widest = out;
  }
  GS_TRY(check_product("weights (depth x width x width x replicas)", config->depth, widest, widest,
                       config->replicas, error));
  GS_TRY(check_product("activations (depth x width x batch x replicas)", config->depth + 1, widest,
                       config->batch, config->replicas, error));
  const bool leaky_twice =
      config->activation.kind == GS_LEAKY_RELU && config->output_activation.kind == GS_LEAKY_RELU;
  if (leaky_twice && config->activation.slope != config->output_activation.slope) {
    return GS_FAIL(error, GS_ERR_DATA, "one slope serves the activation (%g) and the output (%g)",
                   config->activation.slope, config->output_activation.slope);
  }
  GS_TRY(check_residual(config, error));
  GS_TRY(check_norm(config, error));
  return gs_check_slope("slope", config->output_activation, error);
}

gs_status gs_check_rnn(const gs_config *config, gs_error *error) {
  GS_TRY(gs_check_size("hidden", config->hidden, error));
  GS_TRY(gs_check_size("input", config->input, error));
  GS_TRY(gs_check_range("seq_len", config->seq_len, GS_MAX_DEPTH, error));
  GS_TRY(gs_check_init("input_init", &config->input_init, error));
  GS_TRY(check_square("input_init", &config->input_init, config->hidden, config->input, error));
  const int64_t copies = config->tied ? 1 : config->seq_len;
  GS_TRY(check_product("weights (hidden x hidden x steps x replicas)", config->hidden,
                       config->hidden, copies, config->replicas, error));
  GS_TRY(check_product("input weights (hidden x input x 1 x replicas)", config->hidden,
                       config->input, 1, config->replicas, error));
  GS_TRY(check_product("activations (seq_len x hidden x batch x replicas)", config->seq_len,
                       config->hidden, config->batch, config->replicas, error));
  return check_product("inputs (seq_len x input x batch x replicas)", config->seq_len,
                       config->input, config->batch, config->replicas, error);
}
