/* The readable end of a run: a table per model of what its cells showed. */
#ifndef GS_SWEEP_TABLE_H
#define GS_SWEEP_TABLE_H

#include <stdio.h>

#include "sweep/record.h"
#include "sweep/spec.h"

/* Prints the cells that have finished, mlp and rnn apart. Parameters with one
 * value in all of a table's cells stand above it, the others are its first
 * columns. Write errors show in the stream. Errors: GS_ERR_MEMORY. */
gs_status gs_table_print(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes,
                         bool colour, gs_error *error);

#endif
