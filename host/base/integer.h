/* The one way from a double that came from outside (JSON, an option, a file of the
 * system) to an integer: a cast of what an integer cannot hold is undefined. */
#ifndef GS_BASE_INTEGER_H
#define GS_BASE_INTEGER_H

#include <stdbool.h>
#include <stdint.h>

/* Up to here a double holds every integer, and reads back what was written. */
#define GS_INTEGER_MAX (INT64_C(1) << 53)

/* Whether `value` is a whole number in [min, max], both within GS_INTEGER_MAX of
 * zero; then also *integer. NaN is none. */
static inline bool gs_integer_of(double value, int64_t min, int64_t max, int64_t *integer) {
  if (!(value >= (double)min && value <= (double)max)) return false;
  if (!(value >= (double)-GS_INTEGER_MAX && value <= (double)GS_INTEGER_MAX)) return false;
  const int64_t whole = (int64_t)value;
  if ((double)whole != value) return false;
  *integer = whole;
  return true;
}

#endif
