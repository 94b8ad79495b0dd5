/* Operations without a product: each is one kernel on the main stream. */
#include "device/cuda_internal.h"

gs_status gs_cuda_combine(gs_device *device, const gs_combination *of) {
  const gs_tensor *reads[] = {of->a, of->b};
  const gs_tensor *writes[] = {of->saved, of->h};
  GS_TRY(gs_cuda_main_touches(device, reads, 2, writes, 2));
  return gs_cuda_check(device, gs_launch_combine(gs_cuda_main(device), of), "launching a sum");
}

gs_status gs_cuda_normalize_forward(gs_device *device, gs_norm norm, const gs_tensor *x,
                                    const gs_tensor *y) {
  GS_TRY(gs_cuda_main_touches(device, &x, 1, &y, 1));
  return gs_cuda_check(device, gs_launch_normalize(gs_cuda_main(device), norm, x, NULL, y),
                       "launching a normalisation");
}

gs_status gs_cuda_normalize_backward(gs_device *device, gs_norm norm, const gs_tensor *x,
                                     const gs_tensor *dy, const gs_tensor *dx) {
  const gs_tensor *reads[] = {x, dy};
  GS_TRY(gs_cuda_main_touches(device, reads, 2, &dx, 1));
  return gs_cuda_check(device, gs_launch_normalize(gs_cuda_main(device), norm, x, dy, dx),
                       "launching a normalisation's backward pass");
}
