/* Random numbers that are the same bits on every machine, and the hash that
 * shows it. Valid in C11, C++17 and CUDA C++, so that kernels draw the same.
 *
 * Bits come from Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011), a pure function of key and counter:
 *
 *   key      seed
 *   counter  word 0, 1: block = index / 4, and in the top byte the attempt
 *            word 2: tensor id, word 3: replica
 *
 * so element `index` of a tensor depends on nothing but these. The integers are
 * those of curand_init(seed, replica << 32 | tensor_id, 4 * block) and curand4.
 *
 * The way from integers to floats uses only operations that IEEE 754 rounds
 * correctly: conversion, +, *, /, sqrt and an explicit fma; no libm. Products
 * are never added outside an fma, so a compiler has nothing to contract.
 *
 *   normal     Box-Muller: words 0, 1 give elements 0, 1 of a block, words 2, 3
 *              elements 2, 3. Within 1e-6 of exact arithmetic on the same rounded
 *              uniform (a typical error is 5e-8), |x| < 6.764.
 *   uniform    one word each, on (-1, 1): odd multiples of 2^-24.
 *   two uniforms  the sum of a uniform of tensor id k and one of k + 1: exact, because
 *              both are multiples of 2^-24 and the sum is one of 2^-23.
 *   truncated  a normal, drawn again (attempt 1, 2, ...) until |x| < 2. */
#ifndef GS_BASE_RANDOM_H
#define GS_BASE_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/portable.h"

enum { GS_RANDOM_MAX_ATTEMPTS = 256 }; /* the attempt is one byte of the counter */

/* ---- correctly rounded float32 operations ---- */

#ifdef __CUDA_ARCH__
GS_PORTABLE_FN float gs_float_fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
GS_PORTABLE_FN float gs_float_mul(float a, float b) { return __fmul_rn(a, b); }
GS_PORTABLE_FN float gs_float_add(float a, float b) { return __fadd_rn(a, b); }
GS_PORTABLE_FN float gs_float_div(float a, float b) { return __fdiv_rn(a, b); }
GS_PORTABLE_FN float gs_float_sqrt(float a) { return __fsqrt_rn(a); }
#else
GS_PORTABLE_FN float gs_float_fma(float a, float b, float c) { return fmaf(a, b, c); }
GS_PORTABLE_FN float gs_float_mul(float a, float b) { return a * b; }
GS_PORTABLE_FN float gs_float_add(float a, float b) { return a + b; }
GS_PORTABLE_FN float gs_float_div(float a, float b) { return a / b; }
GS_PORTABLE_FN float gs_float_sqrt(float a) { return sqrtf(a); }
#endif

/* ---- integers ---- */

typedef struct gs_random_words {
  uint32_t word[4];
} gs_random_words;

/* Words 0 and 1 of the counter: which four elements, and which try. */
GS_PORTABLE_FN uint64_t gs_random_block(uint64_t index, uint32_t attempt) {
  return (index >> 2) | (uint64_t)attempt << 56;
}

/* One of Philox's ten rounds, with that round's key. */
GS_PORTABLE_FN void gs_random_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3,
                                    uint32_t key0, uint32_t key1) {
  const uint64_t product0 = (uint64_t)0xD2511F53u * *c0;
  const uint64_t product1 = (uint64_t)0xCD9E8D57u * *c2;
  *c0 = (uint32_t)(product1 >> 32) ^ *c1 ^ key0;
  *c2 = (uint32_t)(product0 >> 32) ^ *c3 ^ key1;
  *c1 = (uint32_t)product1;
  *c3 = (uint32_t)product0;
}

/* The key of round 0, 1, ...: the seed's halves plus multiples of two constants. */
GS_PORTABLE_FN uint32_t gs_random_key0(uint64_t seed, uint32_t round) {
  return (uint32_t)seed + round * 0x9E3779B9u;
}
GS_PORTABLE_FN uint32_t gs_random_key1(uint64_t seed, uint32_t round) {
  return (uint32_t)(seed >> 32) + round * 0xBB67AE85u;
}

/* Philox4x32-10: four words for a block of four elements. */
GS_PORTABLE_FN gs_random_words gs_random_philox(uint64_t seed, uint64_t block, uint32_t tensor_id,
                                                uint32_t replica) {
  gs_random_words c = {{(uint32_t)block, (uint32_t)(block >> 32), tensor_id, replica}};
  for (uint32_t round = 0; round < 10; round++) {
    gs_random_round(&c.word[0], &c.word[1], &c.word[2], &c.word[3], gs_random_key0(seed, round),
                    gs_random_key1(seed, round));
  }
  return c;
}

/* ---- floats ---- */

/* (x + 1/2) / 2^32, rounded: from 2^-33 up to 1 itself, whose logarithm, 0, makes
 * a normal of 0. */
GS_PORTABLE_FN float gs_random_unit(uint32_t x) {
  return gs_float_fma((float)x, 0x1p-32f, 0x1p-33f);
}

/* f / (2 + f), correctly rounded, for the f of gs_random_log, without a division: an
 * estimate of 1 / (2 + f), Newton's step, the product, and the share of its remainder.
 * The quotient is right for each of the 2^23 f (test_random.c tries them all). */
GS_PORTABLE_FN float gs_random_ratio(float f) {
  const float d = gs_float_add(2.0f, f);
  float r = gs_float_fma(f, -0.0584f, 0.1275f);
  r = gs_float_fma(f, r, -0.25016f);
  r = gs_float_fma(f, r, 0.5f);
  r = gs_float_fma(r, gs_float_fma(-d, r, 1.0f), r);
  const float quotient = gs_float_mul(f, r);
  return gs_float_fma(gs_float_fma(-d, quotient, f), r, quotient);
}

/* log(u) for normal u > 0, within 2 units in the last place: u = 2^e (1 + f) with
 * 1 + f in [sqrt(1/2), sqrt(2)), and log(1 + f) = 2 atanh(f / (2 + f)) by its
 * series to the ninth power. */
GS_PORTABLE_FN float gs_random_log(float u) {
  const uint32_t bits = gs_float_bits(u);
  const uint32_t shifted = (bits - 0x3f3504f4u) & 0xff800000u; /* 2^23 e; 0x3f3504f4: sqrt(1/2) */
  const float f = gs_float_add(gs_float_from_bits(bits - shifted), -1.0f);
#ifdef __CUDA_ARCH__
  const float s = gs_random_ratio(f); /* a GPU's division takes branches, */
#else
  const float s = gs_float_div(f, gs_float_add(2.0f, f)); /* a CPU's is one instruction */
#endif
  const float z = gs_float_mul(s, s);
  float p = gs_float_fma(z, 1.0f / 9, 1.0f / 7);
  p = gs_float_fma(z, p, 0.2f);
  p = gs_float_fma(z, p, 1.0f / 3);
  p = gs_float_mul(gs_float_mul(p, z), s);
  const float log1p = gs_float_fma(2.0f, p, gs_float_mul(2.0f, s));
  const float e = (float)(int32_t)shifted; /* log(2) 2^-23 in two parts, the first of 24 bits */
  return gs_float_fma(e, 0x1.62e430p-24f, gs_float_fma(e, -0x1.05c610p-52f, log1p));
}

/* Sine and cosine of 2 pi ((x + 1/2) / 2^32 - 1/8): a quarter turn from the top
 * two bits, and an angle t in [-pi/4, pi/4] from the other thirty (Taylor). */
GS_PORTABLE_FN void gs_random_sincos(uint32_t x, float *sine, float *cosine) {
  const int32_t centred = (int32_t)((x << 2) + 0x80000000u); /* in steps of 4 */
  const float t =
      gs_float_mul(gs_float_fma((float)centred, 0x1p-32f, 0x1p-31f), 0x1.921fb6p+0f); /* pi/2 */
  const float z = gs_float_mul(t, t);
  float s = gs_float_fma(z, 2.75573192e-6f, -1.98412698e-4f); /* 1/9!, -1/7! */
  s = gs_float_fma(z, s, 8.33333377e-3f);
  s = gs_float_fma(z, s, -0.166666672f);
  s = gs_float_fma(gs_float_mul(s, z), t, t);
  float c = gs_float_fma(z, -2.75573192e-7f, 2.48015876e-5f); /* -1/10!, 1/8! */
  c = gs_float_fma(z, c, -1.38888892e-3f);
  c = gs_float_fma(z, c, 4.16666679e-2f);
  c = gs_float_fma(z, c, -0.5f);
  c = gs_float_fma(z, c, 1.0f);
  /* Quarter turns 1 and 3 swap the two; 2 and 3 negate the sine, 1 and 2 the cosine. */
  const uint32_t swap = (x >> 30) & 1u;
  const uint32_t s_bits = gs_float_bits(s);
  const uint32_t c_bits = gs_float_bits(c);
  *sine = gs_float_from_bits((swap ? c_bits : s_bits) ^ (x & 0x80000000u));
  *cosine = gs_float_from_bits((swap ? s_bits : c_bits) ^ ((x + 0x40000000u) & 0x80000000u));
}

/* Two independent N(0, 1) from two words: radius from the first, angle from the
 * second. */
GS_PORTABLE_FN void gs_random_box_muller(uint32_t radius_word, uint32_t angle_word, float *first,
                                         float *second) {
  float sine;
  float cosine;
  const float log_u = gs_random_log(gs_random_unit(radius_word));
  const float radius = gs_float_sqrt(gs_float_mul(-2.0f, log_u));
  gs_random_sincos(angle_word, &sine, &cosine);
  *first = gs_float_mul(radius, sine);
  *second = gs_float_mul(radius, cosine);
}

/* U(-1, 1): (2 s + 1) / 2^24 with s the word's top 24 bits as a signed number;
 * exact, symmetric, never 0. */
GS_PORTABLE_FN float gs_random_symmetric(uint32_t x) {
  const int32_t s = (int32_t)(x >> 8) - (int32_t)((x >> 31) << 24);
  return gs_float_mul((float)(2 * s + 1), 0x1p-24f);
}

/* ---- one element of a stream ---- */

GS_PORTABLE_FN float gs_random_normal_attempt(uint64_t index, uint32_t attempt, uint64_t seed,
                                              uint32_t tensor_id, uint32_t replica) {
  const gs_random_words c =
      gs_random_philox(seed, gs_random_block(index, attempt), tensor_id, replica);
  const int upper = (int)((index >> 1) & 1u);
  float first;
  float second;
  gs_random_box_muller(upper ? c.word[2] : c.word[0], upper ? c.word[3] : c.word[1], &first,
                       &second);
  return index & 1u ? second : first;
}

/* N(0, 1). */
GS_PORTABLE_FN float gs_random_normal_at(uint64_t index, uint64_t seed, uint32_t tensor_id,
                                         uint32_t replica) {
  return gs_random_normal_attempt(index, 0, seed, tensor_id, replica);
}

/* U(-1, 1). */
GS_PORTABLE_FN float gs_random_uniform_at(uint64_t index, uint64_t seed, uint32_t tensor_id,
                                          uint32_t replica) {
  const gs_random_words c = gs_random_philox(seed, gs_random_block(index, 0), tensor_id, replica);
  return gs_random_symmetric(c.word[index & 3u]);
}

/* The sum of two U(-1, 1), of this tensor id and the next. */
GS_PORTABLE_FN float gs_random_two_uniforms_at(uint64_t index, uint64_t seed, uint32_t tensor_id,
                                               uint32_t replica) {
  return gs_float_add(gs_random_uniform_at(index, seed, tensor_id, replica),
                      gs_random_uniform_at(index, seed, tensor_id + 1, replica));
}

/* N(0, 1) conditioned on |x| < 2: the first attempt from `attempt` on that falls
 * inside. All attempts fail with probability 1e-343, and then it is 0. */
GS_PORTABLE_FN float gs_random_truncated_from(uint64_t index, uint32_t attempt, uint64_t seed,
                                              uint32_t tensor_id, uint32_t replica) {
  for (; attempt < (uint32_t)GS_RANDOM_MAX_ATTEMPTS; attempt++) {
    const float x = gs_random_normal_attempt(index, attempt, seed, tensor_id, replica);
    if (x > -2.0f && x < 2.0f) return x;
  }
  return 0.0f;
}

GS_PORTABLE_FN float gs_random_truncated_at(uint64_t index, uint64_t seed, uint32_t tensor_id,
                                            uint32_t replica) {
  return gs_random_truncated_from(index, 0, seed, tensor_id, replica);
}

/* ---- hash ---- */

/* SplitMix64's finaliser (Steele, Lea, Flood 2014, Stafford's variant 13). */
GS_PORTABLE_FN uint64_t gs_hash_mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* Hash of one element: its index and the bits of its float32. Summed modulo 2^64
 * over elements, in any order, it is the hash of a tensor. */
GS_PORTABLE_FN uint64_t gs_hash_element(uint32_t tensor_id, uint64_t index, uint32_t bits) {
  const uint64_t address = gs_hash_mix(index + ((uint64_t)tensor_id + 1) * 0x9E3779B97F4A7C15u);
  return gs_hash_mix(address + bits * 0xD1342543DE82EF95u);
}

/* ---- whole ranges (random.c) ---- */

#ifdef __cplusplus
extern "C" {
#endif

/* Elements [first, first + count) of a stream into out[0 .. count): the same
 * bits however the range is cut, and as the _at functions above. */
void gs_random_normal(float *out, uint64_t first, size_t count, uint64_t seed, uint32_t tensor_id,
                      uint32_t replica);
void gs_random_uniform(float *out, uint64_t first, size_t count, uint64_t seed, uint32_t tensor_id,
                       uint32_t replica);
void gs_random_two_uniforms(float *out, uint64_t first, size_t count, uint64_t seed,
                            uint32_t tensor_id, uint32_t replica);
void gs_random_truncated(float *out, uint64_t first, size_t count, uint64_t seed,
                         uint32_t tensor_id, uint32_t replica);

/* Sum of gs_hash_element over values[0 .. count), which are elements [first,
 * first + count) of the tensor. */
uint64_t gs_hash_floats(const float *values, uint64_t first, size_t count, uint32_t tensor_id);

#ifdef __cplusplus
}
#endif

#endif
