/* The record's "jacobian" (results/README.md has the fields). */
#ifndef GS_MEASURE_JACOBIAN_JSON_H
#define GS_MEASURE_JACOBIAN_JSON_H

#include "base/json_writer.h"
#include "measure/jacobian.h"

/* Puts the members into the object that is open. Longest axis max_points, thinned evenly with
 * both ends kept. Errors: GS_ERR_MEMORY. */
gs_status gs_jacobian_put(gs_json_writer *w, const gs_jacobian *jacobian, int64_t max_points,
                          gs_error *error);

#endif
