/* One side of a comparison: the starts of the program that a path holds. */
#ifndef GS_COMPARE_SIDE_H
#define GS_COMPARE_SIDE_H

#include "compare/start.h"

typedef struct gs_side {
  char *path;
  gs_start *starts; /* [count >= 1], in the order of their folders' names */
  int count;
} gs_side;

/* A results.json, a run's folder, or a folder of runs' folders, of which each that holds a
 * results.json is a start. To be cleared also after a failure. Errors: GS_ERR_DATA where
 * there is none, and those of gs_start_read. */
gs_status gs_side_read(const char *path, gs_side *side, gs_error *error);
void gs_side_clear(gs_side *side);

#endif
