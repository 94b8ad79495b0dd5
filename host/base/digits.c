#include "base/digits.h"

#include <stdio.h>
#include <stdlib.h>

const char *gs_digits(double value, int from, char text[GS_DIGITS_BYTES]) {
  int digits = from;
  do {
    snprintf(text, GS_DIGITS_BYTES, "%.*g", digits, value);
  } while (digits++ < 17 && strtod(text, NULL) != value);
  return text;
}
