/* The command line of `gradsweep run`. */
#ifndef GS_CLI_RUN_OPTIONS_H
#define GS_CLI_RUN_OPTIONS_H

#include "net/param.h"
#include "sweep/require.h"
#include "sweep/runner.h"

typedef struct gs_run_arguments {
  const char *sweep; /* a file, or NULL: a model and its parameters */
  gs_model model;
  char **parameters; /* "--depth=10,50", owned */
  int parameter_count;
  const char *folder; /* NULL: not given */
  const char *filter; /* NULL: every cell */
  gs_requirements require;
  const char *backend;
  const char *device;
  double time_limit_s; /* negative: not given */
  double min_time_s;   /* the same */
  int64_t min_samples; /* the same */
  int64_t interleave;
  int64_t order_seed;
  double timeout_s;
  double threshold_decades;
  double memory_limit_bytes;
  int64_t max_points;
  int threads;
  bool help;
  bool identify;
  bool list;
  bool dry_run;
  bool resume;
  bool overwrite;
  bool quiet;
} gs_run_arguments;

/* Parses argv[1..]. Strings stay argv's. To be cleared also after a failure.
 * Errors: GS_ERR_USAGE naming the option; GS_ERR_MEMORY. */
gs_status gs_run_arguments_parse(int argc, char **argv, gs_run_arguments *arguments,
                                 gs_error *error);
void gs_run_arguments_clear(gs_run_arguments *arguments);

/* The value of --backend. Errors: GS_ERR_USAGE. */
gs_status gs_backend_parse(const char *value, gs_backend *backend, gs_error *error);

#endif
