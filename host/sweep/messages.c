/* A worker's messages. See messages.h. */
#include "sweep/messages.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

typedef void on_line_function(void *user, const char *line);

static void end_line(gs_messages *messages, on_line_function *on_line, void *user) {
  messages->line[messages->length] = '\0';
  if (messages->line[0]) snprintf(messages->last, sizeof messages->last, "%.127s", messages->line);
  messages->length = 0;
  messages->lines++;
  if (!on_line || messages->lines > GS_MESSAGES_MAX_LINES) return;
  on_line(user, messages->line);
  if (messages->lines == GS_MESSAGES_MAX_LINES) on_line(user, "(what else it says is left out)");
}

bool gs_messages_read(gs_messages *messages, int fd, on_line_function *on_line, void *user) {
  char bytes[1 << 14];
  const ssize_t got = read(fd, bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  for (ssize_t i = 0; i < got; i++) {
    if (bytes[i] == '\n') {
      end_line(messages, on_line, user);
    } else if (messages->length < sizeof messages->line - 1) {
      messages->line[messages->length++] = bytes[i] ? bytes[i] : '?';
    }
  }
  if (got > 0) messages->bytes += got;
  if (got <= 0 && messages->length > 0) end_line(messages, on_line, user);
  return got > 0;
}

void gs_messages_reset(gs_messages *messages) { messages->lines = messages->bytes = 0; }

bool gs_messages_are_too_many(const gs_messages *messages) {
  return messages->bytes > GS_MESSAGES_MAX_BYTES;
}
