/* The table of models. See model.h. */
#include "net/model.h"

#include "net/check.h"

/* ---- mlp: h^0 = x, h^l = phi(W^l h^{l-1} + b^l) ---- */

static int64_t mlp_points(const gs_config *config) { return config->depth; }
static int64_t mlp_inputs(const gs_config *config) { return config->widths[0]; }
static int64_t mlp_units(const gs_config *config, int64_t point) { return config->widths[point]; }

static gs_activation mlp_activation(const gs_config *config, int64_t point) {
  return point == config->depth ? config->output_activation : config->activation;
}

const gs_model_row gs_mlp_model = {.point = "layer",
                                   .whole = "dh^L/dh^0",
                                   .recurrent = false,
                                   .jacobians = true,
                                   .usual_points = 10,
                                   .usual_units = 128,
                                   .set_sizes = gs_config_set_widths,
                                   .check = gs_check_mlp,
                                   .points = mlp_points,
                                   .inputs = mlp_inputs,
                                   .units = mlp_units,
                                   .activation = mlp_activation,
                                   .build = gs_mlp_build};

/* ---- rnn: h_0 = 0, h_t = phi(W h_{t-1} + U x_t + b) ---- */

static gs_status rnn_set_sizes(gs_config *config, int64_t steps, int64_t units, gs_error *error) {
  (void)error;
  config->hidden = config->input = units;
  config->seq_len = steps;
  return GS_OK;
}

static int64_t rnn_points(const gs_config *config) { return config->seq_len; }
static int64_t rnn_inputs(const gs_config *config) { return config->input; }

static int64_t rnn_units(const gs_config *config, int64_t point) {
  (void)point;
  return config->hidden;
}

static gs_activation rnn_activation(const gs_config *config, int64_t point) {
  (void)point;
  return config->activation;
}

const gs_model_row gs_rnn_model = {.point = "step",
                                   .whole = "dh_T/dh_0",
                                   .recurrent = true,
                                   .jacobians = true,
                                   .usual_points = 100,
                                   .usual_units = 128,
                                   .set_sizes = rnn_set_sizes,
                                   .check = gs_check_rnn,
                                   .points = rnn_points,
                                   .inputs = rnn_inputs,
                                   .units = rnn_units,
                                   .activation = rnn_activation,
                                   .build = gs_rnn_build};

/* ---- the table ---- */

const gs_model_row *gs_model_row_of(gs_model model) {
#define MODEL_ROW(constant, name, row) [constant] = &(row),
  static const gs_model_row *const rows[GS_MODEL_COUNT] = {GS_MODEL_LIST(MODEL_ROW)};
  return (unsigned)model < GS_MODEL_COUNT ? rows[model] : NULL;
}

bool gs_model_is_recurrent(gs_model model) { return gs_model_row_of(model)->recurrent; }

int64_t gs_model_points(const gs_config *config) {
  return gs_model_row_of(config->model)->points(config);
}

int64_t gs_model_inputs(const gs_config *config) {
  return gs_model_row_of(config->model)->inputs(config);
}

int64_t gs_model_units(const gs_config *config, int64_t point) {
  return gs_model_row_of(config->model)->units(config, point);
}

static bool is_of_stream(gs_quantity quantity) {
  return quantity == GS_STREAM || quantity == GS_GRAD_STREAM;
}

int64_t gs_model_first_index(gs_quantity quantity) { return is_of_stream(quantity) ? 0 : 1; }

int64_t gs_model_units_of(const gs_config *config, gs_quantity quantity, int64_t entry) {
  if (!is_of_stream(quantity)) return gs_model_units(config, entry + 1);
  return gs_model_units(config, entry * (config->residual == GS_RESIDUAL_NONE ? 1 : config->block));
}

int64_t gs_model_stream_points(const gs_config *config) {
  if (!gs_config_has_stream(config)) return 0;
  return 1 + (config->residual == GS_RESIDUAL_NONE ? config->depth : gs_config_blocks(config));
}

gs_quantity gs_model_decades(const gs_config *config) {
  return config->residual == GS_RESIDUAL_NONE ? GS_DELTA : GS_GRAD_STREAM;
}

const char *gs_model_no_theory(const gs_config *config) {
  if (config->residual != GS_RESIDUAL_NONE) {
    return "residual connections: the theory here is of layers in a chain";
  }
  if (config->norm != GS_NORM_NONE) {
    return "normalisations: the theory here is of layers that scale as their weights do";
  }
  if (config->lsuv) return "lsuv: the theory here is of weights that do not know the data";
  return gs_model_row_of(config->model)->no_theory;
}

gs_activation gs_model_activation(const gs_config *config, int64_t point) {
  return gs_model_row_of(config->model)->activation(config, point);
}

int64_t gs_model_widest(const gs_config *config) {
  const gs_model_row *row = gs_model_row_of(config->model);
  if (row->recurrent) return row->units(config, 1); /* its steps are alike */
  int64_t max = 0;
  for (int64_t l = 0; l <= row->points(config); l++) {
    const int64_t units = row->units(config, l);
    if (units > max) max = units;
  }
  return max;
}
