/* How long a cell will take. See estimate.h. */
#include "sweep/estimate.h"

#include <math.h>

#include "measure/cost.h"

double gs_estimate_seconds(const gs_config *config, const gs_measure_options *options,
                           const gs_floor *floor) {
  static const gs_floor modest = {.flops_per_s = {[GS_F32] = 1e11, [GS_F64] = 5e10},
                                  .copy_bytes_per_s = 1e10};
  /* initialisation, the step with statistics, and what every cell costs anyway */
  const double measured_steps = 4;
  const double every_cell_s = 0.005;
  const double least_timed_steps = 5;
  const gs_floor *rates = floor ? floor : &modest;
  const gs_cost cost = gs_cost_of(config);
  const double of_dtype = rates->flops_per_s[config->dtype];
  const double flops_per_s = of_dtype > 0 ? of_dtype : rates->flops_per_s[GS_F32];
  const double busy_s = fmax(cost.flops / flops_per_s, cost.bytes / rates->copy_bytes_per_s);
  const double step_s = fmax(busy_s, cost.launches * rates->launch_ns * 1e-9) / GS_ESTIMATE_SHARE;
  const bool timed = options->time_limit_s > 0;
  const double timing_s = timed ? fmax(options->time_limit_s, least_timed_steps * step_s) : 0;
  return every_cell_s + measured_steps * step_s + timing_s;
}
