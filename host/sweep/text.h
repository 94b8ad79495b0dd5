/* Small texts for people: short numbers. Every function fills the
 * buffer it is given and returns it. */
#ifndef GS_SWEEP_TEXT_H
#define GS_SWEEP_TEXT_H

#include <stddef.h>

enum { GS_NUMBER_BYTES = 24 };
/* Three significant digits and a unit letter: "12.3k", "1.24M", "850". "-" for
 * what is not finite. */
const char *gs_text_short(double value, char text[GS_NUMBER_BYTES]);
/* The same before a unit: "42.0 GFLOP/s". */
const char *gs_text_rate(double value, const char *unit, char text[GS_NUMBER_BYTES]);
/* Bytes: "1.50 GiB". */
const char *gs_text_bytes(double bytes, char text[GS_NUMBER_BYTES]);
/* Seconds: "12 ms", "3.4 s", "2:05:00". */
const char *gs_text_seconds(double seconds, char text[GS_NUMBER_BYTES]);
/* With `digits` after the point, fewer for numbers that are long already:
 * "-6.27", "-6270.1". "-" for what is not finite. */
const char *gs_text_fixed(double value, int digits, char text[GS_NUMBER_BYTES]);

#endif
