/* Files that survive a power cut. See files.h. */
#include "sweep/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sweep/pipe.h"

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

gs_status gs_folder_open(const char *folder, int *fd, gs_error *error) {
  *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*fd >= 0 || errno == ENOENT) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, errno, "cannot open the folder %s: %s", folder,
                        strerror(errno));
}

bool gs_folder_has_path(int fd) {
  char link[32];
  char path[GS_PATH_BYTES];
  struct stat ours;
  struct stat found;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path);
  if (length <= 0 || length >= (ssize_t)sizeof path || fstat(fd, &ours) != 0) return true;
  path[length] = '\0';
  if (stat(path, &found) != 0) return errno != ENOENT && errno != ENOTDIR;
  return found.st_dev == ours.st_dev && found.st_ino == ours.st_ino;
}

gs_status gs_folder_sync(int fd, const char *path, gs_error *error) {
  const int failed = fsync(fd) != 0 ? errno : 0;
  /* EINVAL, ENOTSUP: this file system has no such thing */
  if (failed == 0 || failed == EINVAL || failed == ENOTSUP) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, failed, "cannot sync the folder %s: %s", path,
                        strerror(failed));
}

static gs_status sync_parent(const char *path, gs_error *error) {
  char parent[GS_PATH_BYTES];
  int fd = -1;
  strcpy(parent, path);
  parent_of(parent);
  GS_TRY(gs_folder_open(parent, &fd, error));
  if (fd < 0) return GS_FAIL(error, GS_ERR_OUTPUT, "the folder %s is gone", parent);
  const gs_status status = gs_folder_sync(fd, parent, error);
  close(fd);
  return status;
}

/* Creates one folder whose parent exists, and notes the first that was made. */
static gs_status create_one(const char *path, char made[GS_PATH_BYTES], gs_error *error) {
  if (mkdir(path, 0777) == 0) {
    if (!made[0]) strcpy(made, path);
    return sync_parent(path, error);
  }
  const int failed = errno;
  struct stat about;
  if (failed == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return GS_OK;
  return GS_FAIL_NATIVE(error, GS_ERR_OUTPUT, failed, "cannot create the folder %s: %s", path,
                        strerror(failed));
}

gs_status gs_folder_create(const char *folder, char made[GS_PATH_BYTES], gs_error *error) {
  char path[GS_PATH_BYTES];
  made[0] = '\0';
  GS_TRY(copy_path(path, folder, error));
  for (char *at = path + 1; *at; at++) {
    if (*at != '/' || at[-1] == '/') continue;
    *at = '\0';
    struct stat about;
    const bool there = stat(path, &about) == 0; /* may be a folder we cannot mkdir beside */
    if (!there) GS_TRY(create_one(path, made, error));
    *at = '/';
  }
  return create_one(path, made, error);
}

void gs_folder_unmake(const char *folder, const char made[GS_PATH_BYTES]) {
  char path[GS_PATH_BYTES];
  if (!made[0] || copy_path(path, folder, NULL) != GS_OK) return;
  while (strlen(path) >= strlen(made) && rmdir(path) == 0) parent_of(path);
}

/* ---- files that are replaced as a whole ---- */

static gs_status replacement_failed(const gs_replacement *replacement, const char *doing,
                                    int native, gs_error *error) {
  const gs_status status = native == ENOMEM ? GS_ERR_MEMORY : GS_ERR_OUTPUT;
  return GS_FAIL_NATIVE(error, status, native, "cannot %s %s/%s: %s", doing, replacement->path,
                        replacement->name, strerror(native));
}

/* The stream's way to the file. */
static ssize_t write_hashed(void *cookie, const char *bytes, size_t length) {
  gs_replacement *replacement = cookie;
  if (!gs_write_all(replacement->fd, bytes, length)) {
    if (!replacement->failed) replacement->failed = errno;
    return 0; /* an error, for fopencookie */
  }
  gs_sha256_add(&replacement->hash, bytes, length);
  return (ssize_t)length;
}

const char *gs_replacement_sha256(const gs_replacement *replacement,
                                  char text[GS_SHA256_TEXT_BYTES]) {
  (void)fflush(replacement->stream); /* an error stays with the stream */
  return gs_sha256_text(&replacement->hash, text);
}

gs_status gs_replacement_open(gs_replacement *replacement, int folder, const char *path,
                              const char *name, gs_error *error) {
  *replacement = (gs_replacement){.folder = folder, .path = path, .name = name};
  uint64_t chance = 0;
  if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now); /* O_EXCL is what protects */
    chance = (uint64_t)now.tv_nsec << 32 | (uint64_t)getpid();
  }
  snprintf(replacement->temporary, sizeof replacement->temporary, ".%.32s.%016" PRIx64 ".tmp", name,
           chance);
  const cookie_io_functions_t ways = {.write = write_hashed};
  gs_sha256_start(&replacement->hash);
  replacement->fd = openat(folder, replacement->temporary,
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (replacement->fd < 0) return replacement_failed(replacement, "create", errno, error);
  replacement->stream = fopencookie(replacement, "w", ways);
  if (replacement->stream) return GS_OK;
  const int failed = errno;
  close(replacement->fd);
  unlinkat(folder, replacement->temporary, 0);
  return replacement_failed(replacement, "create", failed, error);
}

void gs_replacement_clean(int folder, const char *name) {
  const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  if (!entries && copy >= 0) close(copy);
  const size_t length = strlen(name);
  for (struct dirent *entry; entries && (entry = readdir(entries));) {
    const char *found = entry->d_name;
    if (found[0] == '.' && strncmp(found + 1, name, length) == 0 && found[1 + length] == '.' &&
        strlen(found) == length + 22 && strcmp(found + length + 18, ".tmp") == 0) {
      unlinkat(folder, found, 0);
    }
  }
  if (entries) closedir(entries);
}

void gs_replacement_abandon(gs_replacement *replacement) {
  if (!replacement->stream) return;
  fclose(replacement->stream);
  close(replacement->fd);
  replacement->stream = NULL;
  unlinkat(replacement->folder, replacement->temporary, 0);
}

static gs_status commit_failed(gs_replacement *replacement, int native, gs_error *error) {
  gs_replacement_abandon(replacement);
  unlinkat(replacement->folder, replacement->temporary, 0);
  return replacement_failed(replacement, "write", native ? native : EIO, error);
}

gs_status gs_replacement_commit(gs_replacement *replacement, gs_error *error) {
  const bool flushed = fflush(replacement->stream) == 0 && !ferror(replacement->stream);
  if (!flushed) return commit_failed(replacement, replacement->failed, error);
  if (fsync(replacement->fd) != 0) return commit_failed(replacement, errno, error);
  fclose(replacement->stream); /* nothing is left in it */
  replacement->stream = NULL;
  if (close(replacement->fd) != 0 || renameat(replacement->folder, replacement->temporary,
                                              replacement->folder, replacement->name) != 0) {
    return commit_failed(replacement, errno, error);
  }
  return gs_folder_sync(replacement->folder, replacement->path, error);
}
