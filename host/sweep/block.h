/* A block of a sweep: an object whose keys are parameters and whose lists are
 * axes, walked cell by cell with the last axis fastest. */
#ifndef GS_SWEEP_BLOCK_H
#define GS_SWEEP_BLOCK_H

#include "net/param.h"

typedef struct gs_axis {
  int param;          /* index in gs_params */
  bool list;          /* was the value written as a list of values? */
  int64_t count;      /* values, >= 1 */
  const cJSON *first; /* the first value and the current one, borrowed */
  const cJSON *current;
  int64_t position; /* of the current value */
} gs_axis;

typedef struct gs_block {
  gs_location location;
  gs_model model;
  gs_axis axes[GS_PARAM_COUNT]; /* in the order written; without `model` */
  int axis_count;
} gs_block;

/* Checks keys, the model they belong to and that no axis is empty; values wait
 * for gs_block_config. Borrows the object. With lists false every parameter
 * must have one value. */
gs_status gs_block_read(const cJSON *object, const gs_location *location, bool lists,
                        gs_block *block, gs_error *error);

/* The number of cells; false when it exceeds int64_t. */
bool gs_block_count(const gs_block *block, int64_t *count);

/* Steps to the next cell; false (and back at the first) after the last. */
bool gs_block_next(gs_block *block);

/* The current cell: defaults, then the block's values, then gs_config_check. An
 * mlp of more than max_layers layers is refused before its widths are made. The
 * caller owns *config on success. */
gs_status gs_block_config(const gs_block *block, int64_t max_layers, gs_config *config,
                          gs_error *error);

#endif
