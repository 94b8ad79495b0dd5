// Google Benchmark behind the C functions of gbench.h.
#include "gbench.h"

#include <benchmark/benchmark.h>

struct gs_bench {
  benchmark::State *state;
};

extern "C" {

void gs_bench_register(const char *name, gs_bench_function function, const void *argument,
                       gs_bench_clock clock, double min_time_s) {
  auto *registered =
      benchmark::RegisterBenchmark(name, [function, argument](benchmark::State &state) {
        gs_bench bench{&state};
        function(&bench, argument);
      });
  if (clock == GS_BENCH_MANUAL_TIME)
    registered->UseManualTime();
  else
    registered->UseRealTime();
  if (min_time_s > 0) registered->MinTime(min_time_s);
}

bool gs_bench_next(gs_bench *bench) { return bench->state->KeepRunning(); }

bool gs_bench_next_batch(gs_bench *bench, int64_t iterations) {
  return bench->state->KeepRunningBatch(iterations);
}

void gs_bench_iteration_seconds(gs_bench *bench, double seconds) {
  bench->state->SetIterationTime(seconds);
}

int64_t gs_bench_iterations(const gs_bench *bench) { return bench->state->iterations(); }

void gs_bench_items(gs_bench *bench, int64_t items) { bench->state->SetItemsProcessed(items); }

void gs_bench_bytes(gs_bench *bench, int64_t bytes) { bench->state->SetBytesProcessed(bytes); }

void gs_bench_label(gs_bench *bench, const char *label) { bench->state->SetLabel(label); }

void gs_bench_counter(gs_bench *bench, const char *name, double value) {
  bench->state->counters[name] = value;
}

void gs_bench_counter_rate(gs_bench *bench, const char *name, double total) {
  bench->state->counters[name] = benchmark::Counter(total, benchmark::Counter::kIsRate);
}

void gs_bench_fail(gs_bench *bench, const char *message) { bench->state->SkipWithError(message); }

void gs_bench_context(const char *key, const char *value) {
  benchmark::AddCustomContext(key, value);
}

int gs_bench_main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
}
