/* The tokens of RFC 8259, strictly, of a text in memory or of one that comes piece by
 * piece, so that a text of any length takes a buffer and no more. What reads the
 * grammar is built on this: base/json_check.h (trees), base/json_shape.h (records). */
#ifndef GS_BASE_JSON_SCAN_H
#define GS_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { GS_JSON_BUFFER_BYTES = 1 << 16 }; /* also the longest token of a text in pieces */

/* Where a text comes from. */
typedef struct gs_json_source {
  /* Puts up to `room` bytes there; *got is 0 at the end alone. */
  gs_status (*read)(void *user, char *into, size_t room, size_t *got, gs_error *error);
  void *user;
} gs_json_source;

/* Offsets count from the start of the text. */
typedef struct gs_json_scanner {
  const unsigned char *text; /* what is in memory: from `base` up to `end` */
  size_t base, end;
  size_t at;                    /* the next byte */
  size_t mark;                  /* from here on bytes stay in memory; SIZE_MAX: none is kept */
  const gs_json_source *source; /* of the rest; NULL: there is none */
  unsigned char *buffer;        /* [GS_JSON_BUFFER_BYTES], of a text in pieces */
  const char *origin;           /* for messages */
  gs_error *error;
  gs_status failed; /* of the source, or of a token that is too long */
} gs_json_scanner;

/* Of `length` bytes in memory. */
gs_json_scanner gs_json_scan_text(const char *text, size_t length, const char *origin,
                                  gs_error *error);
/* Of a source, through the caller's buffer of GS_JSON_BUFFER_BYTES. */
gs_json_scanner gs_json_scan_source(const gs_json_source *source, unsigned char *buffer,
                                    const char *origin, gs_error *error);

/* Gets more of the text; whether there was more. */
bool gs_json_scan_more(gs_json_scanner *s);

/* The next byte, or -1 at the end. */
static inline int gs_json_peek(gs_json_scanner *s) {
  return s->at < s->end || gs_json_scan_more(s) ? s->text[s->at - s->base] : -1;
}

static inline bool gs_json_take(gs_json_scanner *s, int byte) {
  if (gs_json_peek(s) != byte) return false;
  s->at++;
  return true;
}

static inline void gs_json_skip_space(gs_json_scanner *s) {
  bool more = true;
  while (more) {
    more = gs_json_take(s, ' ') || gs_json_take(s, '\t') || gs_json_take(s, '\n') ||
           gs_json_take(s, '\r');
  }
}

/* GS_ERR_DATA, "origin:line:column: what" (of a text in pieces "origin: byte n: what"), or
 * what the source failed with. */
gs_status gs_json_scan_fail(const gs_json_scanner *s, const char *what);
gs_status gs_json_scan_fail_at(const gs_json_scanner *s, size_t at, const char *what);

/* Past a token that starts here. */
gs_status gs_json_scan_string(gs_json_scanner *s);
gs_status gs_json_scan_number(gs_json_scanner *s);
gs_status gs_json_scan_literal(gs_json_scanner *s); /* true, false, null */
gs_status gs_json_scan_scalar(gs_json_scanner *s);  /* any of these */

#endif
