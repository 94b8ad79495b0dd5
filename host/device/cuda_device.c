/* The CUDA backend: creation, memory, and the table of its operations. */
#include <stdlib.h>
#include <string.h>

#include "device/cuda_internal.h"

/* Left to the driver and other libraries when a cell's memory is predicted. */
static const size_t RESERVE_BYTES = (size_t)64 << 20;

static void destroy(gs_device *device) {
  if (!device) return;
  gs_cuda_device *cuda = gs_cuda(device);
  cudaDeviceSynchronize();
  gs_cuda_plans_destroy(device);
  if (cuda->lt) cublasLtDestroy(cuda->lt);
  if (cuda->digest) cudaFree(cuda->digest);
  gs_cuda_streams_close(&cuda->streams);
  cudaGetLastError();
  free(cuda);
}

static void info(gs_device *device, gs_device_info *info) {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  *info = gs_cuda(device)->info;
  /* unknown: then the allocation tells; a lost device is noticed here as anywhere */
  const cudaError_t code = cudaMemGetInfo(&free_bytes, &total_bytes);
  if (gs_cuda_check(device, code, "asking for free memory") != GS_OK) {
    free_bytes = device->lost ? 0 : gs_cuda(device)->total_bytes;
  }
  const size_t reserve = free_bytes / 16 < RESERVE_BYTES ? free_bytes / 16 : RESERVE_BYTES;
  info->memory_bytes = (int64_t)(free_bytes - reserve);
  info->capacity_bytes = (int64_t)gs_cuda(device)->total_bytes;
}

static gs_status device_alloc(gs_device *device, size_t bytes, void **memory) {
  *memory = NULL;
  const cudaError_t code = cudaMalloc(memory, bytes ? bytes : GS_ARENA_ALIGNMENT);
  if (code != cudaErrorMemoryAllocation) return gs_cuda_check(device, code, "allocating memory");
  cudaGetLastError();
  return GS_FAIL_NATIVE(&device->error, GS_ERR_MEMORY, (int)code,
                        "the GPU cannot allocate %zu bytes", bytes);
}

static void device_free(gs_device *device, void *memory) {
  if (!memory) return;
  /* work that uses it may still be enqueued */
  gs_cuda_wait(gs_cuda(device)->streams.side);
  gs_cuda_wait(gs_cuda(device)->streams.main);
  cudaFree(memory);
  cudaGetLastError();
}

static gs_status sync_all(gs_device *device) {
  GS_TRY(gs_cuda_join(device));
  return gs_cuda_check(device, gs_cuda_wait(gs_cuda(device)->streams.main), "waiting for the GPU");
}

static gs_status move(gs_device *device, void *to, const void *from, size_t bytes,
                      enum cudaMemcpyKind kind) {
  GS_TRY(gs_cuda_join(device));
  GS_TRY(gs_cuda_check(device,
                       cudaMemcpyAsync(to, from, bytes, kind, gs_cuda(device)->streams.main),
                       "copying between host and GPU"));
  return sync_all(device);
}

static gs_status upload(gs_device *device, void *to, const void *from, size_t bytes) {
  return move(device, to, from, bytes, cudaMemcpyHostToDevice);
}

static gs_status download(gs_device *device, void *to, const void *from, size_t bytes) {
  return move(device, to, from, bytes, cudaMemcpyDeviceToHost);
}

static const gs_device_ops cuda_ops = {
    .destroy = destroy,
    .info = info,
    .alloc = device_alloc,
    .free = device_free,
    .upload = upload,
    .download = download,
    .workspace_bytes = gs_cuda_workspace_bytes,
    .set_workspace = gs_cuda_set_workspace,
    .sync = sync_all,
    .event_create = gs_cuda_event_create,
    .event_destroy = gs_cuda_event_destroy,
    .record = gs_cuda_record,
    .elapsed = gs_cuda_elapsed,
    .capture_begin = gs_cuda_capture_begin,
    .capture_end = gs_cuda_capture_end,
    .replay = gs_cuda_replay,
    .graph_destroy = gs_cuda_graph_destroy,
    .roofline = gs_cuda_roofline,
    .fill = gs_cuda_fill,
    .hash = gs_cuda_hash,
    .begin_step = gs_cuda_begin_step,
    .gemm = gs_cuda_gemm,
    .layer_forward = gs_cuda_layer_forward,
    .layer_backward = gs_cuda_layer_backward,
    .weight_gradients = gs_cuda_weight_gradients,
    .combine = gs_cuda_combine,
    .normalize_forward = gs_cuda_normalize_forward,
    .normalize_backward = gs_cuda_normalize_backward,
    .loss = gs_cuda_loss,
    .recurrent_forward = gs_cuda_recurrent_forward,
    .recurrent_backward = gs_cuda_recurrent_backward,
    .stats = gs_cuda_stats,
};

/* Everything that a device of its own needs. */
static gs_status open_device(gs_cuda_device *cuda) {
  gs_device *device = &cuda->base;
  GS_TRY(gs_cuda_streams_open(device));
  GS_TRY(gs_cuda_check(device, cudaMalloc((void **)&cuda->digest, 2 * sizeof *cuda->digest),
                       "allocating memory"));
  const cublasStatus_t code = cublasLtCreate(&cuda->lt);
  if (code == CUBLAS_STATUS_NOT_INITIALIZED) {
    return GS_FAIL_NATIVE(&device->error, GS_ERR_DEVICE, (int)code,
                          "cuBLASLt cannot be loaded: is libcublasLt.so.%d where the system looks "
                          "for libraries?",
                          CUBLAS_VER_MAJOR);
  }
  return gs_cuda_check_lt(device, code, "starting cuBLASLt");
}

gs_status gs_cuda_device_create(const char *name, gs_device **device, gs_error *error) {
  gs_cuda_device *cuda = calloc(1, sizeof *cuda);
  *device = NULL;
  if (!cuda) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the cuda device");
  cuda->base.ops = &cuda_ops;
  gs_status status = gs_cuda_probe(name, cuda, error);
  if (status != GS_OK) {
    free(cuda);
    return status;
  }
  status = open_device(cuda);
  if (status != GS_OK) {
    if (error) *error = cuda->base.error;
    destroy(&cuda->base);
    return status;
  }
  *device = &cuda->base;
  return GS_OK;
}
