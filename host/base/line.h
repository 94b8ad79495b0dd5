/* A bounded line of text that only grows; what does not fit is cut. */
#ifndef GS_BASE_LINE_H
#define GS_BASE_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct gs_line {
  char *text; /* the caller's, always terminated */
  size_t capacity;
  size_t length;
  bool cut;
} gs_line;

/* An empty line in `text`. capacity >= 1. */
gs_line gs_line_in(char *text, size_t capacity);

void gs_line_add(gs_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gs_line_add_list(gs_line *line, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* A finite number with the fewest digits that read back equal. */
void gs_line_add_number(gs_line *line, double value);

#endif
