/* Choosing and opening the device. See device_open.h. */
#include "sweep/device_open.h"

#include <string.h>

#include "base/location.h"
#include "sweep/fault.h"

static bool is_cpu_name(const char *device) {
  return strcmp(device, "auto") == 0 || strcmp(device, "0") == 0;
}

static gs_status open_cpu(const gs_device_choice *choice, gs_device **device, gs_error *error) {
  if (is_cpu_name(choice->device)) return gs_cpu_device_create(choice->threads, device, error);
  char quoted[GS_QUOTE_BYTES];
  return GS_FAIL(error, GS_ERR_NO_DEVICE,
                 "there is no device %s: the cpu backend has one, \"auto\" or \"0\"",
                 gs_quote(choice->device, quoted));
}

static gs_status open_any(const gs_device_choice *choice, gs_device **device, gs_error *error) {
  gs_error reason = {0};
  const gs_status status = gs_cuda_device_create(choice->device, device, &reason);
  if (status == GS_ERR_NO_DEVICE && is_cpu_name(choice->device)) {
    return open_cpu(choice, device, error);
  }
  if (status == GS_ERR_NO_DEVICE) {
    char quoted[GS_QUOTE_BYTES];
    return GS_FAIL(error, status, "the device %s can only be a GPU: %s",
                   gs_quote(choice->device, quoted), reason.message);
  }
  if (status != GS_OK && error) *error = reason;
  return status;
}

gs_status gs_device_open(const gs_device_choice *choice, gs_device **device, gs_error *error) {
  if (gs_fault_absent()) return GS_FAIL(error, GS_ERR_NO_DEVICE, "the device is not there");
  switch (choice->backend) {
  case GS_BACKEND_CPU: return open_cpu(choice, device, error);
  case GS_BACKEND_CUDA: return gs_cuda_device_create(choice->device, device, error);
  case GS_BACKEND_AUTO:
  case GS_BACKEND_COUNT: break;
  }
  return open_any(choice, device, error);
}
