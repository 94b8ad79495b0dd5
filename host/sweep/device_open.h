/* Which device a run, a benchmark or a comparison works on. */
#ifndef GS_SWEEP_DEVICE_OPEN_H
#define GS_SWEEP_DEVICE_OPEN_H

#include "device/facts.h"
#include "net/config.h"

typedef struct gs_device_choice {
  gs_backend backend;
  const char *device; /* "auto", or the backend's own name for one */
  int threads;        /* of the cpu backend; 0: one per processor */
} gs_device_choice;

/* Opens the device that is asked for; the caller destroys it. GS_BACKEND_AUTO is
 * the GPU where there is one, else the CPU, which can only be called "auto" or
 * "0": another name is a GPU's. There is no other fallback: a GPU that is there
 * and cannot be opened is an error. Errors: GS_ERR_NO_DEVICE, with words, when
 * this build or this machine does not have it; of the backend. */
gs_status gs_device_open(const gs_device_choice *choice, gs_device **device, gs_error *error);

#endif
