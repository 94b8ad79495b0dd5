/* The table of models: one row says what the rest of the program must know of one. A new
 * model is a constant with the name of its row in GS_MODEL_LIST (net/config.h), which does
 * not compile without the row, the row, and its parameters' rows (net/param.c). */
#ifndef GS_NET_MODEL_H
#define GS_NET_MODEL_H

#include "net/config.h"
#include "net/role.h"

struct gs_tape;

typedef struct gs_model_row {
  const char *point; /* what one of its points is called: "layer", "step" */
  const char *whole; /* its Jacobian from end to end: "dh^L/dh^0" */
  /* A state that starts at 0, led from step to step by W, with new inputs at every step by
   * way of U; else layers, each with a W of its own, that x enters below the first. */
  bool recurrent;
  bool jacobians;        /* they are those of a simple layer or step (measure/jacobian.h) */
  const char *no_theory; /* words: what its equations have that no theory here has; or NULL */
  int64_t usual_points;  /* of the default configuration */
  int64_t usual_units;
  /* Gives it so many layers or steps of equal units, inputs too. The numbers are not judged
   * here. Errors: GS_ERR_DATA, GS_ERR_MEMORY. */
  gs_status (*set_sizes)(gs_config *config, int64_t points, int64_t units, gs_error *error);
  /* What gs_config_check must know of the model alone. Errors: GS_ERR_DATA. */
  gs_status (*check)(const gs_config *config, gs_error *error);
  int64_t (*points)(const gs_config *config); /* layers or steps */
  int64_t (*inputs)(const gs_config *config); /* units of x */
  /* Of point 1..points; units also of 0: what W of the first point reads. */
  int64_t (*units)(const gs_config *config, int64_t point);
  gs_activation (*activation)(const gs_config *config, int64_t point);
  /* Its operations, from which its passes, memory and cost follow (net/tape.h). */
  void (*build)(struct gs_tape *tape);
} gs_model_row;

void gs_mlp_build(struct gs_tape *tape);
void gs_rnn_build(struct gs_tape *tape);

/* The row of a model; NULL for no model. */
const gs_model_row *gs_model_row_of(gs_model model);

/* ---- the same, of a configuration ---- */

bool gs_model_is_recurrent(gs_model model);
int64_t gs_model_points(const gs_config *config);
int64_t gs_model_inputs(const gs_config *config);
int64_t gs_model_units(const gs_config *config, int64_t point);
/* Of a quantity that a network has: its first index, and the units at its entry-th (from 0). */
int64_t gs_model_first_index(gs_quantity quantity);
int64_t gs_model_units_of(const gs_config *config, gs_quantity quantity, int64_t entry);
/* Values of its stream, x included; 0: it has none. */
int64_t gs_model_stream_points(const gs_config *config);
/* Whose norm decades compare at both ends: with residual connections the stream's gradient. */
gs_quantity gs_model_decades(const gs_config *config);
/* Words: what of the configuration no theory here has; NULL: nothing. */
const char *gs_model_no_theory(const gs_config *config);
gs_activation gs_model_activation(const gs_config *config, int64_t point);
/* The most units of any point, 0 included. */
int64_t gs_model_widest(const gs_config *config);

#endif
