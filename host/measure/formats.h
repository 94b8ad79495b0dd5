/* What a number format would have kept of a tensor, read off its exponent
 * histogram (THEORY section 6). By binade: an element of exponent e counts as
 * stored zero when 2^(e+1) is at most half the smallest subnormal, as infinity
 * when 2^e is beyond the largest binade. Elements within rounding of a limit may
 * go either way in the real format. */
#ifndef GS_MEASURE_FORMATS_H
#define GS_MEASURE_FORMATS_H

#include <stdint.h>

#include "base/names.h"

/* X(constant, name, exponent of the smallest subnormal, of the smallest normal,
 *   of the largest number). e4m3 and e5m2: OCP 8-bit floating point, 2023. */
#define GS_FORMAT_LIST(X)                                                                          \
  X(GS_FORMAT_F32, "f32", -149, -126, 127)                                                         \
  X(GS_FORMAT_BF16, "bf16", -133, -126, 127)                                                       \
  X(GS_FORMAT_F16, "f16", -24, -14, 15)                                                            \
  X(GS_FORMAT_E4M3, "e4m3", -9, -6, 8)                                                             \
  X(GS_FORMAT_E5M2, "e5m2", -16, -14, 15)

#define GS_FORMAT_VALUE(constant, name, min, normal, max) constant,
typedef enum gs_format { GS_FORMAT_LIST(GS_FORMAT_VALUE) GS_FORMAT_COUNT } gs_format;

extern const gs_names gs_format_names;

/* Counts of elements by what the format would store. */
typedef struct gs_kept {
  int64_t zero, subnormal, normal, inf;
} gs_kept;

/* Adds a histogram: counts[i] elements have exponent first_exponent + i. */
void gs_kept_add(gs_kept *kept, gs_format format, const uint32_t *counts, int bins,
                 int64_t first_exponent);

/* Elements that count as lost (zero or infinite), and all of them. */
int64_t gs_kept_lost(const gs_kept *kept);
int64_t gs_kept_total(const gs_kept *kept);

#endif
