/* How long a device takes to draw normal numbers, for comparisons with other programs. */
#ifndef GS_BENCH_NORMALS_H
#define GS_BENCH_NORMALS_H

#include "device/facts.h"

/* Fills a rows x cols tensor of the dtype with N(0, 1), again and again for about so many
 * seconds (at least three times after one to warm up): *median_ns of one fill and its
 * *least_ns. On the CPU by the host's clock, with the wait; on a GPU by its events.
 * Errors: GS_ERR_USAGE, GS_ERR_UNSUPPORTED, GS_ERR_MEMORY, GS_ERR_DEVICE. */
gs_status gs_bench_normals(gs_device *device, int64_t rows, int64_t cols, gs_dtype dtype,
                           double seconds, double *median_ns, double *min_ns, gs_error *error);

#endif
