/* gradsweep info: this build, the device a run would use, and its limits. */
#include <stdio.h>

#include "base/location.h"
#include "cli/commands.h"
#include "cli/options.h"
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

typedef struct info_arguments {
  int backend; /* a gs_backend */
  const char *device;
} info_arguments;

static const gs_option options[] = {{.name = "backend",
                                     .argument = "B",
                                     .help = "auto, cpu, cuda (auto)",
                                     .kind = GS_OPTION_CHOICE,
                                     .offset = offsetof(info_arguments, backend),
                                     .names = &gs_backend_names},
                                    {.name = "device",
                                     .argument = "NAME",
                                     .help = "auto, or the backend's name for one (auto)",
                                     .kind = GS_OPTION_TEXT,
                                     .offset = offsetof(info_arguments, device)},
                                    {.name = NULL}};

static gs_status show_device(const info_arguments *arguments, const gs_given *given, int *code,
                             gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (given->word_count > 0) {
    return GS_FAIL(error, GS_ERR_USAGE, "gradsweep info takes no %s, only options: --help has them",
                   gs_quote(given->words[0], quoted));
  }
  const gs_process_options process = {.backend = (gs_backend)arguments->backend,
                                      .device = arguments->device,
                                      .interrupt = gs_interrupt_open()};
  gs_session session;
  gs_status status = gs_session_open(&session, &process, error);
  if (status == GS_OK && !session.interrupted) status = show(&session, error);
  if (session.interrupted) *code = GS_EXIT_SIGNAL + gs_interrupt_take(process.interrupt);
  gs_session_close(&session);
  return status;
}

static gs_status run(int argc, char **argv, int *code, gs_error *error) {
  info_arguments arguments = {GS_BACKEND_AUTO, "auto"};
  gs_given given;
  gs_status status = gs_options_parse(&gs_info_command, argc, argv, &arguments, &given, error);
  if (status == GS_OK && given.help) {
    gs_help_print_command(stdout, &gs_info_command);
  } else if (status == GS_OK) {
    status = show_device(&arguments, &given, code, error);
  }
  gs_given_clear(&given);
  return status;
}

const gs_command gs_info_command = {
    .name = "info",
    .summary = "the device, its libraries and limits",
    .usages = (const char *const[]){"[options]", NULL},
    .description = "Shows this build, the device that a run with the same options would use, and\n"
                   "the device's limits, measured now. auto is the first GPU where there is one,\n"
                   "else the CPU; a GPU's name is its index, its UUID or its PCI address.\n",
    .options = options,
    .run = run};
