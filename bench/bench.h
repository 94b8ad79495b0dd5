/* What the benchmarks share: the device, its floor, tensors to work on. */
#ifndef GS_BENCH_BENCH_H
#define GS_BENCH_BENCH_H

#include "device/device.h"
#include "gbench.h"
#include "measure/measure.h"

/* The device of this run, opened at first use; NULL (and the benchmark failed
 * with its words) when it cannot be. */
gs_device *gs_bench_device(gs_bench *bench);
/* The machine's own limits, measured once in this run. */
const gs_floor *gs_bench_floor(gs_bench *bench);
/* Releases what the two above made. */
void gs_bench_device_close(void);

/* True when status is GS_OK; else the benchmark has failed with the words. */
bool gs_bench_ok(gs_bench *bench, gs_status status, const gs_error *error);

/* Device memory of one benchmark; gs_bench_memory_free releases all of it. */
enum { GS_BENCH_MAX_BLOCKS = 64 };
typedef struct gs_bench_memory {
  gs_bench *bench;
  gs_device *device;
  void *blocks[GS_BENCH_MAX_BLOCKS];
  int count;
  bool failed;
} gs_bench_memory;
/* A block of device memory, or NULL with `failed` set. */
void *gs_bench_take(gs_bench_memory *memory, size_t bytes);
/* A packed sequence of `steps` (1: a plain tensor) times rows x cols, filled with
 * N(0, std^2). It has exponent slots: operations that keep exponents are the ones
 * a default run uses. */
gs_tensor gs_bench_tensor(gs_bench_memory *memory, int64_t steps, int64_t rows, int64_t cols,
                          int64_t replicas, gs_dtype dtype, double std);
/* Gives the device the workspace its operations on these sizes want. */
void gs_bench_workspace(gs_bench_memory *memory, const gs_workspace_need *need);
void gs_bench_memory_free(gs_bench_memory *memory);

/* Monotonic seconds, and the median of n numbers (which it sorts). */
double gs_bench_now(void);
double gs_bench_median(double *values, int64_t count);

/* Each file's benchmarks. */
void gs_bench_register_ops(void);
void gs_bench_register_recurrent(void);
void gs_bench_register_steps(void);

#endif
