/* gradsweep worker: started by a run, not by people (sweep/pipe.h). */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "sweep/worker.h"

static gs_status parse(int argc, char **argv, gs_device_choice *choice, long *parent,
                       gs_error *error) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const char *value = argv[i + 1];
    const int backend = gs_value_of(&gs_backend_names, value, NULL);
    if (strcmp(argv[i], "--backend") == 0 && backend >= 0) {
      choice->backend = (gs_backend)backend;
      continue;
    }
    if (strcmp(argv[i], "--device") == 0) {
      choice->device = value;
    } else if (strcmp(argv[i], "--threads") == 0) {
      choice->threads = (int)strtol(value, NULL, 10);
    } else if (strcmp(argv[i], "--parent") == 0) {
      *parent = strtol(value, NULL, 10);
    } else {
      return GS_FAIL(error, GS_ERR_USAGE, "a worker does not understand %s", argv[i]);
    }
  }
  if (*parent > 0) return GS_OK;
  return GS_FAIL(error, GS_ERR_USAGE, "gradsweep run starts workers; people do not");
}

gs_status gs_command_worker(int argc, char **argv, int *code, gs_error *error) {
  gs_device_choice choice = {GS_BACKEND_AUTO, "auto", 0};
  long parent = 0;
  GS_TRY(parse(argc, argv, &choice, &parent, error));
  /* Never outlive the run, even one that is killed; it may be gone already. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "gradsweep"); /* /proc/self/exe made it "exe" in ps and top */
  *code = GS_EXIT_SIGNAL + SIGKILL;
  if (getppid() != (pid_t)parent) return GS_OK;
  /* Answers keep the pipe to themselves: what a library prints goes to stderr. */
  const int answers = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (answers < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "a worker cannot set up its streams");
  }
  *code = 0;
  return gs_worker_serve(&choice, STDIN_FILENO, answers, error);
}
