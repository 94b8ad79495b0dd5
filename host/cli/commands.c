/* The table of subcommands. Each is a file of its own. */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

const gs_command *const gs_commands[] = {&gs_run_command,        &gs_theory_command,
                                         &gs_reproduce_command,  &gs_compare_command,
                                         &gs_info_command,       &gs_parameters_command,
                                         &gs_completion_command, &gs_man_command,
                                         &gs_worker_command,     NULL};

const gs_exit_code gs_exit_codes[] = {
    {"0", "all cells ok or some skipped; all claims reproduced; same or faster"},
    {"1", "reproduce: a claim was not reproduced"},
    {"2", "run: cells failed, timed out or crashed, or all were skipped"},
    {"3", "run: what --require asks for is not met; compare: slower"},
    {"4", "compare: different numbers"},
    {"5", "compare: undecided"},
    {"6", "compare: not comparable"},
    {"7", "kept for slower by the clock; nothing ends so yet"},
    {"64", "wrong usage"},
    {"65", "bad input data"},
    {"69", "the asked-for device is not there"},
    {"70, 71", "internal or device error"},
    {"74", "output error"},
    {"128+n", "signal n"},
    {NULL, NULL}};

const gs_command *gs_command_find(const char *name) {
  for (int i = 0; gs_commands[i]; i++) {
    if (strcmp(gs_commands[i]->name, name) == 0) return gs_commands[i];
  }
  return NULL;
}

bool gs_command_has(const gs_command *command, const char *name) {
  for (const gs_option *option = command->options; option && option->name; option++) {
    if (strcmp(option->name, name) == 0) return true;
  }
  return false;
}

static gs_status run_with(const gs_command *command, int argc, char **argv, void *arguments,
                          int *code, gs_error *error) {
  gs_given given;
  if (command->defaults) command->defaults(arguments);
  gs_status status = gs_options_parse(command, argc, argv, arguments, &given, error);
  if (status == GS_OK && given.help) {
    gs_help_print_command(stdout, command);
  } else if (status == GS_OK) {
    status = command->run(arguments, &given, code, error);
  }
  gs_given_clear(&given);
  return status;
}

gs_status gs_command_run(const gs_command *command, int argc, char **argv, int *code,
                         gs_error *error) {
  void *arguments = calloc(1, command->arguments_size + 1);
  if (!arguments) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the options");
  const gs_status status = run_with(command, argc, argv, arguments, code, error);
  free(arguments);
  return status;
}
