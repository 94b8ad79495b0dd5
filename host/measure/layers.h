/* The record's "layers": one quantity's statistics along the layers or time
 * steps, over replicas (results/README.md has the fields). */
#ifndef GS_MEASURE_LAYERS_H
#define GS_MEASURE_LAYERS_H

#include "base/json_writer.h"
#include "measure/lost.h"

/* log10 of the norm whose square is given: -inf for zero. */
double gs_log10_norm(gs_scaled sum_sq);
/* The same for one replica's statistics; NaN when elements are not finite. */
double gs_stats_log10_norm(const gs_stats *stats);

/* Puts one quantity's members into the object that is open; longest axis max_points,
 * thinned evenly with both ends kept. kept: of the same quantity, where there are
 * histograms. Errors: GS_ERR_MEMORY. */
gs_status gs_layers_put(gs_json_writer *w, const gs_quantity_stats *stats, const gs_kept_axis *kept,
                        const gs_config *config, gs_quantity quantity, int64_t max_points,
                        gs_error *error);

#endif
