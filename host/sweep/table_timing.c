/* What the table says of timing. See table_timing.h. */
#include "sweep/table_timing.h"

#include <math.h>
#include <string.h>

#include "measure/machine.h"
#include "measure/timing_json.h"

static bool is_timed(const gs_outcome *outcome) {
  return outcome->status == GS_CELL_OK && isfinite(outcome->median_ns);
}

static const char *percent(double share, char text[GS_NUMBER_BYTES]) {
  snprintf(text, GS_NUMBER_BYTES, share < 0.0995 ? "%.1f%%" : "%.0f%%", share * 100);
  return text;
}

const char *gs_timing_samples_text(const gs_outcome *outcome, char text[GS_NUMBER_BYTES]) {
  if (!is_timed(outcome)) return strcpy(text, "-");
  snprintf(text, GS_NUMBER_BYTES, "%.0f", outcome->timed_samples);
  return text;
}

const char *gs_timing_noise_text(const gs_outcome *outcome, char text[GS_NUMBER_BYTES]) {
  if (!is_timed(outcome)) return strcpy(text, "-");
  return isfinite(outcome->noise) ? percent(outcome->noise, text) : strcpy(text, "?");
}

/* ---- below the table ---- */

/* Whether a cell is to be named, and what is said of it. */
enum { MESSAGE_BYTES = 96 };
typedef bool cell_test(const gs_outcome *outcome, char message[MESSAGE_BYTES]);

static bool is_noisy(const gs_outcome *outcome, char message[MESSAGE_BYTES]) {
  char text[GS_NUMBER_BYTES];
  snprintf(message, MESSAGE_BYTES, "noise %s", percent(outcome->noise, text));
  return outcome->noise > GS_NOISY;
}

/* An unsettled spread shows as noise. */
static bool is_short(const gs_outcome *outcome, char message[MESSAGE_BYTES]) {
  const bool samples = outcome->lacks & GS_LACKS_MIN_SAMPLES;
  const bool time = outcome->lacks & GS_LACKS_MIN_TIME;
  snprintf(message, MESSAGE_BYTES, "%s%s%s, has %.0f of %.3g s", samples ? "min_samples" : "",
           samples && time ? ", " : "", time ? "min_time" : "", outcome->timed_samples,
           outcome->wall_ns / 1e9);
  return samples || time;
}

static bool is_too_fast(const gs_outcome *outcome, char message[MESSAGE_BYTES]) {
  char text[GS_NUMBER_BYTES];
  snprintf(message, MESSAGE_BYTES, "%s of the floor", percent(outcome->fraction_of_floor, text));
  return outcome->floor_wrong;
}

/* What is to be said of cells that have something in common. */
typedef struct cell_lines {
  const char *heading;
  const char *label;
  cell_test *test;
  long long max; /* cells that are named */
} cell_lines;

/* A heading with how many there are, and a line for each. */
static void print_cells(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes,
                        const cell_lines *lines) {
  char message[MESSAGE_BYTES];
  long long count = 0;
  long long named = 0;
  for (int64_t i = 0; i < sweep->count; i++) {
    count += is_timed(&outcomes[i]) && lines->test(&outcomes[i], message);
  }
  if (count == 0) return;
  (void)fprintf(stream, "%s: %lld cells\n", lines->heading, count);
  for (int64_t i = 0; named < lines->max && i < sweep->count && !ferror(stream); i++) {
    if (!is_timed(&outcomes[i]) || !lines->test(&outcomes[i], message)) continue;
    (void)fprintf(stream, "  %s: %s: %s\n", lines->label, sweep->cells[i].name, message);
    named++;
  }
  if (named < count) (void)fprintf(stream, "  and %lld more\n", count - named);
}

/* In the run as a whole, or in a cell. */
static void print_machine(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes) {
  double wall_ns = 0;
  double held_up_ns = 0;
  double samples = 0;
  double disturbed = 0;
  int64_t busy = 0;
  for (int64_t i = 0; i < sweep->count; i++) {
    const gs_outcome *outcome = &outcomes[i];
    if (!is_timed(outcome)) continue;
    samples += outcome->timed_samples;
    disturbed += outcome->disturbed;
    if (!isfinite(outcome->held_up_ns)) continue;
    wall_ns += outcome->wall_ns;
    held_up_ns += outcome->held_up_ns;
    busy += gs_machine_busy(outcome->wall_ns, outcome->held_up_ns);
  }
  if (busy == 0 && !gs_machine_busy(wall_ns, held_up_ns)) return;
  char text[GS_NUMBER_BYTES];
  (void)fprintf(stream,
                "machine: busy: others had the processors for %s of the timed time, for more than"
                " %.0f%% in %lld cells;\n  %.0f of %.0f samples are disturbed: times are longer"
                " than they would be\n",
                percent(held_up_ns / wall_ns, text), GS_BUSY_SHARE * 100, (long long)busy,
                disturbed, samples);
}

void gs_table_timing_print(FILE *stream, const gs_sweep *sweep, const gs_outcome *outcomes) {
  char noise[MESSAGE_BYTES];
  char roofline[MESSAGE_BYTES];
  const cell_lines all[] = {
      {noise, "noisy", is_noisy, GS_SWEEP_MAX_CELLS},
      {"fewer samples or less time than asked for within the limit", "lacks", is_short, 10},
      {roofline, "floor: not trustworthy", is_too_fast, GS_SWEEP_MAX_CELLS}};
  snprintf(noise, sizeof noise, "noise above %.0f%%", GS_NOISY * 100);
  snprintf(roofline, sizeof roofline, "floor: not trustworthy, a share above %.0f%%",
           GS_FLOOR_MAX_SHARE * 100);
  print_machine(stream, sweep, outcomes);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    print_cells(stream, sweep, outcomes, &all[i]);
  }
}
