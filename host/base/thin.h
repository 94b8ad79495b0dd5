/* Thinning of long axes: which entries of many a record keeps. */
#ifndef GS_BASE_THIN_H
#define GS_BASE_THIN_H

#include <stdint.h>

/* How many of `count` entries are kept: all, or `max` where that is at least 2. */
static inline int64_t gs_thin_count(int64_t count, int64_t max) {
  return max > 1 && count > max ? max : count;
}

/* The i-th of the kept ones (from 0): evenly spread, with both ends. */
static inline int64_t gs_thin_at(int64_t i, int64_t kept, int64_t count) {
  return kept == count ? i : i * (count - 1) / (kept - 1);
}

#endif
