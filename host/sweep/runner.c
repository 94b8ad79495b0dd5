/* A run. See runner.h. */
#include "sweep/runner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "sweep/build.h"
#include "sweep/device_facts.h"
#include "sweep/estimate.h"
#include "sweep/interrupt.h"
#include "sweep/results.h"
#include "sweep/session.h"

typedef struct run_state {
  const gs_sweep *sweep;
  const gs_run_options *options;
  gs_progress *progress;
  gs_run_report *report;
  gs_session session;
  gs_journal *journal;
  cJSON *options_tree; /* what changes results, and the timeout */
  cJSON *floor;        /* NULL: nothing is timed */
  cJSON *device;       /* as files have it */
  int64_t *by_id;      /* cells sorted by id, of a continued run */
} run_state;

gs_status gs_sweep_device(const gs_sweep *sweep, gs_backend *backend, const char **device,
                          gs_error *error) {
  for (int64_t i = 0; i < sweep->count; i++) {
    const gs_config *config = &sweep->cells[i].config;
    if (sweep->cells[i].several_devices) {
      return GS_FAIL(error, GS_ERR_DATA,
                     "a run uses one device, and the sweep asks for %s on several: choose with "
                     "--backend and --device",
                     sweep->cells[i].name);
    }
    if (i == 0) {
      *backend = config->backend;
      *device = config->device;
    } else if (config->backend != *backend || strcmp(config->device, *device) != 0) {
      return GS_FAIL(
          error, GS_ERR_DATA,
          "a run uses one device, and the sweep asks for %s \"%s\" and %s \"%s\": choose "
          "with --backend and --device",
          gs_backend_name(*backend), *device, gs_backend_name(config->backend), config->device);
    }
  }
  return sweep->count > 0 ? GS_OK : GS_FAIL(error, GS_ERR_DATA, "the sweep has no cells");
}

bool gs_run_accepts(const gs_run_options *options, const cJSON *device) {
  return !options->accept || options->accept(options->user, device);
}

/* ---- what the run is ---- */

static cJSON *make_options(const gs_run_options *options) {
  cJSON *tree = cJSON_CreateObject();
  if (tree && gs_json_add_number(tree, "time_limit_s", options->measure.time_limit_s) &&
      gs_json_add_number(tree, "spread", options->measure.spread) &&
      gs_json_add_int(tree, "max_points", options->measure.max_points) &&
      gs_json_add_number(tree, "threshold_decades", options->measure.threshold_decades) &&
      gs_json_add_number(tree, "memory_limit_bytes", options->memory_limit_bytes) &&
      gs_json_add_number(tree, "timeout_s", options->timeout_s)) {
    return tree;
  }
  cJSON_Delete(tree);
  return NULL;
}

/* Names the sweep: its cells, in order, and the options that change records. */
static gs_status hash_sweep(const run_state *run, char text[GS_CELL_ID_BYTES], gs_error *error) {
  uint64_t hash = GS_HASH_START;
  for (int64_t i = 0; i < run->sweep->count; i++) {
    hash = gs_hash_bytes(hash, run->sweep->cells[i].id, strlen(run->sweep->cells[i].id));
  }
  cJSON *options = cJSON_Duplicate(run->options_tree, true);
  cJSON_DeleteItemFromObjectCaseSensitive(options, "timeout_s"); /* may change on the way */
  char *line = gs_json_print_line(options);
  cJSON_Delete(options);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the sweep's name");
  snprintf(text, GS_CELL_ID_BYTES, "%016" PRIx64, gs_hash_bytes(hash, line, strlen(line)));
  free(line);
  return GS_OK;
}

static gs_status make_header(const run_state *run, cJSON **header, gs_error *error) {
  char sweep_hash[GS_CELL_ID_BYTES];
  char build_id[GS_BUILD_ID_BYTES];
  char date[GS_DATE_BYTES];
  GS_TRY(hash_sweep(run, sweep_hash, error));
  GS_TRY(gs_build_id(build_id, error));
  cJSON *tree = cJSON_CreateObject();
  if (tree && gs_json_add_int(tree, "journal", GS_JOURNAL_VERSION) &&
      gs_json_add_int(tree, "schema", GS_RESULTS_SCHEMA) &&
      gs_json_add_string(tree, "date", gs_results_date(date)) &&
      gs_json_add_string(tree, "name", run->sweep->name) &&
      gs_json_add_int(tree, "cells", run->sweep->count) &&
      gs_json_add_string(tree, "sweep", sweep_hash) &&
      gs_json_add_string(tree, "version", gs_build_version()) &&
      gs_json_add_string(tree, "build_id", build_id) &&
      gs_json_add(tree, "device", cJSON_Duplicate(run->device, true)) &&
      gs_json_add(tree, "device_token", gs_device_token(run->session.device)) &&
      gs_json_add(tree, "floor",
                  run->floor ? cJSON_Duplicate(run->floor, true) : cJSON_CreateNull())) {
    *header = tree;
    return GS_OK;
  }
  cJSON_Delete(tree);
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the journal's header");
}

/* ---- continuing ---- */

static gs_status check_same(const run_state *run, const cJSON *old, const cJSON *fresh,
                            gs_error *error) {
  static const struct {
    const char *key;
    const char *words;
  } facts[] = {{"sweep", "another sweep or other options"},
               {"schema", "another version of the format"},
               {"build_id", "another build of gradsweep"}};
  const char *different = NULL;
  for (size_t i = 0; i < sizeof facts / sizeof *facts && !different; i++) {
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(old, facts[i].key);
    const cJSON *b = cJSON_GetObjectItemCaseSensitive(fresh, facts[i].key);
    if (!cJSON_Compare(a, b, true)) different = facts[i].words;
  }
  const cJSON *device = cJSON_GetObjectItemCaseSensitive(old, "device");
  const cJSON *token = cJSON_GetObjectItemCaseSensitive(old, "device_token");
  if (!different && !gs_device_facts_again(device, token, run->session.device)) {
    different = "another device, driver, library or number of threads";
  }
  if (!different) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "cannot resume: %s/%s is of %s", run->options->folder,
                 GS_JOURNAL_NAME, different);
}

/* For qsort_r and bsearch over run->by_id. */
static int compare_cells(const void *a, const void *b, void *cells) {
  const gs_cell *all = cells;
  return strcmp(all[*(const int64_t *)a].id, all[*(const int64_t *)b].id);
}

static gs_status index_cells(run_state *run, gs_error *error) {
  const size_t count = (size_t)run->sweep->count;
  run->by_id = malloc(count * sizeof *run->by_id);
  if (!run->by_id) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the sweep's index");
  for (size_t i = 0; i < count; i++) run->by_id[i] = (int64_t)i;
  qsort_r(run->by_id, count, sizeof *run->by_id, compare_cells, run->sweep->cells);
  return GS_OK;
}

/* The cell with an id, or -1. */
static int64_t find_cell(const run_state *run, const char *id) {
  int64_t low = 0;
  int64_t high = run->sweep->count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const int order = strcmp(run->sweep->cells[run->by_id[middle]].id, id);
    if (order == 0) return run->by_id[middle];
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return -1;
}

static gs_status visit_record(void *user, const cJSON *record, int64_t offset, int64_t length,
                              gs_error *error) {
  run_state *run = user;
  gs_outcome outcome = gs_outcome_pending();
  GS_TRY(gs_outcome_read(record, &outcome, error));
  const int64_t cell = find_cell(run, gs_record_id(record));
  if (cell < 0) return GS_FAIL(error, GS_ERR_DATA, "a cell that the sweep does not have");
  outcome.offset = offset;
  outcome.length = length;
  run->report->outcomes[cell] = outcome;
  return GS_OK;
}

static bool is_done(const gs_outcome *outcome) {
  return outcome->status == GS_CELL_OK || outcome->status == GS_CELL_SKIPPED;
}

/* Takes over what the journal's run has finished. */
static gs_status continue_run(run_state *run, const cJSON *header, gs_error *error) {
  const cJSON *old = gs_journal_header(run->journal);
  GS_TRY(check_same(run, old, header, error));
  cJSON_Delete(run->floor);
  run->floor = NULL;
  const cJSON *floor = cJSON_GetObjectItemCaseSensitive(old, "floor");
  if (cJSON_IsObject(floor)) {
    run->floor = cJSON_Duplicate(floor, true);
    if (!run->floor) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the journal's floor");
  }
  GS_TRY(index_cells(run, error));
  return gs_journal_read(run->journal, visit_record, run, error);
}

/* ---- the cells ---- */

static bool must_stop(run_state *run) {
  if (!run->session.interrupted) return false;
  if (!run->report->signal_number) {
    run->report->signal_number = gs_interrupt_take(run->options->interrupt);
  }
  return true;
}

static gs_status run_cell(run_state *run, int64_t index, const gs_cell_terms *terms,
                          gs_error *error) {
  char *line = NULL;
  gs_outcome outcome;
  GS_TRY(gs_session_cell(&run->session, &run->sweep->cells[index], index, terms, &line, &outcome,
                         error));
  if (!line) return GS_OK; /* interrupted */
  const size_t length = strlen(line);
  const gs_status status = gs_journal_append(run->journal, line, length, &outcome.offset, error);
  outcome.length = (int64_t)length;
  free(line);
  if (status == GS_OK) run->report->outcomes[index] = outcome;
  return status;
}

static gs_status run_cells(run_state *run, gs_error *error) {
  const gs_sweep *sweep = run->sweep;
  const gs_cell_terms terms = {run->options->measure, run->floor, run->options->timeout_s,
                               run->options->memory_limit_bytes, run->options->identify};
  gs_floor numbers;
  const bool has_floor = run->floor && gs_floor_from_json(run->floor, &numbers);
  const gs_floor *floor = has_floor ? &numbers : NULL;
  gs_outcome *outcomes = run->report->outcomes;
  int64_t done = 0;
  double work = 0;
  for (int64_t i = 0; i < sweep->count; i++) {
    if (is_done(&outcomes[i])) {
      done++;
    } else {
      work += gs_estimate_seconds(&sweep->cells[i].config, &terms.measure, floor);
    }
  }
  gs_progress_begin(run->progress, sweep->count, done, work);
  for (int64_t i = 0; i < sweep->count; i++) {
    if (is_done(&outcomes[i])) continue;
    gs_progress_cell_begin(run->progress, sweep->cells[i].name);
    GS_TRY(run_cell(run, i, &terms, error));
    if (must_stop(run)) return GS_OK;
    gs_progress_cell_end(run->progress, &outcomes[i],
                         gs_estimate_seconds(&sweep->cells[i].config, &terms.measure, floor));
  }
  return GS_OK;
}

/* ---- the run ---- */

static void say_words(void *user, const char *line) { gs_progress_say(user, "worker: %s", line); }
static void keep_waiting(void *user) { gs_progress_wait(user); }

/* Everything before the run begins. */
static gs_status prepare(run_state *run, gs_error *error) {
  const gs_run_options *options = run->options;
  gs_process_options process = {.threads = options->threads,
                                .interrupt = options->interrupt,
                                .on_words = say_words,
                                .on_wait = keep_waiting,
                                .user = run->progress};
  GS_TRY(gs_sweep_device(run->sweep, &process.backend, &process.device, error));
  run->options_tree = make_options(options);
  run->report->outcomes = run->options_tree ? gs_outcomes_pending(run->sweep->count) : NULL;
  if (!run->report->outcomes) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %" PRId64 " cells", run->sweep->count);
  }
  GS_TRY(gs_journal_open(options->folder, options->mode, &run->journal, error));
  GS_TRY(gs_journal_take(run->journal, error));
  GS_TRY(gs_session_open(&run->session, &process, error));
  if (must_stop(run)) return GS_OK;
  run->device = gs_device_facts_public(run->session.device, options->identify);
  if (!run->device) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the device's description");
  run->report->refused = !gs_run_accepts(options, run->session.device);
  const bool timed = options->measure.time_limit_s > 0 && !gs_journal_header(run->journal);
  if (run->report->refused || !timed) return GS_OK;
  return gs_session_floor(&run->session, &run->floor, error);
}

static gs_status begin(run_state *run, gs_error *error) {
  cJSON *header = NULL;
  GS_TRY(make_header(run, &header, error));
  gs_status status = GS_OK;
  if (gs_journal_header(run->journal)) status = continue_run(run, header, error);
  if (status == GS_OK) status = gs_journal_begin(run->journal, header, error);
  cJSON_Delete(header);
  return status;
}

static gs_status write_results(const run_state *run, gs_error *error) {
  const gs_results_facts facts = {run->device, run->floor, run->options_tree};
  const gs_status status = gs_results_write(run->options->folder, run->sweep, run->report->outcomes,
                                            &facts, run->journal, error);
  run->report->results_there = status == GS_OK;
  return status;
}

static gs_status run_all(run_state *run, gs_error *error) {
  GS_TRY(prepare(run, error));
  if (must_stop(run) || run->report->refused) return GS_OK; /* nothing began, nothing to write */
  GS_TRY(begin(run, error));
  gs_status status = run_cells(run, error);
  gs_progress_end(run->progress);
  if (status == GS_OK) return write_results(run, error);
  if (status != GS_ERR_OUTPUT) (void)write_results(run, NULL); /* the first error is the news */
  return status;
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

gs_status gs_run(const gs_sweep *sweep, const gs_run_options *options, gs_progress *progress,
                 gs_run_report *report, gs_error *error) {
  const double started_s = now_s();
  memset(report, 0, sizeof *report);
  run_state run = {.sweep = sweep, .options = options, .progress = progress, .report = report};
  const gs_status status = run_all(&run, error);
  for (int64_t i = 0; report->outcomes && i < sweep->count; i++) {
    report->counts[report->outcomes[i].status]++;
  }
  gs_session_close(&run.session);
  gs_journal_destroy(run.journal);
  cJSON_Delete(run.options_tree);
  cJSON_Delete(run.floor);
  cJSON_Delete(run.device);
  free(run.by_id);
  report->seconds = now_s() - started_s;
  return status;
}

void gs_run_report_clear(gs_run_report *report) {
  free(report->outcomes);
  memset(report, 0, sizeof *report);
}
