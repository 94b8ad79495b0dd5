/* gradsweep reproduce: published claims, checked on this device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/location.h"
#include "base/names.h"
#include "base/threads.h"
#include "claims/claims.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/reproduce_print.h"
#include "device/device.h"
#include "sweep/device_open.h"
#include "sweep/fault.h"
#include "sweep/progress.h"

typedef struct reproduce_arguments {
  int backend; /* a gs_backend */
  const char *device;
  int64_t threads;
  uint64_t seed;
  bool json;
  bool list;
} reproduce_arguments;

/* ---- the command line ---- */

#define FIELD(name) offsetof(reproduce_arguments, name)
static const gs_option options[] = {{.name = "list",
                                     .help = "print the claims' names and titles, run nothing",
                                     .kind = GS_OPTION_FLAG,
                                     .offset = FIELD(list)},
                                    {.name = "json",
                                     .help = "one JSON document instead of text",
                                     .kind = GS_OPTION_FLAG,
                                     .offset = FIELD(json)},
                                    {.name = "seed",
                                     .argument = "N",
                                     .help = "of all random numbers (1)",
                                     .kind = GS_OPTION_SEED,
                                     .offset = FIELD(seed)},
                                    GS_BACKEND_OPTION(reproduce_arguments),
                                    GS_DEVICE_OPTION(reproduce_arguments),
                                    GS_THREADS_OPTION(reproduce_arguments),
                                    {.name = NULL}};
#undef FIELD

/* Names are judged before anything is run. */
static gs_status check_names(const reproduce_arguments *a, const gs_given *given, gs_error *error) {
  enum { MAX = 64 };
  const char *known[MAX];
  char quoted[GS_QUOTE_BYTES];
  int count = 0;
  for (int i = 0; i < gs_claim_count && count < MAX - 1; i++) known[count++] = gs_claims[i].name;
  known[count++] = "all";
  for (int i = 0; i < given->operand_count; i++) {
    if (strcmp(given->operands[i], "all") == 0 || gs_claim_find(given->operands[i])) continue;
    const char *close = gs_closest(given->operands[i], known, count);
    return GS_FAIL(error, GS_ERR_USAGE, "unknown claim %s%s%s: see gradsweep reproduce --list",
                   gs_quote(given->operands[i], quoted), close ? ", did you mean " : "",
                   close ? close : "");
  }
  if (a->list && (given->operand_count > 0 || a->json)) {
    return GS_FAIL(error, GS_ERR_USAGE, "--list goes with nothing else");
  }
  if (given->operand_count > 0 || a->list) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE,
                 "reproduce what? names of claims, or all: see gradsweep reproduce --list");
}

/* ---- claims ---- */

static bool is_wanted(const gs_given *given, const gs_claim *claim) {
  for (int i = 0; i < given->operand_count; i++) {
    if (strcmp(given->operands[i], "all") == 0 || strcmp(given->operands[i], claim->name) == 0)
      return true;
  }
  return false;
}

static void print_check(void *context, const gs_check *check) {
  gs_reproduce_print_check(context, check);
}

/* Where the checks themselves do not show how far it is. */
static void say_progress(const gs_claim *claim) {
  if (isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO)) {
    (void)fprintf(stderr, "reproducing %s\n", claim->name);
  }
}

/* Appends the claim to the document if there is one, else prints it. */
static gs_status reproduce(const gs_claim *claim, const reproduce_arguments *a, gs_device *device,
                           gs_json_writer *document, bool *passed, gs_error *error) {
  gs_reproduce_page page = {stdout, gs_terminal_has_colour(stdout), 0};
  gs_claim_run run = {.device = device, .seed = a->seed, .falsify = gs_fault_falsify()};
  const double start = gs_clock_s();
  say_progress(claim);
  if (!document) {
    gs_reproduce_print_claim(&page, claim);
    run.report = print_check;
    run.context = &page;
  }
  gs_status status = claim->run(&run, error);
  if (status == GS_OK && !document) {
    gs_reproduce_print_end(&page, claim, &run, gs_clock_s() - start);
  } else if (status == GS_OK) {
    gs_claim_put(document, claim, &run);
    status = gs_json_writer_status(document, "the document", error);
  }
  *passed = *passed && gs_claim_passed(&run);
  gs_claim_run_clear(&run);
  return status;
}

static gs_status reproduce_all(const reproduce_arguments *a, const gs_given *given,
                               gs_device *device, gs_json_writer *document, bool *passed,
                               gs_error *error) {
  int done = 0;
  int failed = 0;
  for (int i = 0; i < gs_claim_count; i++) {
    bool own = true;
    if (!is_wanted(given, &gs_claims[i])) continue;
    GS_TRY(reproduce(&gs_claims[i], a, device, document, &own, error));
    done++;
    failed += !own;
  }
  *passed = failed == 0;
  if (!document) {
    printf("%d claim%s: %d reproduced, %d not\n", done, done == 1 ? "" : "s", done - failed,
           failed);
  }
  return GS_OK;
}

static gs_status with_device(const reproduce_arguments *a, const gs_given *given,
                             gs_json_writer *document, bool *passed, gs_error *error) {
  const gs_device_choice choice = {(gs_backend)a->backend, a->device, (int)a->threads};
  gs_device *device = NULL;
  GS_TRY(gs_device_open(&choice, &device, error));
  const gs_status status = reproduce_all(a, given, device, document, passed, error);
  device->ops->destroy(device);
  return status;
}

static gs_status with_document(const reproduce_arguments *a, const gs_given *given, bool *passed,
                               gs_error *error) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_open_array(&w, "claims");
  const gs_status status = with_device(a, given, &w, passed, error);
  if (status == GS_OK) return gs_json_finish_to(&w, "the document", stdout, error);
  gs_json_abandon(&w);
  return status;
}

static void print_list(void) {
  for (int i = 0; i < gs_claim_count; i++) {
    printf("%-16s %s\n", gs_claims[i].name, gs_claims[i].title);
  }
}

static void set_defaults(void *arguments) {
  *(reproduce_arguments *)arguments =
      (reproduce_arguments){.backend = GS_BACKEND_AUTO, .device = "auto", .seed = 1};
}

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  const reproduce_arguments *a = arguments;
  bool passed = true;
  gs_threads_spin_briefly(given->argv - 1); /* the program's */
  GS_TRY(check_names(a, given, error));
  if (a->list) {
    print_list();
    return GS_OK;
  }
  GS_TRY(a->json ? with_document(a, given, &passed, error)
                 : with_device(a, given, NULL, &passed, error));
  *code = passed ? 0 : GS_EXIT_GATE;
  return GS_OK;
}

const gs_command gs_reproduce_command = {
    .name = "reproduce",
    .summary = "published claims, checked here",
    .usages = (const char *const[]){"CLAIM...|all [options]", "--list", NULL},
    .description =
        "Checks published claims about gradients on this device. Each check has the statement,\n"
        "its source, the set-up, the number expected and where it comes from, the number\n"
        "measured with its 95 % confidence interval, and whether the two agree: to within what\n"
        "chance does once in 10,000 times and the stated allowance, or, for a range, with that\n"
        "much to either side inside it. Where a statement is true only in part, it is said when.\n"
        "Exit code 0: every check passes; 1: some do not.\n",
    .options = options,
    .arguments_size = sizeof(reproduce_arguments),
    .defaults = set_defaults,
    .operands = true,
    .run = run};
