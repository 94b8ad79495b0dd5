/* gradsweep info: this build, the device a run would use, and its limits. */
#include <stdio.h>

#include "base/location.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "sweep/device_facts.h"
#include "sweep/interrupt.h"
#include "sweep/session.h"

static gs_status show(gs_session *session, gs_error *error) {
  gs_roofline roofline;
  cJSON *tree = NULL;
  GS_TRY(gs_session_roofline(session, &tree, error));
  if (session->interrupted) return GS_OK;
  (void)gs_roofline_from_json(tree, &roofline); /* has been checked */
  cJSON_Delete(tree);
  gs_version_print(stdout);
  gs_device_facts_print(stdout, session->device, &roofline);
  return GS_OK;
}

typedef struct info_arguments {
  int backend; /* a gs_backend */
  const char *device;
} info_arguments;

static const gs_option options[] = {
    GS_BACKEND_OPTION(info_arguments), GS_DEVICE_OPTION(info_arguments), {.name = NULL}};

static void set_defaults(void *arguments) {
  *(info_arguments *)arguments = (info_arguments){GS_BACKEND_AUTO, "auto"};
}

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  const info_arguments *a = arguments;
  (void)given;
  const gs_process_options process = {
      .backend = (gs_backend)a->backend, .device = a->device, .interrupt = gs_interrupt_open()};
  gs_session session;
  gs_status status = gs_session_open(&session, &process, error);
  if (status == GS_OK && !session.interrupted) status = show(&session, error);
  if (session.interrupted) *code = GS_EXIT_SIGNAL + gs_interrupt_take(process.interrupt);
  gs_session_close(&session);
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
    .arguments_size = sizeof(info_arguments),
    .defaults = set_defaults,
    .run = run};
