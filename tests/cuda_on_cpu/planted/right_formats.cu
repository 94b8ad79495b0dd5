// Number formats, random numbers and bits in kernels.
#include "planted.h"

#include <cmath>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <curand_philox4x32_x.h>

namespace planted {
namespace {

__global__ void format_kernel(float *out, unsigned *words, __nv_bfloat16 *narrow) {
  const float x = 1.0f + 1.0f / 256.0f * static_cast<float>(threadIdx.x);
  out[2 * threadIdx.x] = __bfloat162float(__float2bfloat16_rn(x));
  out[2 * threadIdx.x + 1] = __half2float(__float2half_rn(x * 65520.0f));
  narrow[threadIdx.x] = __float2bfloat16_rn(x);
  const uint4 drawn = curand_Philox4x32_10(make_uint4(threadIdx.x, 0, 0, 0), make_uint2(7, 9));
  words[threadIdx.x] = drawn.x ^ drawn.w;
}

void formats() {
  Array<float> out(8);
  Array<unsigned> words(4);
  Array<__nv_bfloat16> narrow(4);
  CHECK_CUDA(gs_launch(format_kernel, 1, 4, 0, nullptr, out.data, words.data, narrow.data));
  const std::vector<float> result = out.values();
  CHECK(result[0] == 1 && result[2] == 1 && result[4] == 1 + 1.0f / 128);
  CHECK(result[6] == 1 + 1.0f / 64); // a tie goes to the even neighbour
  CHECK(std::isinf(result[1]));
  const std::vector<unsigned> drawn = words.values();
  for (unsigned i = 0; i < 4; i++) {
    const uint4 expected = curand_Philox4x32_10(make_uint4(i, 0, 0, 0), make_uint2(7, 9));
    CHECK(drawn[i] == (expected.x ^ expected.w));
  }
}

__global__ void bits_kernel(int *out) {
  out[0] = __clz(1) + __clz(0) + __clzll(1ll << 40);
  out[1] = __popc(0xf0f0u) + __ffs(8) + __ffs(0);
  out[2] = static_cast<int>(__umulhi(0x80000000u, 6u));
  out[3] = __float_as_int(__int_as_float(0x7fc00001));
  out[4] = __double_as_longlong(1.0) == 0x3ff0000000000000ll;
  out[5] = min(3, -2) == -2 && max(7u, 9u) == 9 && fmaf(2, 3, 4) == 10;
}

void bits() {
  Array<int> out(6);
  CHECK_CUDA(gs_launch(bits_kernel, 1, 1, 0, nullptr, out.data));
  CHECK(out.values() == (std::vector<int>{31 + 32 + 23, 8 + 4, 3, 0x7fc00001, 1, 1}));
}

} // namespace

const Case right_format_cases[] = {{"formats", formats}, {"bits", bits}, {nullptr, nullptr}};

} // namespace planted
