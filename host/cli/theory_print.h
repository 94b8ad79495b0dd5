/* Predictions as tables for people. */
#ifndef GS_CLI_THEORY_PRINT_H
#define GS_CLI_THEORY_PRINT_H

#include <stdio.h>

#include "sweep/spec.h"
#include "theory/theory.h"

/* A row for each cell; for a single cell also its layers or steps, `points` of
 * them at most. theories: one per cell. Write errors show in the stream. Errors:
 * GS_ERR_MEMORY. */
gs_status gs_theory_print(FILE *stream, const gs_sweep *sweep, const gs_theory *theories,
                          int64_t points, gs_error *error);

/* Spectral radius and largest singular value of the recurrent matrices that the
 * rnn cells draw, on the CPU. Errors: those of gs_spectra_realised. */
gs_status gs_theory_print_realised(FILE *stream, const gs_sweep *sweep, gs_error *error);

#endif
