// The integers of base/random.h against cuRAND's own device functions, which its
// header also gives to the host: no GPU is needed, only the toolkit. C++ because
// the header is.
#include <cuda_runtime.h>

#define QUALIFIERS static inline
#include <curand_kernel.h>

#include <cmath>
#include <cstdio>

#include "base/random.h"

namespace {

int failures = 0;
long compared = 0;

void compare(uint64_t seed, uint32_t tensor_id, uint32_t replica, uint64_t block) {
  const uint64_t subsequence = static_cast<uint64_t>(replica) << 32 | tensor_id;
  curandStatePhilox4_32_10_t state;
  curand_init(seed, subsequence, 4 * block, &state);
  const uint4 theirs = curand4(&state);
  const gs_random_words ours = gs_random_philox(seed, block, tensor_id, replica);
  compared++;
  if (theirs.x == ours.word[0] && theirs.y == ours.word[1] && theirs.z == ours.word[2] &&
      theirs.w == ours.word[3])
    return;
  failures++;
  std::printf("seed %llx tensor %x replica %x block %llx: other words\n",
              static_cast<unsigned long long>(seed), tensor_id, replica,
              static_cast<unsigned long long>(block));
}

// Blocks up to 2^62 - 1, the last that an offset of 64 bits reaches.
void compare_edges() {
  const uint64_t seeds[] = {0, 1, 0x123456789abcdef, 0xffffffff00000000, ~uint64_t{0}};
  const uint32_t ids[] = {0, 1, 7, 0x7fffffff, 0x80000000, 0xffffffff};
  const uint64_t blocks[] = {0,
                             1,
                             255,
                             0xfffffffe,
                             0xffffffff,
                             0x100000000,
                             uint64_t{1} << 40,
                             gs_random_block(123456789, 1),
                             gs_random_block(~uint64_t{0} >> 8, 5),
                             (uint64_t{1} << 62) - 1};
  for (const uint64_t seed : seeds)
    for (const uint32_t tensor_id : ids)
      for (const uint32_t replica : ids)
        for (const uint64_t block : blocks) compare(seed, tensor_id, replica, block);
}

void compare_many() {
  for (uint64_t i = 0; i < 200000; i++) {
    const uint64_t bits = gs_hash_mix(3 * i);
    compare(gs_hash_mix(3 * i + 1), static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32),
            gs_hash_mix(3 * i + 2) >> (2 + i % 60));
  }
}

// A stream as curand_init and successive curand4 give it.
void compare_run() {
  curandStatePhilox4_32_10_t state;
  curand_init(42, uint64_t{5} << 32 | 9, 0, &state);
  for (uint64_t block = 0; block < 10000; block++) {
    const uint4 theirs = curand4(&state);
    const gs_random_words ours = gs_random_philox(42, block, 9, 5);
    compared++;
    if (theirs.x != ours.word[0] || theirs.w != ours.word[3]) failures++;
  }
}

// The tail: the smallest word gives the largest normal, as far out as cuRAND's.
void compare_tail() {
  float first;
  float second;
  gs_random_box_muller(0, 0x20000000u, &first, &second);
  double theirs = 0;
  for (unsigned int i = 0; i < 4096; i++) {
    const float2 pair = _curand_box_muller(0, i << 20);
    theirs = std::fmax(theirs, std::fmax(std::fabs(double{pair.x}), std::fabs(double{pair.y})));
  }
  if (!(double{second} >= theirs - 1e-5)) {
    failures++;
    std::printf("tail ends at %.7f, cuRAND's at %.7f\n", double{second}, theirs);
  }
}

} // namespace

int main() {
  compare_edges();
  compare_many();
  compare_run();
  compare_tail();
  std::printf("%ld blocks compared with cuRAND, %d failures\n", compared, failures);
  return failures == 0 ? 0 : 1;
}
