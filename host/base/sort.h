/* Numbers in order. */
#ifndef GS_BASE_SORT_H
#define GS_BASE_SORT_H

#include <stddef.h>

/* Ascending, in place. Infinities may be among them, NaN may not. */
void gs_sort(double *values, size_t count);

#endif
