/* Comparisons for people and for programs. */
#ifndef GS_CLI_COMPARE_PRINT_H
#define GS_CLI_COMPARE_PRINT_H

#include <stdio.h>

#include "base/json_writer.h"
#include "compare/compare.h"

/* What is printed of a comparison in one format. Write errors show in the stream. */
typedef struct gs_compare_page {
  FILE *stream;
  const char *base, *other; /* as the command line has them */
  int base_starts, other_starts;
  const gs_compare_policy *policy;
  const gs_compare_result *result;
} gs_compare_page;

void gs_compare_print_table(const gs_compare_page *page);
void gs_compare_print_markdown(const gs_compare_page *page);
/* One row for each cell, below one heading for all comparisons. */
void gs_compare_print_csv_heading(FILE *stream);
void gs_compare_print_csv(const gs_compare_page *page);
/* Puts an entry of "comparisons" into the array that is open. */
void gs_compare_put(gs_json_writer *w, const gs_compare_page *page);

#endif
