/* Mean, standard deviation and percentiles. */
#include "measure/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

double gs_quantile(const double *sorted, size_t count, double q) {
  const double place = q * (double)(count - 1);
  const size_t below = (size_t)place;
  if (below + 1 >= count) return sorted[count - 1];
  const double fraction = place - (double)below;
  return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

gs_status gs_sample_of(const double *values, size_t count, gs_sample *sample, gs_error *error) {
  double *sorted = malloc((count ? count : 1) * sizeof *sorted);
  if (!sorted) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %zu values", count);
  size_t kept = 0;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    sorted[kept++] = values[i];
    sum += values[i];
  }
  *sample = (gs_sample){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
  if (kept > 0) {
    double squares = 0;
    qsort(sorted, kept, sizeof *sorted, ascending);
    sample->count = (int64_t)kept;
    sample->mean = sum / (double)kept;
    for (size_t i = 0; i < kept; i++) {
      squares += (sorted[i] - sample->mean) * (sorted[i] - sample->mean);
    }
    sample->sd = kept > 1 ? sqrt(squares / (double)(kept - 1)) : 0;
    sample->p05 = gs_quantile(sorted, kept, 0.05);
    sample->p25 = gs_quantile(sorted, kept, 0.25);
    sample->p50 = gs_quantile(sorted, kept, 0.50);
    sample->p75 = gs_quantile(sorted, kept, 0.75);
    sample->p95 = gs_quantile(sorted, kept, 0.95);
  }
  free(sorted);
  return GS_OK;
}
