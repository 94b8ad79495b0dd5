/* Shares of the law and the verdict. See verdict.h. */
#include "measure/verdict.h"

#include <math.h>

static const double HALF = 0.5;

const gs_names gs_verdict_names = {"verdict", GS_NAMES(GS_VERDICT_LIST(GS_ROW_NAME)), NULL};

gs_share gs_share_of(int64_t count, int64_t of) {
  const double z = 1.9599639845400545; /* of a normal's middle 95 % */
  const double n = (double)of;
  const double p = (double)count / n;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return (gs_share){.count = count,
                    .share = p,
                    .low = count == 0 ? 0 : centre - half, /* exactly, not up to rounding */
                    .high = count == of ? 1 : centre + half};
}

static bool holds_side(const gs_share *side) {
  return side->share >= GS_SIDE_SHARE && side->low >= GS_SIDE_MIN;
}

static gs_verdict verdict_of(const gs_law *law, double median, double threshold) {
  if (holds_side(&law->below) && holds_side(&law->above)) return GS_MIXED;
  if (median < -threshold) return GS_VANISHING;
  return median > threshold ? GS_EXPLODING : GS_STABLE;
}

/* What a law with shares somewhere in the two intervals may be. */
static void leave_open(gs_law *law) {
  const gs_share *below = &law->below;
  const gs_share *above = &law->above;
  law->open[GS_MIXED] = below->high >= GS_SIDE_SHARE && above->high >= GS_SIDE_SHARE;
  law->open[GS_VANISHING] = below->high > HALF && above->low < GS_SIDE_SHARE;
  law->open[GS_EXPLODING] = above->high > HALF && below->low < GS_SIDE_SHARE;
  law->open[GS_STABLE] = below->low <= HALF && above->low <= HALF &&
                         (below->low < GS_SIDE_SHARE || above->low < GS_SIDE_SHARE);
}

gs_law gs_law_of(const double *decades, int64_t replicas, double median, double threshold) {
  int64_t below = 0;
  int64_t above = 0;
  int64_t dead = 0;
  int64_t not_finite = 0;
  for (int64_t r = 0; r < replicas; r++) {
    below += decades[r] < -threshold;
    above += !(decades[r] <= threshold); /* NaN, too */
    dead += decades[r] == -INFINITY;
    not_finite += !(decades[r] < INFINITY);
  }
  gs_law law = {.below = gs_share_of(below, replicas),
                .above = gs_share_of(above, replicas),
                .dead = gs_share_of(dead, replicas),
                .not_finite = gs_share_of(not_finite, replicas)};
  law.verdict = verdict_of(&law, median, threshold);
  leave_open(&law);
  return law;
}
