// Host code with one mistake each: a missing event, wait or join.
#include "planted.h"

namespace planted {
namespace {

constexpr int n = 1000;
constexpr size_t bytes = n * sizeof(float);

__global__ void set_kernel(float *x, float value, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] = value;
}

__global__ void add_kernel(const float *a, float *b, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) b[i] += a[i];
}

void set(Array<float> &x, float value, cudaStream_t stream) {
  CHECK_CUDA(gs_launch(set_kernel, 4, 256, 0, stream, x.data, value, n));
}

void add(const Array<float> &a, Array<float> &b, cudaStream_t stream) {
  CHECK_CUDA(gs_launch(add_kernel, 4, 256, 0, stream, a.data, b.data, n));
}

// The second stream reads what the first writes, and does not wait.
void missing_event() {
  const Streams streams;
  Array<float> x(std::vector<float>(n, 1));
  Array<float> y(n);
  set(y, 2, streams.first);
  add(y, x, streams.second);
  streams.synchronize();
  CHECK(x.values()[7] == 3);
}

// The first stream, which the host waits for, reads what the second writes.
void missing_join() {
  const Streams streams;
  Array<float> x(std::vector<float>(n, 1));
  Array<float> y(n);
  set(y, 2, streams.second);
  add(y, x, streams.first);
  streams.synchronize();
  CHECK(x.values()[7] == 3);
}

// The event is recorded before the write that it should announce.
void early_event() {
  const Streams streams;
  Array<float> x(std::vector<float>(n, 1));
  Array<float> y(n);
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  set(y, 2, streams.first);
  CHECK_CUDA(cudaStreamWaitEvent(streams.second, streams.event, 0));
  add(y, x, streams.second);
  streams.synchronize();
  CHECK(x.values()[7] == 3);
}

void host_does_not_wait() {
  const Streams streams;
  Array<float> x(n);
  std::vector<float> host(n, 1);
  set(x, 2, streams.first);
  CHECK_CUDA(cudaMemcpyAsync(host.data(), x.data, bytes, cudaMemcpyDeviceToHost, streams.first));
  CHECK(host[3] == 2);
}

void host_waits_for_other_stream() {
  const Streams streams;
  Array<float> x(n);
  std::vector<float> host(n, 1);
  set(x, 2, streams.first);
  CHECK_CUDA(cudaMemcpyAsync(host.data(), x.data, bytes, cudaMemcpyDeviceToHost, streams.first));
  CHECK_CUDA(cudaStreamSynchronize(streams.second));
  CHECK(host[3] == 2);
}

// Page-locked memory is read when the copy runs, not when it is enqueued.
void host_reuses_buffer() {
  const Streams streams;
  Array<float> x(n);
  void *pinned = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, bytes));
  auto *values = static_cast<float *>(pinned);
  values[3] = 1;
  CHECK_CUDA(cudaMemcpyAsync(x.data, pinned, bytes, cudaMemcpyHostToDevice, streams.first));
  values[3] = 2;
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  CHECK(x.values()[3] == 1);
  CHECK_CUDA(cudaFreeHost(pinned));
}

// Fork, one branch each, and a join, unless it is forgotten; y = x + y with `edge`.
void run_graph(bool edge, bool join) {
  const Streams streams;
  Array<float> x(n);
  Array<float> y(std::vector<float>(n, 1));
  CHECK_CUDA(cudaStreamBeginCapture(streams.first, cudaStreamCaptureModeGlobal));
  CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
  CHECK_CUDA(cudaStreamWaitEvent(streams.second, streams.event, 0));
  set(x, 2, streams.first);
  if (edge) {
    CHECK_CUDA(cudaEventRecord(streams.event, streams.first));
    CHECK_CUDA(cudaStreamWaitEvent(streams.second, streams.event, 0));
  }
  add(x, y, streams.second);
  if (join) {
    CHECK_CUDA(cudaEventRecord(streams.other_event, streams.second));
    CHECK_CUDA(cudaStreamWaitEvent(streams.first, streams.other_event, 0));
  }
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  CHECK_CUDA(cudaStreamEndCapture(streams.first, &graph));
  CHECK_CUDA(cudaGraphInstantiate(&exec, graph, 0));
  CHECK_CUDA(cudaGraphLaunch(exec, streams.first));
  CHECK_CUDA(cudaStreamSynchronize(streams.first));
  CHECK_CUDA(cudaGraphDestroy(graph));
  CHECK_CUDA(cudaGraphExecDestroy(exec));
  CHECK(y.values()[7] == 3);
}

void graph_without_edge() { run_graph(false, true); }
void graph_without_join() { run_graph(true, false); }

} // namespace

const Case wrong_stream_cases[] = {{"missing_event", missing_event},
                                   {"missing_join", missing_join},
                                   {"early_event", early_event},
                                   {"host_does_not_wait", host_does_not_wait},
                                   {"host_waits_for_other_stream", host_waits_for_other_stream},
                                   {"host_reuses_buffer", host_reuses_buffer},
                                   {"graph_without_edge", graph_without_edge},
                                   {"graph_without_join", graph_without_join},
                                   {nullptr, nullptr}};

} // namespace planted
