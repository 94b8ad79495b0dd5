/* Lines of text. See line.h. */
#include "base/line.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/digits.h"

gs_line gs_line_in(char *text, size_t capacity) {
  text[0] = '\0';
  return (gs_line){.text = text, .capacity = capacity};
}

void gs_line_add_list(gs_line *line, const char *format, va_list arguments) {
  const size_t room = line->capacity - line->length;
  const int length = vsnprintf(line->text + line->length, room, format, arguments);
  if (length >= 0 && (size_t)length < room) {
    line->length += (size_t)length;
  } else {
    line->cut = true;
    line->length = line->capacity - 1;
  }
}

void gs_line_add(gs_line *line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  gs_line_add_list(line, format, arguments);
  va_end(arguments);
}

void gs_line_add_number(gs_line *line, double value) {
  char digits[GS_DIGITS_BYTES];
  gs_line_add(line, "%s", gs_digits(value, 1, digits));
}
