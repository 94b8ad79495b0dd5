/* In place of the CUDA backend, where there is no toolkit to build it with. */
#include "device/device.h"

gs_status gs_cuda_device_create(const char *name, gs_device **device, gs_error *error) {
  (void)name;
  *device = NULL;
  return GS_FAIL(error, GS_ERR_NO_DEVICE, "this build of gradsweep has no CUDA backend");
}
