/* Numbers as text that reads back equal. */
#ifndef GS_BASE_DIGITS_H
#define GS_BASE_DIGITS_H

enum { GS_DIGITS_BYTES = 32 };

/* A finite number with the fewest significant digits, `from` (1 to 17) or more, that read back
 * equal, as %g writes them: from 1, 100 is 1e+02; from 15 it is 100. Trailing zeros are no
 * digits. "nan" or "inf" of what is not finite. Returns text. */
const char *gs_digits(double value, int from, char text[GS_DIGITS_BYTES]);

#endif
