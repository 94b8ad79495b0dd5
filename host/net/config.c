/* Configurations: defaults, copies, and the check that every size and value is
 * possible. Names are in config_names.c, JSON in sweep/config_json.c. */
#include "net/config.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/check.h"
#include "net/init.h"
#include "net/model.h"

enum { DEFAULT_BATCH = 32 };

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
  const gs_model_row *row = gs_model_row_of(model);
  if (!row) return GS_FAIL(error, GS_ERR_INTERNAL, "no model %d", (int)model);
  return row->set_sizes(config, row->usual_points, row->usual_units, error);
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

gs_status gs_check_range(const char *field, int64_t value, int64_t max, gs_error *error) {
  if (value >= 1 && value <= max) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s must be 1 to %" PRId64 ", not %" PRId64, field, max,
                 value);
}

gs_status gs_check_size(const char *field, int64_t value, gs_error *error) {
  return gs_check_range(field, value, GS_MAX_SIZE, error);
}

gs_status gs_check_value(const char *field, double value, gs_error *error) {
  if (isfinite(value) && value >= 0.0) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "%s must be a finite number >= 0, not %g", field, value);
}

gs_status gs_check_slope(const char *field, gs_activation activation, gs_error *error) {
  if (activation.kind != GS_LEAKY_RELU) return GS_OK;
  return gs_check_value(field, activation.slope, error);
}

gs_status gs_check_init(const char *field, const gs_init *init, gs_error *error) {
  char name[64];
  double value = 0;
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    if (gs_init_params[i].choices) continue;
    snprintf(name, sizeof name, "%s %s", field, gs_init_params[i].key);
    memcpy(&value, (const unsigned char *)init + gs_init_params[i].offset, sizeof value);
    GS_TRY(gs_check_value(name, value, error));
  }
  return GS_OK;
}

/* Biases are a framework's only where init names that framework. */
static gs_status check_bias(const gs_config *config, gs_error *error) {
  GS_TRY(gs_check_value("bias_std", config->bias_std, error));
  if (config->bias == GS_BIAS_NORMAL) return GS_OK;
  if (config->bias == gs_init_bias(config->init.kind, config->model) && config->bias_std == 0.0) {
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_DATA, "%s biases do not go with init %s and bias_std %g",
                 gs_name(&gs_bias_names, config->bias), gs_name(&gs_init_names, config->init.kind),
                 config->bias_std);
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
  if (!gs_model_row_of(config->model)->jacobians) {
    return GS_FAIL(error, GS_ERR_DATA, "there is no jacobian of an %s",
                   gs_name(&gs_model_names, (int)config->model));
  }
  const int64_t units = gs_model_widest(config);
  const int64_t inputs = gs_model_inputs(config);
  const int64_t widest = units > inputs ? units : inputs;
  if (widest <= GS_JACOBIAN_MAX_WIDTH) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "jacobian wants at most %d units, not %" PRId64,
                 GS_JACOBIAN_MAX_WIDTH, widest);
}

gs_status gs_config_check(const gs_config *config, gs_error *error) {
  if (!gs_model_row_of(config->model)) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "no model %d", (int)config->model);
  }
  GS_TRY(gs_check_size("batch", config->batch, error));
  GS_TRY(gs_check_range("replicas", config->replicas, GS_MAX_REPLICAS, error));
  GS_TRY(gs_check_slope("slope", config->activation, error));
  GS_TRY(gs_check_init("init", &config->init, error));
  GS_TRY(check_bias(config, error));
  GS_TRY(check_device(config->device, error));
  GS_TRY(gs_model_row_of(config->model)->check(config, error));
  return check_jacobian(config, error);
}
