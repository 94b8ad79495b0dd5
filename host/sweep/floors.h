/* The floors of a run: the device's limits, measured before the cells, after them and
 * between them, and the best of every limit. A limit bounds the time of a step from below,
 * so that the best of all measurements holds for every cell of the run. */
#ifndef GS_SWEEP_FLOORS_H
#define GS_SWEEP_FLOORS_H

#include "base/json.h"
#include "measure/timing_json.h"

#define GS_FLOOR_EVERY_S 60 /* at most so old when a cell begins */

typedef struct gs_floors {
  cJSON *list; /* {"date", "elapsed_s", "limits"}, oldest first; NULL: none */
  cJSON *best; /* as the limits */
} gs_floors;

/* An entry: limits as gs_floor_to_json gives them (taken over), `elapsed_s` since the run or
 * its continuation began. NULL when out of memory. */
cJSON *gs_floors_entry(cJSON *limits, double elapsed_s);

/* Adds an entry, which is copied. Errors: GS_ERR_DATA when it is none; GS_ERR_MEMORY. */
gs_status gs_floors_add(gs_floors *floors, const cJSON *entry, gs_error *error);

/* The best of all; false: nothing was measured. */
bool gs_floors_best(const gs_floors *floors, gs_floor_best *best);

void gs_floors_clear(gs_floors *floors);

#endif
