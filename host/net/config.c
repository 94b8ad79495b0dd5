/* Configurations: sizes, copies. Defaults and the check are in config_check.c, names in
 * config_names.c, JSON in sweep/config_json.c. */
#include "net/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
  gs_config_set_ends(config, width, width);
  return GS_OK;
}

void gs_config_set_ends(gs_config *config, int64_t input, int64_t output) {
  config->input = config->widths[0] = input;
  config->output = config->widths[config->depth] = output;
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

bool gs_config_has_stream(const gs_config *config) {
  return config->residual != GS_RESIDUAL_NONE || config->norm != GS_NORM_NONE || config->lsuv;
}

double gs_config_branch_scale(const gs_config *config) {
  switch (config->residual) {
  case GS_RESIDUAL_SCALED: return config->residual_scale;
  case GS_RESIDUAL_REZERO: return 0;
  default: return 1;
  }
}

int64_t gs_config_blocks(const gs_config *config) { return config->depth / config->block; }

bool gs_config_layer_has_phi(const gs_config *config, int64_t l) {
  if (config->residual == GS_RESIDUAL_NONE) return true;
  if (config->residual_activation == GS_RESIDUAL_PRE) return false;
  if (l % config->block != 0) return true;
  return config->block == 1 && config->residual_activation == GS_RESIDUAL_INNER;
}

const gs_init *gs_config_init(const gs_config *config, int64_t l) {
  const bool last =
      config->residual != GS_RESIDUAL_NONE && config->block > 0 && l % config->block == 0;
  return last ? &config->branch_init : &config->init;
}

void gs_config_clear(gs_config *config) {
  if (!config) return;
  free(config->widths);
  *config = (gs_config){0};
}
