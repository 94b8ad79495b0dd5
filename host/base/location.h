/* A location in a JSON document or on the command line, for messages: a JSON path in a file, or an
 * option of the command line. Text from outside is quoted so that a message
 * stays one short printable line whatever the text holds. */
#ifndef GS_BASE_LOCATION_H
#define GS_BASE_LOCATION_H

#include "base/json.h"

enum { GS_QUOTE_BYTES = 64 };

typedef struct gs_location {
  const char *origin; /* the file's name before the path, or NULL */
  const char *path;   /* JSON path of an object ("$.blocks[1]"); NULL: the command line */
  const char *key;    /* a key of that object, or NULL for the object itself */
  int64_t index;      /* which element of the key's list, or -1 */
  int64_t inner;      /* which element of that element's list, or -1 */
  const char *member; /* a key of that element's object, or NULL */
} gs_location;

/* The object at path itself. */
gs_location gs_location_object(const char *origin, const char *path);
/* A key of the object. */
gs_location gs_location_key(const gs_location *object, const char *key);

/* Fails with "origin: $.path.key[index]: words" and GS_ERR_DATA, or, on the
 * command line, "--key: words" and GS_ERR_USAGE. */
gs_status gs_location_fail(const gs_location *location, gs_error *error, const char *file, int line,
                           const char *format, ...) __attribute__((format(printf, 5, 6)));
#define GS_FAIL_AT(location, error, ...)                                                           \
  gs_location_fail((location), (error), __FILE__, __LINE__, __VA_ARGS__)

/* Text or a JSON value in quotes or words, cut and made printable. Both return
 * their buffer. */
const char *gs_quote(const char *text, char buffer[GS_QUOTE_BYTES]);
const char *gs_quote_value(const cJSON *value, char buffer[GS_QUOTE_BYTES]);

#endif
