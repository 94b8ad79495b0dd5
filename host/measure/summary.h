/* The record's "summary": how far the gradient moved, the verdict, and where
 * number formats would have lost it. */
#ifndef GS_MEASURE_SUMMARY_H
#define GS_MEASURE_SUMMARY_H

#include "base/json.h"
#include "measure/layers.h"

typedef enum gs_verdict { GS_VANISHING, GS_STABLE, GS_EXPLODING, GS_MIXED } gs_verdict;
const char *gs_verdict_name(gs_verdict verdict);

/* decades[r] = log10(||delta at the first point|| / ||delta at the last||); -inf
 * when the first is zero, +inf when it is not finite. */
void gs_decades_of(const gs_quantity_stats *delta, int64_t replicas, double *decades);

/* By the median over replicas against the threshold; mixed when replicas pass it
 * with both signs. Errors: GS_ERR_MEMORY. */
gs_status gs_verdict_of(const double *decades, int64_t replicas, double threshold,
                        gs_verdict *verdict, gs_error *error);

/* stats: every quantity's, points 0 where absent; kept: beside them. Errors:
 * GS_ERR_MEMORY. */
gs_status gs_summary_json(const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                          const gs_kept_axis kept[GS_QUANTITY_COUNT], const gs_config *config,
                          double threshold, cJSON **json, gs_error *error);

#endif
