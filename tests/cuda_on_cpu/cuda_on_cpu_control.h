/* What tests can ask of the CUDA runtime on the CPU, and make it do. For C and
 * C++. Failures can also be set from the environment, by variables of these
 * names in capitals behind GRADSWEEP_SIM_ (GRADSWEEP_SIM_FAIL_MALLOC=3). */
#ifndef GS_CUDA_ON_CPU_CONTROL_H
#define GS_CUDA_ON_CPU_CONTROL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gs_sim_failures {
  long fail_malloc;   /* the k-th cudaMalloc or cudaMallocHost finds no memory; 0: none */
  long fail_launch;   /* the k-th launch (kernel or matmul) fails; the next ones do not */
  long sticky_launch; /* after the k-th launch every call answers cudaErrorIllegalAddress */
  long fail_any;      /* the k-th call that can fail answers cudaErrorUnknown */
  long devices;       /* how many devices there are; default 1 */
  long device_error;  /* a cudaError_t that every call answers; 0: none */
} gs_sim_failures;

enum { GS_SIM_ALGORITHMS = 7 }; /* of products (algorithms.h) */

typedef struct gs_sim_counts {
  long calls; /* that can fail, launches and matmuls among them */
  long mallocs;
  long launches; /* of kernels and matmuls by calls; not those by graphs */
  long matmuls;
  long matmuls_by[GS_SIM_ALGORITHMS]; /* the same by algorithm */
  long graph_launches;
  long kernels_run; /* by graphs, too */
  long blocks_run;
  long live_allocations; /* of device memory */
  long live_host_allocations;
  long live_streams;
  long live_events;
  long live_graphs;
  long live_graph_execs;
  long live_handles;   /* of cublasLt */
  long handles_made;   /* one for each device that a program opens */
  long uploaded_bytes; /* by copies from the host */
} gs_sim_counts;

/* Sets all failures, and counts from 0 again (not the live objects). Ends a
 * sticky error. */
void gs_sim_set_failures(const gs_sim_failures *failures);
void gs_sim_get_failures(gs_sim_failures *failures);
void gs_sim_get_counts(gs_sim_counts *counts);
/* Thread order: 0 forward, 1 backward, 2 pseudo-random. */
void gs_sim_set_order(int order);
/* Lazy execution: 0 no, 1 newest stream first, 2 on demand. Synchronises.
 * Returns the mode before. */
int gs_sim_set_lazy(int mode);
/* Whether an address is in device memory. */
int gs_sim_is_device_memory(const void *address);

#ifdef __cplusplus
}
#endif

#endif
