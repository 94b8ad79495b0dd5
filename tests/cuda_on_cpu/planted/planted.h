// Programs that are right and programs with one mistake each, for the test of
// the runtime (planted.py has the table of what must catch what).
#ifndef GS_CUDA_ON_CPU_PLANTED_H
#define GS_CUDA_ON_CPU_PLANTED_H

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "language.h"

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) planted::fail(__FILE__, __LINE__, #condition);                               \
  } while (0)
#define CHECK_CUDA(call) planted::check_call(call, __FILE__, __LINE__, #call)

namespace planted {

[[noreturn]] inline void fail(const char *file, int line, const char *words) {
  std::fprintf(stderr, "%s:%d: not true: %s\n", file, line, words);
  std::exit(1);
}

inline void check_call(cudaError_t error, const char *file, int line, const char *words) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s:%d: %s: %s\n", file, line, words, cudaGetErrorName(error));
  std::exit(3);
}

// Two streams and two events.
struct Streams {
  Streams() {
    CHECK_CUDA(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
    CHECK_CUDA(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
    CHECK_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    CHECK_CUDA(cudaEventCreateWithFlags(&other_event, cudaEventDisableTiming));
  }
  ~Streams() {
    CHECK_CUDA(cudaStreamSynchronize(first));
    CHECK_CUDA(cudaStreamSynchronize(second));
    CHECK_CUDA(cudaEventDestroy(event));
    CHECK_CUDA(cudaEventDestroy(other_event));
    CHECK_CUDA(cudaStreamDestroy(first));
    CHECK_CUDA(cudaStreamDestroy(second));
  }
  void synchronize() const {
    CHECK_CUDA(cudaStreamSynchronize(first));
    CHECK_CUDA(cudaStreamSynchronize(second));
  }
  cudaStream_t first = nullptr;
  cudaStream_t second = nullptr;
  cudaEvent_t event = nullptr;
  cudaEvent_t other_event = nullptr;
};

// An array in device memory.
template <class T> struct Array {
  explicit Array(size_t elements) : count(elements) {
    CHECK_CUDA(cudaMalloc(reinterpret_cast<void **>(&data), count * sizeof(T)));
  }
  explicit Array(const std::vector<T> &values) : Array(values.size()) {
    CHECK_CUDA(cudaMemcpy(data, values.data(), count * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Array() { CHECK_CUDA(cudaFree(data)); }
  Array(const Array &) = delete;
  Array &operator=(const Array &) = delete;
  std::vector<T> values() const {
    std::vector<T> host(count);
    CHECK_CUDA(cudaMemcpy(host.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
    return host;
  }
  size_t count;
  T *data = nullptr;
};

// Launches a kernel and waits for it.
template <class Kernel, class... Arguments>
void run(Kernel kernel, dim3 grid, dim3 block, Arguments... arguments) {
  CHECK_CUDA(gs_launch(kernel, grid, block, 0, nullptr, arguments...));
  CHECK_CUDA(cudaDeviceSynchronize());
}

struct Case {
  const char *name;
  void (*run)();
};

// Each file's cases; a NULL name ends a list.
extern const Case right_cases[];
extern const Case right_format_cases[];
extern const Case right_stream_cases[];
extern const Case right_error_cases[];
extern const Case right_cluster_cases[];
extern const Case right_matmul_cases[];
extern const Case wrong_cases[];
extern const Case wrong_block_cases[];
extern const Case wrong_cluster_cases[];
extern const Case wrong_stream_cases[];
extern const Case wrong_matmul_cases[];

// The lists of this program; NULL ends each.
extern const Case *const right_lists[];
extern const Case *const wrong_lists[];

} // namespace planted

#endif
