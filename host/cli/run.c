/* gradsweep run: a sweep file or a model and its parameters, measured. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/run_options.h"
#include "sweep/dryrun.h"
#include "sweep/files.h"
#include "sweep/interrupt.h"
#include "sweep/table.h"
#include "sweep/text.h"

static gs_status read_sweep(const gs_run_arguments *arguments, const gs_given *given,
                            gs_sweep *sweep, gs_error *error) {
  const char *backend =
      arguments->backend >= 0 ? gs_name(&gs_backend_names, arguments->backend) : NULL;
  GS_TRY(gs_given_sweep(&gs_run_command, given, backend, arguments->device, sweep, error));
  if (arguments->filter) GS_TRY(gs_sweep_filter(sweep, arguments->filter, error));
  if (sweep->count > 0) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "no cell matches --filter");
}

/* ---- where the results go ---- */

#define LOCAL_RESULTS "results/local"

/* "results/local/<name>-<date>": a new folder for every run. */
static int name_folder(const gs_sweep *sweep, char folder[GS_PATH_BYTES]) {
  char name[GS_SWEEP_NAME_BYTES];
  char date[32];
  const time_t now = time(NULL);
  struct tm local;
  memset(&local, 0, sizeof local);
  localtime_r(&now, &local);
  strftime(date, sizeof date, "%Y%m%d-%H%M%S", &local);
  snprintf(name, sizeof name, "%s", sweep->name);
  for (char *at = name; *at; at++) {
    const bool plain =
        strchr("0123456789-_.", *at) || (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
    if (!plain || (at == name && *at == '.')) *at = '_';
  }
  return snprintf(folder, GS_PATH_BYTES, LOCAL_RESULTS "/%s-%s", name, date);
}

/* Makes a new folder, of the next name where another run was faster. made: what
 * gs_folder_unmake takes back when the run leaves nothing in it. */
static gs_status make_folder(const gs_sweep *sweep, char folder[GS_PATH_BYTES],
                             char made[GS_PATH_BYTES], gs_error *error) {
  const int length = name_folder(sweep, folder);
  GS_TRY(gs_folder_create(LOCAL_RESULTS, made, error));
  for (int i = 2; mkdir(folder, 0777) != 0; i++) {
    if (errno != EEXIST) {
      return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, errno, "cannot create the folder %s: %s", folder,
                            strerror(errno));
    }
    snprintf(folder + length, (size_t)(GS_PATH_BYTES - length), "-%d", i);
  }
  if (!made[0]) strcpy(made, folder);
  return GS_OK;
}

/* ---- what is printed ---- */

static void print_list(const gs_sweep *sweep) {
  for (int64_t i = 0; i < sweep->count && !ferror(stdout); i++) {
    printf("%s  %s\n", sweep->cells[i].id, sweep->cells[i].name);
  }
}

static void print_counts(const gs_sweep *sweep, const gs_run_report *report, const char *folder) {
  char seconds[GS_NUMBER_BYTES];
  const char *separator = ":";
  printf("\n%lld cells", (long long)sweep->count);
  for (int i = 0; i < GS_CELL_STATUS_COUNT; i++) {
    if (!report->counts[i]) continue;
    printf("%s %lld %s", separator, (long long)report->counts[i],
           i == GS_CELL_PENDING ? "not run" : gs_name(&gs_cell_status_names, (gs_cell_status)i));
    separator = ",";
  }
  printf("; %s\n", gs_text_seconds(report->seconds, seconds));
  if (report->results_there) printf("results: %s/%s\n", folder, GS_RESULTS_NAME);
}

static gs_status print_report(const gs_sweep *sweep, const gs_run_report *report,
                              const char *folder, gs_error *error) {
  const bool colour = gs_terminal_has_colour(stdout);
  GS_TRY(gs_table_print(stdout, sweep, report->outcomes, colour, error));
  print_counts(sweep, report, folder);
  return GS_OK;
}

/* ---- the run ---- */

/* The command line's before the sweep's before the usual. A limit that nobody gives leaves
 * room for the least time. */
static gs_timing_limits choose_timing(const gs_run_arguments *arguments,
                                      const gs_sweep_timing *sweep) {
  gs_timing_limits timing = gs_measure_defaults().timing;
  if (sweep->spread >= 0) timing.spread = sweep->spread;
  if (sweep->min_samples >= 0) timing.min_samples = sweep->min_samples;
  if (arguments->min_samples >= 0) timing.min_samples = arguments->min_samples;
  if (sweep->min_time_s >= 0) timing.min_time_s = sweep->min_time_s;
  if (arguments->min_time_s >= 0) timing.min_time_s = arguments->min_time_s;
  timing.time_limit_s = fmax(timing.time_limit_s, 2 * timing.min_time_s);
  if (sweep->time_limit_s >= 0) timing.time_limit_s = sweep->time_limit_s;
  if (arguments->time_limit_s >= 0) timing.time_limit_s = arguments->time_limit_s;
  return timing;
}

static gs_run_options make_options(const gs_run_arguments *arguments, const gs_sweep *sweep,
                                   const char *folder, int interrupt) {
  gs_run_options options = {.folder = folder,
                            .mode = arguments->resume      ? GS_JOURNAL_RESUME
                                    : arguments->overwrite ? GS_JOURNAL_OVERWRITE
                                                           : GS_JOURNAL_NEW,
                            .measure = gs_measure_defaults(),
                            .timeout_s = arguments->timeout_s,
                            .memory_limit_bytes = arguments->memory_limit_bytes,
                            .threads = (int)arguments->threads,
                            .interrupt = interrupt,
                            .identify = arguments->identify};
  options.measure.max_points = arguments->max_points;
  options.measure.threshold_decades = arguments->threshold_decades;
  options.interleave = arguments->interleave;
  options.order_seed = (uint64_t)arguments->order_seed;
  options.measure.timing = choose_timing(arguments, &sweep->timing);
  return options;
}

/* What the requirements are judged by. */
typedef struct judging {
  const gs_run_arguments *arguments;
  gs_require_facts facts;
  int unmet;
} judging;

/* options.accept: what can be known of the run before it measures anything. */
static bool accept_device(void *user, const cJSON *device) {
  judging *judge = user;
  judge->facts.device = device;
  judge->unmet = gs_requirements_judge(&judge->arguments->require, &judge->facts, stderr);
  judge->facts.device = NULL; /* it is the session's */
  return judge->unmet == 0;
}

/* The exit code of a run that came to its end. */
static int judge_end(judging *judge, const gs_run_report *report) {
  const int64_t lost = report->counts[GS_CELL_FAILED] + report->counts[GS_CELL_TIMEOUT] +
                       report->counts[GS_CELL_CRASHED];
  const int64_t skipped = report->counts[GS_CELL_SKIPPED];
  if (report->signal_number) return GS_EXIT_SIGNAL + report->signal_number;
  if (report->refused) return GS_EXIT_REQUIRE;
  (void)fflush(stdout); /* the table comes first */
  judge->facts.outcomes = report->outcomes;
  judge->unmet = gs_requirements_judge(&judge->arguments->require, &judge->facts, stderr);
  if (skipped == judge->facts.sweep->count && !judge->facts.only_statuses) {
    (void)fprintf(stderr, "gradsweep: error: every cell was skipped\n");
  }
  if (judge->unmet > 0) return GS_EXIT_REQUIRE;
  if (judge->facts.only_statuses) return 0; /* a dry run has lost nothing */
  return lost > 0 || skipped == judge->facts.sweep->count ? GS_EXIT_CELLS : 0;
}

static gs_status measure(const gs_run_arguments *arguments, const gs_sweep *sweep,
                         const gs_run_options *options, gs_run_report *report, gs_error *error) {
  gs_progress progress = gs_progress_on(arguments->quiet ? NULL : stderr, stderr);
  gs_status status = gs_run(sweep, options, &progress, report, error);
  gs_progress_end(&progress);
  /* what was measured is shown, though it could not be kept */
  const bool begun = report->outcomes && report->counts[GS_CELL_PENDING] < sweep->count;
  const bool ended = !report->signal_number && !report->refused;
  if (status == GS_OK ? report->results_there || ended : begun) {
    gs_error ignored;
    const gs_status printed =
        print_report(sweep, report, options->folder, status == GS_OK ? error : &ignored);
    if (status == GS_OK) status = printed;
  }
  if (report->signal_number) {
    gs_progress_say(&progress, "ended by a signal (%s); --resume --out %s continues",
                    strsignal(report->signal_number), options->folder);
  }
  return status;
}

static gs_status run_or_try(const gs_run_arguments *arguments, const gs_sweep *sweep,
                            const gs_run_options *options, int *code, gs_error *error) {
  gs_run_options judged = *options;
  gs_run_report report;
  judging judge = {.arguments = arguments,
                   .facts = {.sweep = sweep,
                             .timed = options->measure.timing.time_limit_s > 0,
                             .only_statuses = arguments->dry_run}};
  judged.accept = accept_device;
  judged.user = &judge;
  const gs_status status = arguments->dry_run ? gs_dry_run(stdout, sweep, &judged, &report, error)
                                              : measure(arguments, sweep, &judged, &report, error);
  if (status == GS_OK) *code = judge_end(&judge, &report);
  gs_run_report_clear(&report);
  return status;
}

/* Measures in the folder that was asked for, or in a new one; a dry run needs none. */
static gs_status run_in_folder(const gs_run_arguments *arguments, const gs_sweep *sweep, int *code,
                               gs_error *error) {
  char folder[GS_PATH_BYTES];
  char made[GS_PATH_BYTES];
  const bool new_folder = !arguments->folder && !arguments->dry_run;
  const int interrupt = gs_interrupt_open(); /* before anything is made */
  if (new_folder) GS_TRY(make_folder(sweep, folder, made, error));
  const gs_run_options options =
      make_options(arguments, sweep, new_folder ? folder : arguments->folder, interrupt);
  const gs_status status = run_or_try(arguments, sweep, &options, code, error);
  if (new_folder) gs_folder_unmake(folder, made);
  return status;
}

static gs_status run_sweep(const gs_run_arguments *arguments, const gs_sweep *sweep, int *code,
                           gs_error *error) {
  if (!arguments->list) return run_in_folder(arguments, sweep, code, error);
  print_list(sweep);
  return GS_OK;
}

static gs_status run(void *all, const gs_given *given, int *code, gs_error *error) {
  const gs_run_arguments *arguments = all;
  gs_sweep sweep;
  memset(&sweep, 0, sizeof sweep);
  GS_TRY(gs_run_arguments_check(arguments, error));
  gs_status status = read_sweep(arguments, given, &sweep, error);
  if (status == GS_OK) status = run_sweep(arguments, &sweep, code, error);
  gs_sweep_clear(&sweep);
  return status;
}

const gs_command gs_run_command = {
    .name = "run",
    .summary = "measure a sweep of deep networks",
    .usages = (const char *const[]){"SWEEP.json [options]", "mlp|rnn [parameters] [options]", NULL},
    .description =
        "Measures every cell of a sweep, and writes results.json and a journal of what is\n"
        "finished into a folder. gradsweep theory predicts the same cells.\n",
    .options = gs_run_option_table,
    .arguments_size = sizeof(gs_run_arguments),
    .defaults = gs_run_arguments_default,
    .operands = true,
    .parameters = true,
    .run = run};
