/* Whole training steps as benchmarks see them: shapes, networks, and a step as
 * timed work. */
#ifndef GS_BENCH_BENCH_NETWORK_H
#define GS_BENCH_BENCH_NETWORK_H

#include "bench.h"
#include "net/network.h"

typedef struct gs_bench_shape {
  gs_model model;
  int64_t length; /* depth, or time steps */
  int64_t width;  /* or hidden and input size */
  int64_t batch, replicas;
  gs_activation_kind activation;
  gs_dtype dtype;
  gs_loop loop;
} gs_bench_shape;

/* A shape, and whether its step is replayed as a graph. */
typedef struct gs_bench_step_case {
  gs_bench_shape shape;
  bool graph;
} gs_bench_step_case;

/* The cases of this device: its shapes and dtypes, each eagerly and, where there are
 * graphs, as one. Made at the first call, there until the program ends. */
int gs_bench_step_cases(const gs_bench_step_case **cases);

/* Adds GROUP/mlp/depth:10/width:1024/...SUFFIX; the argument is the case. */
void gs_bench_register_step(const char *group, const gs_bench_step_case *which, const char *suffix,
                            gs_bench_function function, gs_bench_clock clock, double min_time_s);

/* A network of a case, at work; `with` times its step with statistics, `without`
 * without them. */
typedef struct gs_bench_network {
  gs_network *network;
  gs_cost cost;
  gs_bench_work without, with;
} gs_bench_network;
/* False, and the benchmark failed with the words, when there can be none. To be
 * closed in either case. `with` has a graph only for stats other than off. */
bool gs_bench_network_open(gs_bench *bench, const gs_bench_step_case *which, gs_stats_level stats,
                           gs_bench_network *open);
void gs_bench_network_close(gs_bench_network *open);

#endif
