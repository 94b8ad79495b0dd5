/* When the timing of a cell ends. See timing_rule.h. */
#include "measure/timing_rule.h"

#include <math.h>
#include <stddef.h>

static const double MIN_SAMPLE_NS = 200e3;
static const double MIN_STEP_NS = 100; /* what a clock can tell */

const gs_names gs_timing_stop_names = {"stopped", GS_NAMES(GS_TIMING_STOP_LIST(GS_ROW_NAME)), NULL};

bool gs_timing_has_min(const gs_timing_limits *limits, const gs_timing_progress *progress) {
  return progress->timed_ns >= limits->min_time_s * 1e9 && progress->count >= limits->min_samples;
}

static bool has_settled(const gs_timing_limits *limits, const gs_timing_progress *progress) {
  return progress->count >= GS_TIMING_SPREAD_SAMPLES && progress->uncertainty <= limits->spread;
}

/* The condition that this sample was the first to meet. */
static gs_timing_stop last_met(const gs_timing_limits *limits, const gs_timing_progress *progress) {
  if (progress->timed_ns - progress->last_ns < limits->min_time_s * 1e9) return GS_STOP_MIN_TIME;
  return progress->count - 1 < limits->min_samples ? GS_STOP_MIN_SAMPLES : GS_STOP_SPREAD;
}

gs_timing_stop gs_timing_decide(const gs_timing_limits *limits,
                                const gs_timing_progress *progress) {
  if (progress->count < 1) return GS_STOP_NOT_YET;
  if (gs_timing_has_min(limits, progress) && has_settled(limits, progress)) {
    return last_met(limits, progress);
  }
  if (!(progress->spent_ns < limits->time_limit_s * 1e9)) return GS_STOP_TIME_LIMIT;
  return progress->count < GS_TIMING_MAX_SAMPLES ? GS_STOP_NOT_YET : GS_STOP_MAX_SAMPLES;
}

unsigned gs_timing_lacks(const gs_timing_limits *limits, const gs_timing_progress *progress) {
  unsigned lacks = 0;
  if (!(progress->timed_ns >= limits->min_time_s * 1e9)) lacks |= GS_LACKS_MIN_TIME;
  if (progress->count < limits->min_samples) lacks |= GS_LACKS_MIN_SAMPLES;
  if (!has_settled(limits, progress)) lacks |= GS_LACKS_SPREAD;
  return lacks;
}

int64_t gs_timing_group(const gs_timing_limits *limits, double step_ns) {
  const double time_ns = fmin(limits->min_time_s, limits->time_limit_s) * 1e9;
  const double sample_ns = fmax(MIN_SAMPLE_NS, time_ns * 4 / GS_TIMING_MAX_SAMPLES);
  return step_ns < sample_ns ? (int64_t)ceil(sample_ns / fmax(step_ns, MIN_STEP_NS)) : 1;
}
