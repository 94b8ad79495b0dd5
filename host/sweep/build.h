/* Which gradsweep this is. */
#ifndef GS_SWEEP_BUILD_H
#define GS_SWEEP_BUILD_H

#include <stdbool.h>

#include "base/status.h"

enum { GS_BUILD_ID_BYTES = 17 };

const char *gs_build_version(void); /* "0.1.0" */
const char *gs_build_flags(void);   /* compiler, its version and flags */
const char *gs_build_type(void);    /* "release" or "debug" */
const char *gs_build_commit(void);  /* git's, in full; NULL: not built from a repository */
bool gs_build_dirty(void);          /* the sources were not as in that commit */

/* A hash of the program's own file: two builds with one id compute the same
 * (with the same libraries). Errors: GS_ERR_INTERNAL when it cannot be read. */
gs_status gs_build_id(char id[GS_BUILD_ID_BYTES], gs_error *error);

#endif
