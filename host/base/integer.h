/* The one way from a double that came from outside (JSON, an option, a file of the
 * system) to an integer: a cast of what an integer cannot hold is undefined. */
#ifndef GS_BASE_INTEGER_H
#define GS_BASE_INTEGER_H

#include <stdbool.h>
#include <stdint.h>

/* Up to here a double holds every integer, and reads back what was written. */
#define GS_INTEGER_MOST (INT64_C(1) << 53)

/* Whether `value` is a whole number in [least, most], both within GS_INTEGER_MOST of
 * zero; then also *integer. NaN is none. */
static inline bool gs_integer_of(double value, int64_t least, int64_t most, int64_t *integer) {
  if (!(value >= (double)least && value <= (double)most)) return false;
  if (!(value >= (double)-GS_INTEGER_MOST && value <= (double)GS_INTEGER_MOST)) return false;
  const int64_t whole = (int64_t)value;
  if ((double)whole != value) return false;
  *integer = whole;
  return true;
}

#endif
