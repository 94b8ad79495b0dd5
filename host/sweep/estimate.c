/* How long a cell will take. See estimate.h. */
#include "sweep/estimate.h"

#include <math.h>

#include "base/thin.h"
#include "measure/cost.h"
#include "net/model.h"

/* Jacobians are the host's work, on whatever device: some 14 n^3 operations per layer
 * and replica where singular values are kept, half of that elsewhere. */
static double jacobian_seconds(const gs_config *config, int64_t max_points) {
  const double host_flops_per_s = 2e10;
  const int64_t layers = gs_model_points(config);
  const double kept = (double)gs_thin_count(layers, max_points);
  const double n = (double)gs_model_widest(config);
  return config->jacobian
             ? 7 * n * n * n * ((double)layers + kept) * (double)config->replicas / host_flops_per_s
             : 0;
}

/* Whether the spread settles before the limit depends on what else the machine does: it is
 * taken not to. */
static double timing_seconds(const gs_timing_limits *limits, double step_s) {
  const double min_steps = 2; /* one of them warms up */
  return limits->time_limit_s > 0 ? fmax(limits->time_limit_s, min_steps * step_s) : 0;
}

double gs_estimate_seconds(const gs_config *config, const gs_measure_options *options,
                           const gs_roofline *roofline) {
  static const gs_roofline modest = {.flops_per_s = {[GS_F32] = 1e11, [GS_F64] = 5e10},
                                     .copy_bytes_per_s = 1e10};
  /* initialisation, the step with statistics, and what every cell costs anyway */
  const double measured_steps = 4;
  const double every_cell_s = 0.005;
  const gs_roofline *rates = roofline ? roofline : &modest;
  const gs_cost cost = gs_cost_of(config);
  const double of_dtype = rates->flops_per_s[config->dtype];
  const double flops_per_s = of_dtype > 0 ? of_dtype : rates->flops_per_s[GS_F32];
  const double busy_s = fmax(cost.flops / flops_per_s, cost.bytes / rates->copy_bytes_per_s);
  /* how it will be done, not how it could be: launches, not the floor's barriers */
  const double step_s = fmax(busy_s, cost.launches * rates->launch_ns * 1e-9) / GS_ESTIMATE_SHARE;
  const double timed_s = timing_seconds(&options->timing, step_s);
  if (options->round > 0) return every_cell_s + timed_s;
  return every_cell_s + measured_steps * step_s + timed_s +
         jacobian_seconds(config, options->max_points);
}
