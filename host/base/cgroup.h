/* What the control groups of this process allow (cgroups(7), version 1 and 2, mixed
 * too). A limit of any group from the process's own up to the root of what is mounted
 * holds; the least rules. That is how containers, systemd and Slurm
 * (/slurm/uid_x/job_y/step_z) set theirs. */
#ifndef GS_BASE_CGROUP_H
#define GS_BASE_CGROUP_H

typedef struct gs_cgroup_limits {
  double cpus;               /* processors' worth of time; INFINITY: no quota */
  double memory_bytes;       /* what may still be taken: a limit less what is used, where
                              * cached files that nobody has touched lately count as free;
                              * INFINITY: no limit */
  double memory_limit_bytes; /* the limit alone */
} gs_cgroup_limits;

/* The groups of this process. */
typedef struct gs_cgroups gs_cgroups;

/* Finds them, by ROOT/proc/self/cgroup and ROOT/proc/self/mountinfo, in folders below
 * ROOT; "" is this machine, a folder of files serves tests. The caller frees it (free);
 * NULL when out of memory. */
gs_cgroups *gs_cgroups_find(const char *root);

/* What they allow now. What is missing or cannot be understood limits nothing. */
gs_cgroup_limits gs_cgroups_read(const gs_cgroups *groups);

#endif
