/* What a worker says on its standard error, line by line. However much it is, little is
 * kept and passed on. */
#ifndef GS_SWEEP_WORDS_H
#define GS_SWEEP_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  GS_WORDS_LINE_BYTES = 256,      /* what is longer is cut */
  GS_WORDS_MOST_LINES = 100,      /* passed on between two resets */
  GS_WORDS_MOST_BYTES = 64 << 20, /* nobody has so much to say */
};

/* Zero it to start. */
typedef struct gs_words {
  char line[GS_WORDS_LINE_BYTES]; /* the beginning of the present one */
  size_t length;
  char last[128]; /* the last line that is not empty; empty: none */
  int64_t lines;  /* since the last reset */
  int64_t bytes;
} gs_words;

/* One read(2) of a non-blocking pipe; `on_line` (NULL: nobody) is called with each line.
 * False at the pipe's end, or when it cannot be read. */
bool gs_words_read(gs_words *words, int fd, void (*on_line)(void *user, const char *line),
                   void *user);

/* Begins to count anew. */
void gs_words_reset(gs_words *words);

/* Whether it was more than GS_WORDS_MOST_BYTES. */
bool gs_words_are_too_many(const gs_words *words);

#endif
