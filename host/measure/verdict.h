/* The verdict on a cell: a statement about the law that its networks are drawn
 * from, not about the networks drawn. Decades beyond the threshold on one side are
 * a share of the law, known from R networks up to Wilson's interval.
 *
 *   vanishing  the median lies below -threshold: at least half of the law does
 *   exploding  the median lies above +threshold
 *   stable     neither
 *   mixed      either side holds at least GS_SIDE_SHARE of the networks, and by its
 *              interval at least GS_SIDE_MIN of the law: one network of sixteen
 *              says nothing about one in twenty
 *
 * A dead network lies below every threshold, one that is not finite above. */
#ifndef GS_MEASURE_VERDICT_H
#define GS_MEASURE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"

#define GS_VERDICT_LIST(X)                                                                         \
  X(GS_VANISHING, "vanishing")                                                                     \
  X(GS_STABLE, "stable")                                                                           \
  X(GS_EXPLODING, "exploding")                                                                     \
  X(GS_MIXED, "mixed")

typedef enum gs_verdict { GS_VERDICT_LIST(GS_ROW_VALUE) GS_VERDICT_COUNT } gs_verdict;

extern const gs_names gs_verdict_names;

#define GS_SIDE_SHARE 0.05
#define GS_SIDE_MIN 0.02
#define GS_LAW_CONFIDENCE 0.95

/* A share of the law: count of `of` networks, and Wilson's score interval for it at
 * GS_LAW_CONFIDENCE (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209). of > 0. */
typedef struct gs_share {
  int64_t count;
  double share;
  double low, high;
} gs_share;
gs_share gs_share_of(int64_t count, int64_t of);

typedef struct gs_law {
  gs_share below, above;     /* beyond the threshold on either side */
  gs_share dead, not_finite; /* parts of them */
  gs_verdict verdict;
  bool open[GS_VERDICT_COUNT]; /* verdicts that shares within the intervals would give */
} gs_law;

/* decades: -INFINITY of a dead network, +INFINITY (or NaN) of one that is not
 * finite; median: theirs (gs_sample_of_all); replicas > 0. */
gs_law gs_law_of(const double *decades, int64_t replicas, double median, double threshold);

#endif
