/* What a worker says on its standard error, line by line. However much it is, little is
 * kept and passed on. */
#ifndef GS_SWEEP_MESSAGES_H
#define GS_SWEEP_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  GS_MESSAGES_LINE_BYTES = 256,     /* what is longer is cut */
  GS_MESSAGES_MAX_LINES = 100,      /* passed on between two resets */
  GS_MESSAGES_MAX_BYTES = 64 << 20, /* nobody has so much to say */
};

/* Zero it to start. */
typedef struct gs_messages {
  char line[GS_MESSAGES_LINE_BYTES]; /* the beginning of the present one */
  size_t length;
  char last[128]; /* the last line that is not empty; empty: none */
  int64_t lines;  /* since the last reset */
  int64_t bytes;
} gs_messages;

/* One read(2) of a non-blocking pipe; `on_line` (NULL: nobody) is called with each line.
 * False at the pipe's end, or when it cannot be read. */
bool gs_messages_read(gs_messages *messages, int fd, void (*on_line)(void *user, const char *line),
                      void *user);

/* Begins to count anew. */
void gs_messages_reset(gs_messages *messages);

/* Whether it was more than GS_MESSAGES_MAX_BYTES. */
bool gs_messages_are_too_many(const gs_messages *messages);

#endif
