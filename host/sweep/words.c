/* A worker's words. See words.h. */
#include "sweep/words.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

typedef void on_line_function(void *user, const char *line);

static void end_line(gs_words *words, on_line_function *on_line, void *user) {
  words->line[words->length] = '\0';
  if (words->line[0]) snprintf(words->last, sizeof words->last, "%.127s", words->line);
  words->length = 0;
  words->lines++;
  if (!on_line || words->lines > GS_WORDS_MOST_LINES) return;
  on_line(user, words->line);
  if (words->lines == GS_WORDS_MOST_LINES) on_line(user, "(what else it says is left out)");
}

bool gs_words_read(gs_words *words, int fd, on_line_function *on_line, void *user) {
  char bytes[1 << 14];
  const ssize_t got = read(fd, bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  for (ssize_t i = 0; i < got; i++) {
    if (bytes[i] == '\n') {
      end_line(words, on_line, user);
    } else if (words->length < sizeof words->line - 1) {
      words->line[words->length++] = bytes[i] ? bytes[i] : '?';
    }
  }
  if (got > 0) words->bytes += got;
  if (got <= 0 && words->length > 0) end_line(words, on_line, user);
  return got > 0;
}

void gs_words_reset(gs_words *words) { words->lines = words->bytes = 0; }

bool gs_words_are_too_many(const gs_words *words) { return words->bytes > GS_WORDS_MOST_BYTES; }
