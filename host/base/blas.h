/* OpenBLAS, loaded when it is first needed: its constructor takes some 300 MB of
 * address space and, where it cannot have them, tries for ever, before main and
 * without a word. What needs no products (--version, the parent of a run) does without.
 *
 * <cblas.h> and base/lapack.h declare the routines; base/blas.c hands each on to the
 * library. gs_blas_load comes first. */
#ifndef GS_BASE_BLAS_H
#define GS_BASE_BLAS_H

#include "base/status.h"

/* Loads the library for calls from as many threads, once for the process; later calls
 * repeat the first one's answer. Errors: GS_ERR_MEMORY when a limit on address space
 * (ulimit -v) leaves no room for it and its threads' buffers; GS_ERR_DEVICE when it is
 * not there, lacks a routine, or is the serial build, which threads must not share
 * (called from several it returns wrong products now and then: its buffers are handed
 * out without a lock). */
gs_status gs_blas_load(int threads, gs_error *error);

/* The library's name and version ("OpenBLAS 0.3.21"); empty before it is loaded. */
const char *gs_blas_name(void);

#endif
