/* Small texts for people. See text.h. */
#include "sweep/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Three significant digits of 1 <= value < 1024 with the unit behind. */
static const char *three_digits(double value, const char *unit, char text[GS_NUMBER_BYTES]) {
  const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  snprintf(text, GS_NUMBER_BYTES, "%.*f%s", digits, value, unit);
  return text;
}

const char *gs_text_short(double value, char text[GS_NUMBER_BYTES]) {
  static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
  size_t unit = 0;
  if (!isfinite(value) || fabs(value) >= 1e21) {
    snprintf(text, GS_NUMBER_BYTES, isfinite(value) ? "%.2e" : "-", value);
    return text;
  }
  while (fabs(value) >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
    value /= 1000;
    unit++;
  }
  return three_digits(value, units[unit], text);
}

const char *gs_text_rate(double value, const char *unit, char text[GS_NUMBER_BYTES]) {
  char number[GS_NUMBER_BYTES];
  gs_text_short(value, number);
  const size_t digits = strspn(number, "-+.0123456789");
  snprintf(text, GS_NUMBER_BYTES, "%.*s %.4s%.8s", (int)(digits < 8 ? digits : 8), number,
           number + digits, unit);
  return text;
}

const char *gs_text_bytes(double bytes, char text[GS_NUMBER_BYTES]) {
  static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
  size_t unit = 0;
  if (!isfinite(bytes)) return strcpy(text, "-");
  while (bytes >= 1000 && unit + 1 < sizeof units / sizeof *units) {
    bytes /= 1024;
    unit++;
  }
  if (unit == 0) {
    snprintf(text, GS_NUMBER_BYTES, "%.0f B", bytes);
    return text;
  }
  return three_digits(bytes, units[unit], text);
}

const char *gs_text_seconds(double seconds, char text[GS_NUMBER_BYTES]) {
  if (!(seconds >= 0 && seconds < 1e9)) {
    snprintf(text, GS_NUMBER_BYTES, isnan(seconds) ? "-" : "%.1e s", seconds);
  } else if (seconds < 0.9995) {
    snprintf(text, GS_NUMBER_BYTES, seconds < 0.001 ? "< 1 ms" : "%.0f ms", seconds * 1000);
  } else if (seconds < 119.95) {
    snprintf(text, GS_NUMBER_BYTES, "%.1f s", seconds);
  } else {
    const unsigned whole = (unsigned)lround(seconds); /* below 1e9 */
    snprintf(text, GS_NUMBER_BYTES, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return text;
}

const char *gs_text_fixed(double value, int digits, char text[GS_NUMBER_BYTES]) {
  const double size = fabs(value);
  if (!isfinite(value)) return strcpy(text, "-");
  if (size >= (digits > 0 ? 1e7 : 1e9)) {
    snprintf(text, GS_NUMBER_BYTES, "%.3e", value);
    return text;
  }
  const int min = size >= 99999.5 ? 0 : size >= 999.995 ? 1 : digits;
  snprintf(text, GS_NUMBER_BYTES, "%.*f", min < digits ? min : digits, value);
  if (strspn(text, "-0.") == strlen(text) && text[0] == '-') {
    memmove(text, text + 1, strlen(text)); /* "-0.00" says no more than "0.00" */
  }
  return text;
}
