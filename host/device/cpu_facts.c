/* Facts about the machine, as the kernel tells them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "device/cpu_internal.h"

void gs_cpu_processor_name(char *name, size_t size) {
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  snprintf(name, size, "unknown processor");
  while (file && fgets(line, sizeof line, file)) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !colon) continue;
    line[strcspn(line, "\n")] = '\0';
    snprintf(name, size, "%.*s", (int)size - 1, colon + 2);
    break;
  }
  if (file) fclose(file);
}

/* MemAvailable of /proc/meminfo, or all of the memory where that is missing. */
static int64_t kernel_available(void) {
  char line[128];
  long long kib = 0;
  int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1) bytes = (int64_t)kib * 1024;
  }
  if (file) fclose(file);
  return bytes;
}

int64_t gs_cpu_available_bytes(void) {
  int64_t bytes = kernel_available();
  const gs_cgroup_limits group = gs_cgroup_read("");
  if (group.memory_bytes < (double)bytes) bytes = (int64_t)group.memory_bytes;
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < (rlim_t)bytes) {
    bytes = (int64_t)limit.rlim_cur;
  }
  return bytes;
}
