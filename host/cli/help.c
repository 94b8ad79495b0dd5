/* The program's help. The parameters come from the table that reads them, so
 * that none can be missing. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "net/param.h"
#include "sweep/build.h"

enum { HELP_COLUMNS = 100, HELP_BYTES = 1024 };

void gs_version_print(FILE *stream) {
  const char *commit = gs_build_commit();
  (void)fprintf(stream, "gradsweep %s (", gs_build_version());
  if (commit) {
    (void)fprintf(stream, "commit %.12s%s, ", commit, gs_build_dirty() ? ", dirty" : "");
  }
  (void)fprintf(stream, "%s)\n", gs_build_flags());
}

void gs_help_print(FILE *stream) {
  for (int i = 0; gs_commands[i]; i++) {
    if (gs_commands[i]->hidden) continue;
    (void)fprintf(stream, "%s gradsweep %-14s %s\n", i ? "      " : "Usage:", gs_commands[i]->name,
                  gs_commands[i]->summary);
  }
  (void)fputs("       gradsweep --version\n"
              "\n"
              "Measures how gradients vanish and explode with depth and sequence length, and\n"
              "how fast. gradsweep COMMAND --help lists a command's options and parameters.\n"
              "\n"
              "Exit codes:\n",
              stream);
  for (const gs_exit_code *at = gs_exit_codes; at->code; at++) {
    (void)fprintf(stream, "  %-7s %s\n", at->code, at->meaning);
  }
}

/* Words from column `indent` on, in lines of at most HELP_COLUMNS. */
static void print_wrapped(FILE *stream, const char *text, int indent) {
  int column = indent;
  for (const char *word = text; *word; word += strspn(word, " ")) {
    const int length = (int)strcspn(word, " ");
    const bool first = word == text;
    if (!first && column + 1 + length > HELP_COLUMNS) {
      (void)fprintf(stream, "\n%*s", indent, "");
      column = indent;
    } else if (!first) {
      column += fprintf(stream, " ");
    }
    column += fprintf(stream, "%.*s", length, word);
    word += length;
  }
  (void)fputs("\n", stream);
}

void gs_help_print_parameters(FILE *stream, const gs_command *command) {
  for (int i = 1; i < GS_PARAM_COUNT; i++) { /* 0 is the model itself */
    const gs_param *param = &gs_params[i];
    if (gs_command_has(command, param->key)) continue;
    char text[HELP_BYTES];
    char models[HELP_BYTES];
    gs_line line = gs_line_in(text, sizeof text);
    gs_line where = gs_line_in(models, sizeof models);
    for (int m = 0; m < GS_MODEL_COUNT; m++) {
      if (!gs_param_of_model(param, (gs_model)m)) continue;
      gs_line_add(&where, "%s%s", where.length > 0 ? "," : "", gs_name(&gs_model_names, m));
    }
    gs_param_add_help(param, &line);
    const int indent = fprintf(stream, "  --%-18s %-3s ", param->key,
                               gs_param_of_every_model(param) ? "" : models);
    print_wrapped(stream, text, indent);
  }
}

static void print_options(FILE *stream, const gs_command *command) {
  for (const gs_option *option = command->options; option && option->name; option++) {
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    print_wrapped(stream, option->help, fprintf(stream, "  --%-18s ", name));
    if (option->more_help) option->more_help(stream);
  }
  (void)fputs("  --help\n", stream);
}

void gs_help_print_command(FILE *stream, const gs_command *command) {
  for (int i = 0; command->usages[i]; i++) {
    (void)fprintf(stream, "%s gradsweep %s %s\n", i ? "      " : "Usage:", command->name,
                  command->usages[i]);
  }
  (void)fprintf(stream, "\n%s\nOptions:\n", command->description);
  print_options(stream, command);
  if (!command->parameters) return;
  (void)fputs("\n"
              "Parameters of a cell, in a sweep file and, with mlp and rnn, as options; several\n"
              "values with commas between them are an axis (defaults in brackets). In options\n"
              "- and _ are the same.\n"
              "\n",
              stream);
  gs_help_print_parameters(stream, command);
}
