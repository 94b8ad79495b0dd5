/* SHA-256: FIPS 180-4, whose names these are. See sha256.h. */
#include "base/sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_BYTES = 64, ROUNDS = 64 };

/* First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The message schedule W: 16 words of the block, and 48 made of them. */
static void schedule(const unsigned char *block, uint32_t W[ROUNDS]) {
  for (int t = 0; t < 16; t++, block += 4) {
    W[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
  }
  for (int t = 16; t < ROUNDS; t++) {
    const uint32_t s0 = rotr(W[t - 15], 7) ^ rotr(W[t - 15], 18) ^ W[t - 15] >> 3;
    const uint32_t s1 = rotr(W[t - 2], 17) ^ rotr(W[t - 2], 19) ^ W[t - 2] >> 10;
    W[t] = s1 + W[t - 7] + s0 + W[t - 16];
  }
}

static void compress(uint32_t state[8], const unsigned char *block) {
  enum { A, B, C, D, E, F, G, H };
  uint32_t W[ROUNDS];
  uint32_t v[8];
  schedule(block, W);
  memcpy(v, state, sizeof v);
  for (int t = 0; t < ROUNDS; t++) {
    const uint32_t sum1 = rotr(v[E], 6) ^ rotr(v[E], 11) ^ rotr(v[E], 25);
    const uint32_t ch = (v[E] & v[F]) ^ (~v[E] & v[G]);
    const uint32_t T1 = v[H] + sum1 + ch + K[t] + W[t];
    const uint32_t sum0 = rotr(v[A], 2) ^ rotr(v[A], 13) ^ rotr(v[A], 22);
    const uint32_t maj = (v[A] & v[B]) ^ (v[A] & v[C]) ^ (v[B] & v[C]);
    memmove(v + 1, v, 7 * sizeof *v);
    v[E] += T1;
    v[A] = T1 + sum0 + maj;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

void gs_sha256_start(gs_sha256 *hash) {
  /* the same of the square roots of the first 8 primes */
  *hash = (gs_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void gs_sha256_add(gs_sha256 *hash, const void *bytes, size_t length) {
  const unsigned char *at = bytes;
  const size_t held = hash->bytes % BLOCK_BYTES;
  hash->bytes += length;
  if (held > 0) {
    const size_t room = BLOCK_BYTES - held;
    const size_t taken = length < room ? length : room;
    memcpy(hash->pending + held, at, taken);
    if (taken < room) return;
    compress(hash->state, hash->pending);
    at += taken;
    length -= taken;
  }
  for (; length >= BLOCK_BYTES; at += BLOCK_BYTES, length -= BLOCK_BYTES) {
    compress(hash->state, at);
  }
  if (length > 0) memcpy(hash->pending, at, length);
}

const char *gs_sha256_text(const gs_sha256 *hash, char text[GS_SHA256_TEXT_BYTES]) {
  static const unsigned char padding[BLOCK_BYTES] = {0x80};
  unsigned char length[8];
  gs_sha256 all = *hash;
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)(hash->bytes * 8 >> (56 - 8 * i));
  /* 0x80 and zeros up to 8 bytes before the end of a block */
  gs_sha256_add(&all, padding, (BLOCK_BYTES + 55 - hash->bytes % BLOCK_BYTES) % BLOCK_BYTES + 1);
  gs_sha256_add(&all, length, sizeof length);
  for (size_t i = 0; i < 8; i++) {
    snprintf(text + 8 * i, GS_SHA256_TEXT_BYTES - 8 * i, "%08" PRIx32, all.state[i]);
  }
  return text;
}
