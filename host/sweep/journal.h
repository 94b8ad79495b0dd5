/* The journal of a run: DIR/journal.jsonl. Its first line says which run it is
 * (sweep, build, device), every other line is the record of one finished cell, a later
 * round's timing of one, or a measurement of the roofline (sweep/ledger.h), written at once
 * and synced, so that a killed run loses at most the cell in flight. A cell and round
 * that was run again has several lines; the newest counts.
 *
 * A line is an object whose last member, "sha256", is the checksum of the bytes before
 * it (results/README.md). Here a line is the object without that member, and its length
 * that of its text: the checksum is added and checked by this module alone.
 *
 * The file is locked while it is open: one run per folder. */
#ifndef GS_SWEEP_JOURNAL_H
#define GS_SWEEP_JOURNAL_H

#include "base/json.h"
#include "base/json_scan.h"

#define GS_JOURNAL_NAME "journal.jsonl"
#define GS_RESULTS_NAME "results.json"

enum { GS_JOURNAL_VERSION = 2 };

typedef enum gs_journal_mode {
  GS_JOURNAL_NEW,      /* refuse a folder that holds a run */
  GS_JOURNAL_RESUME,   /* continue the run in the folder, if there is one */
  GS_JOURNAL_OVERWRITE /* replace it */
} gs_journal_mode;

typedef struct gs_journal gs_journal;

/* Finds and locks what the folder holds, and changes nothing: no file is made
 * before gs_journal_take and none is cut before gs_journal_begin. From here on the
 * folder and the file are the ones that were found, whatever becomes of their names.
 * The caller destroys *journal, which takes back what was made for a run that did not
 * begin.
 * Errors: GS_ERR_USAGE when a new run's folder holds a run already; GS_ERR_OUTPUT
 * when the folder cannot be written, another process runs in it, or the journal or the
 * results are no plain file (links are not followed); GS_ERR_DATA
 * when a journal to be resumed has a header that cannot be read; GS_ERR_MEMORY. */
gs_status gs_journal_open(const char *folder, gs_journal_mode mode, gs_journal **journal,
                          gs_error *error);
void gs_journal_destroy(gs_journal *journal);

/* Makes the folder and an empty, locked journal where there is none yet, so that of two
 * runs one knows at once. Errors: GS_ERR_OUTPUT, when the other came first, too. */
gs_status gs_journal_take(gs_journal *journal, gs_error *error);

/* The open folder; -1 before there is one. The journal's. */
int gs_journal_folder(const gs_journal *journal);

/* The header of the run to be continued, or NULL: the run starts anew (also
 * when a killed run left a journal without one whole line). */
const cJSON *gs_journal_header(const gs_journal *journal);

/* A line in a journal; opened with gs_journal_line_at, it is read from its start. */
typedef struct gs_journal_line {
  const gs_journal *journal;
  int64_t offset; /* in the file */
  int64_t length;
  int64_t at; /* what is read next */
} gs_journal_line;

gs_journal_line gs_journal_line_at(const gs_journal *journal, int64_t offset, int64_t length);
/* As a source (base/json_scan.h), for as long as *line is there. Errors of reading:
 * GS_ERR_OUTPUT. */
gs_json_source gs_journal_source(gs_journal_line *line);
/* Up to `room` bytes of the line from `at` on, as they are, in *got. */
gs_status gs_journal_peek(const gs_journal_line *line, int64_t at, char *into, size_t room,
                          size_t *got, gs_error *error);

typedef struct gs_journal_reader {
  /* Called with each line that has its checksum, oldest first. GS_ERR_DATA: it is damaged. */
  gs_status (*visit)(void *user, const gs_journal_line *line, gs_error *error);
  /* Called with words about each damaged line, "folder/journal.jsonl:3: why". */
  void (*damaged)(void *user, const char *message);
  void *user;
} gs_journal_reader;

/* Reads every line after the header, strictly. A line with any damage is named and left
 * out, and stays where it is; so is a last line that was torn by the end of a run, which
 * gs_journal_begin cuts off. Errors: GS_ERR_OUTPUT when the file cannot be read;
 * GS_ERR_MEMORY; what `visit` returns. */
gs_status gs_journal_read(gs_journal *journal, const gs_journal_reader *reader, gs_error *error);

/* Makes the journal ready for records. Of a continued run, which must have been
 * read, the torn last line is cut off; a new one gets its folder, its file and the header, synced.
 * Errors: GS_ERR_OUTPUT; GS_ERR_MEMORY. */
gs_status gs_journal_begin(gs_journal *journal, const cJSON *header, gs_error *error);

/* Appends one line (an object's text, no newline in it) and syncs. On failure (GS_ERR_OUTPUT) the
 * file is as it was before; one is that somebody else has removed, replaced or changed
 * it. *offset is where the line starts. */
gs_status gs_journal_append(gs_journal *journal, const char *line, size_t length, int64_t *offset,
                            gs_error *error);

/* Reads bytes [from, to) of a line as a tree. Errors: GS_ERR_OUTPUT when the journal cannot
 * be read; GS_ERR_DATA when it has been damaged; GS_ERR_MEMORY. */
gs_status gs_journal_parse(const gs_journal_line *line, int64_t from, int64_t to, cJSON **tree,
                           gs_error *error);

/* Copies bytes [from, to) of a line to a stream, whose errors the caller finds with
 * ferror. Errors: GS_ERR_OUTPUT when the journal cannot be read. */
gs_status gs_journal_copy(const gs_journal_line *line, int64_t from, int64_t to, FILE *stream,
                          gs_error *error);

/* A long line that arrives piece by piece, straight into the file: pieces are poured behind
 * its whole lines, may be read as a line, and are then sealed (checksum, newline, sync), which
 * makes them one, or dropped. What a killed run has poured is a torn line. Errors, which drop
 * it: GS_ERR_OUTPUT. */
gs_status gs_journal_pour(gs_journal *journal, const char *bytes, size_t length, gs_error *error);
gs_journal_line gs_journal_poured(const gs_journal *journal);
gs_status gs_journal_seal(gs_journal *journal, gs_error *error);
gs_status gs_journal_drop(gs_journal *journal, gs_error *error);

#endif
