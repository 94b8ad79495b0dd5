/* The device by the environment. See open.h. */
#include "open.h"

#include <stdlib.h>

#include "sweep/device_open.h"

gs_status gs_bench_open(gs_device **device, gs_error *error) {
  const char *backend = getenv("GRADSWEEP_BACKEND");
  const char *name = getenv("GRADSWEEP_DEVICE");
  gs_device_choice choice = {GS_BACKEND_CPU, name && *name ? name : "auto", 0};
  *device = NULL;
  const int known = backend && *backend ? gs_value_of(&gs_backend_names, backend, NULL) : 0;
  if (backend && *backend) choice.backend = (gs_backend)known;
  if (known < 0) {
    return GS_FAIL(error, GS_ERR_USAGE, "GRADSWEEP_BACKEND is '%s', none of auto, cpu, cuda",
                   backend);
  }
  return gs_device_open(&choice, device, error);
}
