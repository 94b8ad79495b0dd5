/* What a JSON value must look like, as a table, and whether a text does: read once, piece
 * by piece, without a tree. What the reader wants of it is kept as a small text of its own.
 *
 * Members come in the order of their table, as gradsweep writes them. */
#ifndef GS_BASE_JSON_SHAPE_H
#define GS_BASE_JSON_SHAPE_H

#include <stdint.h>
#include <stdio.h>

#include "base/json_scan.h"
#include "base/names.h"

typedef enum gs_shape_kind {
  GS_SHAPE_OBJECT,
  GS_SHAPE_LIST,
  GS_SHAPE_NUMBER,
  GS_SHAPE_INTEGER,
  GS_SHAPE_BOOLEAN,
  GS_SHAPE_TEXT
} gs_shape_kind;

typedef struct gs_json_shape gs_json_shape;

/* What is kept of a value: nothing; of a list its first entry, of an object what its own
 * members say; or all. */
typedef enum gs_shape_keep { GS_KEEP_NONE, GS_KEEP_SOME, GS_KEEP_ALL } gs_shape_keep;

/* A member of an object; a table ends with one without a name. */
typedef struct gs_shape_field {
  const char *name;
  const gs_json_shape *shape;
  bool optional;
  gs_shape_keep keep;
} gs_shape_field;

struct gs_json_shape {
  gs_shape_kind kind;
  bool null;                    /* or null */
  const gs_shape_field *fields; /* of an object */
  bool aligned;                 /* all lists in the object, not those in lists, are as long */
  const gs_json_shape *each;    /* of a list's entries */
  int64_t fewest;               /* entries */
  bool unique;                  /* entries, names */
  double min, max;              /* of a number; the table says it if there is no limit */
  bool above;                   /* least itself is too little */
  bool not_minus_one;           /* of an integer */
  const gs_names *names;        /* of a text: one of these; NULL: any */
  int hex_digits;               /* of a text: so many, 0-9 and a-f; 0: any text */
  bool not_empty;               /* of a text */
};

/* Where a member of the outermost object stands in its text. */
typedef struct gs_shape_span {
  int64_t before;     /* of the comma that leads to it, but for the first member */
  int64_t start, end; /* of its value; both 0: it is not there */
} gs_shape_span;

/* Reads one value, or, where `inside`, the members of an object from the first one's key
 * on. kept: what the table keeps is written there as one value (a stream in memory; NULL:
 * nothing is). spans: one for each field of the outermost object, or NULL. The scanner's
 * origin is no part of the messages: they start with the location, "summary.decades.p50: ".
 * Errors: GS_ERR_DATA; of the scanner's source. */
gs_status gs_shape_check(gs_json_scanner *s, const gs_json_shape *shape, bool inside, FILE *kept,
                         gs_shape_span *spans);

#endif
