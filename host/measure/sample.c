/* Mean, standard deviation and percentiles. */
#include "measure/sample.h"

#include <math.h>
#include <stdlib.h>

#include "base/sort.h"

double gs_quantile(const double *sorted, size_t count, double q) {
  const double position = q * (double)(count - 1);
  const size_t below = (size_t)position;
  if (below + 1 >= count) return sorted[count - 1];
  const double fraction = position - (double)below;
  if (isinf(sorted[below]) || isinf(sorted[below + 1])) return sorted[below + (fraction > 0.5)];
  return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

static const gs_sample EMPTY = {0, 0, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

/* Sorts the numbers wanted, all or the finite ones. The sum runs in the order given. */
static void fill(gs_sample *sample, const double *values, size_t count, bool all, double *sorted) {
  size_t kept = 0;
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    const bool finite = isfinite(values[i]);
    const bool low = values[i] == -INFINITY;
    if (finite) sum += values[i];
    sample->count += finite;
    sample->low += low;
    sample->high += !finite && !low;
    if (finite || all) sorted[kept++] = isnan(values[i]) ? INFINITY : values[i];
  }
  gs_sort(sorted, kept);
  if (sample->count > 0) {
    const double *lowest = sorted + (all ? sample->low : 0); /* of the finite ones */
    double squares = 0;
    sample->mean = sum / (double)sample->count;
    for (int64_t i = 0; i < sample->count; i++) {
      squares += (lowest[i] - sample->mean) * (lowest[i] - sample->mean);
    }
    sample->sd = sample->count > 1 ? sqrt(squares / (double)(sample->count - 1)) : 0;
  }
  if (kept == 0) return;
  sample->p05 = gs_quantile(sorted, kept, 0.05);
  sample->p25 = gs_quantile(sorted, kept, 0.25);
  sample->p50 = gs_quantile(sorted, kept, 0.50);
  sample->p75 = gs_quantile(sorted, kept, 0.75);
  sample->p95 = gs_quantile(sorted, kept, 0.95);
}

static gs_status make_sample(const double *values, size_t count, bool all, gs_sample *sample,
                             gs_error *error) {
  double *sorted = malloc((count ? count : 1) * sizeof *sorted);
  if (!sorted) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %zu values", count);
  *sample = EMPTY;
  fill(sample, values, count, all, sorted);
  free(sorted);
  return GS_OK;
}

gs_status gs_sample_of(const double *values, size_t count, gs_sample *sample, gs_error *error) {
  return make_sample(values, count, false, sample, error);
}

gs_status gs_sample_of_all(const double *values, size_t count, gs_sample *sample, gs_error *error) {
  return make_sample(values, count, true, sample, error);
}
