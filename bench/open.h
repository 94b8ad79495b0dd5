/* The device that the programs of this folder work on. */
#ifndef GS_BENCH_OPEN_H
#define GS_BENCH_OPEN_H

#include "device/facts.h"

/* Opens the device that the environment names: GRADSWEEP_BACKEND (auto, cpu, cuda;
 * without it cpu) and GRADSWEEP_DEVICE (auto), with the meaning they have in a
 * sweep. The caller destroys it. Errors: GS_ERR_USAGE; of gs_device_open. */
gs_status gs_bench_open(gs_device **device, gs_error *error);

#endif
