#include "base/sort.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a;
  const double y = *(const double *)b;
  return (x > y) - (x < y);
}

void gs_sort(double *values, size_t count) {
  if (count > 0) qsort(values, count, sizeof *values, ascending);
}
