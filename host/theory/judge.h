/* A measured norm against its prediction: how far apart, in what unit, and whether
 * that is more than chance and the theory's own error explain. Everything is in
 * decades (log10 of norms). */
#ifndef GS_THEORY_JUDGE_H
#define GS_THEORY_JUDGE_H

#include "theory/theory.h"

/* log10 of a norm over R networks that differ only in their random numbers. */
typedef struct gs_measured {
  int64_t networks; /* R */
  int64_t finite;   /* of them, those whose norm is neither zero nor infinite nor NaN */
  double centre;    /* mean over the finite ones, or their median */
  double sd;        /* of the sample; 0 for one network */
  bool median;
} gs_measured;

typedef struct gs_predicted {
  double rms;
  double typical; /* -INFINITY: zero in every network */
  double sd;
} gs_predicted;

/* Networks whose norm is zero, which are not among the finite ones. */
typedef struct gs_deaths {
  int64_t networks;
  int64_t dead;
  double share; /* of networks, that is expected, */
  gs_dead_law law;
} gs_deaths;

/* How far a network's logarithm is from normal, where the law says so; else zeros. */
typedef struct gs_shape {
  double skew;
  double kurtosis; /* in excess of a normal's 3 */
} gs_shape;

/* How wrong a right theory may be: what its order leaves out. */
typedef struct gs_allowance {
  double of_shift; /* share of |typical - rms|, the part that finite width makes */
  double of_sd;    /* share of sd */
  double fixed;    /* decades: rounding */
  double sd_ratio; /* factor between measured and predicted sd, at least 1 */
} gs_allowance;

/* For one configuration's norms: none but rounding where the law is exact. */
gs_allowance gs_allowance_of(const gs_config *config, const gs_theory *theory);

typedef struct gs_judgement {
  double difference;     /* centre - typical */
  double standard_error; /* of the centre: the exact law's, or pooled with the measured sd */
  double z;              /* difference / standard_error */
  double allowance;      /* decades that the theory may miss by */
  double excess;         /* standard errors beyond the allowance: |z| without one and skew */
  double sd_ratio;       /* measured / predicted; NaN where there is nothing to compare */
  bool sd_agrees;        /* the ratio is within chance and the allowance */
  double dead_z;         /* (dead - expected)/sd of a binomial count; NaN where that is 0 */
  double dead_p;         /* probability of a count so far from the expected one, or (at most)
                            so large; below exp(-errors^2/2) it is no chance */
  bool lost;             /* norms are infinite or NaN, zero without a law of deaths, or not
                            zero where all should be */
} gs_judgement;

/* NaN in, NaN out: a comparison with what is not known never agrees. */
gs_judgement gs_judge(const gs_measured *measured, const gs_predicted *predicted,
                      const gs_allowance *allowance);
/* The same for logarithms of this shape. */
gs_judgement gs_judge_shaped(const gs_measured *measured, const gs_predicted *predicted,
                             const gs_allowance *allowance, gs_shape shape);

/* Judges the count of the dead: those that the law explains are not lost. */
void gs_judge_deaths(const gs_measured *measured, const gs_deaths *deaths, gs_judgement *judgement);

/* How many standard errors the worst of so many norms may be off: the probability of
 * more is below exp(-z^2/2) for each. 4.3 for one, 5.3 for 100, 6.1 for 16,384. */
double gs_judge_limit(int64_t comparisons);

/* Whether the difference is within `errors` standard errors and the allowance, and
 * nothing is lost. */
bool gs_judgement_agrees(const gs_judgement *judgement, double errors);

#endif
