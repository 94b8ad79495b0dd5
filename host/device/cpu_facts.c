/* Facts about the machine, as the kernel tells them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

static int64_t machine_bytes(void) {
  return (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
}

/* MemAvailable of /proc/meminfo, or all of the memory where that is missing. */
static int64_t kernel_available(void) {
  char line[128];
  long long kib = 0;
  int64_t bytes = machine_bytes();
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1) bytes = (int64_t)kib * 1024;
  }
  if (file) fclose(file);
  return bytes;
}

/* The least of three limits. */
static int64_t min_bytes(int64_t machine, double group) {
  struct rlimit limit;
  int64_t bytes = group < (double)machine ? (int64_t)group : machine;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < (rlim_t)bytes) {
    bytes = (int64_t)limit.rlim_cur;
  }
  return bytes;
}

void gs_cpu_memory(const gs_cgroups *groups, int64_t *available, int64_t *capacity) {
  const gs_cgroup_limits limits = gs_cgroups_read(groups);
  *available = min_bytes(kernel_available(), limits.memory_bytes);
  *capacity = min_bytes(machine_bytes(), limits.memory_limit_bytes);
}
