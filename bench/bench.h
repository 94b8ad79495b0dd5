/* What the benchmarks share: the device, its roofline, tensors to work on, and how a
 * call is timed. */
#ifndef GS_BENCH_BENCH_H
#define GS_BENCH_BENCH_H

#include "device/device.h"
#include "gbench.h"
#include "measure/cost.h"
#include "measure/measure.h"

/* ---- the device (bench_device.c) ---- */

/* Opens the device of this run (open.h). Everything below needs it. */
gs_status gs_bench_device_open(gs_error *error);
void gs_bench_device_close(void);
gs_device *gs_bench_device(void);
const gs_device_info *gs_bench_info(void);
bool gs_bench_is_gpu(void);
bool gs_bench_has_dtype(gs_dtype dtype);
/* The device's own limits, measured once in this run; NULL (and the benchmark
 * failed with the words) when that is impossible. */
const gs_roofline *gs_bench_roofline(gs_bench *bench);

/* True when status is GS_OK; else the benchmark has failed with the words, which begin
 * with "unsupported: " where the device does not serve such a request. */
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

/* ---- time (bench_time.c) ---- */

/* What is timed: a call that enqueues some work. */
typedef struct gs_bench_work {
  gs_status (*enqueue)(gs_device *, const void *subject);
  const void *subject;
  gs_graph *graph;        /* the same, captured: replayed in its place; or NULL */
  const gs_tensor *flush; /* written before every call, outside its time; or NULL */
} gs_bench_work;

/* Captures the work as a graph (after one call as it is). False when it failed. The
 * caller's to gs_bench_release. */
bool gs_bench_capture(gs_bench *bench, gs_bench_work *work);
void gs_bench_release(gs_bench_work *work);

/* Seconds of so many calls together and the wait for them; negative when that failed.
 * Where the host shares the device's memory its clock is right; else the device's
 * events are, which do not see how the host was held up. With `flush` only one call. */
double gs_bench_seconds(gs_bench *bench, const gs_bench_work *work, int64_t calls);
/* How many calls to time together, so that the events around them are not what is
 * measured: 1 on the CPU and with `flush`. 0 when a call failed. */
int64_t gs_bench_batch(gs_bench *bench, const gs_bench_work *work);
/* The benchmark's loop, after one call to warm up. *seconds: all calls of the loop.
 * False when one failed. */
bool gs_bench_loop(gs_bench *bench, const gs_bench_work *work, double *seconds);
/* The clock that gs_bench_loop needs. */
gs_bench_clock gs_bench_loop_clock(void);

/* Times a and b in turns, after one call of each to warm up; the benchmark's loop.
 * Reports the median of b / a as `ratio`, their medians as a_us and b_us, and `pairs`. */
void gs_bench_pair(gs_bench *bench, const gs_bench_work *a, const gs_bench_work *b);

/* Beside a time per call: what it is of the device's limits (of_peak of the dtype,
 * of_copy, of_barriers), the least time these allow (floor_us), and what it is of the time
 * of today's launches (of_launches). What the cost or the device does not have is left
 * out. */
void gs_bench_limits(gs_bench *bench, const gs_cost *cost, gs_dtype dtype,
                     const gs_roofline *roofline, double seconds_per_call);

/* The median of n numbers, which it sorts. */
double gs_bench_median(double *values, int64_t count);

/* ---- each file's benchmarks ---- */
void gs_bench_register_ops(void);
void gs_bench_register_recurrent(void);
void gs_bench_register_init(void);
void gs_bench_register_steps(void);
void gs_bench_register_ratios(void);
void gs_bench_register_products(void);

#endif
