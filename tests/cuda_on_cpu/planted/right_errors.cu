// Errors that CUDA answers, and those that tests ask for.
#include "planted.h"

#include "cuda_on_cpu_control.h"

namespace planted {
namespace {

constexpr int n = 1000;

__global__ void set_kernel(float *x, float value, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] = value;
}

cudaError_t set(Array<float> &x, float value, cudaStream_t stream) {
  return gs_launch(set_kernel, 4, 256, 0, stream, x.data, value, n);
}

// What CUDA refuses during a capture.
void capture_errors() {
  const Streams streams;
  Array<float> x(n);
  cudaGraph_t graph = nullptr;
  void *memory = nullptr;
  float value = 0;

  // No join.
  CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeGlobal));
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  CHECK_CUDA(cudaStreamWaitEvent(streams.second, streams.event, 0));
  CHECK_CUDA(set(x, 1, streams.second));
  CHECK(cudaStreamEndCapture(streams.first, &graph) == cudaErrorStreamCaptureUnjoined);
  CHECK(graph == nullptr);

  // Calls that wait or allocate, each in its own capture.
  for (int call = 0; call < 5; call++) {
    CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeThreadLocal));
    cudaError_t error = cudaSuccess;
    switch (call) {
    case 0: error = cudaMalloc(&memory, 100); break;
    case 1: error = cudaStreamSynchronize(streams.first); break;
    case 2: error = cudaMemcpy(&value, x.data, sizeof(value), cudaMemcpyDeviceToHost); break;
    case 3: error = cudaDeviceSynchronize(); break;
    default: error = cudaStreamQuery(streams.first); break;
    }
    CHECK(error == cudaErrorStreamCaptureUnsupported);
    CHECK(set(x, 1, streams.first) == cudaErrorStreamCaptureInvalidated);
    CHECK(cudaStreamEndCapture(streams.first, &graph) == cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
  }

  // A relaxed capture allows to allocate.
  CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeRelaxed));
  CHECK_CUDA(cudaMalloc(&memory, 100));
  CHECK_CUDA(cudaStreamEndCapture(streams.first, &graph));
  CHECK_CUDA(cudaGraphDestroy(graph));
  CHECK_CUDA(cudaFree(memory));

  // Ends on the wrong stream, or that never began; events from outside and inside.
  CHECK(cudaStreamEndCapture(streams.first, &graph) == cudaErrorIllegalState);
  CHECK_CUDA(cudaEventRecord(streams.other_event, streams.second));
  CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeThreadLocal));
  CHECK(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeThreadLocal) ==
        cudaErrorIllegalState);
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  CHECK(cudaEventSynchronize(streams.event) == cudaErrorCapturedEvent);
  CHECK(cudaStreamWaitEvent(streams.first, streams.other_event, 0) ==
        cudaErrorStreamCaptureIsolation);
  CHECK(cudaStreamEndCapture(streams.first, &graph) == cudaErrorStreamCaptureInvalidated);
  CHECK(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal) ==
        cudaErrorStreamCaptureUnsupported);
  cudaGetLastError();
}

void pretended_failures() {
  const Streams streams;
  Array<float> x(n);
  const gs_sim_failures none = {0, 0, 0, 0, 1, 0};
  gs_sim_failures failures = none;
  gs_sim_counts counts;
  void *memory = nullptr;

  failures.fail_malloc = 2;
  gs_sim_set_failures(&failures);
  CHECK_CUDA(cudaMalloc(&memory, 8));
  CHECK_CUDA(cudaFree(memory));
  CHECK(cudaMalloc(&memory, 8) == cudaErrorMemoryAllocation);
  CHECK_CUDA(cudaMalloc(&memory, 8));
  CHECK_CUDA(cudaFree(memory));

  failures = none;
  failures.fail_launch = 2;
  gs_sim_set_failures(&failures);
  CHECK_CUDA(set(x, 1, streams.first));
  CHECK(set(x, 2, streams.first) == cudaErrorLaunchOutOfResources);
  CHECK_CUDA(set(x, 3, streams.first));
  gs_sim_get_counts(&counts);
  CHECK(counts.launches == 3);

  failures = none;
  failures.sticky_launch = 1;
  gs_sim_set_failures(&failures);
  CHECK_CUDA(set(x, 1, streams.first));
  CHECK(cudaStreamSynchronize(streams.first) == cudaErrorIllegalAddress);
  CHECK(cudaMalloc(&memory, 8) == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);
  CHECK(cudaGetLastError() == cudaErrorIllegalAddress);

  failures = none;
  failures.fail_any = 2;
  gs_sim_set_failures(&failures);
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  CHECK(cudaStreamSynchronize(streams.first) == cudaErrorUnknown);
  CHECK_CUDA(cudaStreamSynchronize(streams.first));

  for (const long code : {3l, 35l, 100l, 803l}) {
    failures = none;
    failures.device_error = code;
    gs_sim_set_failures(&failures);
    int count = 5;
    CHECK(cudaGetDeviceCount(&count) == static_cast<cudaError_t>(code) && count == 0);
  }
  failures = none;
  failures.devices = 0;
  gs_sim_set_failures(&failures);
  int count = 5;
  CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0);
  gs_sim_set_failures(&none);
  CHECK(cudaGetLastError() == cudaSuccess);
}

} // namespace

const Case right_error_cases[] = {{"capture_errors", capture_errors},
                                  {"pretended_failures", pretended_failures},
                                  {nullptr, nullptr}};

} // namespace planted
