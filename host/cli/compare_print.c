/* Comparisons, printed. See compare_print.h. */
#include "cli/compare_print.h"

#include <math.h>
#include <string.h>

#include "base/digits.h"
#include "base/json_writer.h"
#include "base/printable.h"
#include "sweep/text.h"

enum { NAME_WIDTH = 52, NAME_BYTES = 256 };

/* ---- texts ---- */

/* "12.3 ms" of nanoseconds; "-" where there is no time. */
static const char *time_text(double ns, char text[GS_NUMBER_BYTES]) {
  static const char *const units[] = {"ns", "us", "ms", "s"};
  int unit = 0;
  while (unit < 3 && ns >= 999.5) {
    ns /= 1000;
    unit++;
  }
  if (!isfinite(ns)) return strcpy(text, "-");
  const int digits = ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0;
  snprintf(text, GS_NUMBER_BYTES, "%.*f %s", digits, ns, units[unit]);
  return text;
}

static const char *ratio_text(double ratio, char text[GS_NUMBER_BYTES]) {
  if (!isfinite(ratio)) return strcpy(text, "-");
  snprintf(text, GS_NUMBER_BYTES, ratio < 100 ? "%.3f" : "%.3g", ratio);
  return text;
}

static const char *interval_text(const gs_cell_speed *speed, char text[2 * GS_NUMBER_BYTES]) {
  char ends[2][GS_NUMBER_BYTES];
  if (!isfinite(speed->low)) return strcpy(text, "-");
  snprintf(text, 2 * GS_NUMBER_BYTES, "%s..%s", ratio_text(speed->low, ends[0]),
           ratio_text(speed->high, ends[1]));
  return text;
}

/* What stands for a cell's speed, with ! where all cells' error rate allows to end in red. */
static const char *speed_text(const gs_cell_speed *speed, char text[GS_NUMBER_BYTES]) {
  snprintf(text, GS_NUMBER_BYTES, "%s%s", gs_name(&gs_speed_names, speed->word),
           speed->red ? "!" : "");
  return text;
}

static double ratio_of(const gs_cell_speed *speed) { return exp(speed->ratio.log_ratio); }

/* "delta.log10_norm.mean of layer 7: 1.25 and 1.5, allowed 1e-06" */
static void print_pair(FILE *stream, const gs_number_pair *first) {
  (void)fprintf(stream, "%s", first->quantity);
  if (first->index > 0) (void)fprintf(stream, " of %s %lld", first->axis, (long long)first->index);
  char texts[2][GS_DIGITS_BYTES];
  (void)fprintf(stream, ": %s and %s", gs_digits(first->base, 15, texts[0]),
                gs_digits(first->other, 15, texts[1]));
  if (first->allowance < 1e300) {
    (void)fprintf(stream, ", rounding may do %.2g", first->allowance);
  }
}

/* ---- what all formats for people have ---- */

static void print_numbers(const gs_compare_page *page, const char *lead) {
  const gs_compare_result *r = page->result;
  for (int64_t i = 0; i < r->count && !ferror(page->stream); i++) {
    char name[NAME_BYTES];
    if (!r->cells[i].start) continue;
    (void)fprintf(page->stream, "%s%s: %s: first ", lead,
                  gs_printable(r->cells[i].name, name, sizeof name),
                  gs_name(&gs_numbers_names, r->cells[i].numbers.verdict));
    print_pair(page->stream, &r->cells[i].numbers.first);
    (void)fprintf(page->stream, " (%lld numbers differ)\n", (long long)r->cells[i].numbers.unequal);
  }
}

static void print_counts(const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  const char *before = "";
  (void)fprintf(page->stream, "%lld cells: numbers ", (long long)r->count);
  for (int v = 0; v < GS_NUMBERS_COUNT; v++) {
    if (r->numbers_of[v] == 0) continue;
    (void)fprintf(page->stream, "%s%lld %s", before, (long long)r->numbers_of[v],
                  gs_name(&gs_numbers_names, v));
    before = ", ";
  }
  before = "; speed ";
  for (int v = 0; v < GS_SPEED_COUNT; v++) {
    if (r->speed_of[v] == 0) continue;
    (void)fprintf(page->stream, "%s%lld %s", before, (long long)r->speed_of[v],
                  gs_name(&gs_speed_names, v));
    before = ", ";
  }
  if (r->left_out > 0) {
    (void)fprintf(page->stream, "; %lld left out, not measured on both sides",
                  (long long)r->left_out);
  }
  (void)fputs("\n", page->stream);
}

static void print_global(const gs_compare_page *page) {
  const gs_global_speed *g = &page->result->global;
  if (g->slower + g->faster == 0) return;
  (void)fprintf(page->stream,
                "all cells together: %lld of %lld have a longer time (p = %.2g), %lld a shorter"
                " one (p = %.2g)",
                (long long)g->slower, (long long)g->cells, g->p_slower, (long long)g->faster,
                g->p_faster);
  if (isfinite(g->shift.log_ratio)) {
    double low = NAN;
    double high = NAN;
    gs_ratio_interval(&g->shift, 0.95, &low, &high);
    (void)fprintf(page->stream, "; on average x %.4f (%.4f..%.4f)", exp(g->shift.log_ratio), low,
                  high);
  }
  (void)fprintf(page->stream, "\nevidence: %lld and %lld %ss\n",
                (long long)page->result->base_units, (long long)page->result->other_units,
                gs_name(&gs_unit_names, page->result->unit));
}

static void print_differences(const gs_compare_page *page, const char *lead) {
  char text[512];
  for (int i = 0; i < page->result->differences.count; i++) {
    (void)fprintf(page->stream, "%snot comparable: %s\n", lead,
                  gs_printable(page->result->differences.lines[i], text, sizeof text));
  }
}

static const char *words_of(const gs_compare_page *page, char message[512]) {
  return gs_printable(page->result->message, message, 512);
}

/* ---- a table ---- */

static int name_width(const gs_compare_result *result) {
  size_t width = 4;
  for (int64_t i = 0; i < result->count; i++) {
    const size_t length = strlen(result->cells[i].name);
    if (length > width) width = length;
  }
  return width < NAME_WIDTH ? (int)width : NAME_WIDTH;
}

static void print_rows(const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  const int width = name_width(r);
  (void)fprintf(page->stream, "%-*s  %-9s  %8s  %8s  %6s  %-13s  %s\n", width, "cell", "numbers",
                "base", "new", "ratio", "95 %", "speed");
  for (int64_t i = 0; i < r->count && !ferror(page->stream); i++) {
    char texts[4][GS_NUMBER_BYTES];
    char interval[2 * GS_NUMBER_BYTES];
    char name[NAME_BYTES];
    const gs_cell_speed *s = &r->cells[i].speed;
    const size_t length = strlen(gs_printable(r->cells[i].name, name, sizeof name));
    const bool cut = length > (size_t)width; /* what tells cells apart is at the end, too */
    (void)fprintf(page->stream, "%s%-*s  %-9s  %8s  %8s  %6s  %-13s  %s\n", cut ? "..." : "",
                  cut ? width - 3 : width, cut ? name + length - (size_t)(width - 3) : name,
                  gs_name(&gs_numbers_names, r->cells[i].numbers.verdict),
                  time_text(s->base_ns, texts[0]), time_text(s->other_ns, texts[1]),
                  ratio_text(ratio_of(s), texts[2]), interval_text(s, interval),
                  speed_text(s, texts[3]));
  }
}

void gs_compare_print_table(const gs_compare_page *page) {
  char message[512];
  (void)fprintf(page->stream, "base %s (%d start%s), new %s (%d start%s)\n", page->base,
                page->base_starts, page->base_starts == 1 ? "" : "s", page->other,
                page->other_starts, page->other_starts == 1 ? "" : "s");
  if (page->result->differences.count > 0) {
    print_differences(page, "");
    return;
  }
  print_rows(page);
  print_numbers(page, "");
  print_counts(page);
  print_global(page);
  (void)fprintf(page->stream, "%s: %s\n", gs_name(&gs_compare_names, page->result->verdict),
                words_of(page, message));
}

/* ---- Markdown ---- */

/* Text for a table's cell. */
static void print_escaped(FILE *stream, const char *text) {
  for (; *text; text++) {
    if (strchr("\\`*_|<>[]", *text)) (void)fputc('\\', stream);
    (void)fputc(*text, stream);
  }
}

void gs_compare_print_markdown(const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  char message[512];
  (void)fprintf(page->stream, "**%s**: ", gs_name(&gs_compare_names, r->verdict));
  print_escaped(page->stream, words_of(page, message));
  (void)fputs("\n\n", page->stream);
  print_differences(page, "- ");
  if (r->differences.count > 0) return;
  (void)fputs("| cell | numbers | base | new | ratio | 95 % | speed |\n"
              "|---|---|---:|---:|---:|---|---|\n",
              page->stream);
  for (int64_t i = 0; i < r->count && !ferror(page->stream); i++) {
    char texts[4][GS_NUMBER_BYTES];
    char interval[2 * GS_NUMBER_BYTES];
    char name[NAME_BYTES];
    const gs_cell_speed *s = &r->cells[i].speed;
    (void)fputs("| ", page->stream);
    print_escaped(page->stream, gs_printable(r->cells[i].name, name, sizeof name));
    (void)fprintf(page->stream, " | %s | %s | %s | %s | %s | %s |\n",
                  gs_name(&gs_numbers_names, r->cells[i].numbers.verdict),
                  time_text(s->base_ns, texts[0]), time_text(s->other_ns, texts[1]),
                  ratio_text(ratio_of(s), texts[2]), interval_text(s, interval),
                  speed_text(s, texts[3]));
  }
  (void)fputs("\n", page->stream);
  print_numbers(page, "- ");
  print_counts(page);
  (void)fputs("\n", page->stream);
}

/* ---- CSV (RFC 4180) ---- */

static void print_quoted(FILE *stream, const char *text) {
  (void)fputc('"', stream);
  for (; *text; text++) {
    if (*text == '"') (void)fputc('"', stream);
    (void)fputc(*text, stream);
  }
  (void)fputc('"', stream);
}

/* Empty where there is no number. */
static void print_field(FILE *stream, double value) {
  char text[GS_DIGITS_BYTES];
  (void)fprintf(stream, ",%s", isfinite(value) ? gs_digits(value, 15, text) : "");
}

void gs_compare_print_csv_heading(FILE *stream) {
  (void)fputs("base,new,verdict,id,name,numbers,quantity,axis,index,base_value,new_value,allowance,"
              "base_ns,new_ns,ratio,ratio_low,ratio_high,p_slower,p_faster,speed\n",
              stream);
}

static void print_csv_numbers(FILE *stream, const gs_numbers *numbers) {
  const gs_number_pair *first = &numbers->first;
  const bool equal = numbers->verdict == GS_NUMBERS_IDENTICAL;
  (void)fprintf(stream, ",%s,%s,%s", gs_name(&gs_numbers_names, numbers->verdict),
                equal ? "" : first->quantity, equal ? "" : first->axis);
  print_field(stream, equal || first->index == 0 ? (double)NAN : (double)first->index);
  print_field(stream, equal ? (double)NAN : first->base);
  print_field(stream, equal ? (double)NAN : first->other);
  print_field(stream, equal ? (double)NAN : first->allowance);
}

static void print_csv_speed(FILE *stream, const gs_cell_speed *s) {
  const bool timed = isfinite(s->ratio.log_ratio);
  print_field(stream, s->base_ns);
  print_field(stream, s->other_ns);
  print_field(stream, ratio_of(s));
  print_field(stream, s->low);
  print_field(stream, s->high);
  print_field(stream, timed ? s->p_slower : (double)NAN);
  print_field(stream, timed ? s->p_faster : (double)NAN);
  (void)fprintf(stream, ",%s\n", gs_name(&gs_speed_names, s->word));
}

void gs_compare_print_csv(const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  for (int64_t i = 0; i < r->count && r->differences.count == 0 && !ferror(page->stream); i++) {
    char name[NAME_BYTES];
    print_quoted(page->stream, page->base);
    (void)fputc(',', page->stream);
    print_quoted(page->stream, page->other);
    (void)fprintf(page->stream, ",%s,%s,", gs_name(&gs_compare_names, r->verdict), r->cells[i].id);
    print_quoted(page->stream, gs_printable(r->cells[i].name, name, sizeof name));
    print_csv_numbers(page->stream, &r->cells[i].numbers);
    print_csv_speed(page->stream, &r->cells[i].speed);
  }
}

/* ---- JSON ---- */

static void put_numbers(gs_json_writer *w, const gs_compared_cell *cell) {
  const gs_number_pair *first = &cell->numbers.first;
  gs_json_open_object(w, "numbers");
  gs_json_put_string(w, "verdict", gs_name(&gs_numbers_names, cell->numbers.verdict));
  gs_json_put_int(w, "unequal", cell->numbers.unequal);
  if (cell->start) {
    gs_json_put_string(w, "file", cell->start);
    gs_json_put_number(w, "worst", cell->numbers.worst);
    gs_json_put_string(w, "quantity", first->quantity);
    gs_json_put_string(w, "axis", first->axis);
    gs_json_put_int(w, "index", first->index);
    gs_json_put_number(w, "base", first->base);
    gs_json_put_number(w, "new", first->other);
    gs_json_put_number(w, "allowance", first->allowance);
  }
  gs_json_close(w);
}

static void put_speed(gs_json_writer *w, const gs_cell_speed *s) {
  gs_json_open_object(w, "speed");
  gs_json_put_string(w, "verdict", gs_name(&gs_speed_names, s->word));
  gs_json_put_bool(w, "red", s->red);
  gs_json_put_number(w, "base_ns", s->base_ns);
  gs_json_put_number(w, "new_ns", s->other_ns);
  gs_json_put_number(w, "ratio", ratio_of(s));
  gs_json_put_number(w, "low", s->low);
  gs_json_put_number(w, "high", s->high);
  gs_json_put_number(w, "p_slower", s->p_slower);
  gs_json_put_number(w, "p_faster", s->p_faster);
  gs_json_put_number(w, "p_different", s->p_different);
  gs_json_put_number(w, "p_margin", s->p_margin);
  gs_json_close(w);
}

static void put_together(gs_json_writer *w, const gs_compare_result *r) {
  double low = NAN;
  double high = NAN;
  gs_ratio_interval(&r->global.shift, 0.95, &low, &high);
  gs_json_open_object(w, "together");
  gs_json_put_string(w, "verdict", gs_name(&gs_speed_names, r->global.word));
  gs_json_put_int(w, "cells", r->global.cells);
  gs_json_put_int(w, "slower", r->global.slower);
  gs_json_put_int(w, "faster", r->global.faster);
  gs_json_put_number(w, "p_slower", r->global.p_slower);
  gs_json_put_number(w, "p_faster", r->global.p_faster);
  gs_json_put_number(w, "ratio", exp(r->global.shift.log_ratio));
  gs_json_put_number(w, "low", low);
  gs_json_put_number(w, "high", high);
  gs_json_close(w);
}

static void put_all_speed(gs_json_writer *w, const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  gs_json_open_object(w, "speed");
  gs_json_put_string(w, "verdict", gs_name(&gs_speed_names, r->speed));
  gs_json_put_number(w, "threshold", page->policy->speed.threshold);
  gs_json_put_number(w, "margin", page->policy->speed.margin);
  gs_json_put_number(w, "alpha", page->policy->speed.alpha);
  gs_json_put_string(w, "unit", gs_name(&gs_unit_names, r->unit));
  gs_json_put_int(w, "base_units", r->base_units);
  gs_json_put_int(w, "new_units", r->other_units);
  put_together(w, r);
  gs_json_close(w);
}

static void put_cells(gs_json_writer *w, const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  gs_json_open_array(w, "cells");
  for (int64_t i = 0; i < r->count; i++) {
    const gs_compared_cell *cell = &r->cells[i];
    gs_json_open_object(w, NULL);
    gs_json_put_string(w, "id", cell->id);
    gs_json_put_string(w, "name", cell->name);
    put_numbers(w, cell);
    if (!page->policy->no_speed) put_speed(w, &cell->speed);
    gs_json_close(w);
  }
  gs_json_close(w);
}

static void put_differences(gs_json_writer *w, const gs_differences *differences) {
  gs_json_open_array(w, "differences");
  for (int i = 0; i < differences->count; i++) gs_json_put_string(w, NULL, differences->lines[i]);
  gs_json_close(w);
}

void gs_compare_put(gs_json_writer *w, const gs_compare_page *page) {
  const gs_compare_result *r = page->result;
  gs_json_open_object(w, NULL);
  gs_json_put_string(w, "base", page->base);
  gs_json_put_int(w, "base_starts", page->base_starts);
  gs_json_put_string(w, "new", page->other);
  gs_json_put_int(w, "new_starts", page->other_starts);
  gs_json_put_string(w, "verdict", gs_name(&gs_compare_names, r->verdict));
  gs_json_put_int(w, "exit_code", gs_compare_exit_code(r->verdict));
  gs_json_put_string(w, "message", r->message);
  put_differences(w, &r->differences);
  if (r->differences.count == 0) {
    gs_json_put_string(w, "numbers", gs_name(&gs_numbers_names, r->numbers));
    gs_json_put_string(w, "numbers_required", gs_name(&gs_numbers_names, r->required));
    gs_json_put_int(w, "left_out", r->left_out);
    if (!page->policy->no_speed) put_all_speed(w, page);
    put_cells(w, page);
  }
  gs_json_close(w);
}
