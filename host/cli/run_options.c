/* The command line of `gradsweep run`. See run_options.h. */
#include "cli/run_options.h"

static gs_status add_requirement(void *all, const char *list, gs_error *error) {
  return gs_requirements_add(&((gs_run_arguments *)all)->require, list, error);
}

#define FIELD(name) offsetof(gs_run_arguments, name)
const gs_option gs_run_option_table[] = {
    {.name = "out",
     .argument = "DIR",
     .help = "where the results go (results/local/NAME-DATE)",
     .kind = GS_OPTION_TEXT,
     .offset = FIELD(folder)},
    {.name = "resume",
     .help = "continue the run in DIR: do what is missing or went wrong",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(resume)},
    {.name = "overwrite",
     .help = "replace the run in DIR",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(overwrite)},
    {.name = "list",
     .help = "print the cells' ids and names, run nothing",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(list)},
    {.name = "filter",
     .argument = "REGEX",
     .help = "only cells whose name matches (POSIX extended), or whole ids",
     .kind = GS_OPTION_TEXT,
     .offset = FIELD(filter)},
    {.name = "dry-run",
     .help = "print each cell's memory, arithmetic and time, run nothing",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(dry_run)},
    {.name = "timeout",
     .argument = "S",
     .help = "a cell may take so long (600)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(timeout_s),
     .min = 0.001,
     .max = 1e9},
    {.name = "time-limit",
     .argument = "S",
     .help = "timing of a cell stops here; 0: no timing (the sweep's, or 1, or "
             "twice the least time if that is more)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(time_limit_s),
     .min = 0,
     .max = 1e6},
    {.name = "min-time",
     .argument = "S",
     .help = "but not before its samples took so long (the sweep's, or 0.5)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(min_time_s),
     .min = 0,
     .max = 1e6},
    {.name = "min-samples",
     .argument = "N",
     .help = "... and are so many (the sweep's, or 10)",
     .kind = GS_OPTION_WHOLE,
     .offset = FIELD(min_samples),
     .min = 1,
     .max = GS_TIMING_MAX_SAMPLES},
    {.name = "interleave",
     .argument = "R",
     .help = "time all cells in R rounds, each in a random order; from 9 on "
             "Google Benchmark's compare.py tells chance from change",
     .kind = GS_OPTION_WHOLE,
     .offset = FIELD(interleave),
     .min = 0,
     .max = 1000},
    {.name = "order-seed",
     .argument = "N",
     .help = "of these orders (1)",
     .kind = GS_OPTION_WHOLE,
     .offset = FIELD(order_seed),
     .min = 0,
     .max = 9e15},
    {.name = "memory-limit",
     .argument = "BYTES",
     .help = "cells that need more are skipped; k, M, G, T may follow",
     .kind = GS_OPTION_BYTES,
     .offset = FIELD(memory_limit_bytes),
     .min = 1,
     .max = 1e18},
    GS_THREADS_OPTION(gs_run_arguments),
    {.name = "max-points",
     .argument = "N",
     .help = "longer layer axes are thinned in the record (1024)",
     .kind = GS_OPTION_WHOLE,
     .offset = FIELD(max_points),
     .min = 2,
     .max = GS_MAX_DEPTH},
    {.name = "threshold",
     .argument = "DECADES",
     .help = "what counts as vanishing or exploding (1)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(threshold_decades),
     .min = 0,
     .max = 1e6},
    GS_BACKEND_OPTION(gs_run_arguments),
    GS_DEVICE_OPTION(gs_run_arguments),
    {.name = "identify",
     .help = "a GPU's UUID and PCI address go into the results, too",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(identify)},
    {.name = "require",
     .argument = "WHAT",
     .help = "otherwise the exit code is 3; commas between several, or again:",
     .kind = GS_OPTION_CALL,
     .set = add_requirement,
     .more_help = gs_requirements_print_help},
    {.name = "quiet",
     .help = "no progress on the standard error",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(quiet)},
    {.name = NULL}};
#undef FIELD

gs_status gs_run_arguments_check(const gs_run_arguments *arguments, gs_error *error) {
  if (arguments->resume && arguments->overwrite) {
    return GS_FAIL(error, GS_ERR_USAGE, "--resume and --overwrite exclude each other");
  }
  if (arguments->list && arguments->dry_run) {
    return GS_FAIL(error, GS_ERR_USAGE, "--list and --dry-run exclude each other");
  }
  if (arguments->list && arguments->require.count > 0) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "--list and --require exclude each other: a list runs nothing");
  }
  if (arguments->resume && !arguments->folder) {
    return GS_FAIL(error, GS_ERR_USAGE, "--resume needs --out: the folder of the run to continue");
  }
  if (arguments->folder && !arguments->folder[0]) {
    return GS_FAIL(error, GS_ERR_USAGE, "--out needs the name of a folder");
  }
  return GS_OK;
}

void gs_run_arguments_default(void *arguments) {
  const gs_measure_options usual = gs_measure_defaults();
  const double usual_timeout_s = 600;
  *(gs_run_arguments *)arguments = (gs_run_arguments){.backend = -1,
                                                      .time_limit_s = -1,
                                                      .min_time_s = -1,
                                                      .min_samples = -1,
                                                      .order_seed = 1,
                                                      .timeout_s = usual_timeout_s,
                                                      .threshold_decades = usual.threshold_decades,
                                                      .max_points = usual.max_points};
}
