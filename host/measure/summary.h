/* The record's "summary": how far the gradient moved, the verdict, and where
 * number formats would have lost it. */
#ifndef GS_MEASURE_SUMMARY_H
#define GS_MEASURE_SUMMARY_H

#include "base/json_writer.h"
#include "measure/layers.h"
#include "measure/verdict.h"

/* decades[r] = log10(||delta at the first point|| / ||delta at the last||), or of another
 * gradient (gs_model_decades). A dead network's, whose first one is zero, are -INFINITY; +INFINITY
 * where they are not finite otherwise (a norm on either end is infinite or NaN: it overflowed on
 * the way there; or only the last delta is zero). Never NaN. */
void gs_decades_of(const gs_quantity_stats *ends, int64_t replicas, double *decades);

/* Puts the members into the object that is open. stats: every quantity's, points 0 where
 * absent; kept: beside them. Errors: GS_ERR_MEMORY. */
gs_status gs_summary_put(gs_json_writer *w, const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                         const gs_kept_axis kept[GS_QUANTITY_COUNT], const gs_config *config,
                         double threshold, gs_error *error);

#endif
