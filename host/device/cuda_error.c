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
  case cudaErrorDevicesUnavailable: return "all GPUs are busy or not to be used";
  default: return NULL;
  }
}

gs_status gs_cuda_check(gs_device *device, cudaError_t code, const char *what) {
  if (code == cudaSuccess) return GS_OK;
  cudaGetLastError(); /* what is not sticky is forgotten */
  if (code == cudaErrorMemoryAllocation) {
    return GS_FAIL_NATIVE(&device->error, GS_ERR_MEMORY, (int)code, "%s: the GPU is out of memory",
                          what);
  }
  /* an error that corrupted the context answers every later call */
  if (!gs_cuda(device)->capturing && cudaFree(NULL) != cudaSuccess) device->lost = true;
  return GS_FAIL_NATIVE(&device->error, GS_ERR_DEVICE, (int)code, "%s: CUDA error %d, %s", what,
                        (int)code, cudaGetErrorString(code));
}

gs_status gs_cuda_check_lt(gs_device *device, cublasStatus_t code, const char *what) {
  if (code == CUBLAS_STATUS_SUCCESS) return GS_OK;
  if (code == CUBLAS_STATUS_ALLOC_FAILED) {
    return GS_FAIL_NATIVE(&device->error, GS_ERR_MEMORY, (int)code, "%s: cuBLASLt is out of memory",
                          what);
  }
  if (!gs_cuda(device)->capturing && cudaFree(NULL) != cudaSuccess) device->lost = true;
  return GS_FAIL_NATIVE(&device->error, GS_ERR_DEVICE, (int)code, "%s: cuBLASLt status %d", what,
                        (int)code);
}
