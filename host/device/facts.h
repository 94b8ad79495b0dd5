/* A device as those see it who do not work with it: what it says of itself, what its limits
 * are, and how one is opened. device.h has the operations. */
#ifndef GS_DEVICE_FACTS_H
#define GS_DEVICE_FACTS_H

#include "base/status.h"
#include "device/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gs_device gs_device;

typedef struct gs_device_info {
  char backend[16];
  char name[128];         /* the processor's own name */
  int threads;            /* cpu: threads that operations may use; cuda: 0 */
  int largest_team;       /* cpu: the most that one has used since set_workspace */
  int64_t memory_bytes;   /* what a cell may take now */
  int64_t capacity_bytes; /* what it could take if nobody else had any */
  uint32_t dtypes;        /* bit per gs_dtype that the device computes with */
  char libraries[256];    /* names and versions that do the arithmetic */
  bool graphs;            /* capture and replay work */
  bool persistent;        /* so does GS_LOOP_PERSISTENT, where W fits */
  /* How much memory a network may spend to hand over the gradients and statistics
   * of many layers in one call; 0: layer by layer, while they are in cache. */
  int64_t window_bytes;
  /* cuda only, else empty: what tells one GPU from another */
  char uuid[48];       /* GPU-xxxxxxxx-..., of an instance of MIG MIG-xxxxxxxx-... */
  char pci[24];        /* domain:bus:device.function */
  char capability[12]; /* "9.0" */
  char driver[32];     /* version */
  int multiprocessors; /* 0: not a GPU */
} gs_device_info;

/* The device's own limits, measured: the ceilings of its roofline, and latencies. What they
 * make of a step's cost is the floor, a lower bound on its time (measure/cost.h). A rate that
 * the device does not have is 0. */
typedef struct gs_roofline {
  double flops_per_s[GS_DTYPE_COUNT]; /* multiply-adds count as two */
  double copy_bytes_per_s;            /* bytes read plus bytes written */
  double launch_ns; /* of one operation that waits for the one before, in a replayed graph;
                       0 where operations are not launched */
  /* What parts of a GPU wait for each other inside one kernel; 0: the device has no such
   * thing. */
  double block_barrier_ns;   /* two warps of a block */
  double cluster_hop_ns;     /* a load from another block's shared memory */
  double cluster_barrier_ns; /* the eight blocks of a cluster */
  double grid_barrier_ns;    /* a block on every multiprocessor, by a counter in memory */
} gs_roofline;

/* Opens the CPU backend with `threads` threads (0: gs_threads_default). An operation
 * uses as many of them as it is worth (cpu_team.c). The caller destroys it. */
gs_status gs_cpu_device_create(int threads, gs_device **device, gs_error *error);
/* Lets every operation of a CPU device use all its threads, however small it is: what
 * tests of races and of equal bits want. */
void gs_cpu_device_whole_teams(gs_device *device);

/* Opens a GPU by index ("0"), UUID ("GPU-...", "MIG-..."; an unambiguous beginning will do) or
 * PCI address ("0000:1b:00.0"); "auto" is the first. The caller destroys it.
 * GS_ERR_NO_DEVICE, with words, when this build has no CUDA backend, the machine no
 * driver or one that is too old, no GPU, or not that one. */
gs_status gs_cuda_device_create(const char *name, gs_device **device, gs_error *error);

#ifdef __cplusplus
}
#endif

#endif
