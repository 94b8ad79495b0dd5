/* The command lines of all subcommands, read by one parser from tables: an option's row
 * says what it is called, what it takes, what the help says of it, and where it goes. */
#ifndef GS_CLI_OPTIONS_H
#define GS_CLI_OPTIONS_H

#include "base/names.h"
#include "base/status.h"
#include "sweep/spec.h"

typedef enum gs_option_kind {
  GS_OPTION_FLAG,   /* bool; takes no value */
  GS_OPTION_TEXT,   /* const char *, argv's */
  GS_OPTION_WHOLE,  /* int64_t from min to max */
  GS_OPTION_NUMBER, /* double from min to max */
  GS_OPTION_BYTES,  /* double; k, M, G or T may follow */
  GS_OPTION_SEED,   /* uint64_t */
  GS_OPTION_CHOICE, /* an enumeration's value, by name */
  GS_OPTION_CALL    /* set() takes the value */
} gs_option_kind;

typedef struct gs_option {
  const char *name;     /* without hyphens */
  const char *argument; /* as the help calls the value; NULL: takes none */
  const char *help;     /* the default in brackets */
  gs_option_kind kind;
  size_t offset; /* of the field in the command's arguments */
  double min;
  double max;
  const gs_names *names;                                                 /* of a choice */
  gs_status (*set)(void *arguments, const char *value, gs_error *error); /* of a call */
  void (*more_help)(FILE *stream); /* lines that follow the help; or NULL */
} gs_option;

typedef struct gs_command {
  const char *name;
  const char *summary;       /* one line */
  const char *const *usages; /* what follows the command's name, a line each; ends with NULL */
  const char *description;   /* lines */
  const gs_option *options;  /* besides --help; ends with a NULL name */
  bool parameters;           /* a cell's parameters are options, too (sweep/param.h) */
  bool hidden;               /* for the program itself, in no help */
  /* argv[0] is the command's name. Returns the exit code in *code when it ran to its end; an
   * error is main's to print and to turn into an exit code. */
  gs_status (*run)(int argc, char **argv, int *code, gs_error *error);
} gs_command;

/* What a command line holds besides its command's options. */
typedef struct gs_given {
  char **words; /* argv's, in their order */
  int word_count;
  gs_setting *settings; /* of parameters, in their order */
  int setting_count;
  bool help;
} gs_given;

/* Reads argv[1..] into the command's arguments and *given. Options are --name value,
 * --name=value, anywhere among the words; - and _ are the same in names; nothing may be
 * abbreviated; after -- come words alone. To be cleared also after a failure.
 * Errors: GS_ERR_USAGE naming the option; GS_ERR_MEMORY. */
gs_status gs_options_parse(const gs_command *command, int argc, char **argv, void *arguments,
                           gs_given *given, gs_error *error);
void gs_given_clear(gs_given *given);

/* The sweep that the words name: a file, or a model with the settings (and, where they are
 * not NULL, a backend and a device for every cell). Errors: GS_ERR_USAGE and those of
 * gs_sweep_from_json. */
gs_status gs_given_sweep(const gs_command *command, const gs_given *given, const char *backend,
                         const char *device, gs_sweep *sweep, gs_error *error);

#endif
