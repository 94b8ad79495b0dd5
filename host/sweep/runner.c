/* A run. See runner.h. */
#include "sweep/runner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/integer.h"
#include "base/json_writer.h"
#include "measure/options_json.h"
#include "sweep/build.h"
#include "sweep/device_facts.h"
#include "sweep/estimate.h"
#include "sweep/fault.h"
#include "sweep/interrupt.h"
#include "sweep/ledger.h"
#include "sweep/order.h"
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
  cJSON *device;       /* as files have it */
  gs_ledger ledger;
  cJSON *first_roofline; /* measured before the journal began; NULL: none waits for it */
  double started_s;      /* monotonic clock */
  double roofline_s;     /* when it was measured last; negative: not yet */
  bool roofline_old;     /* a cell has been timed since */
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
          gs_name(&gs_backend_names, *backend), *device,
          gs_name(&gs_backend_names, config->backend), config->device);
    }
  }
  return sweep->count > 0 ? GS_OK : GS_FAIL(error, GS_ERR_DATA, "the sweep has no cells");
}

bool gs_run_accepts(const gs_run_options *options, const cJSON *device) {
  return !options->accept || options->accept(options->user, device);
}

int64_t gs_run_rounds(const gs_run_options *options) {
  const bool timed = options->measure.timing.time_limit_s > 0;
  return timed && options->interleave > 1 ? options->interleave : 1;
}

/* ---- what the run is ---- */

static cJSON *make_options(const gs_run_options *options) {
  gs_json_writer w = gs_json_writer_object();
  gs_measure_options_put(&w, &options->measure, false);
  gs_json_put_int(&w, "interleave", options->interleave);
  gs_json_put(&w, "order_seed", gs_json_uint64(options->order_seed));
  gs_json_put_number(&w, "memory_limit_bytes", options->memory_limit_bytes);
  gs_json_put_number(&w, "timeout_s", options->timeout_s);
  return gs_json_finish(&w);
}

/* Names the sweep: its cells, in order, and the options that change records. */
static gs_status hash_sweep(const run_state *run, char text[GS_CELL_ID_BYTES], gs_error *error) {
  uint64_t hash = GS_HASH_START;
  for (int64_t i = 0; i < run->sweep->count; i++) {
    hash = gs_hash_bytes(hash, run->sweep->cells[i].id, strlen(run->sweep->cells[i].id));
  }
  cJSON *options = cJSON_Duplicate(run->options_tree, true);
  cJSON_DeleteItemFromObjectCaseSensitive(options, "timeout_s"); /* may change on the way */
  char *line = NULL;
  GS_TRY(gs_json_take_line(options, "the sweep's name", &line, error));
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
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_int(&w, "journal", GS_JOURNAL_VERSION);
  gs_json_put_int(&w, "schema", GS_RESULTS_SCHEMA);
  gs_json_put_string(&w, "date", gs_results_date(date));
  gs_json_put_string(&w, "name", run->sweep->name);
  gs_json_put_int(&w, "cells", run->sweep->count);
  gs_json_put_string(&w, "sweep", sweep_hash);
  gs_json_put_string(&w, "version", gs_build_version());
  gs_json_put_string(&w, "build_id", build_id);
  gs_json_put_copy(&w, "device", run->device);
  gs_json_put(&w, "device_token", gs_device_token(run->session.device));
  return gs_json_finish_as(&w, "the journal's header", header, error);
}

/* ---- continuing ---- */

static gs_status check_same(const run_state *run, const cJSON *old, const cJSON *fresh,
                            gs_error *error) {
  static const struct {
    const char *key;
    const char *label;
  } facts[] = {{"sweep", "another sweep or other options"},
               {"schema", "another version of the format"},
               {"build_id", "another build of gradsweep"}};
  const char *different = NULL;
  for (size_t i = 0; i < sizeof facts / sizeof *facts && !different; i++) {
    const cJSON *a = gs_json_get(old, facts[i].key);
    const cJSON *b = gs_json_get(fresh, facts[i].key);
    if (!cJSON_Compare(a, b, true)) different = facts[i].label;
  }
  const cJSON *device = gs_json_get(old, "device");
  const cJSON *token = gs_json_get(old, "device_token");
  if (!different && !gs_device_facts_again(device, token, run->session.device)) {
    different = "another device, driver, library or number of threads";
  }
  if (!different) return GS_OK;
  return GS_FAIL(error, GS_ERR_DATA, "cannot resume: %s/%s is of %s", run->options->folder,
                 GS_JOURNAL_NAME, different);
}

static void say_damaged(void *user, const char *message) {
  gs_progress_warn(user, "gradsweep: warning: a damaged line does not count: %s", message);
}

/* Takes over what the journal's run has finished. */
static gs_status continue_run(run_state *run, const cJSON *header, gs_error *error) {
  const cJSON *old = gs_journal_header(run->journal);
  GS_TRY(check_same(run, old, header, error));
  return gs_ledger_read(&run->ledger, run->journal, say_damaged, run->progress, error);
}

/* ---- the roofline ---- */

static bool is_timed(const run_state *run) { return run->options->measure.timing.time_limit_s > 0; }

/* Measures the roofline; *entry is the caller's, NULL when interrupted. */
static gs_status measure_roofline(run_state *run, cJSON **entry, gs_error *error) {
  cJSON *limits = NULL;
  *entry = NULL;
  GS_TRY(gs_session_roofline(&run->session, &limits, error));
  if (run->session.interrupted) return GS_OK;
  run->roofline_s = gs_clock_s();
  run->roofline_old = false;
  *entry = gs_rooflines_entry(limits, run->roofline_s - run->started_s);
  return *entry ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the floor");
}

static gs_status keep_roofline(run_state *run, cJSON *entry, gs_error *error) {
  if (!entry) return GS_OK;
  const gs_status status = gs_ledger_append_roofline(&run->ledger, run->journal, entry, error);
  cJSON_Delete(entry);
  return status;
}

/* Another roofline beside the one there is. One that cannot be measured is no loss. */
static gs_status measure_another_roofline(run_state *run, gs_error *error) {
  cJSON *entry = NULL;
  gs_error details;
  if (measure_roofline(run, &entry, &details) != GS_OK) {
    gs_progress_say(run->progress, "the floor could not be measured again: %s", details.message);
    run->roofline_s = gs_clock_s();
  }
  return keep_roofline(run, entry, error);
}

/* Before a cell: the first roofline of this process, or another when it is old. */
static gs_status freshen_roofline(run_state *run, gs_error *error) {
  cJSON *entry = NULL;
  if (!is_timed(run)) return GS_OK;
  if (run->roofline_s < 0) {
    GS_TRY(measure_roofline(run, &entry, error));
    return keep_roofline(run, entry, error);
  }
  const bool old = gs_clock_s() - run->roofline_s >= GS_ROOFLINE_EVERY_S || gs_fault_stale();
  return run->roofline_old && old ? measure_another_roofline(run, error) : GS_OK;
}

/* ---- the cells ---- */

static bool must_stop(run_state *run) {
  if (!run->session.interrupted) return false;
  if (!run->report->signal_number) {
    run->report->signal_number = gs_interrupt_take(run->options->interrupt);
  }
  return true;
}

/* One cell in one round: the terms that differ from cell to cell are set here. */
static gs_status run_cell(run_state *run, int64_t index, gs_cell_terms *terms, gs_outcome *outcome,
                          gs_error *error) {
  gs_record_facts facts;
  const gs_outcome *first = &run->report->outcomes[index];
  const int64_t round = terms->measure.round;
  char *line = NULL;
  terms->measure.steps_per_sample = 0; /* the first round finds it */
  if (round > 0) {
    (void)gs_integer_of(first->steps_per_sample, 1, GS_INTEGER_MAX,
                        &terms->measure.steps_per_sample);
  }
  GS_TRY(gs_session_cell(&run->session, &run->sweep->cells[index], index, terms, run->journal,
                         &line, &facts, error));
  *outcome = facts.outcome;
  if (run->session.interrupted) return GS_OK;
  run->roofline_old = true;
  if (!line) return gs_ledger_seal(&run->ledger, run->journal, index, &facts, error);
  const gs_status status =
      gs_ledger_append(&run->ledger, run->journal, index, round, line, &facts, error);
  free(line);
  return status;
}

static double estimate(const run_state *run, int64_t index, int64_t round) {
  gs_roofline_best best;
  gs_measure_options options = run->options->measure;
  const bool has_roofline = gs_rooflines_best(&run->ledger.rooflines, &best);
  options.round = round;
  return gs_estimate_seconds(&run->sweep->cells[index].config, &options,
                             has_roofline ? &best.limits : NULL);
}

/* The sweep's own order, or one of the round's. */
static void order_cells(const run_state *run, int64_t round, int64_t *order) {
  const int64_t count = run->sweep->count;
  for (int64_t i = 0; i < count; i++) order[i] = i;
  if (run->options->interleave > 0) {
    gs_order_shuffle(order, count, run->options->order_seed, round);
  }
}

static gs_status run_round(run_state *run, int64_t round, int64_t *order, gs_error *error) {
  gs_cell_terms terms = {run->options->measure, run->options->timeout_s,
                         run->options->memory_limit_bytes, run->options->identify};
  terms.measure.round = round;
  order_cells(run, round, order);
  for (int64_t k = 0; k < run->sweep->count; k++) {
    const int64_t i = order[k];
    gs_outcome outcome;
    if (gs_ledger_is_done(&run->ledger, i, round)) continue;
    if (gs_ledger_is_hopeless(&run->ledger, i, round)) {
      run->progress->total--;
      continue;
    }
    GS_TRY(freshen_roofline(run, error));
    if (must_stop(run)) return GS_OK;
    gs_progress_cell_begin(run->progress, run->sweep->cells[i].name);
    GS_TRY(run_cell(run, i, &terms, &outcome, error));
    if (must_stop(run)) return GS_OK;
    gs_progress_cell_end(run->progress, &outcome, estimate(run, i, round));
  }
  return GS_OK;
}

static void begin_progress(const run_state *run) {
  const int64_t rounds = run->ledger.rounds;
  int64_t done = 0;
  double work = 0;
  for (int64_t i = 0; i < run->sweep->count; i++) {
    for (int64_t round = 0; round < rounds; round++) {
      if (gs_ledger_is_done(&run->ledger, i, round)) {
        done++;
      } else {
        work += estimate(run, i, round);
      }
    }
  }
  gs_progress_begin(run->progress, run->sweep->count * rounds, done, work);
}

static gs_status run_cells(run_state *run, gs_error *error) {
  gs_status status = GS_OK;
  int64_t *order = calloc((size_t)run->sweep->count, sizeof *order);
  if (!order) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the order of the cells");
  begin_progress(run);
  for (int64_t round = 0; status == GS_OK && round < run->ledger.rounds; round++) {
    if (!must_stop(run)) status = run_round(run, round, order, error);
  }
  free(order);
  gs_roofline_best best; /* none: the journal's were damaged */
  const bool has_roofline = gs_rooflines_best(&run->ledger.rooflines, &best);
  if (status != GS_OK || must_stop(run) || !is_timed(run)) return status;
  if (has_roofline && !run->roofline_old) return GS_OK;
  status = measure_another_roofline(run, error);
  (void)must_stop(run); /* notes the signal; there is nothing left to stop */
  return status;
}

/* ---- the run ---- */

static void say_message(void *user, const char *line) { gs_progress_say(user, "worker: %s", line); }
static void keep_waiting(void *user) { gs_progress_wait(user); }

/* Everything before the run begins. */
static gs_status prepare(run_state *run, gs_error *error) {
  const gs_run_options *options = run->options;
  gs_process_options process = {.threads = options->threads,
                                .interrupt = options->interrupt,
                                .on_message = say_message,
                                .on_wait = keep_waiting,
                                .user = run->progress};
  GS_TRY(gs_sweep_device(run->sweep, &process.backend, &process.device, error));
  run->options_tree = make_options(options);
  run->report->outcomes = run->options_tree ? gs_outcomes_pending(run->sweep->count) : NULL;
  if (!run->report->outcomes) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %" PRId64 " cells", run->sweep->count);
  }
  GS_TRY(gs_ledger_open(&run->ledger, run->sweep, gs_run_rounds(options), run->report->outcomes,
                        error));
  GS_TRY(gs_journal_open(options->folder, options->mode, &run->journal, error));
  GS_TRY(gs_journal_take(run->journal, error));
  GS_TRY(gs_session_open(&run->session, &process, error));
  if (must_stop(run)) return GS_OK;
  run->device = gs_device_facts_public(run->session.device, options->identify);
  if (!run->device) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the device's description");
  run->report->refused = !gs_run_accepts(options, run->session.device);
  if (run->report->refused || !is_timed(run) || gs_journal_header(run->journal)) return GS_OK;
  return measure_roofline(run, &run->first_roofline, error);
}

static gs_status begin(run_state *run, gs_error *error) {
  cJSON *header = NULL;
  GS_TRY(make_header(run, &header, error));
  gs_status status = GS_OK;
  if (gs_journal_header(run->journal)) status = continue_run(run, header, error);
  if (status == GS_OK) status = gs_journal_begin(run->journal, header, error);
  cJSON_Delete(header);
  if (status != GS_OK) return status;
  cJSON *roofline = run->first_roofline;
  run->first_roofline = NULL;
  return keep_roofline(run, roofline, error);
}

static gs_status write_results(const run_state *run, gs_error *error) {
  const gs_results_facts facts = {run->device, run->options_tree};
  const gs_status status =
      gs_results_write(run->options->folder, &run->ledger, &facts, run->journal, error);
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

gs_status gs_run(const gs_sweep *sweep, const gs_run_options *options, gs_progress *progress,
                 gs_run_report *report, gs_error *error) {
  const double started_s = gs_clock_s();
  memset(report, 0, sizeof *report);
  run_state run = {.sweep = sweep,
                   .options = options,
                   .progress = progress,
                   .report = report,
                   .started_s = started_s,
                   .roofline_s = -1};
  const gs_status status = run_all(&run, error);
  for (int64_t i = 0; report->outcomes && i < sweep->count; i++) {
    report->counts[report->outcomes[i].status]++;
  }
  gs_session_close(&run.session);
  gs_journal_destroy(run.journal);
  cJSON_Delete(run.options_tree);
  cJSON_Delete(run.device);
  cJSON_Delete(run.first_roofline);
  gs_ledger_clear(&run.ledger);
  report->seconds = gs_clock_s() - started_s;
  return status;
}

void gs_run_report_clear(gs_run_report *report) {
  free(report->outcomes);
  memset(report, 0, sizeof *report);
}
