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

typedef struct gs_given gs_given;

typedef struct gs_command {
  const char *name;
  const char *summary;       /* one line */
  const char *const *usages; /* what follows the command's name, a line each; ends with NULL */
  const char *description;   /* lines */
  const gs_option *options;  /* besides --help; ends with a NULL name; or NULL */
  size_t arguments_size;     /* of what the options go into */
  void (*defaults)(void *arguments); /* sets what is not 0 without options; or NULL */
  bool operands;                     /* takes words besides options */
  bool parameters;                   /* a cell's parameters are options, too (net/param.h) */
  bool hidden;                       /* for the program itself, in no help */
  /* *code is 0 and becomes the exit code where it ran to its end; an error is main's to
   * print and to turn into an exit code. */
  gs_status (*run)(void *arguments, const gs_given *given, int *code, gs_error *error);
} gs_command;

/* What a command line holds besides its command's options. */
struct gs_given {
  char **argv;     /* the command's: argv[0] is its name, argv[-1] the program's */
  char **operands; /* argv's, in their order */
  int operand_count;
  gs_setting *settings; /* of parameters, in their order */
  int setting_count;
  bool help;
};

/* Rows that several commands share, for arguments of this type with fields `backend`, `device`
 * and `threads`. */
#define GS_BACKEND_OPTION(type)                                                                    \
  {                                                                                                \
    .name = "backend", .argument = "B", .help = "auto, cpu, cuda (auto)",                          \
    .kind = GS_OPTION_CHOICE, .offset = offsetof(type, backend), .names = &gs_backend_names        \
  }
#define GS_DEVICE_OPTION(type)                                                                     \
  {                                                                                                \
    .name = "device", .argument = "NAME", .help = "auto, or the backend's name for one (auto)",    \
    .kind = GS_OPTION_TEXT, .offset = offsetof(type, device)                                       \
  }
#define GS_THREADS_OPTION(type)                                                                    \
  {                                                                                                \
    .name = "threads", .argument = "N",                                                            \
    .help = "of the cpu backend, at most; 0: as many as may run here (0)",                         \
    .kind = GS_OPTION_WHOLE, .offset = offsetof(type, threads), .max = 4096                        \
  }

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
