/* A record's digest. See digest.h. */
#include "measure/digest.h"

#include <stdint.h>
#include <string.h>

enum { MAX_DEPTH = 16 };

static void add_byte(gs_sha256 *hash, char byte) { gs_sha256_add(hash, &byte, 1); }

/* With the zero byte at its end. */
static void add_text(gs_sha256 *hash, const char *text) {
  gs_sha256_add(hash, text, strlen(text) + 1);
}

static void add_number(gs_sha256 *hash, double value) {
  const double plain = value == 0 ? 0 : value; /* -0 may read back as 0 */
  unsigned char bytes[8];
  uint64_t bits;
  memcpy(&bits, &plain, sizeof bits);
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(bits >> (8 * i));
  add_byte(hash, 'n');
  gs_sha256_add(hash, bytes, sizeof bytes);
}

static void add_scalar(gs_sha256 *hash, const cJSON *value) {
  if (cJSON_IsNumber(value)) {
    add_number(hash, value->valuedouble);
  } else if (cJSON_IsString(value)) {
    add_byte(hash, 's');
    add_text(hash, value->valuestring);
  } else {
    add_byte(hash, 'z');
  }
}

static bool is_container(const cJSON *value) {
  return cJSON_IsArray(value) || cJSON_IsObject(value);
}

/* Depth first; `open` are the containers that the walk is in. */
static void add_value(gs_sha256 *hash, const cJSON *value) {
  const cJSON *open[MAX_DEPTH];
  int depth = 0;
  const cJSON *at = value;
  while (at) {
    const cJSON *next = at->next;
    if (depth > 0 && cJSON_IsObject(open[depth - 1])) add_text(hash, at->string);
    if (is_container(at) && depth < MAX_DEPTH) {
      add_byte(hash, cJSON_IsArray(at) ? '[' : '{');
      open[depth++] = at;
      next = at->child;
    } else {
      add_scalar(hash, at);
    }
    while (depth > 0 && !next) {
      const cJSON *done = open[--depth];
      add_byte(hash, cJSON_IsArray(done) ? ']' : '}');
      next = depth > 0 ? done->next : NULL;
      if (depth == 0) return;
    }
    at = depth > 0 ? next : NULL;
  }
}

const char *gs_digest_of(const cJSON *record, char text[GS_SHA256_TEXT_BYTES]) {
  static const char *const parts[][3] = {{"weights_hash", "weights_hash", NULL},
                                         {"layers", "layers", NULL},
                                         {"summary.decades", "summary", "decades"},
                                         {"summary.loss", "summary", "loss"},
                                         {"jacobian", "jacobian", NULL}};
  gs_sha256 hash;
  gs_sha256_start(&hash);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    const cJSON *value = gs_json_get(record, parts[i][1]);
    if (value && parts[i][2]) value = gs_json_get(value, parts[i][2]);
    if (!value) continue;
    add_text(&hash, parts[i][0]);
    add_value(&hash, value);
  }
  return gs_sha256_text(&hash, text);
}
