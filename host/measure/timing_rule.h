/* When the timing of a cell ends: pure rules, no clock.
 *
 * The rule is after nvbench's: the relative uncertainty of the median is to fall
 * below `spread`; but never before a least time and a least number of samples, and
 * in any case at an upper limit. */
#ifndef GS_MEASURE_TIMING_RULE_H
#define GS_MEASURE_TIMING_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"

enum {
  GS_TIMING_MAX_SAMPLES = 1000,
  GS_TIMING_SPREAD_SAMPLES = 5 /* fewer say nothing about their spread */
};

typedef struct gs_timing_limits {
  double time_limit_s; /* no sample begins later, warm-up included; 0: nothing is timed */
  double min_time_s;   /* of all samples together */
  int64_t min_samples;
  double spread; /* of the median, relative */
} gs_timing_limits;

/* What ended it: the last condition to be met, or a limit. X(constant, JSON name);
 * of several rounds that of the one that reached least, the furthest down. */
#define GS_TIMING_STOP_LIST(X)                                                                     \
  X(GS_STOP_SPREAD, "spread")                                                                      \
  X(GS_STOP_MIN_TIME, "min_time")                                                                  \
  X(GS_STOP_MIN_SAMPLES, "min_samples")                                                            \
  X(GS_STOP_MAX_SAMPLES, "max_samples") /* GS_TIMING_MAX_SAMPLES */                                \
  X(GS_STOP_TIME_LIMIT, "time_limit")

typedef enum gs_timing_stop {
  GS_STOP_NOT_YET = -1,
  GS_TIMING_STOP_LIST(GS_ROW_VALUE) GS_TIMING_STOP_COUNT
} gs_timing_stop;

extern const gs_names gs_timing_stop_names;

/* What was asked for and not reached; bits. X(constant, bit, JSON name) */
#define GS_TIMING_LACK_LIST(X)                                                                     \
  X(GS_LACKS_MIN_TIME, 1u, "min_time")                                                             \
  X(GS_LACKS_MIN_SAMPLES, 2u, "min_samples")                                                       \
  X(GS_LACKS_SPREAD, 4u, "spread")

typedef enum gs_timing_lack {
#define GS_TIMING_LACK_ENUM(constant, bit, name) constant = bit,
  GS_TIMING_LACK_LIST(GS_TIMING_LACK_ENUM)
#undef GS_TIMING_LACK_ENUM
} gs_timing_lack;

/* How far it is, after a sample. */
typedef struct gs_timing_progress {
  int64_t count;      /* samples */
  double timed_ns;    /* of all samples together */
  double last_ns;     /* of the last one */
  double spent_ns;    /* warm-up included */
  double uncertainty; /* of the median, relative; NaN or infinite: not known */
} gs_timing_progress;

/* Whether the least time and number are reached, so that the spread decides. */
bool gs_timing_has_min(const gs_timing_limits *limits, const gs_timing_progress *progress);

/* Whether to stop after this sample, and why. */
gs_timing_stop gs_timing_decide(const gs_timing_limits *limits, const gs_timing_progress *progress);

/* Bits of gs_timing_lack. */
unsigned gs_timing_lacks(const gs_timing_limits *limits, const gs_timing_progress *progress);

/* Short steps are timed several at a time: for at least 0.2 ms, and so that a quarter of
 * the most samples makes the least time. step_ns: of one step. */
int64_t gs_timing_group(const gs_timing_limits *limits, double step_ns);

#endif
