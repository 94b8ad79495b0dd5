/* gradsweep: how gradients vanish and explode in deep networks, and how fast.
 *
 * The program: picks the subcommand, prints errors, chooses the exit code. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/location.h"
#include "base/names.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "sweep/interrupt.h"
#include "sweep/text.h"

/* A closed standard stream would hand its number to the next file that is
 * opened, and a print would end up in the journal. The stand-in refuses what
 * the stream is for, as a closed one does. */
static void occupy_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
  }
}

/* The command that an unknown word was meant to be, or NULL. */
static const char *closest_command(const char *word) {
  enum { MAX = 32 };
  const char *names[MAX] = {"--help", "--version"};
  int count = 2;
  for (int i = 0; gs_commands[i] && count < MAX; i++) {
    if (!gs_commands[i]->hidden) names[count++] = gs_commands[i]->name;
  }
  return gs_closest(word, names, count);
}

static gs_status help_of(const char *name, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  const gs_command *command = name ? gs_command_find(name) : NULL;
  if (name && (!command || command->hidden)) {
    return GS_FAIL(error, GS_ERR_USAGE, "no help for the unknown command %s",
                   gs_quote(name, quoted));
  }
  if (command)
    gs_help_print_command(stdout, command);
  else
    gs_help_print(stdout);
  return GS_OK;
}

static gs_status dispatch(int argc, char **argv, int *code, gs_error *error) {
  if (argc < 2) {
    return GS_FAIL(error, GS_ERR_USAGE, "nothing to do: see gradsweep --help");
  }
  const char *word = argv[1];
  const gs_command *command = gs_command_find(word);
  if (command) return gs_command_run(command, argc - 1, argv + 1, code, error);
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    return help_of(argc > 2 ? argv[2] : NULL, error);
  }
  if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
    gs_version_print(stdout);
    return GS_OK;
  }
  const char *close = closest_command(word);
  char quoted[GS_QUOTE_BYTES];
  return GS_FAIL(error, GS_ERR_USAGE, "unknown command %s%s%s: see gradsweep --help",
                 gs_quote(word, quoted), close ? ", did you mean " : "", close ? close : "");
}

/* Nobody misses words that a closed pipe did not take. */
static int finish_output(void) {
  struct stat about;
  if (!ferror(stdout) && fflush(stdout) == 0) return 0;
  const bool pipe =
      errno == EPIPE || errno == EBADF ||
      (fstat(STDOUT_FILENO, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode)));
  if (!pipe) (void)fputs("gradsweep: error: cannot write to the standard output\n", stderr);
  return GS_EXIT_OUTPUT;
}

int main(int argc, char **argv) {
  gs_error error;
  memset(&error, 0, sizeof error);
  int code = 0;
  occupy_standard_streams();
  signal(SIGPIPE, SIG_IGN); /* writing to nobody and ... */
  signal(SIGXFSZ, SIG_IGN); /* ... past a size limit are errors to report */
  signal(SIGCHLD, SIG_DFL); /* inherited "ignore" would hide how a worker ended */
  if (argc < 2 || strcmp(argv[1], "worker") != 0) gs_interrupt_start(GS_EXIT_SIGNAL);
  const gs_status status = dispatch(argc, argv, &code, &error);
  if (status != GS_OK) {
    char line[GS_ERROR_MESSAGE_BYTES];
    (void)fflush(stdout);
    (void)fprintf(stderr, "gradsweep: error: %s\n", gs_printable(error.message, line, sizeof line));
    code = gs_status_exit_code(status);
  }
  const int output = finish_output();
  const bool ended = code >= 0 && code <= GS_EXIT_MAX;
  return ended && output ? output : code;
}
