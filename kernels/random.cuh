/* The streams of base/random.h in kernels. The integers are cuRAND's own Philox4x32-10,
 * counter and key as base/random.h lays them; what is made of them is base/random.h's.
 *
 * Of cuRAND only this header is taken: it needs nothing but CUDA's vector types, and a
 * host compiler reads it as it is. */
#ifndef GS_KERNELS_RANDOM_CUH
#define GS_KERNELS_RANDOM_CUH

#include "kernels/language.h"

#include <curand_philox4x32_x.h>

#include "base/random.h"
#include "device/tensor.h"

namespace gs {

constexpr int ROUNDS = 10;

/* A tensor's stream of random numbers, of which every replica has its own part. Philox's
 * keys follow from the seed alone: laid out once, they are constants of the launch. */
struct Stream {
  uint32_t tensor_id;
  uint2 key[ROUNDS];
};

inline Stream make_stream(const gs_fill &fill) {
  Stream stream{};
  stream.tensor_id = fill.tensor_id;
  for (uint32_t i = 0; i < ROUNDS; i++) {
    stream.key[i] = {gs_random_key0(fill.seed, i), gs_random_key1(fill.seed, i)};
  }
  return stream;
}

/* Four words for elements 4 quad .. 4 quad + 3: curand_Philox4x32_10 with those keys. */
__device__ __forceinline__ uint4 random_words(const Stream &stream, uint32_t replica, int64_t quad,
                                              uint32_t attempt) {
  const uint64_t block = gs_random_block(static_cast<uint64_t>(quad) * 4, attempt);
  uint4 words = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), stream.tensor_id,
                 replica};
#pragma unroll
  for (int i = 0; i < ROUNDS; i++) words = _philox4x32round(words, stream.key[i]);
  return words;
}

/* U(-1, 1) for the four. */
__device__ __forceinline__ void random_uniforms(const uint4 &words, float out[4]) {
  out[0] = gs_random_symmetric(words.x);
  out[1] = gs_random_symmetric(words.y);
  out[2] = gs_random_symmetric(words.z);
  out[3] = gs_random_symmetric(words.w);
}

/* N(0, 1) for the four. */
__device__ __forceinline__ void random_normals(const uint4 &words, float out[4]) {
  gs_random_box_muller(words.x, words.y, &out[0], &out[1]);
  gs_random_box_muller(words.z, words.w, &out[2], &out[3]);
}

/* N(0, 1) for element 4 quad + j alone. */
__device__ __forceinline__ float random_normal(const Stream &stream, uint32_t replica, int64_t quad,
                                               int j, uint32_t attempt) {
  const uint4 words = random_words(stream, replica, quad, attempt);
  float first;
  float second;
  gs_random_box_muller(j & 2 ? words.z : words.x, j & 2 ? words.w : words.y, &first, &second);
  return j & 1 ? second : first;
}

} // namespace gs

#endif
