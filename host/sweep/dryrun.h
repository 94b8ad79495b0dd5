/* A run that does not run: what each cell would take. */
#ifndef GS_SWEEP_DRYRUN_H
#define GS_SWEEP_DRYRUN_H

#include <stdio.h>

#include "sweep/runner.h"

/* Prints each cell's predicted memory, arithmetic and time, and of a cell that does
 * not fit how many of its replicas would; then the totals and the measured rates
 * behind them. Writes no file. Of options the folder and the mode are not used. Of
 * the report's outcomes only the status means something: ok or skipped, as a run
 * would end; it is to be cleared in either case. Write errors show in the stream.
 * Errors: of gs_process_start; GS_ERR_DATA (several devices); GS_ERR_DEVICE. */
gs_status gs_dry_run(FILE *stream, const gs_sweep *sweep, const gs_run_options *options,
                     gs_run_report *report, gs_error *error);

#endif
