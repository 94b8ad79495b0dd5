/* gradsweep worker: started by a run, not by people (sweep/pipe.h). */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "sweep/worker.h"

typedef struct worker_arguments {
  int backend; /* a gs_backend */
  const char *device;
  int64_t threads;
  int64_t parent; /* a process; 0: not given */
} worker_arguments;

static const gs_option options[] = {GS_BACKEND_OPTION(worker_arguments),
                                    GS_DEVICE_OPTION(worker_arguments),
                                    GS_THREADS_OPTION(worker_arguments),
                                    {.name = "parent",
                                     .argument = "PID",
                                     .help = "the process that started it",
                                     .kind = GS_OPTION_WHOLE,
                                     .offset = offsetof(worker_arguments, parent),
                                     .min = 1,
                                     .max = INT32_MAX},
                                    {.name = NULL}};

static void set_defaults(void *arguments) {
  *(worker_arguments *)arguments = (worker_arguments){.backend = GS_BACKEND_AUTO, .device = "auto"};
}

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  const worker_arguments *a = arguments;
  (void)given;
  const gs_device_choice choice = {(gs_backend)a->backend, a->device, (int)a->threads};
  if (a->parent == 0) {
    return GS_FAIL(error, GS_ERR_USAGE, "gradsweep run starts workers; people do not");
  }
  /* Never outlive the run, even one that is killed; it may be gone already. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "gradsweep"); /* /proc/self/exe made it "exe" in ps and top */
  *code = GS_EXIT_SIGNAL + SIGKILL;
  if (getppid() != (pid_t)a->parent) return GS_OK;
  /* Answers keep the pipe to themselves: what a library prints goes to stderr. */
  const int answers = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (answers < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "a worker cannot set up its streams");
  }
  *code = 0;
  return gs_worker_serve(&choice, STDIN_FILENO, answers, error);
}

const gs_command gs_worker_command = {.name = "worker",
                                      .options = options,
                                      .arguments_size = sizeof(worker_arguments),
                                      .defaults = set_defaults,
                                      .hidden = true,
                                      .run = run};
