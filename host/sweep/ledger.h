/* What a run has finished: for every cell and round the newest line of the journal, and the
 * rooflines measured on the way. A cell's record is put together from its lines: the first
 * round's has everything, those of later rounds their timing alone. */
#ifndef GS_SWEEP_LEDGER_H
#define GS_SWEEP_LEDGER_H

#include "sweep/journal.h"
#include "sweep/record_read.h"
#include "sweep/rooflines.h"
#include "sweep/spec.h"

/* One line of the journal. */
typedef struct gs_ledger_line {
  gs_cell_status status;
  int64_t offset; /* without its newline */
  int64_t length;
  double median_ns;                             /* of the round; NaN: not timed */
  double timed_steps;                           /* samples x steps per sample */
  gs_shape_span status_at, error_at, timing_at; /* in the line of a first round */
} gs_ledger_line;

typedef struct gs_ledger {
  const gs_sweep *sweep; /* borrowed */
  int64_t rounds;
  gs_outcome *outcomes;  /* of the cells, borrowed */
  gs_ledger_line *lines; /* cell x rounds + round */
  gs_rooflines rooflines;
  int64_t *by_id; /* cells sorted by id, of a continued run */
} gs_ledger;

/* outcomes: one for each cell, kept up to date. The caller clears the ledger, also after a
 * failure. Errors: GS_ERR_MEMORY. */
gs_status gs_ledger_open(gs_ledger *ledger, const gs_sweep *sweep, int64_t rounds,
                         gs_outcome *outcomes, gs_error *error);
void gs_ledger_clear(gs_ledger *ledger);

/* Takes over what the run in the journal has finished. Damaged lines, and those of other
 * cells or rounds, are left out and told about (gs_journal_reader; may be NULL). Errors:
 * of gs_journal_read. */
gs_status gs_ledger_read(gs_ledger *ledger, gs_journal *journal,
                         void (*damaged)(void *user, const char *message), void *user,
                         gs_error *error);

/* Appends the line of a cell and round to the journal and takes it over. */
gs_status gs_ledger_append(gs_ledger *ledger, gs_journal *journal, int64_t cell, int64_t round,
                           const char *text, const gs_record_facts *facts, gs_error *error);
/* The same of the first round of a cell whose record has been poured into the journal. */
gs_status gs_ledger_seal(gs_ledger *ledger, gs_journal *journal, int64_t cell,
                         const gs_record_facts *facts, gs_error *error);
/* The same of a roofline (borrowed). */
gs_status gs_ledger_append_roofline(gs_ledger *ledger, gs_journal *journal, const cJSON *entry,
                                    gs_error *error);

/* Whether a cell needs no further run in this round: it is done, or skipped; or it is a
 * later round of a cell that the first one could not measure. */
bool gs_ledger_is_done(const gs_ledger *ledger, int64_t cell, int64_t round);
bool gs_ledger_is_hopeless(const gs_ledger *ledger, int64_t cell, int64_t round);

/* The first round's, or that of the first later one that went wrong. */
gs_cell_status gs_ledger_status(const gs_ledger *ledger, int64_t cell);

const gs_ledger_line *gs_ledger_line_of(const gs_ledger *ledger, int64_t cell, int64_t round);

/* Writes the record of a cell, put together: the first round's with the timing of all,
 * judged by the best roofline; a round that went wrong is the cell's status and reason, and
 * leaves it without timing. All else is copied, byte for byte. Brings the cell's outcome up
 * to date. The caller finds the stream's errors with ferror. Errors: GS_ERR_OUTPUT;
 * GS_ERR_DATA; GS_ERR_MEMORY. */
gs_status gs_ledger_write(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                          FILE *stream, gs_error *error);

#endif
