/* The worker: the process that opens the device and measures cells, one line of
 * JSON in, one line out (sweep/pipe.h). It keeps no files and decides nothing;
 * when it dies it takes one cell with it. */
#ifndef GS_SWEEP_WORKER_H
#define GS_SWEEP_WORKER_H

#include "sweep/device_open.h"

/* Says hello, or in its place why the device cannot be opened, and answers
 * requests until the input ends, or until an answer after which the device is
 * lost: the parent starts another worker. Errors: GS_ERR_OUTPUT (nobody reads the
 * answers); GS_ERR_DATA and GS_ERR_INTERNAL (a request that cannot be
 * understood); GS_ERR_MEMORY. */
gs_status gs_worker_serve(const gs_device_choice *choice, int input, int output, gs_error *error);

#endif
