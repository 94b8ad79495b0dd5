/* See judge.h. z is a standard score: of an exact law with the law's own sd, unless the
 * measured one contradicts it; else with the pooled one, s^2 = (sigma^2 + (R - 1) sd^2) / R, for a
 * predicted sd may be wrong, and one of a few networks by chance small. Whether the predicted sd
 * itself is right is judged apart. Of a median the error is sqrt(pi/2) times that of a mean (normal
 * logarithms). */
#include "theory/judge.h"

#include <math.h>

#include "theory/binomial.h"

/* What a product may be off by. Random numbers, and the scale that they are drawn with, are
 * float32's in every format. */
static double roundoff(gs_dtype dtype) {
  return fmax(gs_dtype_roundoff(dtype), gs_dtype_roundoff(GS_F32));
}

gs_allowance gs_allowance_of(const gs_config *config, const gs_theory *theory) {
  const bool spread = theory->reasons[GS_REASON_BATCH] || theory->reasons[GS_REASON_TIED];
  const double rounding = roundoff(config->dtype) * (double)(theory->points + 16);
  if (theory->reasons[GS_REASON_SHARE]) return (gs_allowance){0.2, 0.1, rounding, 1.25};
  if (theory->validity == GS_VALIDITY_EXACT) return (gs_allowance){0, 0, rounding, 1};
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

/* Var s^2/sigma^4 = 2/(R - 1) + kurtosis/R: as that of so many fewer degrees. */
static bool sd_within(double ratio, int64_t finite, double allowed, double kurtosis) {
  const double normal = (double)(finite - 1);
  const double k = normal / (1 + 0.5 * fmax(kurtosis, 0) * normal / (double)finite);
  return ratio <= allowed * chance_ratio(k, 1) && ratio >= chance_ratio(k, -1) / allowed;
}

/* A standard score of a variate with this skewness as a normal one: a gamma variate's
 * cube root is nearly normal (Wilson & Hilferty 1931). On the side of the short tail, whose
 * end a gamma variate has and not every law, as it is. */
static double normal_score(double z, double skew) {
  if (!(skew * z > 1e-6)) return z;
  return 6 / skew * (cbrt(1 + 0.5 * skew * z) - 1) + skew / 6;
}

/* Of the living, where there are any. */
static void judge_centre(const gs_measured *measured, const gs_predicted *predicted,
                         const gs_allowance *allowance, gs_shape shape, gs_judgement *made) {
  const double R = (double)measured->finite;
  const double sigma2 = predicted->sd * predicted->sd;
  double pooled = (sigma2 + (R - 1) * measured->sd * measured->sd) / R;
  const bool exact = allowance->sd_ratio == 1;
  if (measured->finite > 1 && predicted->sd > allowance->fixed) {
    made->sd_ratio = measured->sd / predicted->sd;
    made->sd_agrees =
        sd_within(made->sd_ratio, measured->finite, allowance->sd_ratio, shape.kurtosis);
  }
  if (exact && (made->sd_agrees || pooled < sigma2)) pooled = sigma2;
  made->difference = measured->centre - predicted->typical;
  made->standard_error = sqrt(pooled / R) * (measured->median ? sqrt(M_PI / 2) : 1);
  made->z = made->difference / made->standard_error;
  made->allowance = allowance->of_shift * fabs(predicted->typical - predicted->rms) +
                    allowance->of_sd * predicted->sd + allowance->fixed;
  const double beyond = fabs(made->difference) - made->allowance;
  /* a pooled error that is small by chance raises no alarm */
  const double wider = fmax(pooled, sigma2);
  const double error = made->standard_error * (pooled < wider ? sqrt(wider / pooled) : 1);
  const double score = copysign(beyond / error, made->difference);
  made->excess = beyond <= 0 ? 0 : fabs(normal_score(score, shape.skew / sqrt(R)));
}

gs_judgement gs_judge(const gs_measured *measured, const gs_predicted *predicted,
                      const gs_allowance *allowance) {
  return gs_judge_shaped(measured, predicted, allowance, (gs_shape){0, 0});
}

gs_judgement gs_judge_shaped(const gs_measured *measured, const gs_predicted *predicted,
                             const gs_allowance *allowance, gs_shape shape) {
  gs_judgement made = {.sd_ratio = NAN, .sd_agrees = true, .dead_z = NAN, .dead_p = 1};
  if (predicted->typical == -INFINITY) { /* zero in every network, or not as predicted */
    made.lost = measured->finite > 0;
    return made;
  }
  made.lost = measured->finite < measured->networks;
  if (measured->finite > 0) {
    judge_centre(measured, predicted, allowance, shape, &made);
  } else {
    made.difference = made.standard_error = made.z = made.allowance = NAN;
  }
  return made;
}

void gs_judge_deaths(const gs_measured *measured, const gs_deaths *deaths,
                     gs_judgement *judgement) {
  const int64_t R = deaths->networks;
  const double expected = (double)R * deaths->share;
  const double sd = sqrt(expected * (1 - deaths->share));
  judgement->lost = measured->finite + deaths->dead < R;
  judgement->dead_z = sd > 0 ? ((double)deaths->dead - expected) / sd : NAN;
  judgement->dead_p = deaths->law == GS_DEAD_EXACT
                          ? gs_binomial_two_sided(deaths->dead, R, deaths->share)
                          : gs_binomial_upper(deaths->dead, R, deaths->share);
}

double gs_judge_limit(int64_t comparisons) {
  const double once = 1e4; /* one false alarm in so many cells, at most */
  return sqrt(2 * log(once * (double)comparisons));
}

bool gs_judgement_agrees(const gs_judgement *judgement, double errors) {
  return !judgement->lost && judgement->excess <= errors &&
         judgement->dead_p >= exp(-0.5 * errors * errors);
}
