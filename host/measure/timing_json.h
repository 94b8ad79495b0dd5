/* The record's "timing" object (results/README.md): of one round as it was measured, and of
 * several rounds put together, judged by a roofline. */
#ifndef GS_MEASURE_TIMING_JSON_H
#define GS_MEASURE_TIMING_JSON_H

#include "base/json_writer.h"
#include "measure/cost.h"
#include "measure/timing.h"

/* Above this share of the floor it is the floor that is wrong. */
#define GS_FLOOR_MAX_SHARE 1.05
#define GS_FLOOR_WRONG "not trustworthy" /* as the record says it */
/* Above this noise a cell is named as noisy. */
#define GS_NOISY 0.2

/* The least time is judged by the best that was measured of every limit. */
typedef struct gs_roofline_best {
  gs_roofline limits;
  int64_t measurements; /* that it is the best of */
} gs_roofline_best;

/* One round, counted from 0. floor may be NULL. Errors: GS_ERR_MEMORY. */
gs_status gs_timing_json(const gs_timing *timing, int64_t round, const gs_config *config,
                         const gs_roofline_best *roofline, cJSON **json, gs_error *error);

/* Bits of gs_timing_lack from the record's list. */
unsigned gs_timing_lacks_from_json(const cJSON *list);

/* Whether a tree has what gs_timing_compose reads of a round. */
bool gs_timing_is_round(const cJSON *timing);

/* Puts rounds together (borrowed, at least one; each as gs_timing_json gives it, in the
 * order of the rounds) and judges them by a roofline, which may be NULL. Errors: GS_ERR_DATA
 * when one of them is no such object; GS_ERR_MEMORY. */
gs_status gs_timing_compose(const cJSON *const *rounds, int count, const gs_config *config,
                            const gs_roofline_best *roofline, cJSON **json, gs_error *error);

/* A 95 % interval of the median that assumes nothing about the distribution: order
 * statistics k and n + 1 - k with P(fewer than k of n below the median) <= 2.5 %. sorted:
 * ascending. Both NaN when n < 6. */
void gs_median_interval(const double *sorted, int64_t count, double *low, double *high);

#endif
