/* What a run has finished. See ledger.h. */
#include "sweep/ledger.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"

static const cJSON *get(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

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
  gs_floors_clear(&ledger->floors);
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

static void take(gs_ledger *ledger, int64_t cell, int64_t round, const gs_outcome *outcome,
                 int64_t offset, int64_t length) {
  *line_of(ledger, cell, round) =
      (gs_ledger_line){outcome->status, offset, length, outcome->median_ns, outcome->timed_steps};
  if (round == 0) ledger->outcomes[cell] = *outcome;
  ledger->outcomes[cell].status = gs_ledger_status(ledger, cell);
}

gs_status gs_ledger_append(gs_ledger *ledger, gs_journal *journal, int64_t cell, int64_t round,
                           const char *text, const gs_outcome *outcome, gs_error *error) {
  const size_t length = strlen(text);
  int64_t offset = 0;
  GS_TRY(gs_journal_append(journal, text, length, &offset, error));
  take(ledger, cell, round, outcome, offset, (int64_t)length);
  return GS_OK;
}

gs_status gs_ledger_append_floor(gs_ledger *ledger, gs_journal *journal, const cJSON *entry,
                                 gs_error *error) {
  int64_t offset = 0;
  cJSON *tree = cJSON_CreateObject();
  char *line = tree && gs_json_add(tree, "floor", cJSON_Duplicate(entry, true))
                   ? gs_json_print_line(tree)
                   : NULL;
  cJSON_Delete(tree);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the floor");
  gs_status status = gs_journal_append(journal, line, strlen(line), &offset, error);
  free(line);
  return status == GS_OK ? gs_floors_add(&ledger->floors, entry, error) : status;
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

/* The round of a line: that of a whole record is the first. */
static bool read_round(const gs_ledger *ledger, const cJSON *line, int64_t *round) {
  const cJSON *item = get(line, "round");
  *round = 0;
  if (!item) return true;
  return cJSON_IsNumber(item) && gs_integer_of(item->valuedouble, 1, ledger->rounds - 1, round);
}

/* Reading a ledger, and who is told about what cannot be read. */
typedef struct reading {
  gs_ledger *ledger;
  void (*damaged)(void *user, const char *words);
  void *user;
} reading;

static void pass_on(void *user, const char *words) {
  const reading *of = user;
  if (of->damaged) of->damaged(of->user, words);
}

static gs_status visit_line(void *user, const cJSON *line, int64_t offset, int64_t length,
                            gs_error *error) {
  gs_ledger *ledger = ((const reading *)user)->ledger;
  gs_outcome outcome = gs_outcome_pending();
  const cJSON *floor = get(line, "floor");
  int64_t round = 0;
  if (floor) return gs_floors_add(&ledger->floors, floor, error);
  GS_TRY(gs_outcome_read(line, &outcome, error));
  const int64_t cell = find_cell(ledger, gs_record_id(line));
  if (cell < 0) return GS_FAIL(error, GS_ERR_DATA, "a cell that the sweep does not have");
  if (!read_round(ledger, line, &round)) {
    return GS_FAIL(error, GS_ERR_DATA, "a round that the run does not have");
  }
  if (gs_ledger_is_done(ledger, cell, round)) { /* what is done is not run again */
    return GS_FAIL(error, GS_ERR_DATA, "a second line of a cell that is done");
  }
  const cJSON *timing = get(line, "timing");
  const bool needs_timing = round > 0 && outcome.status == GS_CELL_OK;
  if ((timing || needs_timing) && !gs_timing_is_round(timing)) {
    return GS_FAIL(error, GS_ERR_DATA, "the timing of a round is incomplete");
  }
  take(ledger, cell, round, &outcome, offset, length);
  return GS_OK;
}

gs_status gs_ledger_read(gs_ledger *ledger, gs_journal *journal,
                         void (*damaged)(void *user, const char *words), void *user,
                         gs_error *error) {
  reading of = {ledger, damaged, user};
  const gs_journal_reader reader = {visit_line, pass_on, &of};
  GS_TRY(index_cells(ledger, error));
  return gs_journal_read(journal, &reader, error);
}

/* ---- putting records together ---- */

/* What is read for one record. */
typedef struct parts {
  cJSON *record;  /* of the first round, without its timing */
  cJSON **timing; /* of the rounds that are ok */
  int count;
  char failure[GS_REASON_BYTES + 32]; /* of a later round; empty: none */
  gs_cell_status status;
} parts;

static void parts_clear(parts *all) {
  cJSON_Delete(all->record);
  for (int i = 0; i < all->count; i++) cJSON_Delete(all->timing[i]);
  free(all->timing);
}

static gs_status read_later(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                            int64_t round, parts *all, gs_error *error) {
  const gs_ledger_line *line = line_of(ledger, cell, round);
  cJSON *tree = NULL;
  if (line->status == GS_CELL_PENDING) return GS_OK;
  GS_TRY(gs_journal_parse(journal, line->offset, line->length, &tree, error));
  if (line->status == GS_CELL_OK) {
    all->timing[all->count++] = cJSON_DetachItemFromObjectCaseSensitive(tree, "timing");
  } else if (!all->failure[0]) {
    const char *words = cJSON_GetStringValue(get(tree, "error"));
    all->status = line->status;
    snprintf(all->failure, sizeof all->failure, "round %" PRId64 ": %.*s", round,
             GS_REASON_BYTES - 1, words ? words : "");
  }
  cJSON_Delete(tree);
  return GS_OK;
}

static gs_status read_parts(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                            parts *all, gs_error *error) {
  const gs_ledger_line *first = line_of(ledger, cell, 0);
  all->timing = calloc((size_t)ledger->rounds, sizeof *all->timing);
  if (!all->timing) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  GS_TRY(gs_journal_parse(journal, first->offset, first->length, &all->record, error));
  cJSON *timing = cJSON_DetachItemFromObjectCaseSensitive(all->record, "timing");
  if (!timing) return GS_OK;
  all->timing[all->count++] = timing;
  for (int64_t round = 1; round < ledger->rounds; round++) {
    GS_TRY(read_later(ledger, journal, cell, round, all, error));
  }
  return GS_OK;
}

/* Owns the item on success, frees it on failure. */
static bool replace(cJSON *object, const char *key, cJSON *item) {
  if (item && cJSON_ReplaceItemInObjectCaseSensitive(object, key, item)) return true;
  cJSON_Delete(item);
  return false;
}

static gs_status put_together(const gs_ledger *ledger, int64_t cell, parts *all, gs_error *error) {
  if (all->failure[0]) {
    return replace(all->record, "status", cJSON_CreateString(gs_cell_status_name(all->status))) &&
                   replace(all->record, "error", cJSON_CreateString(all->failure))
               ? GS_OK
               : GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
  }
  if (all->count == 0) return GS_OK;
  gs_floor_best best;
  cJSON *timing = NULL;
  const bool has_floor = gs_floors_best(&ledger->floors, &best);
  const cJSON *const *rounds = (const cJSON *const *)all->timing;
  GS_TRY(gs_timing_compose(rounds, all->count, &ledger->sweep->cells[cell].config,
                           has_floor ? &best : NULL, &timing, error));
  return gs_json_add(all->record, "timing", timing)
             ? GS_OK
             : GS_FAIL(error, GS_ERR_MEMORY, "no memory for a record");
}

gs_status gs_ledger_record(const gs_ledger *ledger, const gs_journal *journal, int64_t cell,
                           cJSON **record, gs_error *error) {
  parts all = {0};
  gs_outcome outcome = gs_outcome_pending();
  *record = NULL;
  gs_status status = read_parts(ledger, journal, cell, &all, error);
  if (status == GS_OK) status = put_together(ledger, cell, &all, error);
  if (status == GS_OK) status = gs_outcome_read(all.record, &outcome, error);
  if (status == GS_OK) {
    ledger->outcomes[cell] = outcome;
    *record = all.record;
    all.record = NULL;
  }
  parts_clear(&all);
  return status;
}
