/* From a list of blocks to cells. */
#ifndef GS_SWEEP_EXPAND_H
#define GS_SWEEP_EXPAND_H

#include "base/location.h"
#include "sweep/spec.h"

/* Fills sweep->cells from a list of block objects, each different cell once, in
 * order. The number of cells is known, and refused when too large, before any
 * is made. `top` is the location of the object that holds "blocks" (path "$"), or
 * the command line, whose only block has no path. On failure the sweep has no
 * cells. */
gs_status gs_sweep_expand(const cJSON *blocks, const gs_location *top, gs_sweep *sweep,
                          gs_error *error);

#endif
