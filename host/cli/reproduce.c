/* gradsweep reproduce: published claims, checked on this device. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/names.h"
#include "base/place.h"
#include "base/threads.h"
#include "claims/claims.h"
#include "cli/commands.h"
#include "cli/reproduce_print.h"
#include "cli/run_options.h"
#include "sweep/device_open.h"
#include "sweep/fault.h"
#include "sweep/progress.h"

typedef struct arguments {
  gs_device_choice device;
  uint64_t seed;
  bool json;
  bool list;
  bool help;
  char **names; /* argv's */
  int count;
} arguments;

/* ---- the command line ---- */

static gs_status parse_whole(const char *option, const char *text, uint64_t most, uint64_t *value,
                             gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  char *end = NULL;
  errno = 0;
  const unsigned long long number = strtoull(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number <= most) {
    *value = number;
    return GS_OK;
  }
  return GS_FAIL(error, GS_ERR_USAGE, "--%s: %s is not a whole number from 0 to %llu", option,
                 gs_quote(text, quoted), (unsigned long long)most);
}

static gs_status set_option(int found, arguments *a, gs_error *error) {
  const uint64_t most_threads = 4096;
  uint64_t threads = 0;
  switch (found) {
  case 'b': return gs_backend_parse(optarg, &a->device.backend, error);
  case 'd': a->device.device = optarg; return GS_OK;
  case 't':
    GS_TRY(parse_whole("threads", optarg, most_threads, &threads, error));
    a->device.threads = (int)threads;
    return GS_OK;
  case 's': return parse_whole("seed", optarg, UINT64_MAX, &a->seed, error);
  case 'j': a->json = true; return GS_OK;
  case 'l': a->list = true; return GS_OK;
  default: a->help = true; return GS_OK;
  }
}

/* Names are judged before anything is run. */
static gs_status check_names(const arguments *a, gs_error *error) {
  enum { MOST = 64 };
  const char *known[MOST];
  char quoted[GS_QUOTE_BYTES];
  int count = 0;
  for (int i = 0; i < gs_claim_count && count < MOST - 1; i++) known[count++] = gs_claims[i].name;
  known[count++] = "all";
  for (int i = 0; i < a->count; i++) {
    if (strcmp(a->names[i], "all") == 0 || gs_claim_find(a->names[i])) continue;
    const char *close = gs_closest(a->names[i], known, count);
    return GS_FAIL(error, GS_ERR_USAGE, "unknown claim %s%s%s: see gradsweep reproduce --list",
                   gs_quote(a->names[i], quoted), close ? ", did you mean " : "",
                   close ? close : "");
  }
  if (a->list && (a->count > 0 || a->json)) {
    return GS_FAIL(error, GS_ERR_USAGE, "--list goes with nothing else");
  }
  if (a->count > 0 || a->list || a->help) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE,
                 "reproduce what? names of claims, or all: see gradsweep reproduce --list");
}

static gs_status parse(int argc, char **argv, arguments *a, gs_error *error) {
  static const struct option known[] = {
      {"backend", required_argument, NULL, 'b'}, {"device", required_argument, NULL, 'd'},
      {"threads", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 's'},
      {"json", no_argument, NULL, 'j'},          {"list", no_argument, NULL, 'l'},
      {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
  char quoted[GS_QUOTE_BYTES];
  optind = 1;
  opterr = 0;
  for (;;) {
    const int at = optind;
    const int found = getopt_long(argc, argv, ":", known, NULL);
    if (found == -1) break;
    if (found == '?' || found == ':') {
      return GS_FAIL(error, GS_ERR_USAGE,
                     "gradsweep reproduce %s %s: see gradsweep reproduce "
                     "--help",
                     found == ':' ? "needs a value after" : "does not take",
                     gs_quote(argv[optind > at ? optind - 1 : at], quoted));
    }
    GS_TRY(set_option(found, a, error));
  }
  a->names = argv + optind;
  a->count = argc - optind;
  return check_names(a, error);
}

/* ---- claims ---- */

static bool is_wanted(const arguments *a, const gs_claim *claim) {
  for (int i = 0; i < a->count; i++) {
    if (strcmp(a->names[i], "all") == 0 || strcmp(a->names[i], claim->name) == 0) return true;
  }
  return false;
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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
static gs_status reproduce(const gs_claim *claim, const arguments *a, gs_device *device,
                           cJSON *document, bool *passed, gs_error *error) {
  gs_reproduce_page page = {stdout, gs_terminal_has_colour(stdout), 0};
  gs_claim_run run = {.device = device, .seed = a->seed, .falsify = gs_fault_falsify()};
  const double start = now_s();
  say_progress(claim);
  if (!document) {
    gs_reproduce_print_claim(&page, claim);
    run.report = print_check;
    run.context = &page;
  }
  gs_status status = claim->run(&run, error);
  if (status == GS_OK && !document) {
    gs_reproduce_print_end(&page, claim, &run, now_s() - start);
  } else if (status == GS_OK && !gs_json_append(document, gs_claim_json(claim, &run))) {
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the document");
  }
  *passed = *passed && gs_claim_passed(&run);
  gs_claim_run_clear(&run);
  return status;
}

static gs_status reproduce_all(const arguments *a, gs_device *device, cJSON *document, bool *passed,
                               gs_error *error) {
  int done = 0;
  int failed = 0;
  for (int i = 0; i < gs_claim_count; i++) {
    bool own = true;
    if (!is_wanted(a, &gs_claims[i])) continue;
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

static gs_status with_device(const arguments *a, cJSON *document, bool *passed, gs_error *error) {
  gs_device *device = NULL;
  GS_TRY(gs_device_open(&a->device, &device, error));
  const gs_status status = reproduce_all(a, device, document, passed, error);
  device->ops->destroy(device);
  return status;
}

static gs_status with_document(const arguments *a, bool *passed, gs_error *error) {
  cJSON *root = cJSON_CreateObject();
  cJSON *claims = cJSON_AddArrayToObject(root, "claims");
  gs_status status = claims ? with_device(a, claims, passed, error)
                            : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the document");
  if (status == GS_OK) (void)gs_json_print_pretty(root, stdout); /* main looks at stdout */
  cJSON_Delete(root);
  return status;
}

static void print_list(void) {
  for (int i = 0; i < gs_claim_count; i++) {
    printf("%-16s %s\n", gs_claims[i].name, gs_claims[i].title);
  }
}

gs_status gs_command_reproduce(int argc, char **argv, int *code, gs_error *error) {
  gs_threads_spin_briefly(argv - 1); /* the program's, of which argv is the rest */
  arguments a = {.device = {GS_BACKEND_AUTO, "auto", 0}, .seed = 1};
  bool passed = true;
  GS_TRY(parse(argc, argv, &a, error));
  if (a.help) {
    gs_help_reproduce_print(stdout);
    return GS_OK;
  }
  if (a.list) {
    print_list();
    return GS_OK;
  }
  GS_TRY(a.json ? with_document(&a, &passed, error) : with_device(&a, NULL, &passed, error));
  *code = passed ? 0 : GS_EXIT_GATE;
  return GS_OK;
}
