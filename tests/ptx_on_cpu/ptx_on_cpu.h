/* What the kernels that were made from PTX executed since gs_ptx_clear_counts. */
#ifndef GS_PTX_ON_CPU_H
#define GS_PTX_ON_CPU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gs_ptx_count {
  uint64_t launches, threads;
  uint64_t instructions; /* of all threads, in PTX */
  uint64_t fences;       /* of all threads: fences, and accesses that order others */
  uint64_t to_data;      /* most instructions of a thread before its first 16-byte load from */
  uint64_t loads_before; /* global memory, and most loads from there before it */
} gs_ptx_count;

size_t gs_ptx_kernels(void);
void gs_ptx_clear_counts(void);
/* Calls visit for each kernel that was launched, by its mangled name. */
void gs_ptx_each_count(void (*visit)(const char *kernel, const gs_ptx_count *count, void *context),
                       void *context);

#ifdef __cplusplus
}
#endif

#endif
