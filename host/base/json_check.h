/* The strictness that cJSON lacks. For base/json.c alone. */
#ifndef GS_BASE_JSON_CHECK_H
#define GS_BASE_JSON_CHECK_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/status.h"

/* Is the text one RFC 8259 value, in valid UTF-8, nested at most
 * GS_JSON_MAX_DEPTH deep, with nothing after it? Also refused, because a tree
 * of C strings and doubles cannot hold them: U+0000 and unpaired surrogates in
 * strings; and more than max_values values (keys not counted). No recursion.
 * Errors: GS_ERR_DATA, "origin:line:column: what". */
gs_status gs_json_check_text(const char *text, size_t length, size_t max_values, const char *origin,
                             gs_error *error);

/* Has a tree parsed from such a text no duplicate keys, in O(n log n), and only
 * finite numbers? Errors: GS_ERR_DATA, "origin: path: what"; GS_ERR_MEMORY. */
gs_status gs_json_check_tree(const cJSON *root, const char *origin, gs_error *error);

#endif
