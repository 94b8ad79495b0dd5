/* What a run has finished. See ledger.h. */
#include "sweep/ledger.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "sweep/record_shape.h"

gs_status gs_ledger_open(gs_ledger *ledger, const gs_sweep *sweep, int64_t rounds,
                         gs_outcome *outcomes, gs_error *error) {
  const size_t count = (size_t)(sweep->count * rounds);
  *ledger = (gs_ledger){.sweep = sweep, .rounds = rounds, .outcomes = outcomes};
  ledger->lines = malloc(count * sizeof *ledger->lines);
  if (!ledger->lines) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %" PRId64 " cells in %" PRId64 " rounds",
                   sweep->count, rounds);
  }
  for (size_t i = 0; i < count; i++) {
    ledger->lines[i] = (gs_ledger_line){.median_ns = NAN, .timed_steps = NAN};
  }
  return GS_OK;
}

void gs_ledger_clear(gs_ledger *ledger) {
  free(ledger->lines);
  free(ledger->by_id);
  gs_rooflines_clear(&ledger->rooflines);
  *ledger = (gs_ledger){0};
}

static gs_ledger_line *line_of(const gs_ledger *ledger, int64_t cell, int64_t round) {
  return &ledger->lines[cell * ledger->rounds + round];
}

const gs_ledger_line *gs_ledger_line_of(const gs_ledger *ledger, int64_t cell, int64_t round) {
  return line_of(ledger, cell, round);
}

bool gs_ledger_is_done(const gs_ledger *ledger, int64_t cell, int64_t round) {
  const gs_cell_status status = line_of(ledger, cell, round)->status;
  return status == GS_CELL_OK || status == GS_CELL_SKIPPED;
}

bool gs_ledger_is_hopeless(const gs_ledger *ledger, int64_t cell, int64_t round) {
  const gs_ledger_line *first = line_of(ledger, cell, 0);
  return round > 0 && !(first->status == GS_CELL_OK && first->median_ns > 0);
}

gs_cell_status gs_ledger_status(const gs_ledger *ledger, int64_t cell) {
  for (int64_t round = 0; round < ledger->rounds; round++) {
    const gs_cell_status status = line_of(ledger, cell, round)->status;
    if (round == 0 ? status != GS_CELL_OK : status != GS_CELL_OK && status != GS_CELL_PENDING) {
      return status;
    }
  }
  return GS_CELL_OK;
}

/* ---- taking lines over ---- */

static void take(gs_ledger *ledger, int64_t cell, int64_t round, const gs_record_facts *facts,
                 int64_t offset, int64_t length) {
  const gs_outcome *outcome = &facts->outcome;
  *line_of(ledger, cell, round) = (gs_ledger_line){.status = outcome->status,
                                                   .offset = offset,
                                                   .length = length,
                                                   .median_ns = outcome->median_ns,
                                                   .timed_steps = outcome->timed_steps,
                                                   .status_at = facts->status,
                                                   .error_at = facts->error,
                                                   .timing_at = facts->timing};
  if (round == 0) ledger->outcomes[cell] = *outcome;
  ledger->outcomes[cell].status = gs_ledger_status(ledger, cell);
}

gs_status gs_ledger_append(gs_ledger *ledger, gs_journal *journal, int64_t cell, int64_t round,
                           const char *text, const gs_record_facts *facts, gs_error *error) {
  const size_t length = strlen(text);
  int64_t offset = 0;
  GS_TRY(gs_journal_append(journal, text, length, &offset, error));
  take(ledger, cell, round, facts, offset, (int64_t)length);
  return GS_OK;
}

gs_status gs_ledger_seal(gs_ledger *ledger, gs_journal *journal, int64_t cell,
                         const gs_record_facts *facts, gs_error *error) {
  const gs_journal_line line = gs_journal_poured(journal);
  GS_TRY(gs_journal_seal(journal, error));
  take(ledger, cell, 0, facts, line.offset, line.length);
  return GS_OK;
}

gs_status gs_ledger_append_roofline(gs_ledger *ledger, gs_journal *journal, const cJSON *entry,
                                    gs_error *error) {
  int64_t offset = 0;
  char *line = NULL;
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_copy(&w, "floor", entry);
  GS_TRY(gs_json_take_line(gs_json_finish(&w), "the floor", &line, error));
  gs_status status = gs_journal_append(journal, line, strlen(line), &offset, error);
  free(line);
  return status == GS_OK ? gs_rooflines_add(&ledger->rooflines, entry, error) : status;
}

/* ---- continuing ---- */

/* For qsort_r over by_id. */
static int compare_cells(const void *a, const void *b, void *cells) {
  const gs_cell *all = cells;
  return strcmp(all[*(const int64_t *)a].id, all[*(const int64_t *)b].id);
}

static gs_status index_cells(gs_ledger *ledger, gs_error *error) {
  const size_t count = (size_t)ledger->sweep->count;
  ledger->by_id = malloc(count * sizeof *ledger->by_id);
  if (!ledger->by_id) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the sweep's index");
  for (size_t i = 0; i < count; i++) ledger->by_id[i] = (int64_t)i;
  qsort_r(ledger->by_id, count, sizeof *ledger->by_id, compare_cells, ledger->sweep->cells);
  return GS_OK;
}

/* The cell with an id, or -1. */
static int64_t find_cell(const gs_ledger *ledger, const char *id) {
  int64_t low = 0;
  int64_t high = ledger->sweep->count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const int order = strcmp(ledger->sweep->cells[ledger->by_id[middle]].id, id);
    if (order == 0) return ledger->by_id[middle];
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return -1;
}

/* Reading a ledger, and who is told about what cannot be read. */
typedef struct reading {
  gs_ledger *ledger;
  void (*damaged)(void *user, const char *message);
  void *user;
} reading;

static void pass_on(void *user, const char *message) {
  const reading *of = user;
  if (of->damaged) of->damaged(of->user, message);
}

/* A line that is not a cell's record is short: it is read as a tree or as a whole. */
enum { ROOFLINE_BYTES = 1 << 12 };

static gs_status visit_roofline(gs_ledger *ledger, const gs_journal_line *line, gs_error *error) {
  cJSON *tree = NULL;
  if (line->length > ROOFLINE_BYTES)
    return GS_FAIL(error, GS_ERR_DATA, "a floor of too many bytes");
  GS_TRY(gs_journal_parse(line, 0, line->length, &tree, error));
  gs_status status = gs_record_check_tree(tree, &gs_roofline_line_shape, error);
  if (status == GS_OK)
    status = gs_rooflines_add(&ledger->rooflines, gs_json_get(tree, "floor"), error);
  cJSON_Delete(tree);
  return status;
}

/* Takes a line of a cell over, unless the cell is done. */
static gs_status take_checked(gs_ledger *ledger, int64_t cell, int64_t round,
                              const gs_record_facts *facts, const gs_journal_line *line,
                              gs_error *error) {
  if (gs_ledger_is_done(ledger, cell, round)) { /* what is done is not run again */
    return GS_FAIL(error, GS_ERR_DATA, "a second line of a cell that is done");
  }
  take(ledger, cell, round, facts, line->offset, line->length);
  return GS_OK;
}

static gs_status fail_unknown(gs_error *error) {
  return GS_FAIL(error, GS_ERR_DATA, "a cell that the sweep does not have");
}

static gs_status visit_round(gs_ledger *ledger, const gs_journal_line *line, gs_error *error) {
  gs_round_facts round;
  gs_record_facts facts = {0};
  gs_journal_line from = *line;
  const gs_json_source source = gs_journal_source(&from);
  GS_TRY(gs_round_read(&source, &round, error));
  const int64_t cell = find_cell(ledger, round.id);
  if (cell < 0) return fail_unknown(error);
  if (round.round >= ledger->rounds) {
    return GS_FAIL(error, GS_ERR_DATA, "a round that the run does not have");
  }
  facts.outcome = round.outcome;
  return take_checked(ledger, cell, round.round, &facts, line, error);
}

/* A run that names its device may go on without, and the other way round. */
static gs_status visit_record(gs_ledger *ledger, const gs_journal_line *line, const char *id,
                              gs_error *error) {
  gs_record_facts facts;
  const int64_t cell = find_cell(ledger, id);
  if (cell < 0) return fail_unknown(error);
  const gs_cell *of = &ledger->sweep->cells[cell];
  gs_status status = GS_ERR_DATA;
  for (int identify = 0; identify < 2 && status == GS_ERR_DATA; identify++) {
    gs_journal_line from = *line;
    const gs_json_source source = gs_journal_source(&from);
    gs_error details;
    char *opening = gs_record_opening(of, identify == 1);
    if (!opening) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
    status = gs_record_read(&source, opening, &of->config, &facts, &details);
    free(opening);
    if (status != GS_OK && error) *error = details;
  }
  return status == GS_OK ? take_checked(ledger, cell, 0, &facts, line, error) : status;
}

/* A line's beginning says what it is. */
static gs_status visit_line(void *user, const gs_journal_line *line, gs_error *error) {
  static const char opening[] = "{\"floor\":";
  static const char id[] = "{\"id\":\"";
  static const char round[] = "\",\"round\":";
  enum { ID_AT = sizeof id - 1, ROUND_AT = ID_AT + GS_CELL_ID_BYTES - 1 };
  gs_ledger *ledger = ((const reading *)user)->ledger;
  char start[ROUND_AT + sizeof round - 1] = "";
  char name[GS_CELL_ID_BYTES] = "";
  size_t got = 0;
  GS_TRY(gs_journal_peek(line, 0, start, sizeof start, &got, error));
  if (memcmp(start, opening, sizeof opening - 1) == 0) return visit_roofline(ledger, line, error);
  if (got < sizeof start || memcmp(start, id, ID_AT) != 0) {
    return GS_FAIL(error, GS_ERR_DATA, "neither a cell nor a floor");
  }
  if (memcmp(start + ROUND_AT, round, sizeof round - 1) == 0) {
    return visit_round(ledger, line, error);
  }
  memcpy(name, start + ID_AT, sizeof name - 1);
  return visit_record(ledger, line, name, error);
}

gs_status gs_ledger_read(gs_ledger *ledger, gs_journal *journal,
                         void (*damaged)(void *user, const char *message), void *user,
                         gs_error *error) {
  reading of = {ledger, damaged, user};
  const gs_journal_reader reader = {visit_line, pass_on, &of};
  GS_TRY(index_cells(ledger, error));
  return gs_journal_read(journal, &reader, error);
}

/* ---- putting records together ---- */

/* What is read for one record: never the record itself. */
typedef struct parts {
  cJSON **timing; /* of the rounds that are ok */
  int count;
  char failure[GS_REASON_BYTES + 32]; /* of a later round; empty: none */
  gs_cell_status status;
} parts;

static void parts_clear(parts *all) {
  for (int i = 0; i < all->count; i++) cJSON_Delete(all->timing[i]);
  free(all->timing);
}

static gs_journal_line journal_line(const gs_journal *journal, const gs_ledger_line *line) {
  return gs_journal_line_at(journal, line->offset, line->length);
}

static gs_status read_later(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                            int64_t round, parts *all, gs_error *error) {
  const gs_ledger_line *line = line_of(ledger, cell, round);
  const gs_journal_line from = journal_line(journal, line);
  cJSON *tree = NULL;
  if (line->status == GS_CELL_PENDING) return GS_OK;
  GS_TRY(gs_journal_parse(&from, 0, from.length, &tree, error));
  if (line->status == GS_CELL_OK) {
    all->timing[all->count++] = cJSON_DetachItemFromObjectCaseSensitive(tree, "timing");
  } else if (!all->failure[0]) {
    const char *message = cJSON_GetStringValue(gs_json_get(tree, "error"));
    all->status = line->status;
    snprintf(all->failure, sizeof all->failure, "round %" PRId64 ": %.*s", round,
             GS_REASON_BYTES - 1, message ? message : "");
  }
  cJSON_Delete(tree);
  return GS_OK;
}

static gs_status read_parts(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                            parts *all, gs_error *error) {
  const gs_ledger_line *first = line_of(ledger, cell, 0);
  const gs_journal_line from = journal_line(journal, first);
  all->timing = calloc((size_t)ledger->rounds, sizeof *all->timing);
  if (!all->timing) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  GS_TRY(gs_journal_parse(&from, first->timing_at.start, first->timing_at.end, &all->timing[0],
                          error));
  all->count = 1;
  for (int64_t round = 1; round < ledger->rounds; round++) {
    GS_TRY(read_later(ledger, journal, cell, round, all, error));
  }
  return GS_OK;
}

/* Writes a tree and frees it. */
static gs_status write_tree(FILE *stream, cJSON *tree, gs_error *error) {
  char *text = NULL;
  GS_TRY(gs_json_take_line(tree, "a record", &text, error));
  (void)fputs(text, stream);
  free(text);
  return GS_OK;
}

/* The record with a status and a reason of a later round, and no timing. */
static gs_status write_failure(const gs_ledger_line *line, const gs_journal_line *from,
                               const parts *all, FILE *stream, gs_outcome *outcome,
                               gs_error *error) {
  GS_TRY(gs_journal_copy(from, 0, line->status_at.start, stream, error));
  (void)fprintf(stream, "\"%s\"", gs_name(&gs_cell_status_names, all->status));
  GS_TRY(gs_journal_copy(from, line->status_at.end, line->error_at.start, stream, error));
  GS_TRY(write_tree(stream, cJSON_CreateString(all->failure), error));
  GS_TRY(gs_journal_copy(from, line->error_at.end, line->timing_at.before, stream, error));
  outcome->status = all->status;
  snprintf(outcome->reason, sizeof outcome->reason, "%.*s", GS_REASON_BYTES - 1, all->failure);
  gs_outcome_take_timing(NULL, outcome);
  return gs_journal_copy(from, line->timing_at.end, line->length, stream, error);
}

/* The record with the timing of all rounds. */
static gs_status write_timing(const gs_ledger *ledger, int64_t cell, const gs_journal_line *from,
                              const parts *all, FILE *stream, gs_outcome *outcome,
                              gs_error *error) {
  const gs_ledger_line *line = line_of(ledger, cell, 0);
  const bool has_rounds = all->count > 0;
  gs_roofline_best best;
  cJSON *timing = NULL;
  const bool has_roofline = gs_rooflines_best(&ledger->rooflines, &best);
  const cJSON *const *rounds = (const cJSON *const *)all->timing;
  if (!has_rounds) return GS_FAIL(error, GS_ERR_INTERNAL, "a timed cell without a timing");
  GS_TRY(gs_timing_compose(rounds, all->count, &ledger->sweep->cells[cell].config,
                           has_roofline ? &best : NULL, &timing, error));
  gs_outcome_take_timing(timing, outcome);
  gs_status status = gs_journal_copy(from, 0, line->timing_at.start, stream, error);
  if (status != GS_OK) {
    cJSON_Delete(timing);
    return status;
  }
  GS_TRY(write_tree(stream, timing, error));
  return gs_journal_copy(from, line->timing_at.end, line->length, stream, error);
}

gs_status gs_ledger_write(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                          FILE *stream, gs_error *error) {
  const gs_ledger_line *first = line_of(ledger, cell, 0);
  const gs_journal_line from = journal_line(journal, first);
  gs_outcome *outcome = &ledger->outcomes[cell];
  parts all = {0};
  if (first->timing_at.end == 0) return gs_journal_copy(&from, 0, from.length, stream, error);
  gs_status status = read_parts(ledger, journal, cell, &all, error);
  if (status == GS_OK) {
    status = all.failure[0] ? write_failure(first, &from, &all, stream, outcome, error)
                            : write_timing(ledger, cell, &from, &all, stream, outcome, error);
  }
  parts_clear(&all);
  return status;
}
