/* Preloaded into gradsweep (tests/endtoend/traced.py) where strace may not trace: writes down
 * the calls that the run's own process makes after main began, under the names of the system
 * calls they are, and lets something happen at one of them. Calls within the C library are
 * not seen.
 *
 *   TAMPER_TRACE   the file to write to
 *   TAMPER         NAME:error=NUMBER:when=N or NAME:signal=NUMBER:when=N, the N-th from 1 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload_main.h"

#define REAL(function) ((__typeof__(&(function)))find(#function))

static int trace = -1;
static pid_t watched; /* nothing is written down for its children */
static char name[32]; /* of the call at which something happens */
static int error_number, signal_number, when, met;

/* A number: ISO C converts no object's address to a function's. */
static uintptr_t find(const char *function) { return (uintptr_t)dlsym(RTLD_NEXT, function); }

static void say(const char *text) {
  const long written = syscall(SYS_write, trace, text, strlen(text));
  if (written != (long)strlen(text)) abort();
}

/* Whether the call fails, with errno set. */
static bool fails(const char *call) {
  char line[64];
  if (trace < 0 || getpid() != watched) return false;
  snprintf(line, sizeof line, "%s()\n", call);
  say(line);
  if (strcmp(call, name) != 0 || ++met != when) return false;
  if (signal_number == SIGSTOP) say("--- stopped by SIGSTOP ---\n");
  if (signal_number) kill(watched, signal_number);
  errno = error_number;
  return error_number != 0;
}

/* ---- the calls ---- */

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return fails("openat") ? -1 : REAL(openat)(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
  va_end(more);
  return fails("openat") ? -1 : REAL(openat)(folder, path, flags, mode);
}

int fcntl(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void *argument = va_arg(more, void *);
  va_end(more);
  return fails("fcntl") ? -1 : REAL(fcntl)(fd, command, argument);
}

pid_t fork(void) {
  char line[64];
  if (fails("clone")) return -1;
  const pid_t child = REAL(fork)();
  snprintf(line, sizeof line, "--- child %d ---\n", child);
  if (trace >= 0 && child > 0) say(line);
  return child;
}

int close(int fd) { return fails("close") ? -1 : REAL(close)(fd); }
int eventfd(unsigned start, int flags);
int eventfd(unsigned start, int flags) {
  return fails("eventfd2") ? -1 : REAL(eventfd)(start, flags);
}
int flock(int fd, int operation) { return fails("flock") ? -1 : REAL(flock)(fd, operation); }
int fstat(int fd, struct stat *to) { return fails("newfstatat") ? -1 : REAL(fstat)(fd, to); }
int fstatat(int folder, const char *path, struct stat *to, int flags) {
  return fails("newfstatat") ? -1 : REAL(fstatat)(folder, path, to, flags);
}
int fsync(int fd) { return fails("fsync") ? -1 : REAL(fsync)(fd); }
int ftruncate(int fd, off_t bytes) { return fails("ftruncate") ? -1 : REAL(ftruncate)(fd, bytes); }
ssize_t getrandom(void *to, size_t bytes, unsigned flags) {
  return fails("getrandom") ? -1 : REAL(getrandom)(to, bytes, flags);
}
off_t lseek(int fd, off_t by, int from) { return fails("lseek") ? -1 : REAL(lseek)(fd, by, from); }
int mkdir(const char *path, mode_t mode) { return fails("mkdir") ? -1 : REAL(mkdir)(path, mode); }
int pipe2(int ends[2], int flags) { return fails("pipe2") ? -1 : REAL(pipe2)(ends, flags); }
int poll(struct pollfd *all, nfds_t count, int ms) {
  return fails("poll") ? -1 : REAL(poll)(all, count, ms);
}
ssize_t pread(int fd, void *to, size_t bytes, off_t at) {
  return fails("pread64") ? -1 : REAL(pread)(fd, to, bytes, at);
}
ssize_t read(int fd, void *to, size_t bytes) {
  return fails("read") ? -1 : REAL(read)(fd, to, bytes);
}
int renameat(int from, const char *old, int to, const char *path) {
  return fails("renameat") ? -1 : REAL(renameat)(from, old, to, path);
}
int unlinkat(int folder, const char *path, int flags) {
  return fails("unlinkat") ? -1 : REAL(unlinkat)(folder, path, flags);
}
int waitid(idtype_t kind, id_t which, siginfo_t *info, int options) {
  return fails("waitid") ? -1 : REAL(waitid)(kind, which, info, options);
}
pid_t waitpid(pid_t child, int *status, int options) {
  return fails("wait4") ? -1 : REAL(waitpid)(child, status, options);
}
ssize_t write(int fd, const void *from, size_t bytes) {
  return fails("write") ? -1 : REAL(write)(fd, from, bytes);
}

/* ---- from main on ---- */

static int preloaded_main(int argc, char **argv, char **environment, main_function *main) {
  const char *path = getenv("TAMPER_TRACE");
  const char *tamper = getenv("TAMPER");
  const bool worker = argc > 1 && strcmp(argv[1], "worker") == 0;
  if (tamper && sscanf(tamper, "%31[^:]:error=%d:when=%d", name, &error_number, &when) < 3 &&
      sscanf(tamper, "%31[^:]:signal=%d:when=%d", name, &signal_number, &when) < 3)
    abort();
  if (path && !worker) {
    watched = getpid();
    trace = REAL(openat)(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  return main(argc, argv, environment);
}
