/* What a run says while it runs: a bar on a terminal, a line per cell
 * otherwise. Only words; a failing stream is nobody's problem, and none that is not read
 * holds a run up. */
#ifndef GS_SWEEP_PROGRESS_H
#define GS_SWEEP_PROGRESS_H

#include <stdio.h>

#include "sweep/record.h"

typedef struct gs_progress {
  FILE *stream;   /* borrowed; NULL: silent */
  FILE *warnings; /* borrowed; NULL: silent about these, too */
  bool terminal;
  bool colour;
  int64_t total;    /* cells */
  int64_t done;     /* cells, those of a continued run's past included */
  double work;      /* estimated seconds of the cells to run */
  double work_done; /* of those finished */
  double started_s; /* monotonic clock */
  double cell_start_s;
  double drawn_s;   /* when the bar was drawn last */
  const char *name; /* of the cell that runs; borrowed */
  bool drawn;       /* a bar stands on the current line */
  bool stalled;     /* nobody reads the stream, as far as is known, */
  int64_t missing;  /* and so many lines were not written */
} gs_progress;

/* Whether to colour: a terminal, NO_COLOR not set (https://no-color.org), and a
 * terminal that can. */
bool gs_terminal_has_colour(FILE *stream);

/* Either may be NULL: silent. */
gs_progress gs_progress_on(FILE *stream, FILE *warnings);

/* A run of `total` cells begins, `done` of which an earlier run has finished;
 * `work` is the sum of the estimates of the rest. */
void gs_progress_begin(gs_progress *progress, int64_t total, int64_t done, double work);
void gs_progress_cell_begin(gs_progress *progress, const char *name);
void gs_progress_cell_end(gs_progress *progress, const gs_outcome *outcome, double work);
/* Called often; draws the bar again now and then. */
void gs_progress_wait(gs_progress *progress);
/* A line on its own, past the bar; control characters are replaced. */
void gs_progress_say(gs_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same of what nobody may miss: also said where the rest is silent. */
void gs_progress_warn(gs_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the bar away. */
void gs_progress_end(gs_progress *progress);

/* "1:02:03", "2:03". Returns the buffer. */
enum { GS_DURATION_BYTES = 24 };
const char *gs_duration_text(double seconds, char text[GS_DURATION_BYTES]);

#endif
