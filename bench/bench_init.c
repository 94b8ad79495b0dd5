/* Initialisation of a large tensor on a GPU: normal numbers against constants of
 * the same size, which cost nothing but writing them. The two take turns. */
#include <inttypes.h>
#include <stdio.h>

#include "bench.h"
#include "device/device.h"
#include "net/config.h"

enum { SIDE = 1 << 14, MAX_PAIRS = 1000 }; /* 2^28 elements */

static const gs_dtype dtypes[] = {GS_F32, GS_BF16};

typedef struct fill_subject {
  const gs_tensor *tensor;
  gs_fill fill;
} fill_subject;

static gs_status enqueue_fill(gs_device *device, const void *subject) {
  const fill_subject *what = subject;
  return device->ops->fill(device, what->tensor, &what->fill);
}

static void report(gs_bench *bench, gs_dtype dtype, double *normal_s, double *ratios,
                   int64_t pairs) {
  const double elements = (double)SIDE * SIDE;
  const double median_s = gs_bench_median(normal_s, pairs);
  gs_bench_counter(bench, "numbers_per_s", elements / median_s);
  gs_bench_counter(bench, "bytes_per_s", elements * (double)gs_dtype_bytes(dtype) / median_s);
  gs_bench_counter(bench, "of_write_bandwidth", gs_bench_median(ratios, pairs));
  gs_bench_counter(bench, "pairs", (double)pairs);
}

static void bench_normals(gs_bench *bench, const void *argument) {
  const gs_dtype dtype = *(const gs_dtype *)argument;
  gs_bench_memory memory = {.bench = bench, .device = gs_bench_device()};
  const gs_tensor tensor = gs_bench_tensor(&memory, 1, SIDE, SIDE, 1, dtype, 1);
  const fill_subject normal = {&tensor,
                               {.kind = GS_FILL_NORMAL, .value = 1, .seed = 7, .tensor_id = 1}};
  const fill_subject constant = {&tensor, {.kind = GS_FILL_CONSTANT, .value = 1}};
  const gs_bench_work drawn = {.enqueue = enqueue_fill, .subject = &normal};
  const gs_bench_work written = {.enqueue = enqueue_fill, .subject = &constant};
  double normal_s[MAX_PAIRS], ratios[MAX_PAIRS];
  int64_t pairs = 0;
  bool ok = !memory.failed && gs_bench_seconds(bench, &drawn, 1) >= 0 &&
            gs_bench_seconds(bench, &written, 1) >= 0;
  while (ok && gs_bench_next(bench)) {
    const double taken = gs_bench_seconds(bench, &drawn, 1);
    const double min = gs_bench_seconds(bench, &written, 1);
    ok = taken > 0 && min > 0;
    gs_bench_iteration_seconds(bench, ok ? taken : 1);
    if (!ok || pairs == MAX_PAIRS) continue;
    normal_s[pairs] = taken;
    ratios[pairs++] = min / taken;
  }
  if (ok) report(bench, dtype, normal_s, ratios, pairs);
  gs_bench_memory_free(&memory);
}

void gs_bench_register_init(void) {
  if (!gs_bench_is_gpu()) return;
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
    char name[96];
    if (!gs_bench_has_dtype(dtypes[i])) continue;
    snprintf(name, sizeof name, "init/normal/elements:%" PRId64 "/%s", (int64_t)SIDE * SIDE,
             gs_name(&gs_dtype_names, dtypes[i]));
    gs_bench_register(name, bench_normals, &dtypes[i], GS_BENCH_MANUAL_TIME, 1);
  }
}
