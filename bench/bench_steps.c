/* Whole training steps (forward, loss, backward): their time with statistics off,
 * norms and full, against the device's own limits. */
#include "bench_network.h"

static void bench_step(gs_bench *bench, const gs_bench_step_case *which, gs_stats_level stats) {
  const gs_roofline *roofline = gs_bench_roofline(bench);
  gs_bench_network open;
  double seconds = 0;
  if (!roofline) return;
  if (gs_bench_network_open(bench, which, stats, &open) &&
      gs_bench_loop(bench, stats == GS_STATS_OFF ? &open.without : &open.with, &seconds)) {
    const int64_t steps = gs_bench_iterations(bench);
    gs_bench_items(bench, steps * which->shape.batch * which->shape.replicas);
    gs_bench_limits(bench, &open.cost, which->shape.dtype, roofline, seconds / (double)steps);
  }
  gs_bench_network_close(&open);
}

static void bench_off(gs_bench *bench, const void *which) {
  bench_step(bench, which, GS_STATS_OFF);
}
static void bench_norms(gs_bench *bench, const void *which) {
  bench_step(bench, which, GS_STATS_NORMS);
}
static void bench_full(gs_bench *bench, const void *which) {
  bench_step(bench, which, GS_STATS_FULL);
}

void gs_bench_register_steps(void) {
  const gs_bench_step_case *cases;
  const int count = gs_bench_step_cases(&cases);
  const gs_bench_clock clock = gs_bench_loop_clock();
  for (int i = 0; i < count; i++) {
    gs_bench_register_step("step", &cases[i], "/stats:off", bench_off, clock, 0);
    gs_bench_register_step("step", &cases[i], "/stats:norms", bench_norms, clock, 0);
    gs_bench_register_step("step", &cases[i], "/stats:full", bench_full, clock, 0);
  }
}
