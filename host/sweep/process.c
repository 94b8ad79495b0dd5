/* The parent's handle on a worker process. See process.h. */
#include "sweep/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/threads.h"
#include "sweep/pipe.h"

/* Opening a GPU on a cold machine takes many seconds. */
static const double hello_timeout_s = 120;
static const double grace_s = 2;
/* A process stuck in a driver may not die even when killed; it is left behind. */
static const double reap_timeout_s = 10;
static const int tick_ms = 250;

struct gs_process {
  gs_process_options options;
  pid_t pid;
  int input;  /* we write requests */
  int output; /* we read answers; non-blocking */
  int words;  /* we read its standard error; non-blocking; -1 at its end */
  gs_lines answers;
  gs_lines diagnostics;
  char last_words[128];
};

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void close_if_open(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* ---- starting ---- */

typedef struct pipes {
  int input[2];
  int output[2];
  int words[2];
} pipes;

static void close_pipes(pipes *all) {
  for (int i = 0; i < 2; i++) {
    close_if_open(&all->input[i]);
    close_if_open(&all->output[i]);
    close_if_open(&all->words[i]);
  }
}

static bool open_pipes(pipes *all) {
  *all = (pipes){{-1, -1}, {-1, -1}, {-1, -1}};
  return pipe2(all->input, O_CLOEXEC) == 0 && pipe2(all->output, O_CLOEXEC) == 0 &&
         pipe2(all->words, O_CLOEXEC) == 0 && fcntl(all->input[1], F_SETFL, O_NONBLOCK) == 0 &&
         fcntl(all->output[0], F_SETFL, O_NONBLOCK) == 0 &&
         fcntl(all->words[0], F_SETFL, O_NONBLOCK) == 0;
}

/* The child, between fork and exec: its pipes in place of the standard streams,
 * signals as a new program expects them, and a process group of its own, so
 * that Ctrl-C reaches only the parent, which decides. */
static _Noreturn void become_worker(const pipes *all, char *const *arguments) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  setpgid(0, 0);
  if (dup2(all->input[0], 0) >= 0 && dup2(all->output[1], 1) >= 0 && dup2(all->words[1], 2) >= 0) {
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv("/proc/self/exe", arguments);
  }
  _exit(127);
}

static gs_status spawn(gs_process *process, gs_error *error) {
  char threads[16];
  char parent[16];
  snprintf(threads, sizeof threads, "%d", process->options.threads);
  snprintf(parent, sizeof parent, "%ld", (long)getpid());
  const char *arguments[] = {"gradsweep", "worker",
                             "--backend", gs_name(&gs_backend_names, process->options.backend),
                             "--device",  process->options.device,
                             "--threads", threads,
                             "--parent",  parent,
                             NULL};
  pipes all;
  gs_threads_spin_briefly(NULL);
  const bool opened = open_pipes(&all);
  process->pid = opened ? fork() : -1;
  if (process->pid < 0) {
    const int failed = errno;
    close_pipes(&all);
    return GS_FAIL_NATIVE(error, GS_ERR_DEVICE, failed, "cannot start a worker process: %s",
                          strerror(failed));
  }
  if (process->pid == 0) {
    union {
      const char **constant;
      char *const *plain;
    } view = {arguments}; /* execv changes nothing; its type is older than const */
    become_worker(&all, view.plain);
  }
  process->input = all.input[1];
  process->output = all.output[0];
  process->words = all.words[0];
  all.input[1] = all.output[0] = all.words[0] = -1;
  close_pipes(&all);
  return GS_OK;
}

/* ---- its standard error ---- */

static void hear(gs_process *process) {
  if (gs_lines_read(&process->diagnostics, process->words, NULL) != GS_OK ||
      process->diagnostics.end) {
    close_if_open(&process->words);
  }
  size_t length = 0;
  char *line;
  while ((line = gs_lines_take(&process->diagnostics, &length))) {
    snprintf(process->last_words, sizeof process->last_words, "%s", line);
    if (process->options.on_words) process->options.on_words(process->options.user, line);
  }
}

/* What is left to hear once it has ended; never waits. */
static void hear_the_rest(gs_process *process) {
  for (int rounds = 0; process->words >= 0 && rounds < 64; rounds++) {
    struct pollfd ready = {process->words, POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return;
    hear(process);
  }
}

/* ---- its end ---- */

/* Waits for the process for at most `seconds`; false when it is still there. */
static bool reap(gs_process *process, double seconds, int *wait_status) {
  const double deadline = now_s() + seconds;
  for (;;) {
    const pid_t got = waitpid(process->pid, wait_status, WNOHANG);
    if (got == process->pid || (got < 0 && errno != EINTR)) break;
    if (now_s() >= deadline) return false;
    const struct timespec moment = {0, 5000000};
    nanosleep(&moment, NULL);
  }
  process->pid = -1;
  return true;
}

static void kill_now(gs_process *process) {
  int ignored = 0;
  if (process->pid < 0) return;
  kill(process->pid, SIGKILL);
  (void)reap(process, reap_timeout_s, &ignored);
}

static void describe_end(gs_process *process, char reason[GS_PROCESS_REASON_BYTES]) {
  int wait_status = 0;
  char how[64] = "the worker closed its output";
  if (reap(process, grace_s, &wait_status)) {
    if (WIFSIGNALED(wait_status)) {
      const int number = WTERMSIG(wait_status);
      snprintf(how, sizeof how, "the worker was killed by signal %d (%s)", number,
               strsignal(number));
    } else {
      snprintf(how, sizeof how, "the worker exited with code %d", WEXITSTATUS(wait_status));
    }
  }
  kill_now(process);
  hear_the_rest(process);
  const bool words = process->last_words[0] != '\0';
  snprintf(reason, GS_PROCESS_REASON_BYTES, "%s%s%s", how, words ? ": " : "", process->last_words);
}

void gs_process_stop(gs_process *process, bool now) {
  if (!process) return;
  close_if_open(&process->input);
  int ignored = 0;
  if (process->pid >= 0 && (now || !reap(process, grace_s, &ignored))) kill_now(process);
  hear_the_rest(process);
  close_if_open(&process->output);
  close_if_open(&process->words);
  gs_lines_clear(&process->answers);
  gs_lines_clear(&process->diagnostics);
  free(process);
}

/* ---- asking ---- */

/* A request on its way. */
typedef struct outgoing {
  const char *bytes;
  size_t left;
} outgoing;

/* Writes what fits. A worker that no longer reads shows at the output's end. */
static void send_some(gs_process *process, outgoing *request) {
  const ssize_t written = write(process->input, request->bytes, request->left);
  if (written > 0) {
    request->bytes += written;
    request->left -= (size_t)written;
  } else if (errno != EAGAIN && errno != EINTR) {
    request->left = 0;
  }
}

/* Waits until something can be done, at most until the next tick. Returns
 * whether the run is to end. */
static bool wait_for(gs_process *process, outgoing *request, double left_s, bool *readable) {
  enum { OUTPUT, WORDS, INTERRUPT, INPUT, COUNT };
  const int left_ms = left_s <= 0               ? 0
                      : left_s * 1000 < tick_ms ? (int)(left_s * 1000) + 1
                                                : tick_ms;
  struct pollfd ready[COUNT] = {
      [OUTPUT] = {process->output, POLLIN, 0},
      [WORDS] = {process->words, POLLIN, 0}, /* negative descriptors are ignored */
      [INTERRUPT] = {process->options.interrupt, POLLIN, 0},
      [INPUT] = {request->left ? process->input : -1, POLLOUT, 0},
  };
  *readable = false;
  if (poll(ready, COUNT, left_ms) < 0) return false;
  if (ready[INPUT].revents) send_some(process, request);
  if (ready[WORDS].revents) hear(process);
  *readable = ready[OUTPUT].revents != 0;
  return ready[INTERRUPT].revents != 0;
}

/* Waits for a line while sending the request. */
static gs_status exchange(gs_process *process, outgoing request, double timeout_s,
                          gs_answer *answer, gs_error *error) {
  const double deadline = now_s() + timeout_s;
  memset(answer, 0, sizeof *answer);
  for (;;) {
    char *line = gs_lines_take(&process->answers, &answer->length);
    answer->line = line;
    answer->reply = GS_REPLY_LINE;
    if (line) return GS_OK;
    if (process->answers.end) {
      answer->reply = GS_REPLY_ENDED;
      describe_end(process, answer->reason);
      return GS_OK;
    }
    bool readable = false;
    const double left_s = deadline - now_s();
    if (wait_for(process, &request, left_s, &readable)) {
      answer->reply = GS_REPLY_INTERRUPTED;
      return GS_OK;
    }
    if (readable) {
      GS_TRY(gs_lines_read(&process->answers, process->output, error));
    } else if (left_s <= 0) {
      answer->reply = GS_REPLY_TIMEOUT;
      kill_now(process);
      hear_the_rest(process);
      snprintf(answer->reason, sizeof answer->reason, "no answer within %g s", timeout_s);
      return GS_OK;
    }
    if (process->options.on_wait) process->options.on_wait(process->options.user);
  }
}

gs_status gs_process_ask(gs_process *process, const char *request, double timeout_s,
                         gs_answer *answer, gs_error *error) {
  const size_t length = strlen(request);
  char *line = malloc(length + 1);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a request");
  memcpy(line, request, length);
  line[length] = '\n';
  const gs_status status =
      exchange(process, (outgoing){line, length + 1}, timeout_s, answer, error);
  free(line);
  return status;
}

/* ---- the hello ---- */

/* The status that a worker named in place of a hello. */
static gs_status status_by_name(const char *name) {
  static const gs_status statuses[] = {GS_ERR_NO_DEVICE, GS_ERR_UNSUPPORTED, GS_ERR_MEMORY,
                                       GS_ERR_USAGE};
  for (size_t i = 0; name && i < sizeof statuses / sizeof *statuses; i++) {
    if (strcmp(gs_status_name(statuses[i]), name) == 0) return statuses[i];
  }
  return GS_ERR_DEVICE;
}

static gs_status read_hello(const gs_answer *answer, cJSON **device, gs_error *error) {
  cJSON *tree = NULL;
  GS_TRY(gs_json_parse(answer->line, answer->length, "the worker's hello", &tree, error));
  const cJSON *words = cJSON_GetObjectItemCaseSensitive(tree, "error");
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(tree, "status");
  const cJSON *version = cJSON_GetObjectItemCaseSensitive(tree, "hello");
  gs_status status = GS_OK;
  if (cJSON_IsString(words)) {
    status = GS_FAIL(error, status_by_name(cJSON_GetStringValue(name)), "%s", words->valuestring);
  } else {
    *device = cJSON_DetachItemFromObjectCaseSensitive(tree, "device");
    if (!cJSON_IsObject(*device) || !cJSON_IsNumber(version) ||
        version->valuedouble != GS_WORKER_PROTOCOL) {
      cJSON_Delete(*device);
      *device = NULL;
      status = GS_FAIL(error, GS_ERR_DEVICE, "the worker does not speak this protocol");
    }
  }
  cJSON_Delete(tree);
  return status;
}

gs_status gs_process_start(const gs_process_options *options, gs_process **process, cJSON **device,
                           gs_error *error) {
  *device = NULL;
  *process = NULL;
  gs_process *new_process = calloc(1, sizeof *new_process);
  if (!new_process) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a worker's handle");
  new_process->options = *options;
  new_process->pid = -1;
  new_process->input = new_process->output = new_process->words = -1;
  gs_answer answer = {.reply = GS_REPLY_ENDED};
  gs_status status = spawn(new_process, error);
  if (status == GS_OK) {
    status = exchange(new_process, (outgoing){NULL, 0}, hello_timeout_s, &answer, error);
  }
  if (status == GS_OK && answer.reply == GS_REPLY_LINE) {
    status = read_hello(&answer, device, error);
  } else if (status == GS_OK && answer.reply != GS_REPLY_INTERRUPTED) {
    status = GS_FAIL(error, GS_ERR_DEVICE, "the worker process did not start: %s", answer.reason);
  }
  if (*device) {
    *process = new_process;
  } else {
    gs_process_stop(new_process, true);
  }
  return status;
}
