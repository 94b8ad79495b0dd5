/* What a framework's name means for weights and biases, and biases in general. See init.h. */
#include <math.h>

#include "net/init.h"
#include "net/model.h"

bool gs_init_is_framework(gs_init_kind kind) {
  return kind == GS_INIT_TORCH_DEFAULT || kind == GS_INIT_KERAS_DEFAULT;
}

gs_bias gs_init_bias(gs_init_kind kind, gs_model model) {
  if (kind == GS_INIT_KERAS_DEFAULT) return GS_BIAS_ZEROS;
  if (kind != GS_INIT_TORCH_DEFAULT) return GS_BIAS_NORMAL;
  return gs_model_is_recurrent(model) ? GS_BIAS_TWO_UNIFORMS : GS_BIAS_UNIFORM;
}

gs_config gs_config_plain(const gs_config *config) {
  gs_config plain = *config;
  const bool rnn = gs_model_is_recurrent(config->model);
  if (config->init.kind == GS_INIT_KERAS_DEFAULT) {
    plain.init = gs_init_default(rnn ? GS_INIT_ORTHOGONAL : GS_INIT_XAVIER_UNIFORM);
  }
  if (config->branch_init.kind == GS_INIT_KERAS_DEFAULT) {
    plain.branch_init = gs_init_default(GS_INIT_XAVIER_UNIFORM);
  }
  if (config->input_init.kind == GS_INIT_KERAS_DEFAULT) {
    plain.input_init = gs_init_default(GS_INIT_XAVIER_UNIFORM);
  }
  if (rnn && config->input_init.kind == GS_INIT_TORCH_DEFAULT) plain.input_init.fan = GS_FAN_OUT;
  return plain;
}

static double bias_fan(const gs_config *config, int64_t l) {
  return (double)gs_model_units(config, l - 1);
}

double gs_bias_log_variance(const gs_config *config, int64_t l) {
  switch (config->bias) {
  case GS_BIAS_NORMAL: return 2 * log(config->bias_std); /* its square may be out of range */
  case GS_BIAS_UNIFORM: return -log(3 * bias_fan(config, l));
  case GS_BIAS_TWO_UNIFORMS: return log(2 / (3 * bias_fan(config, l)));
  case GS_BIAS_ZEROS:
  case GS_BIAS_COUNT: break;
  }
  return -INFINITY;
}

double gs_bias_excess_kurtosis(const gs_config *config) {
  if (config->bias == GS_BIAS_UNIFORM) return -6.0 / 5;
  return config->bias == GS_BIAS_TWO_UNIFORMS ? -3.0 / 5 : 0;
}

gs_fill gs_bias_fill(const gs_config *config, int64_t l) {
  const int64_t index = gs_model_is_recurrent(config->model) ? 0 : l;
  gs_fill fill = {GS_FILL_NORMAL, config->bias_std, config->seed,
                  gs_tensor_id(GS_KIND_BIAS, index)};
  if (config->bias == GS_BIAS_NORMAL) return fill;
  fill.kind = GS_FILL_CONSTANT; /* zeros */
  fill.value = config->bias == GS_BIAS_ZEROS ? 0 : 1 / sqrt(bias_fan(config, l));
  if (config->bias == GS_BIAS_UNIFORM) fill.kind = GS_FILL_UNIFORM;
  if (config->bias == GS_BIAS_TWO_UNIFORMS) fill.kind = GS_FILL_TWO_UNIFORMS;
  return fill;
}
