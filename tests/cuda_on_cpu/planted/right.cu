// Kernels without a mistake: every part of the device language gives what CUDA
// defines, in every order of threads.
#include "planted.h"

#include <cmath>

namespace planted {
namespace {

constexpr unsigned all_lanes = 0xffffffffu;

// ---- indices and shared memory -------------------------------------------------

__global__ void index_kernel(unsigned *seen) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  atomicAdd(&seen[block * threads + thread], 1u);
}

void indices() {
  const unsigned count = 2 * 3 * 5 * 7 * 4 * 3;
  Array<unsigned> seen(std::vector<unsigned>(count, 0));
  CHECK_CUDA(gs_launch(index_kernel, dim3(2, 3, 5), dim3(7, 4, 3), 0, nullptr, seen.data));
  for (const unsigned times : seen.values()) CHECK(times == 1);
}

template <int threads> __device__ float block_sum(float value) {
  GS_SHARED_ARRAY(float, part, [threads]);
  part[threadIdx.x] = value;
  for (unsigned distance = threads / 2; distance > 0; distance /= 2) {
    __syncthreads();
    if (threadIdx.x < distance) part[threadIdx.x] += part[threadIdx.x + distance];
  }
  __syncthreads();
  const float sum = part[0];
  __syncthreads();
  return sum;
}

__global__ void __launch_bounds__(64) sum_kernel(const float *x, float *sums) {
  const float once = block_sum<64>(x[blockIdx.x * 64 + threadIdx.x]);
  const float twice = block_sum<64>(once);
  if (threadIdx.x == 0) sums[blockIdx.x] = once + twice;
}

void block_sums() {
  std::vector<float> x(5 * 64);
  for (size_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(i % 7);
  Array<float> device_x(x);
  Array<float> sums(5);
  CHECK_CUDA(gs_launch(sum_kernel, 5, 64, 0, nullptr, device_x.data, sums.data));
  const std::vector<float> result = sums.values();
  for (size_t block = 0; block < 5; block++) {
    float sum = 0;
    for (size_t i = 0; i < 64; i++) sum += x[block * 64 + i];
    CHECK(result[block] == 65 * sum);
  }
}

__global__ void dynamic_kernel(int *out, int n) {
  GS_DYNAMIC_SHARED(int, reversed);
  GS_SHARED_ARRAY(int, table, [3][5]);
  const int i = static_cast<int>(threadIdx.x);
  reversed[n - 1 - i] = i;
  if (i < 15) table[i / 5][i % 5] = 100 * i;
  __syncthreads();
  out[i] = reversed[i] + table[i % 3][i % 5];
}

void dynamic_shared() {
  const int n = 100;
  Array<int> out(n);
  CHECK_CUDA(gs_launch(dynamic_kernel, 1, n, n * sizeof(int), nullptr, out.data, n));
  const std::vector<int> result = out.values();
  for (int i = 0; i < n; i++)
    CHECK(result[static_cast<size_t>(i)] == n - 1 - i + 100 * (i % 3 * 5 + i % 5));
  CHECK(gs_launch(dynamic_kernel, 1, n, 49 << 10, nullptr, out.data, n) == cudaErrorInvalidValue);
  CHECK_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void *>(dynamic_kernel),
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10));
  CHECK_CUDA(gs_launch(dynamic_kernel, 1, n, 100 << 10, nullptr, out.data, n));
  CHECK_CUDA(cudaDeviceSynchronize());
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
  CHECK(cudaGetLastError() == cudaSuccess);
}

// ---- warps ---------------------------------------------------------------------

__global__ void warp_kernel(int *out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int mine = 100 + lane;
  int *row = out + threadIdx.x * 12;
  row[0] = __shfl_sync(all_lanes, mine, 3);
  row[1] = __shfl_sync(all_lanes, mine, lane + 1, 8);
  row[2] = __shfl_xor_sync(all_lanes, mine, 5);
  row[3] = __shfl_down_sync(all_lanes, mine, 4);
  row[4] = __shfl_up_sync(all_lanes, mine, 4);
  row[5] = __shfl_down_sync(all_lanes, mine, 3, 16);
  row[6] = static_cast<int>(__ballot_sync(all_lanes, lane % 3 == 0));
  row[7] = __any_sync(all_lanes, lane == 31) + 2 * __any_sync(all_lanes, lane > 31);
  row[8] = __all_sync(all_lanes, lane < 32) + 2 * __all_sync(all_lanes, lane > 0);
  const unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  row[9] = __shfl_xor_sync(half, mine, 1);
  row[10] = static_cast<int>(__shfl_sync(all_lanes, 1e300 * lane, 2) / 1e300 + 0.5);
  __syncwarp();
  row[11] = __popc(__ballot_sync(half, 1));
}

void warps() {
  Array<int> out(64 * 12);
  CHECK_CUDA(gs_launch(warp_kernel, 1, 64, 0, nullptr, out.data));
  const std::vector<int> result = out.values();
  for (int thread = 0; thread < 64; thread++) {
    const int lane = thread % 32;
    const int *row = &result[static_cast<size_t>(thread) * 12];
    CHECK(row[0] == 103);
    CHECK(row[1] == 100 + lane / 8 * 8 + (lane + 1) % 8);
    CHECK(row[2] == 100 + (lane ^ 5));
    CHECK(row[3] == 100 + (lane + 4 < 32 ? lane + 4 : lane));
    CHECK(row[4] == 100 + (lane >= 4 ? lane - 4 : lane));
    CHECK(row[5] == 100 + (lane % 16 + 3 < 16 ? lane + 3 : lane));
    CHECK(row[6] == 0x49249249);
    CHECK(row[7] == 1);
    CHECK(row[8] == 1);
    CHECK(row[9] == 100 + (lane ^ 1));
    CHECK(row[10] == 2);
    CHECK(row[11] == 16);
  }
}

// ---- atomics and fences ----------------------------------------------------------

__global__ void atomic_kernel(unsigned *u, int *i, unsigned long long *w, float *f, double *d) {
  const unsigned n = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&u[0], 1u);
  atomicMax(&u[1], n);
  atomicMin(&u[2], n);
  atomicOr(&u[3], 1u << n % 32);
  atomicInc(&u[4], 9u);
  atomicCAS(&u[5], 0u, n + 1);
  atomicMin(&i[0], -static_cast<int>(n));
  atomicMax(&i[1], static_cast<int>(n));
  atomicAdd(&w[0], 1ull << 33);
  atomicMax(&w[1], static_cast<unsigned long long>(n) << 32);
  atomicAdd(f, 0.5f);
  atomicAdd(d, 0.25);
}

void atomics() {
  Array<unsigned> u(std::vector<unsigned>{0, 0, 1000, 0, 0, 0});
  Array<int> i(std::vector<int>{0, 0});
  Array<unsigned long long> w(std::vector<unsigned long long>{0, 0});
  Array<float> f(std::vector<float>{0});
  Array<double> d(std::vector<double>{0});
  CHECK_CUDA(gs_launch(atomic_kernel, 4, 50, 0, nullptr, u.data, i.data, w.data, f.data, d.data));
  const std::vector<unsigned> result = u.values();
  CHECK(result[0] == 200 && result[1] == 199 && result[2] == 0);
  CHECK(result[3] == 0xffffffffu && result[4] == 0 && result[5] >= 1 && result[5] <= 200);
  CHECK(i.values()[0] == -199 && i.values()[1] == 199);
  CHECK(w.values()[0] == 200ull << 33 && w.values()[1] == 199ull << 32);
  CHECK(f.values()[0] == 100 && d.values()[0] == 50);
}

// The last block to arrive sums what all have written.
__global__ void last_block_kernel(const float *x, float *parts, unsigned *arrived, float *sum) {
  GS_SHARED_ARRAY(bool, is_last, [1]);
  const float part = block_sum<64>(x[blockIdx.x * 64 + threadIdx.x]);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = part;
    __threadfence();
    is_last[0] = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (is_last[0] && threadIdx.x == 0) {
    float total = 0;
    for (unsigned i = 0; i < gridDim.x; i++) total += parts[i];
    *sum = total;
  }
}

void last_block() {
  Array<float> x(std::vector<float>(8 * 64, 1.0f));
  Array<float> parts(8);
  Array<float> sum(1);
  Array<unsigned> arrived(std::vector<unsigned>{0});
  for (int i = 0; i < 3; i++)
    CHECK_CUDA(gs_launch(last_block_kernel, 8, 64, 0, nullptr, x.data, parts.data, arrived.data,
                         sum.data));
  CHECK(sum.values()[0] == 512);
}

// ---- cooperative launches --------------------------------------------------------

// All blocks of a cooperative launch wait here for each other. `round` counts
// from 1; the counter is never reset.
__device__ void grid_barrier(unsigned *counter, unsigned round) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(counter, 1u);
    while (gs_flag_load(counter) < round * gridDim.x) GS_SPIN_PAUSE();
    __threadfence();
  }
  __syncthreads();
}

// Every round each element becomes the sum of its neighbours, across blocks.
__global__ void rounds_kernel(unsigned *a, unsigned *b, unsigned rounds, unsigned *counter) {
  const unsigned n = gridDim.x * blockDim.x;
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  for (unsigned round = 1; round <= rounds; round++) {
    b[i] = a[(i + 1) % n] + a[(i + n - 1) % n];
    grid_barrier(counter, round);
    unsigned *swapped = a;
    a = b;
    b = swapped;
  }
}

void cooperative() {
  const unsigned n = 8 * 48;
  const unsigned rounds = 6;
  std::vector<unsigned> a(n);
  for (unsigned i = 0; i < n; i++) a[i] = i * i % 17;
  Array<unsigned> device_a(a);
  Array<unsigned> device_b(n);
  Array<unsigned> counter(std::vector<unsigned>{0});
  CHECK_CUDA(gs_launch_cooperative(rounds_kernel, 8, 48, 0, nullptr, device_a.data, device_b.data,
                                   rounds, counter.data));
  for (unsigned round = 0; round < rounds; round++) {
    std::vector<unsigned> b(n);
    for (unsigned i = 0; i < n; i++) b[i] = a[(i + 1) % n] + a[(i + n - 1) % n];
    a = b;
  }
  CHECK(device_a.values() == a);

  int per_multiprocessor = 0;
  int multiprocessors = 0;
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
      &per_multiprocessor, reinterpret_cast<const void *>(rounds_kernel), 256, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  const auto fit = static_cast<unsigned>(per_multiprocessor * multiprocessors);
  CHECK(fit >= 4);
  CHECK_CUDA(cudaMemset(counter.data, 0, sizeof(unsigned)));
  Array<unsigned> large_a(size_t{fit} * 256);
  Array<unsigned> large_b(size_t{fit} * 256);
  CHECK_CUDA(gs_launch_cooperative(rounds_kernel, fit, 256, 0, nullptr, large_a.data, large_b.data,
                                   2u, counter.data));
  CHECK(gs_launch_cooperative(rounds_kernel, fit + 1, 256, 0, nullptr, large_a.data, large_b.data,
                              2u, counter.data) == cudaErrorCooperativeLaunchTooLarge);
  CHECK_CUDA(cudaDeviceSynchronize());
}

// ---- arguments and limits --------------------------------------------------------

struct Table {
  int entries[7000];
};

__global__ void table_kernel(const __grid_constant__ Table table, double scale, double *out) {
  out[threadIdx.x] = scale * table.entries[threadIdx.x * 200];
}

__global__ void touch_kernel(float *x) { x[0] = 1; }

void arguments() {
  Array<double> out(32);
  {
    Table table;
    for (int i = 0; i < 7000; i++) table.entries[i] = 3 * i;
    CHECK_CUDA(gs_launch(table_kernel, 1, 32, 0, nullptr, table, 2, out.data)); // int to double
    table.entries[200] = -1; // too late to matter
  }
  const std::vector<double> result = out.values();
  for (size_t i = 0; i < 32; i++) CHECK(result[i] == 1200.0 * static_cast<double>(i));

  Array<float> x(1);
  CHECK(gs_launch(touch_kernel, 1, 2048, 0, nullptr, x.data) == cudaErrorInvalidConfiguration);
  CHECK(gs_launch(touch_kernel, 0, 32, 0, nullptr, x.data) == cudaErrorInvalidConfiguration);
  CHECK(gs_launch(touch_kernel, dim3(1, 65536), 32, 0, nullptr, x.data) ==
        cudaErrorInvalidConfiguration);
  CHECK(std::isnan(x.values()[0]));
  CHECK_CUDA(gs_launch(touch_kernel, 1, 1, 0, nullptr, x.data));
  CHECK(x.values()[0] == 1);
  cudaGetLastError();
}

} // namespace

const Case right_cases[] = {{"indices", indices},
                            {"block_sums", block_sums},
                            {"dynamic_shared", dynamic_shared},
                            {"warps", warps},
                            {"atomics", atomics},
                            {"last_block", last_block},
                            {"cooperative", cooperative},
                            {"arguments", arguments},

                            {nullptr, nullptr}};

} // namespace planted
