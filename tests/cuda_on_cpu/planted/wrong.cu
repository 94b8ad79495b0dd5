// Kernels with one mistake each, in their memory. Not every build can see every
// one: planted.py says which does.
#include "planted.h"

namespace planted {
namespace {

__global__ void set_kernel(float *x, float value, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] = value;
}

// One element too many: within the 256 bytes that allocations are aligned to.
void write_past_by_one() {
  Array<float> x(1000);
  run(set_kernel, 4, 256, x.data, 1.0f, 1001);
}

void write_far_past() {
  Array<float> x(1000);
  run(set_kernel, 20, 256, x.data, 1.0f, 5000);
}

__global__ void read_kernel(const float *x, float *out) { out[0] = x[0]; }

void read_after_free() {
  Array<float> out(1);
  float *stale = nullptr;
  {
    Array<float> x(100000);
    stale = x.data;
  }
  // The address is known to be no device memory's; from a struct it is not checked.
  struct Hidden {
    const float *x;
  };
  const auto kernel = +[](Hidden hidden, float *result) { result[0] = hidden.x[5]; };
  run(kernel, 1, 1, Hidden{stale}, out.data);
}

void host_pointer_argument() {
  float host[4] = {};
  run(set_kernel, 1, 4, static_cast<float *>(host), 1.0f, 4);
}

void host_reads_device_memory() {
  Array<float> x(100);
  run(set_kernel, 1, 100, x.data, 1.0f, 100);
  std::printf("%g\n", static_cast<double>(x.data[3]));
}

void copy_too_long() {
  Array<float> x(10);
  std::vector<float> host(11);
  CHECK_CUDA(cudaMemcpy(host.data(), x.data, 44, cudaMemcpyDeviceToHost));
}

void copy_wrong_way() {
  Array<float> x(10);
  std::vector<float> host(10);
  CHECK_CUDA(cudaMemcpy(x.data, host.data(), 40, cudaMemcpyDeviceToHost));
}

void uninitialised_device_memory() {
  Array<float> x(10);
  Array<float> out(1);
  run(read_kernel, 1, 1, static_cast<const float *>(x.data), out.data);
  CHECK(out.values()[0] == 0);
}

__global__ void uninitialised_kernel(float *out) {
  GS_SHARED_ARRAY(float, sums, [32]);
  if (threadIdx.x > 0) sums[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x > 0) return;
  float total = 0;
  for (const float sum : sums) total += sum;
  out[blockIdx.x] = total;
}

void uninitialised_shared_memory() {
  Array<float> out(3);
  run(uninitialised_kernel, 3, 32, out.data);
  for (const float total : out.values()) CHECK(total == 31);
}

__global__ void shared_past_kernel(float *out) {
  GS_SHARED_ARRAY(float, s, [60]);
  s[threadIdx.x + 1] = 1;
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

void shared_past_end() {
  Array<float> out(60);
  run(shared_past_kernel, 1, 60, out.data);
}

void leak() {
  float *x = nullptr;
  CHECK_CUDA(cudaMalloc(reinterpret_cast<void **>(&x), 100));
  cudaStream_t stream = nullptr;
  CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
}

__attribute__((noinline)) int deep(int n, int *out) {
  volatile int local[256];
  for (int &each : *const_cast<int(*)[256]>(&local)) each = n;
  return n > 0 ? deep(n - 1, out) + local[n % 256] : out[0];
}

__global__ void deep_kernel(int *out) { out[0] = deep(100000, out); }

void stack_overflow() {
  Array<int> out(std::vector<int>{0});
  run(deep_kernel, 1, 1, out.data);
}

__global__ void overflow_kernel(int *x) { x[1] = x[0] + 1; }

void integer_overflow() {
  Array<int> x(std::vector<int>{0x7fffffff, 0});
  run(overflow_kernel, 1, 1, x.data);
}

} // namespace

const Case wrong_cases[] = {{"write_past_by_one", write_past_by_one},
                            {"write_far_past", write_far_past},
                            {"read_after_free", read_after_free},
                            {"host_pointer_argument", host_pointer_argument},
                            {"host_reads_device_memory", host_reads_device_memory},
                            {"copy_too_long", copy_too_long},
                            {"copy_wrong_way", copy_wrong_way},
                            {"uninitialised_device_memory", uninitialised_device_memory},
                            {"uninitialised_shared_memory", uninitialised_shared_memory},
                            {"shared_past_end", shared_past_end},
                            {"leak", leak},
                            {"stack_overflow", stack_overflow},
                            {"integer_overflow", integer_overflow},
                            {nullptr, nullptr}};

} // namespace planted
