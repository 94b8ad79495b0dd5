/* See judge.h. The standard error is s / sqrt(R), s the larger of the predicted sd and
 * of the pooled one, s^2 = (sigma^2 + (R - 1) sd^2) / R: networks that are alike by
 * chance, or a single one, would else look certain. Whether the predicted sd itself is
 * right is judged apart. Of a median the error is sqrt(pi/2) times that of a mean
 * (normal logarithms). */
#include "theory/judge.h"

#include <math.h>

/* Unit roundoff: what a product with so many bits may be off by. */
static double roundoff(gs_dtype dtype) {
  switch (dtype) {
  case GS_F64: return 0x1p-53;
  case GS_F32: return 0x1p-24;
  case GS_TF32:
  case GS_F16: return 0x1p-11;
  default: return 0x1p-8;
  }
}

gs_allowance gs_allowance_of(const gs_config *config, const gs_theory *theory) {
  const bool spread = theory->reasons[GS_REASON_BATCH] || theory->reasons[GS_REASON_TIED];
  const double rounding = roundoff(config->dtype) * (double)(theory->points + 16);
  if (theory->reach == GS_REACH_EXACT) return (gs_allowance){0, 0, rounding, 1};
  /* terms beyond 1/n: a tenth of what the first order moves; batches' and tied
   * weights' spread: README, docs/THEORY.md */
  return (gs_allowance){0.2, 0.1, rounding + 0.002, spread ? 2 : 1.4};
}

/* Upper and lower limits of s/sigma for k degrees of freedom, 4 standard deviations
 * out (Wilson & Hilferty 1931). */
static double chance_ratio(double k, double sign) {
  const double cube = 1 - 2 / (9 * k) + sign * 4 * sqrt(2 / (9 * k));
  return cube > 0 ? sqrt(cube * cube * cube) : 0;
}

static bool sd_within(double ratio, int64_t finite, double allowed) {
  const double k = (double)(finite - 1);
  return ratio <= allowed * chance_ratio(k, 1) && ratio >= chance_ratio(k, -1) / allowed;
}

gs_judgement gs_judge(const gs_measured *measured, const gs_predicted *predicted,
                      const gs_allowance *allowance) {
  const double R = (double)measured->finite;
  gs_judgement made = {.sd_ratio = NAN, .sd_agrees = true};
  if (predicted->typical == -INFINITY) { /* zero in every network, or not as predicted */
    made.lost = measured->finite > 0;
    return made;
  }
  made.lost = measured->finite < measured->networks;
  made.difference = measured->centre - predicted->typical;
  const double sigma2 = predicted->sd * predicted->sd;
  const double pooled = (sigma2 + (R - 1) * measured->sd * measured->sd) / R;
  made.standard_error =
      sqrt((pooled > sigma2 ? pooled : sigma2) / R) * (measured->median ? sqrt(M_PI / 2) : 1);
  made.z = made.difference / made.standard_error;
  made.allowance = allowance->of_shift * fabs(predicted->typical - predicted->rms) +
                   allowance->of_sd * predicted->sd + allowance->fixed;
  const double beyond = fabs(made.difference) - made.allowance;
  made.excess = beyond <= 0 ? 0 : beyond / made.standard_error;
  if (measured->finite > 1 && predicted->sd > allowance->fixed) {
    made.sd_ratio = measured->sd / predicted->sd;
    made.sd_agrees = sd_within(made.sd_ratio, measured->finite, allowance->sd_ratio);
  }
  return made;
}

double gs_judge_limit(int64_t comparisons) {
  const double once = 1e4; /* one false alarm in so many cells, at most */
  return sqrt(2 * log(once * (double)comparisons));
}

bool gs_judgement_agrees(const gs_judgement *judgement, double errors) {
  return !judgement->lost && judgement->excess <= errors;
}
