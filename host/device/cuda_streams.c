/* The two streams, and who waits for whom.
 *
 * Side calls run one after another, so main waits for a call by waiting for its event,
 * and has then waited for all earlier ones. Calls are remembered until main has waited
 * for them, with the memory they read and write; an operation on main that writes any of
 * it, or reads what they write, waits first. */
#include <stdlib.h>

#include "device/cuda_internal.h"

/* ---- ranges ---- */

typedef struct gs_cuda_range range;

gs_status gs_cuda_touch_bytes(gs_device *device, gs_cuda_ranges *ranges, const void *memory,
                              size_t bytes) {
  if (ranges->count == ranges->capacity) {
    const size_t capacity = ranges->capacity ? 2 * ranges->capacity : 16;
    range *more = realloc(ranges->at, capacity * sizeof *more);
    if (!more) return GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory to order two streams");
    ranges->at = more;
    ranges->capacity = capacity;
  }
  const uintptr_t begin = (uintptr_t)memory;
  ranges->at[ranges->count++] = (range){begin, begin + bytes};
  return GS_OK;
}

static range memory_of(const gs_tensor *tensor) {
  const int64_t last =
      (tensor->replicas - 1) * tensor->stride + (tensor->rows - 1) * tensor->ld + tensor->cols;
  const uintptr_t begin = (uintptr_t)tensor->data;
  return (range){begin, begin + (size_t)last * gs_dtype_bytes(tensor->dtype)};
}

static range slots_of(const gs_tensor *tensor, int64_t steps) {
  const uintptr_t begin = (uintptr_t)tensor->scale;
  return (range){begin, begin + (size_t)(steps * tensor->replicas) * sizeof(gs_scale)};
}

gs_status gs_cuda_touch(gs_device *device, gs_cuda_ranges *ranges, const gs_tensor *tensor,
                        int64_t steps) {
  const range memory = memory_of(tensor);
  GS_TRY(gs_cuda_touch_bytes(device, ranges, tensor->data, memory.end - memory.begin));
  if (!tensor->scale) return GS_OK;
  const range slots = slots_of(tensor, steps);
  return gs_cuda_touch_bytes(device, ranges, tensor->scale, slots.end - slots.begin);
}

static int ascending(const void *a, const void *b) {
  const range *x = a;
  const range *y = b;
  return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Sorts, and makes one of what overlaps or touches. */
static void close_ranges(gs_cuda_ranges *ranges) {
  size_t kept = 0;
  if (ranges->count == 0) return;
  qsort(ranges->at, ranges->count, sizeof *ranges->at, ascending);
  for (size_t i = 1; i < ranges->count; i++) {
    range *last = &ranges->at[kept];
    if (ranges->at[i].begin > last->end) {
      ranges->at[++kept] = ranges->at[i];
    } else if (ranges->at[i].end > last->end) {
      last->end = ranges->at[i].end;
    }
  }
  ranges->count = kept + 1;
}

static bool overlaps(const gs_cuda_ranges *ranges, range of) {
  size_t low = 0; /* the first range that ends after `of` begins */
  size_t high = ranges->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (ranges->at[middle].end > of.begin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low < ranges->count && ranges->at[low].begin < of.end;
}

/* ---- streams ---- */

gs_status gs_cuda_streams_open(gs_device *device) {
  gs_cuda_streams *streams = &gs_cuda(device)->streams;
  int min = 0;
  int greatest = 0;
  cudaError_t code = cudaDeviceGetStreamPriorityRange(&min, &greatest);
  if (code == cudaSuccess) {
    code = cudaStreamCreateWithPriority(&streams->main, cudaStreamNonBlocking, greatest);
  }
  if (code == cudaSuccess) {
    code = cudaStreamCreateWithPriority(&streams->side, cudaStreamNonBlocking, min);
  }
  if (code == cudaSuccess) code = cudaEventCreateWithFlags(&streams->fork, cudaEventDisableTiming);
  for (int i = 0; code == cudaSuccess && i < GS_CUDA_CALLS; i++) {
    code = cudaEventCreateWithFlags(&streams->calls[i].done, cudaEventDisableTiming);
  }
  return gs_cuda_check(device, code, "creating streams");
}

void gs_cuda_streams_close(gs_cuda_streams *streams) {
  for (int i = 0; i < GS_CUDA_CALLS; i++) {
    if (streams->calls[i].done) cudaEventDestroy(streams->calls[i].done);
    free(streams->calls[i].reads.at);
    free(streams->calls[i].writes.at);
  }
  if (streams->fork) cudaEventDestroy(streams->fork);
  if (streams->side) cudaStreamDestroy(streams->side);
  if (streams->main) cudaStreamDestroy(streams->main);
}

cudaError_t gs_cuda_wait(cudaStream_t stream) {
  const cudaError_t code = cudaStreamSynchronize(stream);
  if (code != cudaSuccess) {
    cudaStreamSynchronize(stream);
    cudaGetLastError();
  }
  return code;
}

/* Where an event cannot order the streams the host does. A capture that misses one has
 * nodes that were never joined, and fails when it ends. */
static gs_status order_failed(gs_device *device, cudaError_t code, const char *what) {
  const gs_status status = gs_cuda_check(device, code, what);
  if (!gs_cuda(device)->capturing) gs_cuda_wait(gs_cuda(device)->streams.side);
  return status;
}

/* Main waits for the oldest `count` calls. */
static gs_status wait_for(gs_device *device, int count) {
  gs_cuda_streams *streams = &gs_cuda(device)->streams;
  if (count == 0) return GS_OK;
  const gs_cuda_call *last = &streams->calls[(streams->first + count - 1) % GS_CUDA_CALLS];
  streams->first = (streams->first + count) % GS_CUDA_CALLS;
  streams->in_flight -= count;
  const cudaError_t code = cudaStreamWaitEvent(streams->main, last->done, 0);
  return code == cudaSuccess ? GS_OK : order_failed(device, code, "waiting for the side stream");
}

gs_status gs_cuda_join(gs_device *device) {
  return wait_for(device, gs_cuda(device)->streams.in_flight);
}

static bool conflicts(const gs_cuda_call *call, range of, bool written) {
  return overlaps(&call->writes, of) || (written && overlaps(&call->reads, of));
}

/* A step's slots lie where its tensor's view says; those of a whole sequence are touched
 * step by step. */
static bool tensor_conflicts(const gs_cuda_call *call, const gs_tensor *tensor, bool written) {
  if (!tensor) return false;
  if (conflicts(call, memory_of(tensor), written)) return true;
  return tensor->scale && conflicts(call, slots_of(tensor, 1), written);
}

gs_status gs_cuda_main_touches(gs_device *device, const gs_tensor *const *reads, int read_count,
                               const gs_tensor *const *writes, int write_count) {
  const gs_cuda_streams *streams = &gs_cuda(device)->streams;
  for (int i = streams->in_flight; i > 0; i--) {
    const gs_cuda_call *call = &streams->calls[(streams->first + i - 1) % GS_CUDA_CALLS];
    bool found = false;
    for (int k = 0; k < read_count && !found; k++) {
      found = tensor_conflicts(call, reads[k], false);
    }
    for (int k = 0; k < write_count && !found; k++) {
      found = tensor_conflicts(call, writes[k], true);
    }
    if (found) return wait_for(device, i);
  }
  return GS_OK;
}

gs_status gs_cuda_side_begin(gs_device *device, gs_cuda_call **call) {
  gs_cuda_streams *streams = &gs_cuda(device)->streams;
  if (streams->in_flight == GS_CUDA_CALLS) GS_TRY(wait_for(device, 1));
  *call = &streams->calls[(streams->first + streams->in_flight) % GS_CUDA_CALLS];
  (*call)->reads.count = 0;
  (*call)->writes.count = 0;
  cudaError_t code = cudaEventRecord(streams->fork, streams->main);
  if (code == cudaSuccess) code = cudaStreamWaitEvent(streams->side, streams->fork, 0);
  return gs_cuda_check(device, code, "starting the side stream");
}

gs_status gs_cuda_side_end(gs_device *device, gs_cuda_call *call) {
  gs_cuda_streams *streams = &gs_cuda(device)->streams;
  close_ranges(&call->reads);
  close_ranges(&call->writes);
  const cudaError_t code = cudaEventRecord(call->done, streams->side);
  if (code != cudaSuccess) return order_failed(device, code, "ending a call on the side stream");
  streams->in_flight++;
  return GS_OK;
}
