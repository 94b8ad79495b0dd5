/* The subcommands of the program. Each parses its own arguments (argv[0] is its
 * name) and returns the exit code in *code when it ran to its end; an error is
 * main's to print and to turn into an exit code. */
#ifndef GS_CLI_COMMANDS_H
#define GS_CLI_COMMANDS_H

#include <stdio.h>

#include "base/status.h"

enum {
  GS_EXIT_GATE = 1,    /* a claim was not reproduced */
  GS_EXIT_CELLS = 2,   /* some cells failed, timed out or crashed, or all were skipped */
  GS_EXIT_REQUIRE = 3, /* what --require asks for is not met */
  GS_EXIT_OUTPUT = 74, /* as GS_ERR_OUTPUT */
  GS_EXIT_SIGNAL = 128 /* plus the signal's number */
};

gs_status gs_command_run(int argc, char **argv, int *code, gs_error *error);
gs_status gs_command_worker(int argc, char **argv, int *code, gs_error *error);
gs_status gs_command_theory(int argc, char **argv, int *code, gs_error *error);
gs_status gs_command_reproduce(int argc, char **argv, int *code, gs_error *error);
gs_status gs_command_info(int argc, char **argv, int *code, gs_error *error);

/* `gradsweep --help`, and of its subcommands; `gradsweep --version`. */
void gs_help_print(FILE *stream);
void gs_help_run_print(FILE *stream);
void gs_help_theory_print(FILE *stream);
void gs_help_reproduce_print(FILE *stream);
void gs_help_info_print(FILE *stream);
void gs_version_print(FILE *stream);

#endif
