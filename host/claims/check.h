/* A check: one statement of a source, what it says should be measured, and what was. */
#ifndef GS_CLAIMS_CHECK_H
#define GS_CLAIMS_CHECK_H

#include <stdbool.h>

#include "base/json_writer.h"
#include "claims/statistics.h"

/* What a measurement says of the statement. X(constant, JSON name) */
#define GS_FINDING_LIST(X)                                                                         \
  X(GS_HOLDS, "holds")                                                                             \
  X(GS_HOLDS_ONLY_WHEN, "holds only when") /* the remark says when */                              \
  X(GS_HOLDS_NOT, "does not hold")         /* the remark says what is true instead */

typedef enum gs_finding { GS_FINDING_LIST(GS_ROW_VALUE) GS_FINDING_COUNT } gs_finding;

/* How often chance alone may make a check fail whose statement is true. */
#define GS_CHECK_CHANCE 1e-4

enum { GS_CHECK_SETUP_BYTES = 256, GS_CHECK_FROM_BYTES = 128, GS_CHECK_REMARK_BYTES = 512 };

/* Two rules. Reach is what chance may do to a measurement once in 1/GS_CHECK_CHANCE times
 * (gs_estimate_reach). A number (inside = false): the measurement lies within reach and
 * allowance of low..high, and reach is no more than the resolution, so that a vague
 * measurement cannot agree with everything. A range (inside = true): measurement and reach
 * to either side lie in low..high. */
typedef struct gs_expectation {
  bool inside;
  double low, high;  /* equal for one number; ends of a range may be infinite */
  double allowance;  /* for terms that the expectation leaves out */
  double resolution; /* 0: only for exact measurements */
} gs_expectation;

gs_expectation gs_expect_near(double value, double allowance, double resolution);
gs_expectation gs_expect_inside(double low, double high);

typedef struct gs_check {
  const char *sentence; /* static strings: the statement, in our words, */
  const char *source;   /* where it stands, */
  const char *quantity; /* and what is measured */
  char setup[GS_CHECK_SETUP_BYTES];
  char from[GS_CHECK_FROM_BYTES]; /* where the expected number comes from */
  gs_expectation expected;
  gs_estimate measured;
  gs_finding finding; /* if the measurement is as expected, else GS_HOLDS_NOT */
  char remark[GS_CHECK_REMARK_BYTES];
  bool passed;
} gs_check;

/* Sets passed, and the finding of a check that has not. NaN fails. */
void gs_check_judge(gs_check *check);

extern const gs_names gs_finding_names;

/* Puts the check into the array that is open. */
void gs_check_put(gs_json_writer *w, const gs_check *check);

#endif
