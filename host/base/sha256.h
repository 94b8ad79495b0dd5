/* SHA-256 (FIPS 180-4, section 6.2) of bytes: what files say of themselves, so that
 * sha256sum, Python's hashlib and everybody else can check it. */
#ifndef GS_BASE_SHA256_H
#define GS_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { GS_SHA256_TEXT_BYTES = 65 }; /* 64 hexadecimal digits, terminated */

/* A hash under way. */
typedef struct gs_sha256 {
  uint32_t state[8];
  uint64_t bytes;            /* so far */
  unsigned char pending[64]; /* the last bytes % 64 of them */
} gs_sha256;

void gs_sha256_start(gs_sha256 *hash);
void gs_sha256_add(gs_sha256 *hash, const void *bytes, size_t length);
/* The digits of everything added so far, to which more may be added. Returns text. */
const char *gs_sha256_text(const gs_sha256 *hash, char text[GS_SHA256_TEXT_BYTES]);

#endif
