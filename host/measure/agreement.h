/* The record's "theory" and "agreement": what was predicted for the cell, how far
 * the measurement is from it, and one of three verdicts. */
#ifndef GS_MEASURE_AGREEMENT_H
#define GS_MEASURE_AGREEMENT_H

#include "base/json_writer.h"
#include "theory/judge.h"

/* X(constant, JSON name) */
#define GS_AGREEMENT_LIST(X)                                                                       \
  X(GS_AS_PREDICTED, "as predicted")                                                               \
  X(GS_OFF, "off") /* more than chance and the theory's own error explain */                       \
  X(GS_OUTSIDE_VALIDITY, "outside reach") /* the theory says itself that it does not hold */

typedef enum gs_agreement_verdict {
  GS_AGREEMENT_LIST(GS_ROW_VALUE) GS_AGREEMENT_VERDICT_COUNT
} gs_agreement_verdict;

extern const gs_names gs_agreement_names;

enum { GS_AGREEMENT_MESSAGE_BYTES = 200 };

typedef struct gs_agreement {
  gs_agreement_verdict verdict;
  char
      message[GS_AGREEMENT_MESSAGE_BYTES]; /* what is off, or why it is outside reach; else empty */
  gs_measured decades;
  gs_judgement of_decades;
  gs_deaths of_dead;
  double in_band; /* share of living networks between the predicted 5th and 95th percentile;
                   * NaN: nothing is predicted, or nobody lives */
  /* of each quantity the norm that is furthest off, and its point (0-based; -1: there
   * is no such quantity or it is not predicted) */
  int64_t worst[GS_QUANTITY_COUNT];
  gs_measured measured[GS_QUANTITY_COUNT];
  gs_deaths dead[GS_QUANTITY_COUNT];
  gs_judgement of_worst[GS_QUANTITY_COUNT];
} gs_agreement;

/* stats: every quantity's, points 0 where absent, of a step with this configuration.
 * Errors: GS_ERR_MEMORY. */
gs_status gs_agreement_of(const gs_quantity_stats stats[GS_QUANTITY_COUNT], const gs_config *config,
                          const gs_theory *theory, gs_agreement *agreement, gs_error *error);

/* Puts both objects into the record (results/README.md has the fields); axes longer
 * than max_points are thinned. Errors: GS_ERR_MEMORY. */
gs_status gs_agreement_put(gs_json_writer *w, const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                           const gs_config *config, int64_t max_points, gs_error *error);

#endif
