/* What the table says of timing: two columns, and lines below it that name cells whose times
 * are to be taken with care. */
#ifndef GS_SWEEP_TABLE_TIMING_H
#define GS_SWEEP_TABLE_TIMING_H

#include <stdio.h>

#include "sweep/record.h"
#include "sweep/spec.h"
#include "sweep/text.h"

/* The number of samples, and their noise: "?" where one sample says nothing of it, "-" where
 * nothing was timed. Both return the buffer. */
const char *gs_timing_samples_text(const gs_outcome *outcome, char text[GS_NUMBER_BYTES]);
const char *gs_timing_noise_text(const gs_outcome *outcome, char text[GS_NUMBER_BYTES]);

/* The lines: whether the machine was busy; noisy cells; those that fell short of what was
 * asked for; those that are faster than the floor allows. Nothing where all is well. */
void gs_table_timing_print(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes);

#endif
