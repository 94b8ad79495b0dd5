/* gradsweep completion: what shells need to complete its command lines, from the tables that
 * the parser reads. Each shell's script takes one list: lines of a command and a word. */
#include <string.h>

#include "base/location.h"
#include "base/names.h"
#include "claims/claims.h"
#include "cli/commands.h"
#include "net/param.h"

typedef void print_word(FILE *stream, const char *command, const char *word, const char *help);

static void walk_options(FILE *stream, const gs_command *command, print_word *print) {
  for (const gs_option *option = command->options; option && option->name; option++) {
    char word[64];
    snprintf(word, sizeof word, "--%s", option->name);
    print(stream, command->name, word, option->help);
  }
  for (int i = 0; command->parameters && i < GS_PARAM_COUNT; i++) {
    char word[64];
    if (!gs_params[i].type->set || gs_command_has(command, gs_params[i].key)) continue;
    snprintf(word, sizeof word, "--%s", gs_params[i].key);
    for (char *at = word; *at; at++) *at = *at == '_' ? '-' : *at;
    print(stream, command->name, word, gs_params[i].help);
  }
  print(stream, command->name, "--help", "what there is");
}

static void walk(FILE *stream, print_word *print) {
  for (int i = 0; gs_commands[i]; i++) {
    const gs_command *command = gs_commands[i];
    if (command->hidden) continue;
    print(stream, "", command->name, command->summary);
    walk_options(stream, command, print);
    for (int m = 0; command->parameters && m < gs_names_count(&gs_model_names); m++) {
      print(stream, command->name, gs_name(&gs_model_names, m), "a model");
    }
  }
  for (int i = 0; i < gs_claim_count; i++) {
    print(stream, gs_reproduce_command.name, gs_claims[i].name, gs_claims[i].title);
  }
}

static void print_plain(FILE *stream, const char *command, const char *word, const char *help) {
  (void)help;
  (void)fprintf(stream, "%s %s\n", command[0] ? command : "-", word);
}

/* In single quotes, on one line, without what shells and zsh's _describe would read. */
static void print_help(FILE *stream, const char *help) {
  for (; *help && *help != '\n'; help++) {
    if (!strchr("'\\:`$\"", *help)) (void)fputc(*help, stream);
  }
}

static void print_zsh(FILE *stream, const char *command, const char *word, const char *help) {
  (void)fprintf(stream, "  '%s %s:", command[0] ? command : "-", word);
  print_help(stream, help);
  (void)fputs("'\n", stream);
}

static void print_fish(FILE *stream, const char *command, const char *word, const char *help) {
  const bool option = strncmp(word, "--", 2) == 0;
  (void)fputs("complete -c gradsweep ", stream);
  if (command[0]) {
    (void)fprintf(stream, "-n '__fish_seen_subcommand_from %s' ", command);
  } else {
    (void)fputs("-n __fish_use_subcommand -f ", stream);
  }
  (void)fprintf(stream, "%s %s -d '", option ? "-l" : "-a", option ? word + 2 : word);
  print_help(stream, help);
  (void)fputs("'\n", stream);
}

static void print_bash_script(FILE *stream) {
  (void)fputs("# source <(gradsweep completion bash)\n"
              "_gradsweep_words='\n",
              stream);
  walk(stream, print_plain);
  (void)fputs("'\n"
              "_gradsweep() {\n"
              "  local of=- at=${COMP_WORDS[COMP_CWORD]}\n"
              "  [ \"$COMP_CWORD\" -gt 1 ] && of=${COMP_WORDS[1]}\n"
              "  mapfile -t COMPREPLY < <(compgen -W \"$(sed -n \"s/^$of //p\" "
              "<<<\"$_gradsweep_words\")\" -- \"$at\")\n"
              "}\n"
              "complete -o default -F _gradsweep gradsweep\n",
              stream);
}

static void print_zsh_script(FILE *stream) {
  (void)fputs("#compdef gradsweep\n"
              "_gradsweep() {\n"
              "local -a words_of=(\n",
              stream);
  walk(stream, print_zsh);
  (void)fputs(")\n"
              "  local of=-\n"
              "  (( CURRENT > 2 )) && of=${words[2]}\n"
              "  local -a some=(${${(M)words_of:#$of *}#$of })\n"
              "  _describe gradsweep some || _files\n"
              "}\n"
              "compdef _gradsweep gradsweep\n",
              stream);
}

static void print_fish_script(FILE *stream) { walk(stream, print_fish); }

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  static const char *const list[] = {"bash", "zsh", "fish", NULL};
  static const gs_names shells = {"shell", list, NULL};
  static void (*const scripts[])(FILE *) = {print_bash_script, print_zsh_script, print_fish_script};
  (void)arguments, (void)code;
  const int shell = given->operand_count == 1 ? gs_value_of(&shells, given->operands[0], NULL) : -1;
  if (shell < 0) {
    return GS_FAIL(error, GS_ERR_USAGE, "completion for which shell? bash, zsh or fish");
  }
  scripts[shell](stdout);
  return GS_OK;
}

const gs_command gs_completion_command = {
    .name = "completion",
    .summary = "completion of these commands in a shell",
    .usages = (const char *const[]){"bash|zsh|fish", NULL},
    .description = "Prints a script: source <(gradsweep completion bash), or into a file that the\n"
                   "shell reads at its start.\n",
    .operands = true,
    .run = run};
