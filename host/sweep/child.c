/* A child process. See child.h. */
#include "sweep/child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sweep/interrupt.h"

static const double kill_timeout_s = 10;
/* There may be no more time once the program is to end. */
static const double hurried_s = 0.3;

void gs_child_close_pipe(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void gs_child_close(gs_child *child) {
  gs_child_close_pipe(&child->input);
  gs_child_close_pipe(&child->output);
  gs_child_close_pipe(&child->messages);
}

/* ---- starting ---- */

typedef struct pipes {
  int input[2];
  int output[2];
  int messages[2];
} pipes;

static void close_pipes(pipes *all) {
  for (int i = 0; i < 2; i++) {
    gs_child_close_pipe(&all->input[i]);
    gs_child_close_pipe(&all->output[i]);
    gs_child_close_pipe(&all->messages[i]);
  }
}

static bool open_pipes(pipes *all) {
  *all = (pipes){{-1, -1}, {-1, -1}, {-1, -1}};
  return pipe2(all->input, O_CLOEXEC) == 0 && pipe2(all->output, O_CLOEXEC) == 0 &&
         pipe2(all->messages, O_CLOEXEC) == 0 && fcntl(all->input[1], F_SETFL, O_NONBLOCK) == 0 &&
         fcntl(all->output[0], F_SETFL, O_NONBLOCK) == 0 &&
         fcntl(all->messages[0], F_SETFL, O_NONBLOCK) == 0;
}

/* Between fork and exec: its pipes in place of the standard streams, and signals as a new
 * program expects them. */
static _Noreturn void become_child(const pipes *all, const char *program, char *const *arguments) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  setpgid(0, 0);
  if (dup2(all->input[0], 0) >= 0 && dup2(all->output[1], 1) >= 0 &&
      dup2(all->messages[1], 2) >= 0) {
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    execv(program, arguments);
  }
  _exit(127);
}

gs_status gs_child_start(gs_child *child, const char *program, const char *const *arguments,
                         gs_error *error) {
  pipes all;
  const bool opened = open_pipes(&all);
  child->pid = opened ? fork() : -1;
  if (child->pid < 0) {
    const int failed = errno;
    close_pipes(&all);
    return GS_FAIL_NATIVE(error, GS_ERR_DEVICE, failed, "cannot start a worker process: %s",
                          strerror(failed));
  }
  if (child->pid == 0) {
    union {
      const char *const *constant;
      char *const *plain;
    } view = {arguments}; /* execv changes nothing; its type is older than const */
    become_child(&all, program, view.plain);
  }
  setpgid(child->pid, child->pid); /* whoever of the two comes first */
  gs_interrupt_takes_along(child->pid);
  child->input = all.input[1];
  child->output = all.output[0];
  child->messages = all.messages[0];
  all.input[1] = all.output[0] = all.messages[0] = -1;
  close_pipes(&all);
  return GS_OK;
}

/* ---- its end ---- */

bool gs_child_is_over(const gs_child *child) {
  siginfo_t about;
  memset(&about, 0, sizeof about);
  if (child->pid < 0) return true;
  const int known = waitid(P_PID, (id_t)child->pid, &about, WEXITED | WNOHANG | WNOWAIT);
  return known == 0 ? about.si_pid == child->pid : errno == ECHILD;
}

/* Sleeps a moment; whether the program is to end. */
static bool pause_briefly(const gs_child *child) {
  struct pollfd stop = {child->interrupt, POLLIN, 0};
  const struct timespec moment = {0, 5000000};
  const bool hurry = poll(&stop, 1, 0) > 0;
  nanosleep(&moment, NULL);
  return hurry;
}

bool gs_child_wait(gs_child *child, double seconds, int *wait_status) {
  double deadline = gs_clock_s() + seconds;
  *wait_status = 0;
  while (!gs_child_is_over(child)) {
    const double now = gs_clock_s();
    if (now >= deadline) return false;
    if (pause_briefly(child)) deadline = fmin(deadline, now + hurried_s);
  }
  if (child->pid < 0) return true;
  kill(-child->pid, SIGKILL); /* while it is not reaped, the number is not another's */
  gs_interrupt_takes_along(0);
  while (waitpid(child->pid, wait_status, 0) < 0 && errno == EINTR) {
  }
  child->pid = -1;
  return true;
}

void gs_child_kill(gs_child *child) {
  int ignored = 0;
  if (child->pid < 0) return;
  kill(child->pid, SIGKILL);
  kill(-child->pid, SIGKILL);
  (void)gs_child_wait(child, kill_timeout_s, &ignored);
}
