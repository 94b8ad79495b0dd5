/* benchmarks: every device operation over shapes, and whole training steps.
 *
 *   benchmarks --benchmark_filter='^step/' --benchmark_format=json
 *   GRADSWEEP_BACKEND=cuda benchmarks ...
 *
 * On the CPU times are wall times of one call and its wait; on a GPU they are the
 * device's own, of many calls in a row, or, where a name ends in l2:cold, of one
 * after the caches were emptied. `of_peak`, `of_copy` and `of_barriers` are what a
 * time is of the device's own limits, measured in the same run: multiply-adds of the
 * dtype, copied bytes, barriers of a block's warps; `floor_us` is the least time that
 * these allow. `of_launches` is the same for the launches that wait for each other as
 * they are today. GOALS.md lists what is expected of them. */
#include <stdio.h>

#include "base/threads.h"
#include "bench.h"

/* The report's head says what was measured on. */
static void describe(void) {
  const gs_device_info *info = gs_bench_info();
  gs_bench_context("gradsweep_version", GRADSWEEP_VERSION);
  gs_bench_context("gradsweep_build", GRADSWEEP_BUILD);
  gs_bench_context("gradsweep_backend", info->backend);
  gs_bench_context("gradsweep_device", info->name);
  gs_bench_context("gradsweep_libraries", info->libraries);
  if (info->driver[0]) gs_bench_context("gradsweep_driver", info->driver);
}

int main(int argc, char **argv) {
  gs_error error = {0};
  gs_threads_spin_briefly(argv); /* as in the program's workers */
  const gs_status status = gs_bench_device_open(&error);
  if (status != GS_OK) {
    (void)fprintf(stderr, "benchmarks: error: %s\n", error.message);
    return gs_status_exit_code(status);
  }
  describe();
  gs_bench_register_ops();
  gs_bench_register_recurrent();
  gs_bench_register_init();
  gs_bench_register_steps();
  gs_bench_register_ratios();
  gs_bench_register_products();
  const int code = gs_bench_main(argc, argv);
  gs_bench_device_close();
  return code;
}
