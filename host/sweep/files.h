/* Files that survive a power cut: whole writes, synced folders, and a file that
 * is replaced all at once or not at all. */
#ifndef GS_SWEEP_FILES_H
#define GS_SWEEP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/sha256.h"
#include "base/status.h"

enum { GS_PATH_BYTES = 4096 };

/* "folder/name". Errors: GS_ERR_OUTPUT when it is longer than a path may be. */
gs_status gs_path_join(char path[GS_PATH_BYTES], const char *folder, const char *name,
                       gs_error *error);

/* Whether the folder, or the nearest folder above it that exists, can be
 * written; creates nothing. Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_check(const char *folder, gs_error *error);

/* Creates the folder and those above it, synced to disk. One that is there
 * already is fine. made: the topmost folder that was created, empty when none was.
 * Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_create(const char *folder, char made[GS_PATH_BYTES], gs_error *error);

/* Takes back what gs_folder_create made, as far as it is empty. */
void gs_folder_unmake(const char *folder, const char made[GS_PATH_BYTES]);

/* Opens a folder, which then stays the same one whatever becomes of its name; *fd is
 * -1 when there is none, else the caller closes it. Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_open(const char *folder, int *fd, gs_error *error);

/* Whether an open folder has a path that leads to it. It has none once it is deleted, or
 * its file system is no longer mounted; renamed it has another. True where nobody knows. */
bool gs_folder_has_path(int fd);

/* Makes the names in an open folder durable; `path` is for messages. A file system
 * without this is not an error. Errors: GS_ERR_OUTPUT. */
gs_status gs_folder_sync(int fd, const char *path, gs_error *error);

/* A file that takes the place of folder/name when it is complete. */
typedef struct gs_replacement {
  FILE *stream;       /* write here; the struct stays where it is while this is open */
  int fd;             /* of the file */
  int failed;         /* errno of the first write that went wrong; 0: none has */
  gs_sha256 hash;     /* of what has reached the file */
  int folder;         /* borrowed */
  const char *path;   /* of the folder, for messages; borrowed */
  const char *name;   /* borrowed */
  char temporary[64]; /* ".name.xxxxxxxxxxxxxxxx.tmp", a new file of that name */
} gs_replacement;

/* Opens a new file in the folder for writing; its name cannot be foreseen, and
 * nothing that is there is opened or followed. Errors: GS_ERR_OUTPUT. */
gs_status gs_replacement_open(gs_replacement *replacement, int folder, const char *path,
                              const char *name, gs_error *error);
/* The SHA-256 of everything written so far, in hexadecimal digits. Returns text. */
const char *gs_replacement_sha256(const gs_replacement *replacement,
                                  char text[GS_SHA256_TEXT_BYTES]);
/* Removes the temporary files that killed runs left for `name`. */
void gs_replacement_clean(int folder, const char *name);
/* Flushes, syncs, renames over folder/name and syncs the folder. The stream is
 * closed either way, and on failure the temporary file is gone and the old file
 * untouched. Errors: GS_ERR_OUTPUT. */
gs_status gs_replacement_commit(gs_replacement *replacement, gs_error *error);
/* Closes and removes the temporary file. */
void gs_replacement_abandon(gs_replacement *replacement);

#endif
