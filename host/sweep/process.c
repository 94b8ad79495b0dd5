/* The parent's handle on a worker process. See process.h. */
#include "sweep/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/threads.h"
#include "sweep/child.h"
#include "sweep/fault.h"
#include "sweep/messages.h"
#include "sweep/pipe.h"

/* Opening a GPU on a cold machine takes many seconds. */
static const double hello_timeout_s = 120;
static const double grace_s = 2;
static const double last_moment_s = 1; /* for how a worker ended to be known */
static const int tick_ms = 250;

enum { HELLO_MAX_BYTES = 1 << 20 };

struct gs_process {
  gs_process_options options;
  gs_child child;
  gs_lines answers;
  const gs_sink *sink; /* of the answer that is waited for */
  gs_messages messages;
};

/* ---- starting ---- */

static gs_status spawn(gs_process *process, gs_error *error) {
  char threads[16];
  char parent[16];
  snprintf(threads, sizeof threads, "%d", process->options.threads);
  snprintf(parent, sizeof parent, "%ld", (long)getpid());
  const char *const arguments[] = {
      "gradsweep", "worker",
      "--backend", gs_name(&gs_backend_names, process->options.backend),
      "--device",  process->options.device,
      "--threads", threads,
      "--parent",  parent,
      NULL};
  gs_threads_spin_briefly(NULL);
  return gs_child_start(&process->child, gs_fault_worker("/proc/self/exe"), arguments, error);
}

/* ---- its standard error ---- */

static void hear(gs_process *process) {
  if (!gs_messages_read(&process->messages, process->child.messages, process->options.on_message,
                        process->options.user)) {
    gs_child_close_pipe(&process->child.messages);
  }
}

/* What is left to hear once it has ended; never waits. */
static void hear_the_rest(gs_process *process) {
  for (int rounds = 0; process->child.messages >= 0 && rounds < 64; rounds++) {
    struct pollfd ready = {process->child.messages, POLLIN, 0};
    if (poll(&ready, 1, 0) <= 0) return;
    hear(process);
  }
}

/* ---- its end ---- */

/* How a process ended, by waitpid's status. */
static void describe_status(int wait_status, char *how, size_t size) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    snprintf(how, size, "the worker was killed by signal %d (%s)", number, strsignal(number));
  } else {
    snprintf(how, size, "the worker exited with code %d", WEXITSTATUS(wait_status));
  }
}

/* Ends the exchange with a worker that is gone, or of no use: `words` say why unless it
 * ends by itself within a moment. */
static void give_up(gs_process *process, const char *message, gs_answer *answer) {
  int wait_status = 0;
  char how[120];
  snprintf(how, sizeof how, "%s", message);
  if (gs_child_wait(&process->child, last_moment_s, &wait_status)) {
    describe_status(wait_status, how, sizeof how);
  }
  gs_child_kill(&process->child);
  hear_the_rest(process);
  const char *last = process->messages.last;
  answer->reply = GS_REPLY_ENDED;
  snprintf(answer->reason, sizeof answer->reason, "%s%s%s", how, last[0] ? ": " : "", last);
}

/* The same at once, and `words` are the reason. */
static void break_off(gs_process *process, gs_reply reply, const char *message, gs_answer *answer) {
  gs_child_kill(&process->child);
  hear_the_rest(process);
  answer->reply = reply;
  snprintf(answer->reason, sizeof answer->reason, "%s", message);
}

void gs_process_stop(gs_process *process, bool now) {
  if (!process) return;
  gs_child_close_pipe(&process->child.input);
  int ignored = 0;
  if (now || !gs_child_wait(&process->child, grace_s, &ignored)) gs_child_kill(&process->child);
  hear_the_rest(process);
  gs_child_close(&process->child);
  gs_lines_clear(&process->answers);
  free(process);
}

/* ---- asking ---- */

/* A request on its way. */
typedef struct outgoing {
  const char *bytes;
  size_t left;
  bool refused; /* the worker does not read any more */
} outgoing;

/* Writes what fits. */
static void send_some(gs_process *process, outgoing *request) {
  const ssize_t written = write(process->child.input, request->bytes, request->left);
  if (written > 0) {
    request->bytes += written;
    request->left -= (size_t)written;
  } else if (errno != EAGAIN && errno != EINTR) {
    request->refused = true;
  }
}

/* What there is to do; all false: nothing yet. */
typedef struct event {
  bool readable;
  bool interrupted;
  bool over; /* it has ended, and there is nothing to read */
} event;

/* Waits until something can be done, at most until the next tick. */
static event wait_for(gs_process *process, outgoing *request, double left_s) {
  enum { OUTPUT, MESSAGES, INTERRUPT, INPUT, COUNT };
  const int left_ms = left_s <= 0               ? 0
                      : left_s * 1000 < tick_ms ? (int)(left_s * 1000) + 1
                                                : tick_ms;
  struct pollfd ready[COUNT] = {
      [OUTPUT] = {process->child.output, POLLIN, 0},
      [MESSAGES] = {process->child.messages, POLLIN, 0}, /* negative descriptors are ignored */
      [INTERRUPT] = {process->options.interrupt, POLLIN, 0},
      [INPUT] = {request->left ? process->child.input : -1, POLLOUT, 0},
  };
  event now = {false, false, false};
  const bool over = gs_child_is_over(&process->child); /* it has written what it ever will */
  if (poll(ready, COUNT, over ? 0 : left_ms) < 0) return now;
  if (ready[INPUT].revents) send_some(process, request);
  if (ready[MESSAGES].revents) hear(process);
  now.readable = ready[OUTPUT].revents != 0;
  now.interrupted = ready[INTERRUPT].revents != 0;
  now.over = over && !now.readable;
  return now;
}

/* Reads some of the answer; *ended: there is none to come. */
static gs_status read_some(gs_process *process, bool *ended, gs_answer *answer, gs_error *error) {
  gs_error details;
  const gs_status status = gs_lines_read(&process->answers, process->child.output, &details);
  *ended = status != GS_OK || process->answers.end;
  if (status == GS_ERR_MEMORY) return GS_FAIL(error, status, "%s", details.message);
  if (status == GS_OK && process->answers.end) {
    give_up(process, "the worker closed its output", answer);
  } else if (status != GS_OK) {
    char message[GS_PROCESS_REASON_BYTES];
    snprintf(message, sizeof message, "the worker's answer cannot be read: %.150s",
             details.message);
    break_off(process, GS_REPLY_ENDED, message, answer);
  }
  return GS_OK;
}

/* Whether the wait is over without an answer. late: by how many seconds. */
static bool is_hopeless(gs_process *process, const outgoing *request, const event *now, double late,
                        double timeout_s, gs_answer *answer) {
  const double drip_s = 1; /* for the rest of an answer that has begun */
  char message[GS_PROCESS_REASON_BYTES];
  if (now->over) {
    give_up(process, "the worker has ended", answer);
  } else if (request->refused) {
    give_up(process, "the worker does not read requests", answer);
  } else if (gs_messages_are_too_many(&process->messages)) {
    snprintf(message, sizeof message, "the worker wrote more than %d MiB to its standard error",
             GS_MESSAGES_MAX_BYTES >> 20);
    break_off(process, GS_REPLY_ENDED, message, answer);
  } else if (late >= (now->readable ? drip_s : 0)) {
    snprintf(message, sizeof message, "no answer within %g s", timeout_s);
    break_off(process, GS_REPLY_TIMEOUT, message, answer);
  } else {
    return false;
  }
  return true;
}

/* Passes on what has come of a long answer: its end, or a part. */
static gs_status pour(gs_process *process, gs_answer *answer, gs_error *error) {
  size_t length = answer->length;
  const char *part = answer->line;
  if (!process->sink || (part && answer->poured == 0)) return GS_OK;
  if (!part) part = gs_lines_take_part(&process->answers, GS_PART_BYTES, &length);
  if (!part) return GS_OK;
  answer->poured += length;
  return process->sink->take(process->sink->user, part, length, error);
}

/* Waits for a line while sending the request. */
static gs_status exchange(gs_process *process, outgoing *request, double timeout_s,
                          gs_answer *answer, gs_error *error) {
  const double deadline = gs_clock_s() + timeout_s;
  for (;;) {
    char *line = gs_lines_take(&process->answers, &answer->length);
    answer->line = line;
    answer->reply = GS_REPLY_LINE;
    GS_TRY(pour(process, answer, error));
    if (line) return GS_OK;
    const double left_s = deadline - gs_clock_s();
    const event now = wait_for(process, request, left_s);
    bool ended = false;
    answer->reply = GS_REPLY_INTERRUPTED;
    if (now.interrupted) return GS_OK;
    if (now.readable) GS_TRY(read_some(process, &ended, answer, error));
    if (ended) return GS_OK;
    if (is_hopeless(process, request, &now, -left_s, timeout_s, answer)) return GS_OK;
    if (process->options.on_wait) process->options.on_wait(process->options.user);
  }
}

/* Whether a request can be sent: the worker is there, and has said nothing since its last
 * answer, which would be taken for the next one. */
static bool is_ready(gs_process *process, gs_answer *answer) {
  struct pollfd unasked = {process->child.output, POLLIN, 0};
  const bool silent = !gs_lines_rest(&process->answers) && poll(&unasked, 1, 0) == 0;
  const bool over = process->answers.end || gs_child_is_over(&process->child);
  if (silent && !over) return true;
  if (over || unasked.revents == POLLHUP) {
    give_up(process, "the worker closed its output", answer);
  } else {
    break_off(process, GS_REPLY_ENDED, "the worker spoke without being asked", answer);
  }
  return false;
}

gs_status gs_process_ask(gs_process *process, const gs_ask *ask, gs_answer *answer,
                         gs_error *error) {
  memset(answer, 0, sizeof *answer);
  answer->unread = true;
  if (!is_ready(process, answer)) return GS_OK;
  const size_t length = strlen(ask->request);
  char *line = malloc(length + 1);
  if (!line) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a request");
  memcpy(line, ask->request, length);
  line[length] = '\n';
  outgoing request = {line, length + 1, false};
  process->answers.max = ask->max_bytes;
  process->sink = ask->sink;
  gs_messages_reset(&process->messages);
  const gs_status status = exchange(process, &request, ask->timeout_s, answer, error);
  answer->unread = answer->reply == GS_REPLY_ENDED && request.left > 0;
  free(line);
  return status;
}

/* ---- the hello ---- */

/* The status that a worker named in place of a hello. */
static gs_status status_by_name(const char *name) {
  static const gs_status statuses[] = {GS_ERR_NO_DEVICE, GS_ERR_UNSUPPORTED, GS_ERR_MEMORY,
                                       GS_ERR_USAGE};
  for (size_t i = 0; name && i < sizeof statuses / sizeof *statuses; i++) {
    if (strcmp(gs_name(&gs_status_names, statuses[i]), name) == 0) return statuses[i];
  }
  return GS_ERR_DEVICE;
}

static gs_status read_hello(const gs_answer *answer, cJSON **device, bool *told, gs_error *error) {
  cJSON *tree = NULL;
  gs_error details;
  if (gs_json_parse(answer->line, answer->length, "hello", &tree, &details) != GS_OK) {
    const bool memory = details.status == GS_ERR_MEMORY;
    return GS_FAIL(error, memory ? GS_ERR_MEMORY : GS_ERR_DEVICE,
                   "the worker cannot be understood: %.200s", details.message);
  }
  const cJSON *message = gs_json_get(tree, "error");
  const cJSON *name = gs_json_get(tree, "status");
  const cJSON *version = gs_json_get(tree, "hello");
  gs_status status = GS_OK;
  if (cJSON_IsString(message)) {
    *told = true;
    status = GS_FAIL(error, status_by_name(cJSON_GetStringValue(name)), "%s", message->valuestring);
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
                           bool *told, gs_error *error) {
  *device = NULL;
  *process = NULL;
  *told = false;
  gs_process *new_process = calloc(1, sizeof *new_process);
  if (!new_process) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a worker's handle");
  new_process->options = *options;
  new_process->child = (gs_child){-1, -1, -1, -1, options->interrupt};
  new_process->answers.max = HELLO_MAX_BYTES;
  gs_answer answer = {.reply = GS_REPLY_ENDED};
  outgoing nothing = {NULL, 0, false};
  gs_status status = spawn(new_process, error);
  const double timeout_s = gs_fault_patience_s(hello_timeout_s);
  if (status == GS_OK) status = exchange(new_process, &nothing, timeout_s, &answer, error);
  if (status == GS_OK && answer.reply == GS_REPLY_LINE) {
    status = read_hello(&answer, device, told, error);
  } else if (status == GS_OK && answer.reply != GS_REPLY_INTERRUPTED) {
    *told = answer.reply == GS_REPLY_TIMEOUT; /* and there is no time to wait again */
    status = GS_FAIL(error, GS_ERR_DEVICE, "the worker process did not start: %s", answer.reason);
  }
  if (*device) {
    *process = new_process;
  } else {
    gs_process_stop(new_process, true);
  }
  return status;
}
