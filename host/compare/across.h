/* Whether two runs can be compared: whatever differs between them, beside what is measured,
 * is named, and ends the comparison unless it was allowed. */
#ifndef GS_COMPARE_ACROSS_H
#define GS_COMPARE_ACROSS_H

#include "base/names.h"
#include "compare/side.h"

/* X(constant, name) What --across may allow. */
#define GS_ACROSS_LIST(X)                                                                          \
  X(GS_ACROSS_CELLS, "cells") /* those that both have are compared */                              \
  X(GS_ACROSS_BACKEND, "backend")                                                                  \
  X(GS_ACROSS_DEVICE, "device") /* its name, capability, multiprocessors */                        \
  X(GS_ACROSS_DRIVER, "driver")                                                                    \
  X(GS_ACROSS_THREADS, "threads")                                                                  \
  X(GS_ACROSS_LIBRARIES, "libraries") /* that compute the products */                              \
  X(GS_ACROSS_OPTIONS, "options")     /* of the runs */

typedef enum gs_across { GS_ACROSS_LIST(GS_ROW_VALUE) GS_ACROSS_COUNT } gs_across;
extern const gs_names gs_across_names;

/* What differs, a line each. */
typedef struct gs_differences {
  char **lines; /* [count], in the order they were found */
  int count;
  unsigned seen; /* bits of gs_across: differs, allowed or not */
} gs_differences;

/* Adds what differs and is not among the bits of `allowed`: devices, options, and the cells'
 * presence, parameters and status. Nothing of the order of the cells, the number of rounds,
 * the seed of their order, limits of memory and time, nor of the program. What is never
 * allowed: other parameters or another weights' hash in a cell whose recorded numbers are
 * the same. Errors: GS_ERR_MEMORY. */
gs_status gs_across_check(const gs_start *base, const gs_start *other, unsigned allowed,
                          gs_differences *differences, gs_error *error);

gs_status gs_differences_add(gs_differences *differences, gs_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void gs_differences_clear(gs_differences *differences);

#endif
