/* The rooflines of a run ("floors" in journal and results): the device's limits, measured before
 * the cells, after them and between them, and the best of every limit. A limit bounds the time of a
 * step from below, so that the best of all measurements holds for every cell of the run. */
#ifndef GS_SWEEP_ROOFLINES_H
#define GS_SWEEP_ROOFLINES_H

#include "base/json.h"
#include "measure/timing_json.h"

#define GS_ROOFLINE_EVERY_S 60 /* at most so old when a cell begins */

typedef struct gs_rooflines {
  cJSON *list; /* {"date", "elapsed_s", "limits"}, oldest first; NULL: none */
  cJSON *best; /* as the limits */
} gs_rooflines;

/* An entry: limits as gs_roofline_to_json gives them (taken over), `elapsed_s` since the run or
 * its continuation began. NULL when out of memory. */
cJSON *gs_rooflines_entry(cJSON *limits, double elapsed_s);

/* Adds an entry, which is copied. Errors: GS_ERR_DATA when it is none; GS_ERR_MEMORY. */
gs_status gs_rooflines_add(gs_rooflines *rooflines, const cJSON *entry, gs_error *error);

/* The best of all; false: nothing was measured. */
bool gs_rooflines_best(const gs_rooflines *rooflines, gs_roofline_best *best);

void gs_rooflines_clear(gs_rooflines *rooflines);

#endif
