/* A child process with pipes at its standard streams. Nothing here waits for longer than it
 * says, whatever the child does. */
#ifndef GS_SWEEP_CHILD_H
#define GS_SWEEP_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/status.h"

/* Put -1 into every member to start. */
typedef struct gs_child {
  pid_t pid;     /* and process group; -1: none (any more) */
  int input;     /* its standard input, to write to; non-blocking */
  int output;    /* its standard output, to read; non-blocking */
  int messages;  /* its standard error, to read; non-blocking */
  int interrupt; /* borrowed: nobody waits once it is readable; -1: none */
} gs_child;

/* Starts a program with these arguments (the first is its name, NULL ends them), in a
 * process group of its own, so that Ctrl-C reaches only the parent, which decides. While
 * it lives it ends with this program (sweep/interrupt.h). There is one at a time. Errors:
 * GS_ERR_DEVICE. */
gs_status gs_child_start(gs_child *child, const char *program, const char *const *arguments,
                         gs_error *error);

/* Whether it has ended, though others may hold its pipes open. */
bool gs_child_is_over(const gs_child *child);

/* Waits for its end, at most so long. True: it is gone (pid is -1), and so are the
 * processes that it left behind in its group; *wait_status is waitpid's. */
bool gs_child_wait(gs_child *child, double seconds, int *wait_status);

/* Kills it and its group. A process stuck in a driver may not die even so, and is left
 * behind. */
void gs_child_kill(gs_child *child);

/* Closes the pipes that are open. */
void gs_child_close(gs_child *child);

/* Closes one of them. */
void gs_child_close_pipe(int *fd);

#endif
