/* CUDA's and cuBLASLt's errors as ours. */
#include "device/cuda_internal.h"

const char *gs_cuda_absence(cudaError_t code) {
  switch (code) {
  case cudaErrorNoDevice: return "the machine has no NVIDIA GPU";
  case cudaErrorInsufficientDriver:
    return "there is no NVIDIA driver, or one older than this build's CUDA toolkit";
  case cudaErrorInitializationError: return "the NVIDIA driver could not be initialised";
  case cudaErrorSystemDriverMismatch: return "the NVIDIA driver's kernel and user parts differ";
  case cudaErrorCompatNotSupportedOnDevice:
    return "the CUDA compatibility package does not support this GPU";
  case cudaErrorSystemNotReady: return "the machine's GPU services are not running";
  case cudaErrorStubLibrary: return "libcuda.so is a stub: there is no NVIDIA driver";
  case cudaErrorOperatingSystem: return "the operating system refuses access to the GPU";
  default: return NULL;
  }
}

/* An error that corrupted the context answers every later call: asks with one that does
 * nothing else. A capture is no place to ask; its end asks again. */
static cudaError_t lasting_error(gs_device *device) {
  const cudaError_t code = gs_cuda(device)->capturing ? cudaSuccess : cudaFree(NULL);
  if (code != cudaSuccess) device->lost = true;
  cudaGetLastError(); /* what does not last is forgotten */
  return code;
}

gs_status gs_cuda_check(gs_device *device, cudaError_t code, const char *what) {
  if (code == cudaSuccess) return GS_OK;
  lasting_error(device);
  if (code == cudaErrorMemoryAllocation && !device->lost) {
    return GS_FAIL_NATIVE(&device->error, GS_ERR_MEMORY, (int)code, "%s: the GPU is out of memory",
                          what);
  }
  return GS_FAIL_NATIVE(&device->error, GS_ERR_DEVICE, (int)code, "%s: CUDA error %d, %s", what,
                        (int)code, cudaGetErrorString(code));
}

gs_status gs_cuda_check_lt(gs_device *device, cublasStatus_t code, const char *what) {
  if (code == CUBLAS_STATUS_SUCCESS) return GS_OK;
  const cudaError_t behind = lasting_error(device); /* the library's own words hide it */
  if (behind != cudaSuccess) return gs_cuda_check(device, behind, what);
  if (code == CUBLAS_STATUS_ALLOC_FAILED) {
    return GS_FAIL_NATIVE(&device->error, GS_ERR_MEMORY, (int)code, "%s: cuBLASLt is out of memory",
                          what);
  }
  return GS_FAIL_NATIVE(&device->error, GS_ERR_DEVICE, (int)code, "%s: cuBLASLt status %d, %s",
                        what, (int)code, cublasLtGetStatusName(code));
}
