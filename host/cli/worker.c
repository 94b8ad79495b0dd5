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

static const gs_option options[] = {{.name = "backend",
                                     .argument = "B",
                                     .help = "",
                                     .kind = GS_OPTION_CHOICE,
                                     .offset = offsetof(worker_arguments, backend),
                                     .names = &gs_backend_names},
                                    {.name = "device",
                                     .argument = "NAME",
                                     .help = "",
                                     .kind = GS_OPTION_TEXT,
                                     .offset = offsetof(worker_arguments, device)},
                                    {.name = "threads",
                                     .argument = "N",
                                     .help = "",
                                     .kind = GS_OPTION_WHOLE,
                                     .offset = offsetof(worker_arguments, threads),
                                     .min = 0,
                                     .max = 4096},
                                    {.name = "parent",
                                     .argument = "PID",
                                     .help = "",
                                     .kind = GS_OPTION_WHOLE,
                                     .offset = offsetof(worker_arguments, parent),
                                     .min = 1,
                                     .max = INT32_MAX},
                                    {.name = NULL}};

static gs_status serve(const worker_arguments *arguments, int *code, gs_error *error) {
  const gs_device_choice choice = {(gs_backend)arguments->backend, arguments->device,
                                   (int)arguments->threads};
  if (arguments->parent == 0) {
    return GS_FAIL(error, GS_ERR_USAGE, "gradsweep run starts workers; people do not");
  }
  /* Never outlive the run, even one that is killed; it may be gone already. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "gradsweep"); /* /proc/self/exe made it "exe" in ps and top */
  *code = GS_EXIT_SIGNAL + SIGKILL;
  if (getppid() != (pid_t)arguments->parent) return GS_OK;
  /* Answers keep the pipe to themselves: what a library prints goes to stderr. */
  const int answers = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (answers < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    return GS_FAIL(error, GS_ERR_INTERNAL, "a worker cannot set up its streams");
  }
  *code = 0;
  return gs_worker_serve(&choice, STDIN_FILENO, answers, error);
}

static gs_status run(int argc, char **argv, int *code, gs_error *error) {
  worker_arguments arguments = {.backend = GS_BACKEND_AUTO, .device = "auto"};
  gs_given given;
  gs_status status = gs_options_parse(&gs_worker_command, argc, argv, &arguments, &given, error);
  if (status == GS_OK) status = serve(&arguments, code, error);
  gs_given_clear(&given);
  return status;
}

const gs_command gs_worker_command = {
    .name = "worker", .options = options, .hidden = true, .run = run};
