/* Preloaded into gradsweep (tests/allocations.py): lets one allocation of one of its
 * processes fail, once.
 *
 *   FAIL_PROCESS   "worker" or "parent": which process
 *   FAIL_AT        the allocation that fails, from 1; 0: none
 *   FAIL_COUNT     a file that gets the process's number of allocations at its end */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "preload_main.h"

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t align, size_t bytes);

static atomic_long allocations;
static long fail_at;
static bool wanted;   /* this is the process */
static bool counting; /* and it has begun */

static bool fails(void) {
  if (!counting) return false;
  return atomic_fetch_add(&allocations, 1) + 1 == fail_at;
}

static void *refuse(void) {
  errno = ENOMEM;
  return NULL;
}

void *malloc(size_t bytes) { return fails() ? refuse() : __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) {
  return fails() ? refuse() : __libc_calloc(count, bytes);
}
void *realloc(void *old, size_t bytes) { return fails() ? refuse() : __libc_realloc(old, bytes); }
void *aligned_alloc(size_t align, size_t bytes) {
  return fails() ? refuse() : __libc_memalign(align, bytes);
}

/* The process is a worker when that is its first argument. */
static bool is_worker(void) {
  char line[256] = {0};
  const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  const ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
  if (fd >= 0) close(fd);
  const size_t first = strlen(line) + 1;
  return got > (ssize_t)first && strcmp(line + first, "worker") == 0;
}

__attribute__((constructor)) static void begin(void) {
  const char *process = getenv("FAIL_PROCESS");
  const char *at = getenv("FAIL_AT");
  fail_at = at ? atol(at) : 0;
  wanted = process && (strcmp(process, "worker") == 0) == is_worker();
}

/* What happens before main is the libraries' own (the CUDA runtime registers its kernels,
 * and does not look whether it got memory). */
static int preloaded_main(int argc, char **argv, char **environment, main_function *main) {
  counting = wanted;
  return main(argc, argv, environment);
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAIL_COUNT");
  char text[32];
  if (!counting || !path) return;
  const int length = snprintf(text, sizeof text, "%ld\n", (long)allocations);
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd >= 0 && write(fd, text, (size_t)length) != length) abort();
  if (fd >= 0) close(fd);
}
