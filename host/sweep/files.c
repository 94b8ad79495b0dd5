/* Files that survive a power cut. See files.h. */
#include "sweep/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gs_status gs_path_join(char path[GS_PATH_BYTES], const char *folder, const char *name,
                       gs_error *error) {
  const int length = snprintf(path, GS_PATH_BYTES, "%s/%s", folder, name);
  if (length < 0 || length >= GS_PATH_BYTES) {
    return GS_FAIL(error, GS_ERR_OUTPUT, "the path of %s is too long", name);
  }
  return GS_OK;
}

/* Cuts the last component off: "a/b/" -> "a", "a" -> ".", "/a" -> "/". */
static void parent_of(char *path) {
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') length--;
  while (length > 0 && path[length - 1] != '/') length--;
  while (length > 1 && path[length - 1] == '/') length--;
  if (length == 0) path[length++] = '.';
  path[length] = '\0';
}

static gs_status copy_path(char path[GS_PATH_BYTES], const char *folder, gs_error *error) {
  if (folder[0] == '\0') return GS_FAIL(error, GS_ERR_OUTPUT, "the output folder has no name");
  if (strlen(folder) + 2 > GS_PATH_BYTES) {
    return GS_FAIL(error, GS_ERR_OUTPUT, "the output folder's path is too long");
  }
  strcpy(path, folder);
  return GS_OK;
}

gs_status gs_folder_check(const char *folder, gs_error *error) {
  char path[GS_PATH_BYTES];
  GS_TRY(copy_path(path, folder, error));
  struct stat about;
  while (stat(path, &about) != 0) {
    const bool top = strcmp(path, "/") == 0 || strcmp(path, ".") == 0;
    if (errno != ENOENT || top) {
      return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, errno, "cannot use the output folder %s: %s",
                            folder, strerror(errno));
    }
    parent_of(path);
  }
  if (!S_ISDIR(about.st_mode)) {
    return GS_FAIL(error, GS_ERR_OUTPUT, "cannot use the output folder %s: %s is not a folder",
                   folder, path);
  }
  if (access(path, W_OK | X_OK) != 0) {
    return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, errno, "cannot write to the output folder %s: %s",
                          folder, strerror(errno));
  }
  return GS_OK;
}

gs_status gs_folder_sync(const char *folder, gs_error *error) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, errno, "cannot open the folder %s: %s", folder,
                          strerror(errno));
  }
  const int failed = fsync(fd) != 0 ? errno : 0;
  close(fd);
  /* EINVAL, ENOTSUP: this file system has no such thing */
  if (failed == 0 || failed == EINVAL || failed == ENOTSUP) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, failed, "cannot sync the folder %s: %s", folder,
                        strerror(failed));
}

/* Creates one folder whose parent exists. */
static gs_status create_one(const char *path, gs_error *error) {
  if (mkdir(path, 0777) == 0) {
    char parent[GS_PATH_BYTES];
    strcpy(parent, path);
    parent_of(parent);
    return gs_folder_sync(parent, error);
  }
  const int failed = errno;
  struct stat about;
  if (failed == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, failed, "cannot create the folder %s: %s", path,
                        strerror(failed));
}

gs_status gs_folder_create(const char *folder, gs_error *error) {
  char path[GS_PATH_BYTES];
  GS_TRY(copy_path(path, folder, error));
  for (char *at = path + 1; *at; at++) {
    if (*at != '/' || at[-1] == '/') continue;
    *at = '\0';
    struct stat about;
    const bool there = stat(path, &about) == 0; /* may be a folder we cannot mkdir beside */
    if (!there) GS_TRY(create_one(path, error));
    *at = '/';
  }
  return create_one(path, error);
}

gs_status gs_replacement_open(gs_replacement *replacement, const char *folder, const char *name,
                              gs_error *error) {
  char hidden[256];
  snprintf(hidden, sizeof hidden, ".%s.tmp", name);
  replacement->folder = folder;
  replacement->stream = NULL;
  GS_TRY(gs_path_join(replacement->path, folder, name, error));
  GS_TRY(gs_path_join(replacement->temporary, folder, hidden, error));
  replacement->stream = fopen(replacement->temporary, "we");
  if (replacement->stream) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, errno, "cannot create %s: %s", replacement->temporary,
                        strerror(errno));
}

void gs_replacement_abandon(gs_replacement *replacement) {
  if (!replacement->stream) return;
  fclose(replacement->stream);
  replacement->stream = NULL;
  unlink(replacement->temporary);
}

static gs_status commit_failed(gs_replacement *replacement, int native, gs_error *error) {
  gs_replacement_abandon(replacement);
  unlink(replacement->temporary);
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, native, "cannot write %s: %s", replacement->path,
                        strerror(native));
}

gs_status gs_replacement_commit(gs_replacement *replacement, gs_error *error) {
  FILE *stream = replacement->stream;
  /* a failed write leaves its errno, which nothing after it has touched */
  if (ferror(stream) || fflush(stream) != 0 || fsync(fileno(stream)) != 0) {
    return commit_failed(replacement, errno ? errno : EIO, error);
  }
  replacement->stream = NULL;
  if (fclose(stream) != 0 || rename(replacement->temporary, replacement->path) != 0) {
    return commit_failed(replacement, errno, error);
  }
  return gs_folder_sync(replacement->folder, error);
}
