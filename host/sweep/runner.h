/* A run: every cell of a sweep through a worker process into the journal, then
 * results.json. The process that calls this opens no device. */
#ifndef GS_SWEEP_RUNNER_H
#define GS_SWEEP_RUNNER_H

#include "measure/measure.h"
#include "sweep/journal.h"
#include "sweep/progress.h"
#include "sweep/record.h"
#include "sweep/spec.h"

typedef struct gs_run_options {
  const char *folder;
  gs_journal_mode mode;
  gs_measure_options measure;
  int64_t interleave;        /* rounds of random order; 0: the sweep's order, once */
  uint64_t order_seed;       /* of these orders */
  double timeout_s;          /* per cell and round */
  double memory_limit_bytes; /* per cell; 0: what the device has */
  int threads;               /* 0: one per processor */
  int interrupt;             /* gs_interrupt_open; -1: none */
  bool identify;             /* files say which one the device is: its UUID and PCI address */
  /* Asked once the device is open, before anything is measured or written; false ends
   * the run. NULL: every device is welcome. */
  bool (*accept)(void *user, const cJSON *device);
  void *user;
} gs_run_options;

typedef struct gs_run_report {
  gs_outcome *outcomes; /* one per cell of the sweep, owned */
  int64_t counts[GS_CELL_STATUS_COUNT];
  int signal_number;  /* the signal that ended the run, or 0 */
  bool refused;       /* by options.accept: nothing was done */
  bool results_there; /* results.json has been written */
  double seconds;
} gs_run_report;

/* How many rounds a run has: 1 also where nothing is timed. */
int64_t gs_run_rounds(const gs_run_options *options);

/* Asks options.accept, if there is one, about the device of an open session. */
bool gs_run_accepts(const gs_run_options *options, const cJSON *device);

/* The one backend and device that all cells of a sweep ask for. Errors:
 * GS_ERR_DATA when they ask for several. */
gs_status gs_sweep_device(const gs_sweep *sweep, gs_backend *backend, const char **device,
                          gs_error *error);

/* Runs the sweep. Cells that fail cost themselves only and are no error. When
 * the run cannot go on (the device does not come back) what has finished is
 * still written to results.json before the error returns. *report is to be
 * cleared in either case. Errors: of gs_process_start, gs_journal_open,
 * gs_journal_append and gs_results_write; GS_ERR_DATA when a journal to be
 * continued is of another sweep, build or device. */
gs_status gs_run(const gs_sweep *sweep, const gs_run_options *options, gs_progress *progress,
                 gs_run_report *report, gs_error *error);
void gs_run_report_clear(gs_run_report *report);

#endif
