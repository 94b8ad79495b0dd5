/* The worker: the process that opens the device and measures cells, one line of
 * JSON in, one line out (sweep/pipe.h). It keeps no files and decides nothing;
 * when it dies it takes one cell with it. */
#ifndef GS_SWEEP_WORKER_H
#define GS_SWEEP_WORKER_H

#include "device/device.h"
#include "net/config.h"

typedef struct gs_worker_setup {
  gs_backend backend;
  const char *device; /* "auto", or the backend's own name for one */
  int threads;        /* 0: one per processor */
} gs_worker_setup;

/* Opens the device a run asks for. Errors: GS_ERR_NO_DEVICE when this build or
 * this machine does not have it; there is no fallback to another. */
gs_status gs_device_open(const gs_worker_setup *setup, gs_device **device, gs_error *error);

/* Says hello, or in its place why the device cannot be opened, and answers
 * requests until the input ends. Errors: GS_ERR_OUTPUT (nobody reads the
 * answers); GS_ERR_DATA and GS_ERR_INTERNAL (a request that cannot be
 * understood); GS_ERR_MEMORY. */
gs_status gs_worker_serve(const gs_worker_setup *setup, int input, int output, gs_error *error);

#endif
