/* Configurations' defaults, and the check that every size and value is possible. */
#include <ctype.h>
#include <inttypes.h>
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
                        .block = GS_USUAL_BLOCK,
                        .residual_scale = 1,
                        .branch_init = gs_init_default(GS_INIT_XAVIER_NORMAL),
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
  if (gs_config_has_stream(config)) {
    return GS_FAIL(error, GS_ERR_DATA,
                   "jacobian goes without residual connections, norms and lsuv");
  }
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

/* Done on the host, with numbers it can read. */
static gs_status check_lsuv(const gs_config *config, gs_error *error) {
  if (!config->lsuv || (config->dtype != GS_BF16 && config->dtype != GS_F16)) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "lsuv wants dtype f64, f32 or tf32, not %s",
                 gs_name(&gs_dtype_names, config->dtype));
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
  GS_TRY(check_lsuv(config, error));
  return check_jacobian(config, error);
}
