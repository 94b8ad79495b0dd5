/* The subcommands: one table, from which the parser, the help, the manual page and the
 * shells' completions come. */
#ifndef GS_CLI_COMMANDS_H
#define GS_CLI_COMMANDS_H

#include <stdio.h>

#include "cli/options.h"

enum {
  GS_EXIT_GATE = 1,    /* a claim was not reproduced */
  GS_EXIT_CELLS = 2,   /* some cells failed, timed out or crashed, or all were skipped */
  GS_EXIT_REQUIRE = 3, /* what --require asks for is not met */
  GS_EXIT_MAX = 7,     /* of commands that ran to their end; compare's: compare/compare.h */
  GS_EXIT_OUTPUT = 74, /* as GS_ERR_OUTPUT */
  GS_EXIT_SIGNAL = 128 /* plus the signal's number */
};

/* What exit codes mean, for people; ends with a NULL code. */
typedef struct gs_exit_code {
  const char *code;
  const char *meaning;
} gs_exit_code;
extern const gs_exit_code gs_exit_codes[];

extern const gs_command gs_run_command;
extern const gs_command gs_theory_command;
extern const gs_command gs_reproduce_command;
extern const gs_command gs_compare_command;
extern const gs_command gs_info_command;
extern const gs_command gs_parameters_command;
extern const gs_command gs_completion_command;
extern const gs_command gs_man_command;
extern const gs_command gs_worker_command;

/* All of them, in the order of the help; ends with NULL. */
extern const gs_command *const gs_commands[];

/* The command of a name, NULL if there is none. */
const gs_command *gs_command_find(const char *name);

/* Reads the command line, argv[0] being the command's name, and runs the command, or prints
 * its help. *code: as the command's run leaves it. */
gs_status gs_command_run(const gs_command *command, int argc, char **argv, int *code,
                         gs_error *error);

/* Whether the command has an option of its own of this name, which may be a parameter's,
 * with _ for -. */
bool gs_command_has(const gs_command *command, const char *name);

/* `gradsweep --help`, `gradsweep COMMAND --help`, `gradsweep --version`. */
void gs_help_print(FILE *stream);
void gs_help_print_command(FILE *stream, const gs_command *command);
/* The parameters of a cell, without those that are options of the command's own. */
void gs_help_print_parameters(FILE *stream, const gs_command *command);
void gs_version_print(FILE *stream);

#endif
