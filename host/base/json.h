/* JSON in and out, over cJSON, with cJSON's leniencies closed.
 *
 * Reading is strict: one RFC 8259 value and nothing after it, no duplicate
 * keys, no number outside double's range, bounded nesting and size. Writing
 * keeps every bit: doubles with as many of 17 digits as read back equal, 64-bit
 * integers as strings, a non-finite number as null. Trees are cJSON trees; the
 * caller frees them with cJSON_Delete. */
#ifndef GS_BASE_JSON_H
#define GS_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

enum {
  GS_JSON_MAX_DEPTH = 100,            /* nesting of a document from outside */
  GS_JSON_MAX_INPUT_BYTES = 16 << 20, /* size of a file from outside */
  GS_JSON_MAX_INPUT_VALUES = 1 << 20  /* its values: a tree takes some 100 bytes for each */
};

/* Parses exactly one JSON value from length bytes (no terminator needed).
 * `origin` names the text in messages (a file name, "--init"). On success
 * *root is the caller's. Errors: GS_ERR_DATA with line and column or, for
 * duplicate keys and out-of-range numbers, the JSON path ($.blocks[0].depth);
 * GS_ERR_MEMORY. */
gs_status gs_json_parse(const char *text, size_t length, const char *origin, cJSON **root,
                        gs_error *error);

/* Reads and parses a whole file of at most max_bytes and GS_JSON_MAX_INPUT_VALUES
 * values. Errors: as gs_json_parse; GS_ERR_DATA when it cannot be opened or is too
 * large, which is found before a tree is built. */
gs_status gs_json_read_file(const char *path, size_t max_bytes, cJSON **root, gs_error *error);

/* The member of this name, NULL where the object is none or has none. */
const cJSON *gs_json_get(const cJSON *object, const char *key);
/* The value of a number; NaN of anything else, NULL included. */
double gs_json_number_of(const cJSON *item);
/* The value of this member, likewise. */
double gs_json_get_number(const cJSON *object, const char *key);

/* A number that reads back equal, or null when not finite. */
cJSON *gs_json_number(double value);
/* An integer; one that a double cannot hold (beyond 2^53) as a decimal string. */
cJSON *gs_json_integer(int64_t value);
/* A 64-bit integer as a decimal string. */
cJSON *gs_json_uint64(uint64_t value);
/* 64 bits as 16 hexadecimal digits. */
cJSON *gs_json_hex64(uint64_t value);

/* To a tree that is there already (base/json_writer.h makes new ones). They own the item on
 * success and free it on failure, and return false when out of memory (also when item is
 * NULL). */
bool gs_json_add(cJSON *object, const char *key, cJSON *item);
bool gs_json_append(cJSON *array, cJSON *item);

/* One line without a newline, in malloc'd memory; NULL when out of memory. */
char *gs_json_print_line(const cJSON *root);

/* Writes the tree readably (two-space indent, arrays of scalars on one line) and
 * a newline to a stream. Returns false on a write error. */
bool gs_json_print_pretty(const cJSON *root, FILE *stream);

#endif
