/* What is a character of UTF-8 (RFC 3629) and what is not. */
#ifndef GS_BASE_UTF8_H
#define GS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at text (length >= 1 bytes left), or 0 when it is none:
 * overlong, a surrogate, above U+10FFFF, or cut short. */
static inline size_t gs_utf8_bytes(const unsigned char *text, size_t length) {
  const unsigned char first = text[0];
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || length < bytes) return 0;
  for (size_t i = 1; i < bytes; i++) {
    if ((text[i] & 0xC0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xE0 && text[1] < 0xA0) || (first == 0xF0 && text[1] < 0x90);
  const bool outside = (first == 0xED && text[1] > 0x9F) || (first == 0xF4 && text[1] > 0x8F);
  return overlong || outside ? 0 : bytes;
}

#endif
