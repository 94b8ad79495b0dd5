/* Which gradsweep this is. See build.h. */
#include "sweep/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* Made anew by every build (tools/commit.cmake). */
#if __has_include("sweep/commit.h")
#include "sweep/commit.h"
#else
#define GRADSWEEP_COMMIT ""
#define GRADSWEEP_DIRTY false
#endif

#ifndef GRADSWEEP_VERSION
#define GRADSWEEP_VERSION "unknown"
#endif
#ifndef GRADSWEEP_BUILD
#define GRADSWEEP_BUILD "unknown"
#endif

const char *gs_build_version(void) { return GRADSWEEP_VERSION; }
const char *gs_build_flags(void) { return GRADSWEEP_BUILD; }

const char *gs_build_commit(void) { return GRADSWEEP_COMMIT[0] ? GRADSWEEP_COMMIT : NULL; }
bool gs_build_dirty(void) { return GRADSWEEP_DIRTY; }

const char *gs_build_type(void) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  return "release";
#else
  return "debug";
#endif
}

gs_status gs_build_id(char id[GS_BUILD_ID_BYTES], gs_error *error) {
  FILE *program = fopen("/proc/self/exe", "re");
  if (!program) {
    const gs_status status = errno == ENOMEM ? GS_ERR_MEMORY : GS_ERR_INTERNAL;
    return GS_FAIL_NATIVE(error, status, errno, "cannot read the program's own file: %s",
                          strerror(errno));
  }
  unsigned char chunk[1 << 16];
  uint64_t hash = GS_HASH_START;
  size_t got;
  while ((got = fread(chunk, 1, sizeof chunk, program)) > 0) {
    hash = gs_hash_bytes(hash, chunk, got);
  }
  const int failed = ferror(program);
  fclose(program);
  if (failed) return GS_FAIL(error, GS_ERR_INTERNAL, "cannot read the program's own file");
  snprintf(id, GS_BUILD_ID_BYTES, "%016" PRIx64, hash);
  return GS_OK;
}
