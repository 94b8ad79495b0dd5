/* Lines over a pipe: the two ends of the protocol between the program and its
 * worker process. One request is one line of JSON, and so is one answer.
 *
 * The worker speaks first, a hello (or why there is none):
 *   {"hello": 1, "device": {..}}, the device as in device_facts.h
 *   {"error": "message", "status": "no device"}
 * and then answers each request with one line:
 *   {"request": "floor"}                      -> the roofline as in device_facts.h, or {"error"}
 *   {"request": "predict", "params": {..}}    -> {"predicted_bytes": n}, or {"error"}
 *   {"request": "cell", "cell": index in the sweep, "id", "name", "params",
 *    "options": gs_measure_options, "memory_limit_bytes": n}
 *                                             -> the cell's record, or the line of a later
 *                                                round (record.h)
 * A worker whose device is lost ends after its answer: an error, or a record with
 * the status "failed". */
#ifndef GS_SWEEP_PIPE_H
#define GS_SWEEP_PIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum {
  GS_WORKER_PROTOCOL = 1,
  GS_LINE_MAX_BYTES = 1 << 30 /* of any line */
};

/* Bytes read so far that have not been taken as lines. Zero it to start. */
typedef struct gs_lines {
  size_t max; /* bytes of a line that is waited for; 0: GS_LINE_MAX_BYTES */
  char *bytes;
  size_t length;
  size_t capacity;
  size_t taken;   /* bytes of the line handed out last, dropped at the next call */
  size_t scanned; /* bytes known to hold no newline */
  size_t parted;  /* bytes of the line at hand that gs_lines_take_part has handed out */
  bool end;       /* the writer has closed the pipe */
} gs_lines;

/* One read(2) into the buffer, after all its lines have been taken; nothing to read on a
 * non-blocking pipe is fine, the pipe's end sets `end`. Errors: GS_ERR_DEVICE (the read
 * failed); GS_ERR_DATA (a line of more than `max` bytes); GS_ERR_MEMORY. */
gs_status gs_lines_read(gs_lines *lines, int fd, gs_error *error);

/* The next complete line without its newline, terminated, valid until the next
 * call; NULL when there is none yet. */
char *gs_lines_take(gs_lines *lines, size_t *length);

/* What there is of a line whose end has not come, once it is `min` bytes long; valid
 * until the next call, NULL when there is less. gs_lines_take hands out the line's rest. */
char *gs_lines_take_part(gs_lines *lines, size_t min, size_t *length);

/* Bytes that have been read and not taken. */
size_t gs_lines_rest(const gs_lines *lines);

void gs_lines_clear(gs_lines *lines);

/* Writes everything or fails with errno; retries short writes and EINTR. The
 * descriptor blocks. */
bool gs_write_all(int fd, const char *bytes, size_t length);

#endif
