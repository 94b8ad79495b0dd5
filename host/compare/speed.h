/* Which of two programs is faster, from few independent times of each.
 *
 * The unit of evidence is a start of the program or an interleaved round: samples within one
 * share its disturbances. docs/COMPARE.md has the method, its sources and its error rates. */
#ifndef GS_COMPARE_SPEED_H
#define GS_COMPARE_SPEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"
#include "base/status.h"

/* X(constant, name) */
#define GS_SPEED_LIST(X)                                                                           \
  X(GS_SPEED_NOT_TIMED, "not timed")                                                               \
  X(GS_SPEED_SAME, "same")     /* shown to be within the threshold */                              \
  X(GS_SPEED_FASTER, "faster") /* shown to be faster by more than the threshold */                 \
  X(GS_SPEED_SLOWER, "slower")                                                                     \
  X(GS_SPEED_UNDECIDED, "undecided")

typedef enum gs_speed_word { GS_SPEED_LIST(GS_ROW_VALUE) GS_SPEED_COUNT } gs_speed_word;
extern const gs_names gs_speed_names;

typedef struct gs_speed_policy {
  double threshold; /* a change of the time that does not matter: 0.02 is 2 % */
  double margin;    /* an overall `same` excludes a slowdown by this, cell by cell */
  double alpha;     /* error rate: of a red verdict over all cells, of marks, of `same` */
} gs_speed_policy;
gs_speed_policy gs_speed_defaults(void);

/* ln(new / base) of a time and how well it is known. */
typedef struct gs_ratio {
  double log_ratio; /* NaN: fewer than two units on a side */
  double error;     /* standard error */
  double freedom;   /* degrees of freedom of Student's t */
} gs_ratio;

/* The difference of two means trimmed by a fifth at either end, with Welch's degrees of
 * freedom (Yuen 1974): one disturbed unit of five or more does not carry it. Fewer than five
 * units of a side are not trimmed (Welch 1947). Sorts both. */
gs_ratio gs_ratio_of(double *base, int64_t base_count, double *other, int64_t other_count);

/* One-sided p-value of "the log ratio is at most `limit`" against "above it". 1 without
 * evidence. */
double gs_ratio_above(const gs_ratio *ratio, double limit);
/* ... of "it is at least `limit`" against "below it". */
double gs_ratio_below(const gs_ratio *ratio, double limit);
/* The two-sided interval of the ratio itself. NaN without evidence. */
void gs_ratio_interval(const gs_ratio *ratio, double confidence, double *low, double *high);

/* P(T <= t) for Student's t. */
double gs_student_cdf(double t, double freedom);

/* Whether each of count hypotheses falls, by p-value: with Holm's step-down procedure (1979)
 * the probability of any wrong one is at most alpha, whatever depends on what; with Benjamini
 * and Hochberg's (1995) alpha bounds the share of wrong ones among those that fall. */
gs_status gs_holm(const double *p, int64_t count, double alpha, bool *falls, gs_error *error);
gs_status gs_benjamini_hochberg(const double *p, int64_t count, double alpha, bool *falls,
                                gs_error *error);

/* Sign test: the probability of at least `positive` heads of count fair coins. */
double gs_sign_test(int64_t positive, int64_t count);

/* The times of one cell: of each unit of either side the logarithm, ns. */
typedef struct gs_speed_times {
  double *base;
  int64_t base_count;
  double *other;
  int64_t other_count;
  bool busy; /* timed on both sides, though units may be missing that were no evidence */
} gs_speed_times;

typedef struct gs_cell_speed {
  gs_speed_word word;
  double base_ns, other_ns; /* geometric: exp of the median unit; NaN: not timed */
  gs_ratio ratio;
  double low, high;   /* the ratio's 95 % interval */
  double p_slower;    /* of "not slower by more than the threshold" */
  double p_faster;    /* of "not faster by more than the threshold" */
  double p_different; /* of "outside the threshold on either side": TOST */
  double p_margin;    /* of "slower by the margin or more" */
  bool red;           /* Holm */
} gs_cell_speed;

/* All cells together. */
typedef struct gs_global_speed {
  int64_t cells, slower, faster; /* timed on both sides; with a ratio above, below 1 */
  double p_slower, p_faster;     /* of the sign test */
  gs_ratio shift;                /* of the mean over cells of ln of the time, unit by unit */
  gs_speed_word word;            /* `slower`, `faster`, or `undecided`: nothing was shown */
} gs_global_speed;

/* Judges all cells; times are sorted on the way. overall: `same`, `faster`, `slower`,
 * `undecided`, or `not timed` where no cell is timed on both sides. Errors: GS_ERR_MEMORY. */
gs_status gs_speed_judge(gs_speed_times *times, int64_t count, const gs_speed_policy *policy,
                         gs_cell_speed *cells, gs_global_speed *global, gs_speed_word *overall,
                         gs_error *error);

#endif
