/* A record's digest: one short text that is equal exactly where the numbers are, so that
 * two runs are told apart, or found the same to the last bit, without reading them.
 *
 * SHA-256 over these members of the record, as far as it has them, in this order:
 * weights_hash, layers, summary.decades, summary.loss, jacobian. Each is its path
 * ("summary.loss") and a zero byte, then its value:
 *
 *   number         n, then the eight bytes of its float64, lowest first; -0 as 0
 *   null           z
 *   text           s, its bytes, a zero byte
 *   list           [ its entries ]
 *   object         { for each member its key, a zero byte, its value }
 *
 * Everybody can compute it from the document, for its numbers read back equal. */
#ifndef GS_MEASURE_DIGEST_H
#define GS_MEASURE_DIGEST_H

#include "base/json.h"
#include "base/sha256.h"

/* Of a record as measured. Lists and objects nested deeper than 16 (no record's are) count
 * as null. Returns text. */
const char *gs_digest_of(const cJSON *record, char text[GS_SHA256_TEXT_BYTES]);

#endif
