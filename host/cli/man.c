/* gradsweep man: the manual page, from the tables that the parser reads. */
#include <string.h>

#include "cli/commands.h"
#include "net/param.h"
#include "sweep/build.h"

/* Text in roff: hyphens are minus signs, backslashes and leading dots no commands. */
static void print_text(FILE *stream, const char *text) {
  bool starts = true;
  for (; *text; text++) {
    if (starts && (*text == '.' || *text == '\'')) (void)fputs("\\&", stream);
    if (*text == '\\')
      (void)fputs("\\e", stream);
    else if (*text == '-')
      (void)fputs("\\-", stream);
    else
      (void)fputc(*text, stream);
    starts = *text == '\n';
  }
}

static void print_option(FILE *stream, const char *name, const char *argument, const char *help) {
  (void)fputs(".TP\n\\fB\\-\\-", stream);
  print_text(stream, name);
  (void)fputs("\\fR", stream);
  if (argument) {
    (void)fputs(" \\fI", stream);
    print_text(stream, argument);
    (void)fputs("\\fR", stream);
  }
  (void)fputc('\n', stream);
  print_text(stream, help);
  (void)fputc('\n', stream);
}

static void print_command(FILE *stream, const gs_command *command) {
  (void)fprintf(stream, ".SS gradsweep %s\n", command->name);
  for (int i = 0; command->usages[i]; i++) {
    (void)fprintf(stream, "%s\\fBgradsweep %s\\fR ", i ? ".br\n" : "", command->name);
    print_text(stream, command->usages[i]);
    (void)fputc('\n', stream);
  }
  (void)fputs(".PP\n", stream);
  print_text(stream, command->description);
  for (const gs_option *option = command->options; option && option->name; option++) {
    print_option(stream, option->name, option->argument, option->help);
    if (!option->more_help) continue;
    (void)fputs(".RS\n.nf\n", stream);
    option->more_help(stream);
    (void)fputs(".fi\n.RE\n", stream);
  }
}

static void print_page(FILE *stream) {
  (void)fprintf(stream, ".TH GRADSWEEP 1 \"\" \"gradsweep %s\"\n", gs_build_version());
  (void)fputs(".SH NAME\ngradsweep \\- how gradients vanish and explode in deep networks, and "
              "how fast\n.SH SYNOPSIS\n\\fBgradsweep\\fR \\fICOMMAND\\fR [options]\n"
              ".SH COMMANDS\n",
              stream);
  for (int i = 0; gs_commands[i]; i++) {
    if (!gs_commands[i]->hidden) print_command(stream, gs_commands[i]);
  }
  (void)fputs(".SH PARAMETERS\nOf a cell: keys of a sweep file's blocks, and, with mlp and rnn, "
              "options. Several values with commas between them are an axis.\n",
              stream);
  for (int i = 1; i < GS_PARAM_COUNT; i++) {
    char help[1024];
    gs_line line = gs_line_in(help, sizeof help);
    gs_param_add_help(&gs_params[i], &line);
    print_option(stream, gs_params[i].key, NULL, help);
  }
  (void)fputs(".SH EXIT STATUS\n", stream);
  for (const gs_exit_code *at = gs_exit_codes; at->code; at++) {
    (void)fprintf(stream, ".TP\n%s\n", at->code);
    print_text(stream, at->meaning);
    (void)fputc('\n', stream);
  }
}

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  (void)arguments, (void)given, (void)code, (void)error;
  print_page(stdout);
  return GS_OK;
}

const gs_command gs_man_command = {
    .name = "man",
    .summary = "the manual page, in roff",
    .usages = (const char *const[]){"> gradsweep.1", NULL},
    .description = "Prints the manual page; gradsweep man | man -l - shows it.\n",
    .run = run};
