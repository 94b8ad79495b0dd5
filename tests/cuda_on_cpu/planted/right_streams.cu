// Host code without a mistake: memory, streams, events, graphs.
#include "planted.h"

#include <cmath>
#include <cstring>
#include <thread>

#include "cuda_on_cpu_control.h"

namespace planted {
namespace {

constexpr int n = 1000;

__global__ void set_kernel(float *x, float value, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] = value;
}

__global__ void add_kernel(const float *a, float *b, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) b[i] += a[i];
}

cudaError_t set(Array<float> &x, float value, cudaStream_t stream) {
  return gs_launch(set_kernel, 4, 256, 0, stream, x.data, value, n);
}

cudaError_t add(const Array<float> &a, Array<float> &b, cudaStream_t stream) {
  return gs_launch(add_kernel, 4, 256, 0, stream, a.data, b.data, n);
}

bool all_are(const Array<float> &x, float value) {
  for (const float each : x.values())
    if (!(each == value)) return false;
  return true;
}

void memory() {
  size_t before = 0;
  size_t total = 0;
  CHECK_CUDA(cudaMemGetInfo(&before, &total));
  CHECK(total == 256u << 20);
  {
    Array<float> x(n);
    size_t during = 0;
    CHECK_CUDA(cudaMemGetInfo(&during, &total));
    CHECK(during < before);
    CHECK(reinterpret_cast<uintptr_t>(x.data) % 256 == 0);
    for (const float each : x.values()) CHECK(std::isnan(each));
    CHECK_CUDA(cudaMemset(x.data, 0, n * sizeof(float)));
    CHECK(all_are(x, 0));
    CHECK(gs_sim_is_device_memory(x.data + n - 1) && !gs_sim_is_device_memory(&before));
  }
  void *large = nullptr;
  CHECK(cudaMalloc(&large, size_t{1} << 40) == cudaErrorMemoryAllocation && large == nullptr);
  CHECK(cudaFree(&before) == cudaErrorInvalidValue);
  CHECK_CUDA(cudaFree(nullptr));
  cudaGetLastError();
}

void devices() {
  int count = 0;
  CHECK_CUDA(cudaGetDeviceCount(&count));
  CHECK(count == 1);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
  cudaDeviceProp properties;
  CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
  CHECK(std::strcmp(properties.name, "simulated GPU") == 0);
  int major = 0;
  CHECK_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  CHECK(major == properties.major && (major >= 9) == (properties.clusterLaunch != 0));
  char address[16];
  int device = -1;
  CHECK_CUDA(cudaDeviceGetPCIBusId(address, sizeof(address), 0));
  CHECK_CUDA(cudaDeviceGetByPCIBusId(&device, address));
  CHECK(device == 0);
  CHECK(std::strcmp(cudaGetErrorName(cudaErrorNoDevice), "cudaErrorNoDevice") == 0);
  cudaGetLastError();
}

void fork_and_join() {
  const Streams streams;
  Array<float> x(n);
  Array<float> y(n);
  CHECK_CUDA(set(x, 2, streams.first));
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  CHECK_CUDA(set(y, 5, streams.first));
  CHECK_CUDA(cudaStreamWaitEvent(streams.second, streams.event, 0));
  CHECK_CUDA(add(x, x, streams.second));
  CHECK_CUDA(cudaEventRecord(streams.other_event, streams.second));
  CHECK_CUDA(cudaStreamWaitEvent(streams.first, streams.other_event, 0));
  CHECK_CUDA(add(x, y, streams.first));
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  CHECK(all_are(y, 9));
}

void timing() {
  const Streams streams;
  cudaEvent_t from = nullptr;
  cudaEvent_t to = nullptr;
  float milliseconds = -1;
  CHECK_CUDA(cudaEventCreate(&from));
  CHECK_CUDA(cudaEventCreate(&to));
  CHECK(cudaEventElapsedTime(&milliseconds, from, to) == cudaErrorInvalidResourceHandle);
  Array<float> x(n);
  CHECK_CUDA(cudaEventRecord(from, streams.first));
  for (int i = 0; i < 20; i++) CHECK_CUDA(set(x, 1, streams.first));
  CHECK_CUDA(cudaEventRecord(to, streams.first));
  CHECK_CUDA(cudaEventSynchronize(to));
  CHECK_CUDA(cudaEventQuery(to));
  CHECK_CUDA(cudaEventElapsedTime(&milliseconds, from, to));
  CHECK(milliseconds > 0 && milliseconds < 1000);
  CHECK(cudaEventElapsedTime(&milliseconds, streams.event, to) == cudaErrorInvalidResourceHandle);
  CHECK_CUDA(cudaEventDestroy(from));
  CHECK_CUDA(cudaEventDestroy(to));
  cudaGetLastError();
}

// Host memory may be used again at once unless it is page-locked.
void uploads() {
  const Streams streams;
  Array<float> x(n);
  std::vector<float> host(n, 4);
  CHECK_CUDA(cudaMemcpyAsync(x.data, host.data(), n * sizeof(float), cudaMemcpyHostToDevice,
                             streams.first));
  for (float &each : host) each = 7;
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  CHECK(all_are(x, 4));

  void *pinned = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, n * sizeof(float)));
  auto *values = static_cast<float *>(pinned);
  for (int i = 0; i < n; i++) values[i] = 9;
  CHECK_CUDA(
      cudaMemcpyAsync(x.data, pinned, n * sizeof(float), cudaMemcpyHostToDevice, streams.first));
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  for (int i = 0; i < n; i++) values[i] = 1;
  CHECK(all_are(x, 9));
  CHECK_CUDA(cudaMemcpyAsync(pinned, x.data, sizeof(float), cudaMemcpyDefault, streams.first));
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  CHECK(values[0] == 9 && values[1] == 1);
  CHECK_CUDA(cudaFreeHost(pinned));
}

// A graph with two branches; its upload reads the host's memory at every launch.
void graphs() {
  const Streams streams;
  Array<float> x(n);
  Array<float> y(std::vector<float>(n, 0));
  Array<float> z(n);
  std::vector<float> host(n, 1);
  CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeThreadLocal));
  CHECK_CUDA(cudaMemcpyAsync(x.data, host.data(), n * sizeof(float), cudaMemcpyHostToDevice,
                             streams.first));
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  CHECK_CUDA(cudaStreamWaitEvent(streams.second, streams.event, 0));
  CHECK_CUDA(set(z, 100, streams.second));
  CHECK_CUDA(add(x, z, streams.second));
  CHECK_CUDA(cudaEventRecord(streams.other_event, streams.second));
  CHECK_CUDA(add(x, y, streams.first));
  CHECK_CUDA(cudaStreamWaitEvent(streams.first, streams.other_event, 0));
  CHECK_CUDA(add(z, y, streams.first));
  cudaStreamCaptureStatus status;
  CHECK_CUDA(cudaStreamIsCapturing(streams.second, &status));
  CHECK(status == cudaStreamCaptureStatusActive);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  CHECK_CUDA(cudaStreamEndCapture(streams.first, &graph));
  CHECK_CUDA(cudaStreamIsCapturing(streams.second, &status));
  CHECK(status == cudaStreamCaptureStatusNone);
  CHECK_CUDA(cudaGraphInstantiate(&exec, graph, 0));
  CHECK_CUDA(cudaGraphDestroy(graph));
  CHECK(all_are(y, 0)); // captured, not run
  float expected = 0;
  for (int launch = 1; launch <= 3; launch++) {
    for (float &each : host) each = static_cast<float>(launch);
    CHECK_CUDA(cudaGraphLaunch(exec, streams.second));
    CHECK_CUDA(cudaStreamSynchronize(streams.second));
    expected += static_cast<float>(100 + 2 * launch);
    CHECK(all_are(y, expected));
  }
  gs_sim_counts counts;
  gs_sim_get_counts(&counts);
  CHECK(counts.live_graphs == 0 && counts.live_graph_execs == 1);
  CHECK_CUDA(cudaGraphExecDestroy(exec));
}

// Lazy work is not done before somebody waits for it.
void queries() {
  const Streams streams;
  Array<float> x(n);
  const int before = gs_sim_set_lazy(1);
  CHECK_CUDA(set(x, 2, streams.first));
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  CHECK(cudaEventQuery(streams.event) == cudaErrorNotReady);
  CHECK_CUDA(cudaEventQuery(streams.event));
  CHECK_CUDA(set(x, 3, streams.second));
  CHECK(cudaStreamQuery(streams.second) == cudaErrorNotReady);
  CHECK_CUDA(cudaStreamQuery(streams.second));
  CHECK(all_are(x, 3));
  gs_sim_set_lazy(before);
  cudaGetLastError();
}

// Streams that are made and destroyed, among graphs that outlive them.
void short_lives() {
  Array<float> x(std::vector<float>(n, 1));
  Array<float> y(std::vector<float>(n, 0));
  for (int i = 0; i < 20; i++) {
    cudaGraphExec_t exec = nullptr;
    {
      const Streams streams;
      cudaGraph_t graph = nullptr;
      CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeThreadLocal));
      CHECK_CUDA(add(x, y, streams.first));
      CHECK_CUDA(cudaStreamEndCapture(streams.first, &graph));
      CHECK_CUDA(cudaGraphInstantiate(&exec, graph, 0));
      CHECK_CUDA(cudaGraphDestroy(graph));
    }
    const Streams others;
    CHECK_CUDA(cudaGraphLaunch(exec, others.first));
    CHECK_CUDA(cudaStreamSynchronize(others.first));
    CHECK_CUDA(cudaGraphExecDestroy(exec));
  }
  CHECK(all_are(y, 20));
}

void work_of_one_thread(float first, bool *held) {
  const Streams streams;
  Array<float> x(n);
  for (int i = 0; i < 50; i++) CHECK_CUDA(set(x, first + static_cast<float>(i), streams.first));
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  *held = all_are(x, first + 49) && cudaSetDevice(7) == cudaErrorInvalidDevice &&
          cudaGetLastError() == cudaErrorInvalidDevice;
}

void host_threads() {
  bool held[2] = {false, false};
  std::thread other(work_of_one_thread, 1000.0f, &held[0]);
  work_of_one_thread(2000.0f, &held[1]);
  other.join();
  CHECK(held[0] && held[1]);
  CHECK(cudaGetLastError() == cudaSuccess); // every thread has its own
}

} // namespace

const Case right_stream_cases[] = {
    {"memory", memory},   {"devices", devices},         {"fork_and_join", fork_and_join},
    {"timing", timing},   {"uploads", uploads},         {"graphs", graphs},
    {"queries", queries}, {"short_lives", short_lives}, {"host_threads", host_threads},
    {nullptr, nullptr}};

} // namespace planted
