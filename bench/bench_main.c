/* benchmarks: every device operation over shapes, and whole training steps.
 *
 *   benchmarks --benchmark_filter='^step/' --benchmark_format=json
 *
 * Times are wall times of one call and its wait. `of_peak` and `of_copy` are
 * fractions of the machine's own multiply-add and copy rates, measured at the
 * start of the same run. GOALS.md lists what is expected of them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"

/* Threads spin as briefly as in the program's workers (host/sweep/process.c).
 * libgomp reads its setting when the program starts: set it and start again. */
static void spin_briefly(char **argv) {
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
  if (setenv("GOMP_SPINCOUNT", "2000", 0) == 0) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv) {
  spin_briefly(argv);
  gs_bench_context("gradsweep_version", GRADSWEEP_VERSION);
  gs_bench_context("gradsweep_build", GRADSWEEP_BUILD);
  gs_bench_register_ops();
  gs_bench_register_recurrent();
  gs_bench_register_steps();
  const int code = gs_bench_main(argc, argv);
  gs_bench_device_close();
  return code;
}
