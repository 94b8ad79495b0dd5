/* Parameters as columns: which ones differ between the cells of a table, and
 * how their values read. */
#ifndef GS_SWEEP_TABLE_PARAMS_H
#define GS_SWEEP_TABLE_PARAMS_H

#include "net/param.h"
#include "sweep/record.h"
#include "sweep/spec.h"

enum { GS_VALUE_BYTES = 29 }; /* a longer value is cut */

typedef struct gs_table_params {
  gs_model model;
  int64_t rows;                               /* finished cells of this model */
  bool varies[GS_PARAM_COUNT];                /* a column of its own */
  int width[GS_PARAM_COUNT];                  /* of that column, its heading included */
  bool right[GS_PARAM_COUNT];                 /* numbers: aligned to the right */
  char first[GS_PARAM_COUNT][GS_VALUE_BYTES]; /* the first cell's values; "": has none */
} gs_table_params;

/* Looks at every finished cell of the model. Errors: GS_ERR_MEMORY. */
gs_status gs_table_params_find(const gs_sweep *sweep, const gs_outcome *outcomes, gs_model model,
                               gs_table_params *params, gs_error *error);

/* One cell's values as text, by parameter; "" for one it does not have. Errors:
 * GS_ERR_MEMORY. */
gs_status gs_table_params_values(const gs_config *config,
                                 char values[GS_PARAM_COUNT][GS_VALUE_BYTES], gs_error *error);

#endif
