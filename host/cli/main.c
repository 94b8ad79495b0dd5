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

#include "base/names.h"
#include "base/place.h"
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

static gs_status dispatch(int argc, char **argv, int *code, gs_error *error) {
  static const struct {
    const char *name;
    gs_status (*command)(int, char **, int *, gs_error *);
  } commands[] = {{"run", gs_command_run},
                  {"theory", gs_command_theory},
                  {"reproduce", gs_command_reproduce},
                  {"info", gs_command_info},
                  {"worker", gs_command_worker}};
  static const char *const names[] = {"run", "theory", "reproduce", "info", "--help", "--version"};
  if (argc < 2) {
    return GS_FAIL(error, GS_ERR_USAGE, "nothing to do: see gradsweep --help");
  }
  const char *word = argv[1];
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(word, commands[i].name) == 0) {
      return commands[i].command(argc - 1, argv + 1, code, error);
    }
  }
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    gs_help_print(stdout);
    return GS_OK;
  }
  if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
    gs_version_print(stdout);
    return GS_OK;
  }
  const char *close = gs_closest(word, names, (int)(sizeof names / sizeof *names));
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
  const bool ended = code >= 0 && code <= GS_EXIT_REQUIRE;
  return ended && output ? output : code;
}
