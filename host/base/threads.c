/* See threads.h. */
#include "base/threads.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

int gs_threads_allowed(int processors, const char *asked, const gs_cgroup_limits *limits) {
  double threads = processors;
  char *end = NULL;
  const long first = asked ? strtol(asked, &end, 10) : 0; /* "4" or, for nested regions, "4,2" */
  if (first > 0 && end != asked) threads = fmin(threads, (double)first);
  threads = fmin(threads, ceil(limits->cpus));
  return threads >= 1 ? (int)threads : 1;
}

int gs_threads_default(void) {
  gs_cgroups *groups = gs_cgroups_find("");
  const gs_cgroup_limits none = {.cpus = (double)INFINITY};
  const gs_cgroup_limits limits = groups ? gs_cgroups_read(groups) : none;
  free(groups);
  /* OpenMP's number of processors is that of the affinity mask */
  return gs_threads_allowed(omp_get_num_procs(), getenv("OMP_NUM_THREADS"), &limits);
}

void gs_threads_spin_briefly(char **argv) {
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
  if (setenv("GOMP_SPINCOUNT", "2000", 0) == 0 && argv) execv("/proc/self/exe", argv);
}
