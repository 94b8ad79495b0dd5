/* Limits of the formats, and counting by them. */
#include "measure/formats.h"

#define FORMAT_NAME(constant, name, min, normal, max) name,
#define FORMAT_LIMITS(constant, name, min, normal, max) {min, normal, max},

const gs_names gs_format_names = {"format", GS_NAMES(GS_FORMAT_LIST(FORMAT_NAME)), NULL};

typedef struct limits {
  int min_subnormal, min_normal, max;
} limits;

static const limits formats[] = {GS_FORMAT_LIST(FORMAT_LIMITS)};

void gs_kept_add(gs_kept *kept, gs_format format, const uint32_t *counts, int bins,
                 int64_t first_exponent) {
  const limits limit = formats[format];
  for (int i = 0; i < bins; i++) {
    const int64_t exponent = first_exponent + i;
    if (exponent < limit.min_subnormal - 1) { /* the binade below it rounds up to it */
      kept->zero += counts[i];
    } else if (exponent < limit.min_normal) {
      kept->subnormal += counts[i];
    } else if (exponent <= limit.max) {
      kept->normal += counts[i];
    } else {
      kept->inf += counts[i];
    }
  }
}

int64_t gs_kept_lost(const gs_kept *kept) { return kept->zero + kept->inf; }

int64_t gs_kept_total(const gs_kept *kept) {
  return kept->zero + kept->subnormal + kept->normal + kept->inf;
}
