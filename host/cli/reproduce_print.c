/* Checks in words. See reproduce_print.h. */
#include "cli/reproduce_print.h"

#include <math.h>
#include <string.h>

#include "sweep/text.h"

enum { PAGE_COLUMNS = 110, LABEL_COLUMNS = 15, NUMBER_BYTES = 32 };

/* Words in lines that begin `indent` columns in, the first one there already. */
static void print_wrapped(FILE *stream, const char *text, int indent) {
  int column = indent;
  const char *separator = "";
  while (*text) {
    const int length = (int)strcspn(text, " ");
    if (column + 1 + length > PAGE_COLUMNS && column > indent) {
      (void)fprintf(stream, "\n%*s", indent, "");
      column = indent;
      separator = "";
    }
    column += fprintf(stream, "%s%.*s", separator, length, text);
    separator = " ";
    text += length;
    text += strspn(text, " ");
  }
  (void)fputs("\n", stream);
}

static void print_line(FILE *stream, const char *label, const char *text) {
  (void)fprintf(stream, "     %-*s", LABEL_COLUMNS - 5, label);
  print_wrapped(stream, text, LABEL_COLUMNS);
}

static const char *number(double value, char text[NUMBER_BYTES]) {
  snprintf(text, NUMBER_BYTES,
           fabs(value) >= 1e6 || (value != 0 && fabs(value) < 1e-4) ? "%.3g" : "%.6g", value);
  return text;
}

static void print_expected(FILE *stream, const gs_check *check) {
  const gs_expectation *expected = &check->expected;
  char numbers[3][NUMBER_BYTES];
  char line[2 * GS_CHECK_FROM_BYTES];
  number(expected->low, numbers[0]);
  number(expected->high, numbers[1]);
  number(expected->allowance, numbers[2]);
  if (!expected->inside) {
    snprintf(line, sizeof line, "%s%s%s (%s)", numbers[0], expected->allowance > 0 ? " +- " : "",
             expected->allowance > 0 ? numbers[2] : "", check->from);
  } else if (isinf(expected->low)) {
    snprintf(line, sizeof line, "below %s (%s)", numbers[1], check->from);
  } else if (isinf(expected->high)) {
    snprintf(line, sizeof line, "above %s (%s)", numbers[0], check->from);
  } else {
    snprintf(line, sizeof line, "%s to %s (%s)", numbers[0], numbers[1], check->from);
  }
  print_line(stream, "expected", line);
}

static void print_measured(const gs_reproduce_page *page, const gs_check *check) {
  const gs_estimate *measured = &check->measured;
  char numbers[3][NUMBER_BYTES];
  const char *colour = check->passed ? "\033[32m" : "\033[31m";
  (void)fprintf(page->stream, "     %-*s%s", LABEL_COLUMNS - 5, "measured",
                number(measured->value, numbers[0]));
  if (measured->low < measured->high) {
    (void)fprintf(page->stream, " [%s, %s]", number(measured->low, numbers[1]),
                  number(measured->high, numbers[2]));
  }
  (void)fprintf(page->stream, "  %s%s%s\n", page->colour ? colour : "",
                check->passed ? "pass" : "FAIL", page->colour ? "\033[0m" : "");
}

void gs_reproduce_print_claim(gs_reproduce_page *page, const gs_claim *claim) {
  page->checks = 0;
  (void)fprintf(page->stream, "%s: %s\n", claim->name, claim->title);
  (void)fputs("  ", page->stream);
  print_wrapped(page->stream, claim->source, 2);
}

void gs_reproduce_print_check(gs_reproduce_page *page, const gs_check *check) {
  FILE *stream = page->stream;
  (void)fprintf(stream, "\n%3d. ", ++page->checks);
  print_wrapped(stream, check->sentence, 5);
  print_line(stream, "source", check->source);
  print_line(stream, "set-up", check->setup);
  print_line(stream, "quantity", check->quantity);
  print_expected(stream, check);
  print_measured(page, check);
  if (!check->remark[0]) {
    print_line(stream, "so it", gs_name(&gs_finding_names, check->finding));
  } else {
    char line[GS_CHECK_REMARK_BYTES + 32];
    snprintf(line, sizeof line, "%s%s %s", gs_name(&gs_finding_names, check->finding),
             check->finding == GS_HOLDS_ONLY_WHEN ? "" : ":", check->remark);
    print_line(stream, "so it", line);
  }
  (void)fflush(stream);
}

void gs_reproduce_print_end(gs_reproduce_page *page, const gs_claim *claim, const gs_claim_run *run,
                            double seconds) {
  char time[GS_NUMBER_BYTES];
  int passed = 0;
  for (int i = 0; i < run->count; i++) passed += run->checks[i].passed;
  const char *colour = gs_claim_passed(run) ? "\033[32m" : "\033[31m";
  (void)fprintf(page->stream, "\n%s: %s%d of %d checks pass%s; %s\n\n", claim->name,
                page->colour ? colour : "", passed, run->count, page->colour ? "\033[0m" : "",
                gs_text_seconds(seconds, time));
  (void)fflush(page->stream);
}
