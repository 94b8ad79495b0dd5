/* How long a cell will take. See estimate.h. */
#include "sweep/estimate.h"

#include <math.h>

#include "measure/cost.h"

double gs_estimate_seconds(const gs_config *config, const gs_measure_options *options,
                           const gs_floor *floor) {
  static const gs_floor modest = {{5e10, 1e11}, 1e10, 0};
  /* initialisation, the step with statistics, and what every cell costs anyway */
  const double measured_steps = 4;
  const double every_cell_s = 0.005;
  const double least_timed_steps = 5;
  const gs_floor *rates = floor ? floor : &modest;
  const gs_cost cost = gs_cost_of(config);
  const double flops_per_s = rates->flops_per_s[config->dtype];
  const double step_s =
      fmax(cost.flops / flops_per_s, cost.bytes / rates->copy_bytes_per_s) / GS_ESTIMATE_SHARE;
  const bool timed = options->time_limit_s > 0;
  const double timing_s = timed ? fmax(options->time_limit_s, least_timed_steps * step_s) : 0;
  return every_cell_s + measured_steps * step_s + timing_s;
}
