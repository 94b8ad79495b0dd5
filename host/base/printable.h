/* Text from outside (keys of a file, names of folders, words of a library) as it
 * may be shown on any terminal. */
#ifndef GS_BASE_PRINTABLE_H
#define GS_BASE_PRINTABLE_H

#include <stddef.h>

/* Copies `text`, cut to `capacity` - 1 bytes between characters, and returns
 * `buffer`. One '?' stands for each character that is not seen but obeyed:
 * controls (C0, DEL and C1, which terminals take for escape sequences), marks
 * that turn the direction of the text, separators of lines, what has no width,
 * and each byte that is no UTF-8. `buffer` may be `text`. */
const char *gs_printable(const char *text, char *buffer, size_t capacity);

#endif
