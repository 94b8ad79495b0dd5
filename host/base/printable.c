/* What a terminal shows and what it obeys. See printable.h. */
#include "base/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* Code points that are no visible character: Unicode's controls (Cc), format
 * characters (Cf), line and paragraph separators, and noncharacters. */
static const struct {
  uint32_t first;
  uint32_t last;
} unseen[] = {
    {0x0000, 0x001F},   {0x007F, 0x009F}, /* C0, DEL, C1 */
    {0x00AD, 0x00AD},                     /* soft hyphen */
    {0x0600, 0x0605},   {0x061C, 0x061C},   {0x06DD, 0x06DD},   {0x070F, 0x070F},
    {0x0890, 0x0891},   {0x08E2, 0x08E2},   {0x180E, 0x180E},   {0x200B, 0x200F}, /* no width */
    {0x2028, 0x202E}, /* separators, direction */
    {0x2060, 0x206F},   {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB},
    {0xFFFE, 0xFFFF},   {0x110BD, 0x110CD}, {0x13430, 0x1345F}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}, /* tags */
};

static bool is_seen(uint32_t point) {
  for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) {
    if (point >= unseen[i].first && point <= unseen[i].last) return false;
  }
  return true;
}

/* The code point of a valid character of `bytes` bytes. */
static uint32_t decode(const unsigned char *text, size_t bytes) {
  if (bytes == 1) return text[0];
  uint32_t point = text[0] & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; i++) point = point << 6 | (text[i] & 0x3Fu);
  return point;
}

const char *gs_printable(const char *text, char *buffer, size_t capacity) {
  const unsigned char *from = (const unsigned char *)text;
  size_t left = strlen(text);
  size_t length = 0;
  while (left > 0) {
    const size_t bytes = gs_utf8_bytes(from, left);
    const bool seen = bytes > 0 && is_seen(decode(from, bytes));
    const size_t written = seen ? bytes : 1;
    if (length + written >= capacity) break;
    if (seen) {
      memmove(buffer + length, from, bytes);
    } else {
      buffer[length] = '?';
    }
    length += written;
    from += bytes ? bytes : 1;
    left -= bytes ? bytes : 1;
  }
  buffer[length] = '\0';
  return buffer;
}
