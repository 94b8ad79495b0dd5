/* The parent's handle on a worker process: start it, ask it with a deadline,
 * end it. Whatever the worker does, these calls return. */
#ifndef GS_SWEEP_PROCESS_H
#define GS_SWEEP_PROCESS_H

#include "base/json.h"
#include "net/config.h"

enum {
  GS_PROCESS_REASON_BYTES = 256,
  GS_PART_BYTES = 1 << 16 /* of an answer that are waited for before they are passed on */
};

typedef struct gs_process_options {
  gs_backend backend;
  const char *device; /* "auto", or the backend's name for one; borrowed */
  int threads;        /* 0: one per processor */
  int interrupt;      /* descriptor that becomes readable when the run must end; -1: none */
  /* Called with each line the worker writes to its standard error, and about
   * four times a second while waiting. Both may be NULL. */
  void (*on_message)(void *user, const char *line);
  void (*on_wait)(void *user);
  void *user;
} gs_process_options;

typedef enum gs_reply {
  GS_REPLY_LINE,       /* an answer */
  GS_REPLY_TIMEOUT,    /* none in time; the worker has been killed */
  GS_REPLY_ENDED,      /* the worker died, or was ended because it was of no use */
  GS_REPLY_INTERRUPTED /* the interrupt descriptor is readable; still running */
} gs_reply;

typedef struct gs_answer {
  gs_reply reply;
  const char *line; /* terminated, valid until the next call for this process */
  size_t length;
  size_t poured; /* bytes that went into the sink: all of the answer, or 0 and it is `line` */
  bool unread;   /* it ended before it had the whole request */
  char reason[GS_PROCESS_REASON_BYTES]; /* of a timeout or an end, in words */
} gs_answer;

/* Takes a long answer as it arrives, a piece at a time. */
typedef struct gs_sink {
  gs_status (*take)(void *user, const char *bytes, size_t length, gs_error *error);
  void *user;
} gs_sink;

typedef struct gs_ask {
  const char *request; /* a line without its newline */
  double timeout_s;
  size_t max_bytes;    /* of an answer: who says more is ended */
  const gs_sink *sink; /* of answers longer than GS_PART_BYTES; NULL: none is */
} gs_ask;

typedef struct gs_process gs_process;

/* Starts this program again as `gradsweep worker` and waits for its hello.
 * *device (the caller's) is its description; NULL when interrupted, which is
 * GS_OK with *process NULL. The worker dies with the thread that started it. *told: there
 * is a reason to fail in the same way again, the worker's own words or a long silence.
 * Errors: GS_ERR_NO_DEVICE and whatever else the worker says in place of a
 * hello; GS_ERR_DEVICE when it says nothing that can be understood; GS_ERR_MEMORY. */
gs_status gs_process_start(const gs_process_options *options, gs_process **process, cJSON **device,
                           bool *told, gs_error *error);

/* Sends a request and waits for one line, in bounded time and memory whatever the worker
 * does. Where it ends without a line, what was poured is of no use. After GS_REPLY_TIMEOUT and
 * GS_REPLY_ENDED only gs_process_stop may follow. A worker that has spoken since its last answer is
 * not asked, but ended. Errors: GS_ERR_MEMORY; the sink's. */
gs_status gs_process_ask(gs_process *process, const gs_ask *ask, gs_answer *answer,
                         gs_error *error);

/* Ends the worker: at once when `now`, else by the end of its input with a
 * moment's grace. Frees the handle; accepts NULL. */
void gs_process_stop(gs_process *process, bool now);

#endif
