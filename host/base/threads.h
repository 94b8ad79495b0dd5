/* How many threads a process should use when nobody says. */
#ifndef GS_BASE_THREADS_H
#define GS_BASE_THREADS_H

#include "base/cgroup.h"

/* The least of: the processors in the process's affinity mask, OMP_NUM_THREADS (its
 * first number, where it is set), and the control groups' quota, rounded up; at least 1.
 * `processors` and `asked` are the first two (asked: the variable's text, or NULL). */
int gs_threads_allowed(int processors, const char *asked, const gs_cgroup_limits *limits);

/* The same for this process. */
int gs_threads_default(void);

/* Lets threads that wait for each other sleep soon, in programs started from here on,
 * unless the user has said otherwise (OMP_WAIT_POLICY, GOMP_SPINCOUNT). libgomp's
 * default, to spin for a good part of a millisecond, ruins everything once another
 * program wants a processor: two of our threads share one, and each barrier costs a
 * whole time slice (measured: a step of 5 ms took 2.7 s, and 20 ms with this). Where the
 * machine is idle it makes no difference. OpenMP looks at its variables when a program
 * is loaded: with its own `argv` a program that has threads itself starts itself anew. */
void gs_threads_spin_briefly(char **argv);

#endif
