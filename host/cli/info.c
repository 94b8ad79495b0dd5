/* gradsweep info: this build, the device a run would use, and its limits. */
#include <getopt.h>
#include <stdio.h>

#include "base/place.h"
#include "cli/commands.h"
#include "cli/run_options.h"
#include "sweep/device_facts.h"
#include "sweep/interrupt.h"
#include "sweep/session.h"

static gs_status show(gs_session *session, gs_error *error) {
  gs_floor floor;
  cJSON *tree = NULL;
  GS_TRY(gs_session_floor(session, &tree, error));
  if (session->interrupted) return GS_OK;
  (void)gs_floor_from_json(tree, &floor); /* has been checked */
  cJSON_Delete(tree);
  gs_version_print(stdout);
  gs_device_facts_print(stdout, session->device, &floor);
  return GS_OK;
}

/* Sets *help, or which device to show. */
static gs_status parse(int argc, char **argv, gs_process_options *options, bool *help,
                       gs_error *error) {
  static const struct option known[] = {{"backend", required_argument, NULL, 'b'},
                                        {"device", required_argument, NULL, 'd'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  char quoted[GS_QUOTE_BYTES];
  optind = 1;
  opterr = 0;
  for (;;) {
    const int at = optind;
    const int found = getopt_long(argc, argv, ":", known, NULL);
    if (found == -1) break;
    switch (found) {
    case 'b': GS_TRY(gs_backend_parse(optarg, &options->backend, error)); break;
    case 'd': options->device = optarg; break;
    case 'h': *help = true; break;
    default:
      return GS_FAIL(error, GS_ERR_USAGE, "gradsweep info %s %s: see gradsweep info --help",
                     found == ':' ? "needs a value after" : "does not take",
                     gs_quote(argv[optind > at ? optind - 1 : at], quoted));
    }
  }
  if (optind == argc) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "gradsweep info takes no %s, only options: --help has them",
                 gs_quote(argv[optind], quoted));
}

gs_status gs_command_info(int argc, char **argv, int *code, gs_error *error) {
  gs_process_options options = {.backend = GS_BACKEND_AUTO, .device = "auto"};
  bool help = false;
  GS_TRY(parse(argc, argv, &options, &help, error));
  if (help) {
    gs_help_info_print(stdout);
    return GS_OK;
  }
  options.interrupt = gs_interrupt_open();
  gs_session session;
  gs_status status = gs_session_open(&session, &options, error);
  if (status == GS_OK && !session.interrupted) status = show(&session, error);
  if (session.interrupted) *code = GS_EXIT_SIGNAL + gs_interrupt_take(options.interrupt);
  gs_session_close(&session);
  return status;
}
