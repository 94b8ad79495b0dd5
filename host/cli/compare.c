/* gradsweep compare: whether two measurements agree, and which is faster. */
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/location.h"
#include "cli/commands.h"
#include "cli/compare_print.h"
#include "cli/options.h"

typedef enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_MARKDOWN, FORMAT_CSV } format;

typedef struct compare_arguments {
  gs_compare_policy policy;
  double threshold, margin, alpha; /* the first two in percent; margin 0: twice the threshold */
  bool json, markdown, csv;
} compare_arguments;

/* ---- the command line ---- */

static gs_status add_across(void *arguments, const char *value, gs_error *error) {
  compare_arguments *a = arguments;
  char quoted[GS_QUOTE_BYTES];
  while (*value) {
    char word[32];
    const char *meant = NULL;
    const size_t length = strcspn(value, ",");
    snprintf(word, sizeof word, "%.*s", (int)(length < 31 ? length : 31), value);
    const int kind = gs_value_of(&gs_across_names, word, &meant);
    if (kind < 0) {
      return GS_FAIL(error, GS_ERR_USAGE,
                     "--across: %s is no difference%s%s: one of cells, "
                     "backend, device, driver, threads, libraries, options",
                     gs_quote(word, quoted), meant ? ", did you mean " : "", meant ? meant : "");
    }
    a->policy.across |= 1u << kind;
    value += length + (value[length] == ',');
  }
  return GS_OK;
}

#define FIELD(name) offsetof(compare_arguments, name)
static const gs_option options[] = {
    {.name = "across",
     .argument = "LIST",
     .help = "compare although these differ: cells, backend, device, driver, threads, "
             "libraries, options, with commas between them (none)",
     .kind = GS_OPTION_CALL,
     .set = add_across},
    {.name = "numbers",
     .argument = "WHAT",
     .help = "how equal numbers must be: identical, rounding, or auto, which is identical unless "
             "--across lets pass what computes them (auto)",
     .kind = GS_OPTION_CHOICE,
     .offset = FIELD(policy.required),
     .names = &gs_required_names},
    {.name = "no-speed",
     .help = "compare numbers alone",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(policy.no_speed)},
    {.name = "threshold",
     .argument = "PERCENT",
     .help = "a change of a cell's time that does not matter (2)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(threshold),
     .min = 0.01,
     .max = 1000},
    {.name = "margin",
     .argument = "PERCENT",
     .help = "a slowdown that no cell may hide for exit code 0 (twice the threshold)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(margin),
     .min = 0.01,
     .max = 1000},
    {.name = "alpha",
     .argument = "P",
     .help = "error rate of the marks, and of a red cell among all (0.05)",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(alpha),
     .min = 1e-9,
     .max = 0.5},
    {.name = "json",
     .help = "one JSON document instead of tables",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(json)},
    {.name = "markdown",
     .help = "tables for a page or a pull request",
     .kind = GS_OPTION_FLAG,
     .offset = FIELD(markdown)},
    {.name = "csv", .help = "a row for each cell", .kind = GS_OPTION_FLAG, .offset = FIELD(csv)},
    {.name = NULL}};
#undef FIELD

static gs_status check_arguments(compare_arguments *a, const gs_given *given, gs_error *error) {
  if (given->operand_count < 2) {
    return GS_FAIL(error, GS_ERR_USAGE,
                   "compare what? BASE and NEW, each a results.json or a folder: see gradsweep "
                   "compare --help");
  }
  if (a->json + a->markdown + a->csv > 1) {
    return GS_FAIL(error, GS_ERR_USAGE, "--json, --markdown and --csv exclude each other");
  }
  a->policy.speed.threshold = a->threshold / 100;
  a->policy.speed.margin = (a->margin > 0 ? a->margin : 2 * a->threshold) / 100;
  a->policy.speed.alpha = a->alpha;
  if (a->policy.speed.margin >= a->policy.speed.threshold) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "--margin is below --threshold");
}

/* ---- what is printed ---- */

static format format_of(const compare_arguments *a) {
  if (a->json) return FORMAT_JSON;
  if (a->markdown) return FORMAT_MARKDOWN;
  return a->csv ? FORMAT_CSV : FORMAT_TABLE;
}

/* list: of JSON's comparisons. */
static void print(const compare_arguments *a, const gs_compare_page *page, int before,
                  gs_json_writer *list) {
  switch (format_of(a)) {
  case FORMAT_JSON: gs_compare_put(list, page); break;
  case FORMAT_MARKDOWN: gs_compare_print_markdown(page); break;
  case FORMAT_CSV:
    if (before == 0) gs_compare_print_csv_heading(page->stream);
    gs_compare_print_csv(page);
    break;
  case FORMAT_TABLE:
    if (before > 0) (void)fputs("\n", page->stream);
    gs_compare_print_table(page);
    break;
  }
  if (a->csv && page->result->differences.count > 0) {
    (void)fprintf(stderr, "gradsweep: not comparable: %s\n", page->result->message);
  }
}

static gs_status compare_with(const compare_arguments *a, const gs_side *base, const char *path,
                              int before, gs_json_writer *list, gs_compare_verdict *worst,
                              gs_error *error) {
  gs_side other;
  gs_compare_result result = {0};
  gs_status status = gs_side_read(path, &other, error);
  if (status == GS_OK) status = gs_compare(base, &other, &a->policy, &result, error);
  if (status == GS_OK) {
    const gs_compare_page page = {stdout,      base->path, path,   base->count,
                                  other.count, &a->policy, &result};
    print(a, &page, before, list);
    if (gs_compare_rank(result.verdict) > gs_compare_rank(*worst)) *worst = result.verdict;
  }
  gs_compare_result_clear(&result);
  gs_side_clear(&other);
  return status;
}

static gs_status print_document(gs_json_writer *list, gs_compare_verdict worst, gs_error *error) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "verdict", gs_name(&gs_compare_names, worst));
  gs_json_put_int(&w, "exit_code", gs_compare_exit_code(worst));
  gs_json_put(&w, "comparisons", gs_json_finish(list));
  return gs_json_finish_to(&w, "the document", stdout, error); /* main looks at stdout */
}

static gs_status compare(const compare_arguments *a, const gs_given *given, int *code,
                         gs_error *error) {
  gs_side base;
  gs_compare_verdict worst = GS_COMPARE_SAME;
  gs_json_writer list = gs_json_writer_array();
  gs_status status = gs_side_read(given->operands[0], &base, error);
  for (int i = 1; status == GS_OK && i < given->operand_count; i++) {
    status = compare_with(a, &base, given->operands[i], i - 1, &list, &worst, error);
  }
  if (status == GS_OK && a->json) status = print_document(&list, worst, error);
  *code = gs_compare_exit_code(worst);
  gs_json_abandon(&list);
  gs_side_clear(&base);
  return status;
}

static void set_defaults(void *arguments) {
  const gs_speed_policy usual = gs_speed_defaults();
  *(compare_arguments *)arguments = (compare_arguments){
      .policy = gs_compare_defaults(), .threshold = 100 * usual.threshold, .alpha = usual.alpha};
}

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  compare_arguments *a = arguments;
  GS_TRY(check_arguments(a, given, error));
  return compare(a, given, code, error);
}

const gs_command gs_compare_command = {
    .name = "compare",
    .summary = "are two measurements the same, and which is faster",
    .usages = (const char *const[]){"BASE NEW [NEW...] [options]", NULL},
    .description =
        "Compares runs of the same cells: results.json, a run's folder, or a folder of the "
        "folders\n"
        "of several starts. Numbers first: seeds are the same, so every norm has its partner.\n"
        "Then the times: a start or an interleaved round (run --interleave) is one piece of\n"
        "evidence. docs/COMPARE.md has the method. Exit codes: 0 same or faster, 3 slower,\n"
        "4 different numbers, 5 undecided, 6 not comparable (of several the worst).\n",
    .options = options,
    .arguments_size = sizeof(compare_arguments),
    .defaults = set_defaults,
    .operands = true,
    .run = run};
