/* Two sides, compared. See compare.h. */
#include "compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "base/line.h"
#include "base/sort.h"
#include "measure/sample.h"

const gs_names gs_required_names = {"requirement of numbers",
                                    GS_NAMES(GS_REQUIRED_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_unit_names = {"unit", GS_NAMES(GS_UNIT_LIST(GS_ROW_NAME)), NULL};

#define COMPARE_NAME(constant, name, code, rank) name,
#define COMPARE_ROW(constant, name, code, rank) {code, rank},

const gs_names gs_compare_names = {"verdict", GS_NAMES(GS_COMPARE_LIST(COMPARE_NAME)), NULL};

static const struct { int code, rank; } verdicts[] = {GS_COMPARE_LIST(COMPARE_ROW)};

int gs_compare_exit_code(gs_compare_verdict verdict) { return verdicts[verdict].code; }
int gs_compare_rank(gs_compare_verdict verdict) { return verdicts[verdict].rank; }

gs_compare_policy gs_compare_defaults(void) {
  return (gs_compare_policy){.speed = gs_speed_defaults()};
}

static gs_status no_memory(gs_error *error) {
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the comparison");
}

/* ---- can they be compared? ---- */

static gs_status check_side(const gs_start *base, const gs_side *side, unsigned allowed,
                            gs_differences *found, gs_error *error) {
  for (int i = 0; i < side->count; i++) {
    if (&side->starts[i] == base) continue;
    GS_TRY(gs_across_check(base, &side->starts[i], allowed, found, error));
  }
  return GS_OK;
}

static bool measured_in_all(const gs_side *side, const char *id) {
  for (int i = 0; i < side->count; i++) {
    const int64_t k = gs_start_find(&side->starts[i], id);
    if (k < 0 || side->starts[i].cells[k].status != GS_CELL_OK) return false;
  }
  return true;
}

static gs_status find_cells(const gs_side *base, const gs_side *other, gs_compare_result *result,
                            gs_error *error) {
  const gs_start *first = &base->starts[0];
  result->cells = calloc((size_t)(first->count + 1), sizeof *result->cells);
  if (!result->cells) return no_memory(error);
  for (int64_t i = 0; i < first->count; i++) {
    const gs_start_cell *cell = &first->cells[i];
    if (measured_in_all(base, cell->id) && measured_in_all(other, cell->id)) {
      result->cells[result->count].id = cell->id;
      result->cells[result->count++].name = cell->name;
    } else {
      result->left_out++;
    }
  }
  if (result->count > 0) return GS_OK;
  return gs_differences_add(&result->differences, error, "cells: none is ok in both %s and %s",
                            base->path, other->path);
}

/* ---- numbers ---- */

static bool is_worse(const gs_numbers *a, const gs_numbers *b) {
  return a->verdict != b->verdict ? a->verdict > b->verdict : a->worst > b->worst;
}

/* A cell of one start beside the base's first. */
static gs_status compare_start(const cJSON *record, const gs_start *start, gs_compared_cell *cell,
                               gs_error *error) {
  cJSON *other = NULL;
  gs_numbers numbers;
  GS_TRY(gs_start_record(start, gs_start_find(start, cell->id), &other, error));
  gs_numbers_compare(record, other, &numbers);
  cJSON_Delete(other);
  if (numbers.verdict == GS_NUMBERS_IDENTICAL) return GS_OK;
  if (cell->start && !is_worse(&numbers, &cell->numbers)) return GS_OK;
  cell->numbers = numbers;
  cell->start = start->path;
  return GS_OK;
}

static gs_status compare_starts(const cJSON *record, const gs_start *first, const gs_side *side,
                                gs_compared_cell *cell, gs_error *error) {
  for (int i = 0; i < side->count; i++) {
    if (&side->starts[i] == first) continue;
    GS_TRY(compare_start(record, &side->starts[i], cell, error));
  }
  return GS_OK;
}

static gs_status compare_numbers(const gs_side *base, const gs_side *other,
                                 gs_compare_result *result, gs_error *error) {
  const gs_start *first = &base->starts[0];
  for (int64_t i = 0; i < result->count; i++) {
    gs_compared_cell *cell = &result->cells[i];
    cJSON *record = NULL;
    GS_TRY(gs_start_record(first, gs_start_find(first, cell->id), &record, error));
    gs_status status = compare_starts(record, first, base, cell, error);
    if (status == GS_OK) status = compare_starts(record, first, other, cell, error);
    cJSON_Delete(record);
    if (status != GS_OK) return status;
    result->numbers_of[cell->numbers.verdict]++;
    if (cell->numbers.verdict > result->numbers) result->numbers = cell->numbers.verdict;
  }
  return GS_OK;
}

/* Bits are promised for one backend, device and library; --across says that they may differ. */
static gs_numbers_verdict required_of(const gs_compare_policy *policy, unsigned seen) {
  const unsigned computes = 1u << GS_ACROSS_BACKEND | 1u << GS_ACROSS_DEVICE |
                            1u << GS_ACROSS_DRIVER | 1u << GS_ACROSS_LIBRARIES;
  const bool apart = (seen & computes) != 0;
  if (policy->required == GS_REQUIRED_ROUNDING) return GS_NUMBERS_ROUNDING;
  return policy->required == GS_REQUIRED_AUTO && apart ? GS_NUMBERS_ROUNDING : GS_NUMBERS_IDENTICAL;
}

/* ---- speed ---- */

static gs_unit unit_of(const gs_side *base, const gs_side *other) {
  return base->count >= 3 && other->count >= 3 ? GS_UNIT_START : GS_UNIT_ROUND;
}

/* Rounds of a cell, of all starts of a side, that are no evidence. */
static int64_t busy_rounds(const gs_side *side, const char *id) {
  int64_t busy = 0;
  for (int i = 0; i < side->count; i++) {
    busy += side->starts[i].cells[gs_start_find(&side->starts[i], id)].busy;
  }
  return busy;
}

/* The units of a cell on one side; *units is the caller's, NULL where there are none. */
static gs_status take_units(const gs_side *side, const char *id, gs_unit unit, double **units,
                            int64_t *count, gs_error *error) {
  int64_t room = side->count;
  *count = 0;
  for (int i = 0; i < side->count; i++) {
    room += side->starts[i].cells[gs_start_find(&side->starts[i], id)].rounds;
  }
  *units = malloc((size_t)(room + 1) * sizeof **units);
  if (!*units) return no_memory(error);
  for (int i = 0; i < side->count; i++) {
    const gs_start_cell *cell = &side->starts[i].cells[gs_start_find(&side->starts[i], id)];
    double *at = *units + *count;
    if (cell->rounds == 0) continue;
    memcpy(at, cell->round_log_ns, (size_t)cell->rounds * sizeof *at);
    if (unit == GS_UNIT_START) {
      gs_sort(at, (size_t)cell->rounds);
      at[0] = gs_quantile(at, (size_t)cell->rounds, 0.5);
    }
    *count += unit == GS_UNIT_START ? 1 : cell->rounds;
  }
  return GS_OK;
}

static gs_status take_times(const gs_side *base, const gs_side *other, gs_compare_result *result,
                            gs_speed_times *times, gs_error *error) {
  result->base_units = result->other_units = -1;
  for (int64_t i = 0; i < result->count; i++) {
    const char *id = result->cells[i].id;
    gs_speed_times *t = &times[i];
    GS_TRY(take_units(base, id, result->unit, &t->base, &t->base_count, error));
    GS_TRY(take_units(other, id, result->unit, &t->other, &t->other_count, error));
    const int64_t busy[2] = {busy_rounds(base, id), busy_rounds(other, id)};
    result->busy += busy[0] + busy[1] > 0;
    t->busy = t->base_count + busy[0] > 0 && t->other_count + busy[1] > 0;
    if (t->base_count + busy[0] == 0 || t->other_count + busy[1] == 0) continue; /* not timed */
    if (result->base_units < 0 || t->base_count < result->base_units) {
      result->base_units = t->base_count;
    }
    if (result->other_units < 0 || t->other_count < result->other_units) {
      result->other_units = t->other_count;
    }
  }
  if (result->base_units < 0) result->base_units = result->other_units = 0;
  return GS_OK;
}

static gs_status compare_speed(const gs_side *base, const gs_side *other,
                               const gs_compare_policy *policy, gs_compare_result *result,
                               gs_error *error) {
  const size_t count = (size_t)result->count + 1;
  gs_speed_times *times = calloc(count, sizeof *times);
  gs_cell_speed *speeds = calloc(count, sizeof *speeds);
  gs_status status = times && speeds ? GS_OK : no_memory(error);
  result->unit = unit_of(base, other);
  if (status == GS_OK) status = take_times(base, other, result, times, error);
  if (status == GS_OK) {
    status = gs_speed_judge(times, result->count, &policy->speed, speeds, &result->global,
                            &result->speed, error);
  }
  for (int64_t i = 0; status == GS_OK && i < result->count; i++) {
    result->cells[i].speed = speeds[i];
    result->speed_of[speeds[i].word]++;
  }
  for (int64_t i = 0; times && i < result->count; i++) {
    free(times[i].base);
    free(times[i].other);
  }
  free(times);
  free(speeds);
  return status;
}

/* ---- the verdict ---- */

static void say_numbers(const gs_compare_result *result, gs_line *line) {
  for (int64_t i = 0; i < result->count; i++) {
    const gs_compared_cell *cell = &result->cells[i];
    const gs_number_pair *first = &cell->numbers.first;
    if (cell->numbers.verdict <= result->required) continue;
    gs_line_add(line, "%lld of %lld cells: first %.120s: %s",
                (long long)result->count - (long long)result->numbers_of[GS_NUMBERS_IDENTICAL] -
                    (result->required == GS_NUMBERS_ROUNDING
                         ? (long long)result->numbers_of[GS_NUMBERS_ROUNDING]
                         : 0),
                (long long)result->count, cell->name, first->quantity);
    if (first->index > 0) gs_line_add(line, " of %s %lld", first->axis, (long long)first->index);
    char texts[2][GS_DIGITS_BYTES];
    gs_line_add(line, ", %s and %s", gs_digits(first->base, 15, texts[0]),
                gs_digits(first->other, 15, texts[1]));
    if (cell->numbers.verdict == GS_NUMBERS_ROUNDING) {
      gs_line_add(line, ": within rounding, but one backend, device and library give the same bits"
                        " (--numbers rounding lets it pass)");
    }
    return;
  }
}

static void say_slower(const gs_compare_result *result, gs_line *line) {
  const gs_compared_cell *worst = NULL;
  int64_t red = 0;
  for (int64_t i = 0; i < result->count; i++) {
    const gs_compared_cell *cell = &result->cells[i];
    red += cell->speed.red;
    if (cell->speed.red && (!worst || cell->speed.ratio.log_ratio > worst->speed.ratio.log_ratio)) {
      worst = cell;
    }
  }
  if (worst) {
    gs_line_add(line, "%lld of %lld cells for sure, most %.160s: x %.3f (%.3f to %.3f)",
                (long long)red, (long long)result->count, worst->name,
                exp(worst->speed.ratio.log_ratio), worst->speed.low, worst->speed.high);
  } else {
    gs_line_add(line,
                "all cells together: %lld of %lld have a longer time (p = %.1g), by %.1f %% "
                "on average, though none alone is slower for sure",
                (long long)result->global.slower, (long long)result->global.cells,
                result->global.p_slower, 100 * expm1(result->global.shift.log_ratio));
  }
}

static void say_undecided(const gs_compare_result *result, const gs_compare_policy *policy,
                          gs_line *line) {
  if (result->speed == GS_SPEED_NOT_TIMED) {
    gs_line_add(line, "no cell is timed on both sides (--no-speed compares numbers alone)");
  } else if (result->busy > 0 && (result->base_units < 2 || result->other_units < 2)) {
    gs_line_add(line,
                "others had the machine in rounds of %lld cells, which are no evidence: "
                "--interleave 9 or more, on a quieter machine, may give some",
                (long long)result->busy);
  } else if (result->base_units < 2 || result->other_units < 2) {
    gs_line_add(line, "one round of one start on a side is no evidence: run with --interleave 9, "
                      "or compare folders of several starts");
  } else {
    gs_line_add(line,
                "%lld and %lld %ss do not show whether every cell is less than %.3g %% "
                "slower: more of them would",
                (long long)result->base_units, (long long)result->other_units,
                gs_name(&gs_unit_names, result->unit), 100 * policy->speed.margin);
  }
}

static void decide(const gs_compare_policy *policy, gs_compare_result *result) {
  gs_line line = gs_line_in(result->message, sizeof result->message);
  result->verdict = GS_COMPARE_SAME;
  if (result->differences.count > 0) {
    result->verdict = GS_COMPARE_NOT_COMPARABLE;
    gs_line_add(&line, "%.480s", result->differences.lines[0]);
  } else if (result->numbers > result->required) {
    result->verdict = GS_COMPARE_DIFFERENT;
    say_numbers(result, &line);
  } else if (policy->no_speed) {
    gs_line_add(&line, "numbers are %s; times were not looked at",
                gs_name(&gs_numbers_names, result->numbers));
  } else if (result->speed == GS_SPEED_SLOWER) {
    result->verdict = GS_COMPARE_SLOWER;
    say_slower(result, &line);
  } else if (result->speed == GS_SPEED_SAME || result->speed == GS_SPEED_FASTER) {
    result->verdict = result->speed == GS_SPEED_SAME ? GS_COMPARE_SAME : GS_COMPARE_FASTER;
    gs_line_add(&line, "no cell is slower by %.3g %% or more; numbers are %s",
                100 * policy->speed.margin, gs_name(&gs_numbers_names, result->numbers));
  } else {
    result->verdict = GS_COMPARE_UNDECIDED;
    say_undecided(result, policy, &line);
  }
}

gs_status gs_compare(const gs_side *base, const gs_side *other, const gs_compare_policy *policy,
                     gs_compare_result *result, gs_error *error) {
  const gs_start *first = &base->starts[0];
  *result = (gs_compare_result){.speed = GS_SPEED_NOT_TIMED};
  GS_TRY(check_side(first, base, policy->across, &result->differences, error));
  GS_TRY(check_side(first, other, policy->across, &result->differences, error));
  if (result->differences.count == 0) GS_TRY(find_cells(base, other, result, error));
  result->required = required_of(policy, result->differences.seen);
  if (result->differences.count == 0) {
    GS_TRY(compare_numbers(base, other, result, error));
    if (!policy->no_speed) GS_TRY(compare_speed(base, other, policy, result, error));
  }
  decide(policy, result);
  return GS_OK;
}

void gs_compare_result_clear(gs_compare_result *result) {
  free(result->cells);
  gs_differences_clear(&result->differences);
  memset(result, 0, sizeof *result);
}
