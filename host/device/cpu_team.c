/* How many threads an operation of the CPU backend is worth.
 *
 * Waking a team and waiting for it takes 5 to 7 us on two cores of a Zen 4 with
 * threads that sleep soon, 1 us with threads that spin, and a time slice of the
 * scheduler (milliseconds) where another program holds a processor. In 5 us one core
 * does some 0.3 MFLOP of f32 products or passes over 3,000 elements. So every thread of
 * a team gets at least a MFLOP, about 20 us, and what is smaller than two of those
 * stays on the thread that called: there a team would win nothing when the machine is
 * idle, and lose a thousandfold when it is not. Results do not depend on it. */
#include "device/cpu_internal.h"

static const double grain_flops = 1e6;   /* of each thread of a team */
static const double element_flops = 100; /* as long as a pass takes for an element, 2 ns */

int gs_cpu_team(gs_device *device, gs_dtype dtype, double flops, double elements) {
  gs_cpu_device *cpu = gs_cpu(device);
  const double work = flops * (dtype == GS_F64 ? 2 : 1) + elements * element_flops;
  int team = cpu->threads;
  if (!cpu->whole_teams && work < grain_flops * team) team = (int)(work / grain_flops);
  if (team < 1) team = 1;
  if (team > cpu->largest_team) cpu->largest_team = team;
  return team;
}

int gs_cpu_product_team(gs_device *device, const gs_tensor *out, int64_t inner) {
  const double elements = (double)out->replicas * (double)out->rows * (double)out->cols;
  return gs_cpu_team(device, out->dtype, 2 * elements * (double)inner, 0);
}

int gs_cpu_elements_team(gs_device *device, const gs_tensor *tensor) {
  return gs_cpu_team(device, tensor->dtype, 0,
                     (double)tensor->replicas * (double)tensor->rows * (double)tensor->cols);
}

void gs_cpu_device_whole_teams(gs_device *device) { gs_cpu(device)->whole_teams = true; }
