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
    GS_TRY(check_square("init", &config->init, out, in, error));
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
