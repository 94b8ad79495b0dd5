/* Lines over a pipe. See pipe.h. */
#include "sweep/pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 16 };

static void drop_taken(gs_lines *lines) {
  if (!lines->taken) return;
  lines->length -= lines->taken;
  memmove(lines->bytes, lines->bytes + lines->taken, lines->length);
  lines->taken = 0;
  lines->scanned = 0;
}

gs_status gs_lines_read(gs_lines *lines, int fd, gs_error *error) {
  drop_taken(lines);
  const size_t max = lines->max ? lines->max : GS_LINE_MAX_BYTES;
  if (lines->parted + lines->length > max) {
    return GS_FAIL(error, GS_ERR_DATA, "a line of more than %zu bytes", max);
  }
  if (lines->capacity - lines->length < CHUNK_BYTES && lines->capacity < max + CHUNK_BYTES) {
    const size_t twice = lines->capacity * 2 + CHUNK_BYTES;
    const size_t capacity = twice < max + CHUNK_BYTES ? twice : max + CHUNK_BYTES;
    char *bytes = realloc(lines->bytes, capacity);
    if (!bytes) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a line of this length");
    lines->bytes = bytes;
    lines->capacity = capacity;
  }
  const ssize_t got = read(fd, lines->bytes + lines->length, lines->capacity - lines->length);
  if (got > 0) {
    lines->length += (size_t)got;
  } else if (got == 0) {
    lines->end = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    return GS_FAIL_NATIVE(error, GS_ERR_DEVICE, errno, "reading a pipe: %s", strerror(errno));
  }
  return GS_OK;
}

char *gs_lines_take(gs_lines *lines, size_t *length) {
  drop_taken(lines);
  if (lines->length == lines->scanned) return NULL;
  char *newline = memchr(lines->bytes + lines->scanned, '\n', lines->length - lines->scanned);
  lines->scanned = lines->length;
  if (!newline) return NULL;
  *newline = '\0';
  *length = (size_t)(newline - lines->bytes);
  lines->taken = *length + 1;
  lines->parted = 0;
  return lines->bytes;
}

char *gs_lines_take_part(gs_lines *lines, size_t min, size_t *length) {
  drop_taken(lines);
  if (lines->length < min || memchr(lines->bytes, '\n', lines->length)) return NULL;
  *length = lines->taken = lines->length;
  lines->parted += *length;
  return lines->bytes;
}

size_t gs_lines_rest(const gs_lines *lines) { return lines->length - lines->taken; }

void gs_lines_clear(gs_lines *lines) {
  free(lines->bytes);
  memset(lines, 0, sizeof *lines);
}

bool gs_write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    if (written == 0) {
      errno = EIO;
      return false;
    }
    bytes += written;
    length -= (size_t)written;
  }
  return true;
}
