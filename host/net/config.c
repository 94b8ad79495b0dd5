/* Configurations: defaults, copies, and the check that every size and value is
 * possible. Names are in config_names.c, JSON in sweep/config_json.c. */
#include "net/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/init.h"

enum { DEFAULT_DEPTH = 10, DEFAULT_WIDTH = 128, DEFAULT_STEPS = 100, DEFAULT_BATCH = 32 };

gs_status gs_config_default(gs_model model, gs_config *config, gs_error *error) {
  const gs_activation activation = {GS_TANH, GS_LEAKY_DEFAULT_SLOPE};
  *config = (gs_config){.model = model,
                        .batch = DEFAULT_BATCH,
                        .replicas = 1,
                        .seed = 1,
                        .activation = activation,
                        .output_activation = activation,
                        .init = gs_init_default(GS_INIT_XAVIER_NORMAL),
                        .input_init = gs_init_default(GS_INIT_SCALED),
                        .tied = true,
                        .loss = GS_LOSS_LINEAR,
                        .loss_at = GS_LOSS_LAST,
                        .dtype = GS_F32,
                        .range = GS_RANGE_EXTENDED,
                        .stats = GS_STATS_FULL,
                        .launch = GS_LAUNCH_AUTO,
                        .loop = GS_LOOP_AUTO,
                        .backend = GS_BACKEND_AUTO,
                        .device = "auto"};
  if (model == GS_MLP) return gs_config_set_widths(config, DEFAULT_DEPTH, DEFAULT_WIDTH, error);
  config->hidden = DEFAULT_WIDTH;
  config->input = DEFAULT_WIDTH;
  config->seq_len = DEFAULT_STEPS;
  return GS_OK;
}

gs_status gs_config_set_widths(gs_config *config, int64_t depth, int64_t width, gs_error *error) {
  if (depth < 1 || depth > GS_MAX_DEPTH) {
    return GS_FAIL(error, GS_ERR_DATA, "depth must be 1 to %d, not %" PRId64, GS_MAX_DEPTH, depth);
  }
  int64_t *widths = malloc((size_t)(depth + 1) * sizeof *widths);
  if (!widths) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %" PRId64 " widths", depth + 1);
  for (int64_t l = 0; l <= depth; l++) widths[l] = width;
  free(config->widths);
  config->widths = widths;
  config->depth = depth;
  config->width = width;
  return GS_OK;
}

gs_status gs_config_copy(const gs_config *config, gs_config *copy, gs_error *error) {
  int64_t *widths = NULL;
  if (config->widths) {
    const size_t bytes = (size_t)(config->depth + 1) * sizeof *widths;
    widths = malloc(bytes);
    if (!widths) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %zu bytes of widths", bytes);
    memcpy(widths, config->widths, bytes);
  }
  *copy = *config;
  copy->widths = widths;
  return GS_OK;
}

bool gs_config_has_biases(const gs_config *config) {
  return config->bias != GS_BIAS_NORMAL || config->bias_std > 0;
}

void gs_config_clear(gs_config *config) {
  if (!config) return;
  free(config->widths);
  *config = (gs_config){0};
}

/* ---- the check ---- */

static gs_status check_range(const char *field, int64_t value, int64_t max, gs_error *error) {
  if (value >= 1 && value <= max) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s must be 1 to %" PRId64 ", not %" PRId64, field, max,
                 value);
}

static gs_status check_size(const char *field, int64_t value, gs_error *error) {
  return check_range(field, value, GS_MAX_SIZE, error);
}

static gs_status check_value(const char *field, double value, gs_error *error) {
  if (isfinite(value) && value >= 0.0) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s must be a finite number >= 0, not %g", field, value);
}

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

static gs_status check_slope(const char *field, gs_activation activation, gs_error *error) {
  if (activation.kind != GS_LEAKY_RELU) return GS_OK;
  return check_value(field, activation.slope, error);
}

static gs_status check_init(const char *field, const gs_init *init, gs_error *error) {
  char name[64];
  double value = 0;
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    if (gs_init_params[i].choices) continue;
    snprintf(name, sizeof name, "%s %s", field, gs_init_params[i].key);
    memcpy(&value, (const unsigned char *)init + gs_init_params[i].offset, sizeof value);
    GS_TRY(check_value(name, value, error));
  }
  return GS_OK;
}

/* Biases are a framework's only where init names that framework. */
static gs_status check_bias(const gs_config *config, gs_error *error) {
  GS_TRY(check_value("bias_std", config->bias_std, error));
  if (config->bias == GS_BIAS_NORMAL) return GS_OK;
  if (config->bias == gs_init_bias(config->init.kind, config->model) && config->bias_std == 0.0) {
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_DATA, "%s biases do not go with init %s and bias_std %g",
                 gs_name(&gs_bias_names, config->bias), gs_name(&gs_init_names, config->init.kind),
                 config->bias_std);
}

/* Identity matrices are square. */
static gs_status check_square(const char *field, const gs_init *init, int64_t rows, int64_t cols,
                              gs_error *error) {
  if (init->kind != GS_INIT_IDENTITY || rows == cols) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s identity needs square weights, not %" PRId64 " x %" PRId64,
                 field, rows, cols);
}

static gs_status check_width(const gs_config *config, int64_t l, gs_error *error) {
  const int64_t n = config->widths[l];
  if (n >= 1 && (config->width == 0 || n == config->width)) return GS_OK;
  if (n == config->width) return check_size("width", n, error);
  if (n >= 1) {
    return GS_FAIL(error, GS_ERR_DATA, "width is %" PRId64 " but widths[%" PRId64 "] is %" PRId64,
                   config->width, l, n);
  }
  char field[40];
  snprintf(field, sizeof field, "widths[%" PRId64 "]", l);
  return check_size(field, n, error);
}

/* The layers together must stay within 2^62 too, so that sums over layers of
 * any count the passes need cannot overflow. */
static gs_status check_mlp(const gs_config *config, gs_error *error) {
  GS_TRY(check_range("depth", config->depth, GS_MAX_DEPTH, error));
  if (!config->widths) return GS_FAIL(error, GS_ERR_INTERNAL, "an mlp without widths");
  if (config->width < 0) return check_size("width", config->width, error);
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
  return check_slope("slope", config->output_activation, error);
}

static gs_status check_rnn(const gs_config *config, gs_error *error) {
  GS_TRY(check_size("hidden", config->hidden, error));
  GS_TRY(check_size("input", config->input, error));
  GS_TRY(check_range("seq_len", config->seq_len, GS_MAX_DEPTH, error));
  GS_TRY(check_init("input_init", &config->input_init, error));
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

static gs_status check_device(const char *device, gs_error *error) {
  const size_t length = strnlen(device, GS_DEVICE_NAME_BYTES);
  if (length == 0) return GS_FAIL(error, GS_ERR_DATA, "device must not be empty");
  if (length == GS_DEVICE_NAME_BYTES) {
    return GS_FAIL(error, GS_ERR_DATA, "device must be shorter than %d bytes",
                   GS_DEVICE_NAME_BYTES);
  }
  for (size_t i = 0; i < length; i++) {
    if (!isprint((unsigned char)device[i])) {
      return GS_FAIL(error, GS_ERR_DATA, "device must be printable text");
    }
  }
  return GS_OK;
}

/* Computed on the host, in float64 from numbers it can read. */
static gs_status check_jacobian(const gs_config *config, gs_error *error) {
  if (!config->jacobian) return GS_OK;
  if (config->dtype == GS_BF16 || config->dtype == GS_F16) {
    return GS_FAIL(error, GS_ERR_DATA, "jacobian wants dtype f64, f32 or tf32, not %s",
                   gs_name(&gs_dtype_names, config->dtype));
  }
  int64_t widest = config->hidden > config->input ? config->hidden : config->input;
  for (int64_t l = 0; config->model == GS_MLP && l <= config->depth; l++) {
    if (config->widths[l] > widest) widest = config->widths[l];
  }
  if (widest <= GS_JACOBIAN_MAX_WIDTH) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "jacobian wants at most %d units, not %" PRId64,
                 GS_JACOBIAN_MAX_WIDTH, widest);
}

gs_status gs_config_check(const gs_config *config, gs_error *error) {
  GS_TRY(check_size("batch", config->batch, error));
  GS_TRY(check_range("replicas", config->replicas, GS_MAX_REPLICAS, error));
  GS_TRY(check_slope("slope", config->activation, error));
  GS_TRY(check_init("init", &config->init, error));
  GS_TRY(check_bias(config, error));
  GS_TRY(check_device(config->device, error));
  GS_TRY(config->model == GS_MLP ? check_mlp(config, error) : check_rnn(config, error));
  return check_jacobian(config, error);
}
