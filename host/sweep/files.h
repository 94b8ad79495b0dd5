/* Files that survive a power cut: whole writes, synced folders, and a file that
 * is replaced all at once or not at all. */
#ifndef GS_SWEEP_FILES_H
#define GS_SWEEP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

enum { GS_PATH_BYTES = 4096 };

/* "folder/name". Errors: GS_ERR_OUTPUT when it is longer than a path may be. */
gs_status gs_path_join(char path[GS_PATH_BYTES], const char *folder, const char *name,
                       gs_error *error);

/* Whether the folder, or the nearest folder above it that exists, can be
 * written; creates nothing. Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_check(const char *folder, gs_error *error);

/* Creates the folder and those above it, synced to disk. One that is there
 * already is fine. Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_create(const char *folder, gs_error *error);

/* Makes the names in a folder durable. A file system without this is not an
 * error. Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_sync(const char *folder, gs_error *error);

/* A file that takes the place of folder/name when it is complete. */
typedef struct gs_replacement {
  FILE *stream; /* write here */
  char path[GS_PATH_BYTES];
  char temporary[GS_PATH_BYTES];
  const char *folder; /* borrowed */
} gs_replacement;

/* Opens folder/.name.tmp for writing. Errors: GS_ERR_OUTPUT. */
gs_status gs_replacement_open(gs_replacement *replacement, const char *folder, const char *name,
                              gs_error *error);
/* Flushes, syncs, renames over folder/name and syncs the folder. The stream is
 * closed either way, and on failure the temporary file is gone and the old file
 * untouched. Errors: GS_ERR_OUTPUT. */
gs_status gs_replacement_commit(gs_replacement *replacement, gs_error *error);
/* Closes and removes the temporary file. */
void gs_replacement_abandon(gs_replacement *replacement);

#endif
