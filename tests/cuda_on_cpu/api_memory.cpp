// Memory: allocation, copies, fills.
#include <cstring>

#include "api.h"
#include "bytes.h"
#include "die.h"
#include "graph.h"
#include "heap.h"
#include "injection.h"

using namespace gs_sim;

namespace {

bool is_device(const void *address) { return heap_contains(address, 0); }

cudaMemcpyKind kind_of(const void *to, const void *from) {
  if (is_device(to)) return is_device(from) ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice;
  return is_device(from) ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost;
}

void check_copy(const void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  if (kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice)
    heap_require(to, bytes, "a copy to the device");
  else if (is_device(to))
    die("a copy to the host is given device memory as its destination");
  if (kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice)
    heap_require(from, bytes, "a copy from the device");
  else if (is_device(from))
    die("a copy from the host is given device memory as its source");
}

Work copy_work(void *to, const void *from, size_t bytes) {
  return [=](Stream &) {
    const HeapOpen open;
    note_read(from, bytes);
    note_write(to, bytes);
    copy_bytes(to, from, bytes);
  };
}

// Ordinary host memory is staged: the caller may use it again at once.
Work staged_copy_work(void *to, const void *from, size_t bytes) {
  const std::shared_ptr<void> staged(std::malloc(bytes), std::free);
  copy_bytes(staged.get(), from, bytes);
  return [=](Stream &) {
    const HeapOpen open;
    note_write(to, bytes);
    copy_bytes(to, staged.get(), bytes);
  };
}

// The copy reads host memory that the host may reuse when the call returns.
bool is_staged(const std::shared_ptr<Stream> &stream, const void *from, cudaMemcpyKind kind) {
  return kind == cudaMemcpyHostToDevice && !pinned_contains(from) && stream &&
         stream->capture == nullptr;
}

cudaError_t copy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                 cudaStream_t handle) {
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault)
    return cudaErrorInvalidMemcpyDirection;
  if (bytes == 0) return cudaSuccess;
  if (kind == cudaMemcpyDefault) kind = kind_of(to, from);
  check_copy(to, from, bytes, kind);
  if (kind == cudaMemcpyHostToDevice) counts.uploaded_bytes += static_cast<long>(bytes);
  if (is_staged(stream_of(handle), from, kind))
    return enqueue_work(handle, staged_copy_work(to, from, bytes));
  return enqueue_work(handle, copy_work(to, from, bytes));
}

cudaError_t fill(void *memory, int value, size_t bytes, cudaStream_t handle) {
  if (bytes == 0) return cudaSuccess;
  heap_require(memory, bytes, "a fill");
  return enqueue_work(handle, [=](Stream &) {
    const HeapOpen open;
    note_write(memory, bytes);
    fill_bytes(memory, static_cast<unsigned char>(value), bytes);
  });
}

} // namespace

cudaError_t cudaMalloc(void **memory, size_t bytes) {
  return api_call(CallKind::ordinary, [=] {
    const cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess) return error;
    if (memory == nullptr) return cudaErrorInvalidValue;
    *memory = nullptr;
    if (malloc_fails()) return cudaErrorMemoryAllocation;
    if (bytes == 0) return cudaSuccess;
    *memory = heap_allocate(bytes);
    return *memory != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

// Waits for everything, as CUDA does.
cudaError_t cudaFree(void *memory) {
  return api_call(CallKind::releasing, [=] {
    if (memory == nullptr) return cudaSuccess;
    const cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess) return error;
    stream_synchronize_all();
    return heap_free(memory) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaMallocHost(void **memory, size_t bytes) {
  return api_call(CallKind::ordinary, [=] {
    const cudaError_t error = capture_forbids(false);
    if (error != cudaSuccess) return error;
    if (memory == nullptr) return cudaErrorInvalidValue;
    *memory = nullptr;
    if (malloc_fails()) return cudaErrorMemoryAllocation;
    if (bytes == 0) return cudaSuccess;
    *memory = pinned_allocate(bytes);
    return *memory != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFreeHost(void *memory) {
  return api_call(CallKind::releasing, [=] {
    if (memory == nullptr) return cudaSuccess;
    stream_synchronize_all();
    return pinned_free(memory) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return api_call(CallKind::ordinary, [=] { return copy(to, from, bytes, kind, stream); });
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  return api_call(CallKind::ordinary, [=] {
    cudaError_t error = capture_forbids(false);
    if (error == cudaSuccess) error = copy(to, from, bytes, kind, nullptr);
    if (error == cudaSuccess) stream_synchronize(*stream_of(nullptr));
    return error;
  });
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream) {
  return api_call(CallKind::ordinary, [=] { return fill(memory, value, bytes, stream); });
}

cudaError_t cudaMemset(void *memory, int value, size_t bytes) {
  return api_call(CallKind::ordinary, [=] {
    const cudaError_t error = capture_forbids(false);
    return error == cudaSuccess ? fill(memory, value, bytes, nullptr) : error;
  });
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  return api_call(CallKind::ordinary, [=] {
    *total = heap_total_bytes();
    *available = *total - heap_used_bytes();
    return cudaSuccess;
  });
}
