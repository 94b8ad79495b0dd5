/* Faults on demand, so that tests can see what a run makes of them.
 *
 * The worker reads the environment variable GRADSWEEP_FAULT, a comma-
 * separated list of kind:cell, the cell by its index in the sweep, from 0:
 *
 *   crash:3    abort while measuring cell 3
 *   exit:3     exit with code 3, half an answer written
 *   hang:3     never answer
 *   garbage:3  answer with something that is not JSON
 *   print:3    write to the standard output, as a careless library does
 *   slow:3     take 0.2 s longer
 *   lost:3     lose the device for good while measuring cell 3
 *   late:3     all times are 5 % longer than they were
 *   weights:3  the weights of another seed
 *   ulp:3      delta's norm in the middle layer is one unit in the last place off
 *   off:3      ... is off by 1e-3 of itself
 *   *          in place of a number: every cell
 *   crash:3@2  in round 2 of an interleaved run alone
 *
 * Of the roofline, in the same list: instead of measuring it the worker makes up limits that
 * are far too low ("lame") or too high to be met ("lavish"); the parent takes every roofline
 * for too old when a cell begins ("stale").
 *
 * "impatient", in the same list: the parent waits two seconds for a worker's hello and for
 * its answers to what is not a cell. And the variable GRADSWEEP_FAULT_WORKER names a
 * program that is started in place of the worker, with its arguments.
 *
 * "absent" (alone) makes the device missing; "falsify" (alone) makes gradsweep
 * reproduce expect other numbers than it measures. Without the variables nothing
 * happens. */
#ifndef GS_SWEEP_FAULT_H
#define GS_SWEEP_FAULT_H

#include "base/json.h"
#include "device/facts.h"
#include "net/config.h"

#define GS_FAULT_VARIABLE "GRADSWEEP_FAULT"
#define GS_FAULT_WORKER_VARIABLE "GRADSWEEP_FAULT_WORKER"

/* Does what the variable asks for at this cell, on the way to its answer.
 * Returns true when a broken answer has been written to `output` already. */
bool gs_fault_at_cell(int64_t cell, int64_t round, int output);

/* Marks the device lost, with words, if the variable asks for it at this cell. */
void gs_fault_at_device(int64_t cell, int64_t round, gs_device *device);

/* Changes what is about to be measured: another seed. */
void gs_fault_at_config(int64_t cell, int64_t round, gs_config *config);

/* Changes what was measured: times, or a norm, in a record whose digest is then again that of
 * its numbers. */
void gs_fault_at_record(int64_t cell, int64_t round, cJSON *record);

/* Makes a roofline up, if the variable asks for it; whether it did. */
bool gs_fault_at_roofline(gs_roofline *roofline);

/* Whether rooflines are to be taken for old. */
bool gs_fault_stale(void);

/* How long to wait where `seconds` are usual. */
double gs_fault_patience_s(double seconds);

/* The program that is a worker: `usual`, or another. */
const char *gs_fault_worker(const char *usual);

/* Whether the device is to be missing. */
bool gs_fault_absent(void);

/* Whether claims are to fail. */
bool gs_fault_falsify(void);

#endif
