/* Google Benchmark for C: the part of it that the benchmarks use. gbench.cc
 * implements it and is the only C++ file. */
#ifndef GS_BENCH_GBENCH_H
#define GS_BENCH_GBENCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One benchmark while it runs. */
typedef struct gs_bench gs_bench;

/* The body: prepares, loops `while (gs_bench_next(bench)) {...}`, cleans up.
 * It may be called several times, with growing numbers of iterations. */
typedef void (*gs_bench_function)(gs_bench *bench, const void *argument);

typedef enum gs_bench_clock {
  GS_BENCH_REAL_TIME,  /* wall time of the loop */
  GS_BENCH_MANUAL_TIME /* what gs_bench_iteration_seconds is told */
} gs_bench_clock;

/* Adds a benchmark. The name is copied; argument is passed on and must live
 * until gs_bench_main returns. min_time_s 0: Google Benchmark's default. */
void gs_bench_register(const char *name, gs_bench_function function, const void *argument,
                       gs_bench_clock clock, double min_time_s);

/* True once per iteration. The time from the first call to the one that returns
 * false is measured. */
bool gs_bench_next(gs_bench *bench);
/* The same for so many iterations at once. */
bool gs_bench_next_batch(gs_bench *bench, int64_t iterations);
/* GS_BENCH_MANUAL_TIME: the time of this iteration, or batch of them. */
void gs_bench_iteration_seconds(gs_bench *bench, double seconds);

/* Iterations the finished loop has run. */
int64_t gs_bench_iterations(const gs_bench *bench);

/* What to report, after the loop. _items and _bytes: totals over the loop. */
void gs_bench_items(gs_bench *bench, int64_t items);
void gs_bench_bytes(gs_bench *bench, int64_t bytes);
void gs_bench_label(gs_bench *bench, const char *label);
/* A number as it is; _rate: a total over the loop, divided by the time. */
void gs_bench_counter(gs_bench *bench, const char *name, double value);
void gs_bench_counter_rate(gs_bench *bench, const char *name, double total);

/* Reports failure and makes gs_bench_next return false. */
void gs_bench_fail(gs_bench *bench, const char *message);

/* A line of the report's head. */
void gs_bench_context(const char *key, const char *value);

/* Runs what is registered as the command line says (--benchmark_filter=...);
 * returns the exit code. */
int gs_bench_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
