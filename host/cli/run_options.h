/* The command line of `gradsweep run`. */
#ifndef GS_CLI_RUN_OPTIONS_H
#define GS_CLI_RUN_OPTIONS_H

#include "cli/options.h"
#include "sweep/require.h"
#include "sweep/runner.h"

typedef struct gs_run_arguments {
  const char *folder; /* NULL: not given */
  const char *filter; /* NULL: every cell */
  gs_requirements require;
  int backend;         /* a gs_backend, -1: not given */
  const char *device;  /* NULL: not given */
  double time_limit_s; /* negative: not given */
  double min_time_s;   /* the same */
  int64_t min_samples; /* the same */
  int64_t interleave;
  int64_t order_seed;
  double timeout_s;
  double threshold_decades;
  double memory_limit_bytes;
  int64_t max_points;
  int64_t threads;
  bool identify;
  bool list;
  bool dry_run;
  bool resume;
  bool overwrite;
  bool quiet;
} gs_run_arguments;

/* Ends with a NULL name. */
extern const gs_option gs_run_option_table[];

/* arguments: a gs_run_arguments. */
void gs_run_arguments_default(void *arguments);

/* Whether these options go together. Errors: GS_ERR_USAGE naming them. */
gs_status gs_run_arguments_check(const gs_run_arguments *arguments, gs_error *error);

#endif
