// What a launch hands to the runtime.
#ifndef GS_CUDA_ON_CPU_LAUNCH_H
#define GS_CUDA_ON_CPU_LAUNCH_H

#include <cuda_runtime.h>

#include <cstddef>

namespace gs_sim {

struct Launch {
  const void *kernel; // identifies the kernel (cudaFuncSetAttribute)
  dim3 grid;
  dim3 block;
  size_t shared_bytes; // dynamic
  size_t static_limit; // bytes of shared arrays; the runtime sets it
  cudaStream_t stream;
  bool cooperative;
  unsigned cluster;                  // blocks in x that reach each other's shared memory; 0: none
  void (*call)(const void *closure); // runs the kernel for the current thread
  const void *closure;               // kernel and arguments; copied byte for byte
  size_t closure_bytes;
};

cudaError_t launch(const Launch &launch);
cudaError_t clusters_at_once(int *count, size_t threads, unsigned cluster);
bool is_device_memory(const void *address);
[[noreturn]] void refuse_host_pointer(const void *address);

} // namespace gs_sim

#endif
