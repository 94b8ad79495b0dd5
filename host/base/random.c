/* Streams of random numbers by the range, laid out so that a compiler works on
 * many blocks of four at once: the same arithmetic as the scalar functions of
 * base/random.h, on arrays of LANES blocks. */
#include "base/random.h"

enum { LANES = 64, CHUNK = 4 * LANES };

/* The words of LANES consecutive blocks: word[j][lane] is word j of a block. */
typedef struct words {
  uint32_t word[4][LANES];
} words;

static void draw_words(words *w, uint64_t block, uint64_t seed, uint32_t tensor_id,
                       uint32_t replica) {
  for (uint32_t i = 0; i < LANES; i++) {
    w->word[0][i] = (uint32_t)(block + i);
    w->word[1][i] = (uint32_t)((block + i) >> 32);
    w->word[2][i] = tensor_id;
    w->word[3][i] = replica;
  }
  for (uint32_t round = 0; round < 10; round++) {
    const uint32_t key0 = gs_random_key0(seed, round);
    const uint32_t key1 = gs_random_key1(seed, round);
    for (int i = 0; i < LANES; i++) {
      gs_random_round(&w->word[0][i], &w->word[1][i], &w->word[2][i], &w->word[3][i], key0, key1);
    }
  }
}

/* CHUNK elements of the stream from the start of a block on. */
typedef void chunk_maker(float out[CHUNK], uint64_t block, uint64_t seed, uint32_t tensor_id,
                         uint32_t replica);

static void make_normal(float out[CHUNK], uint64_t block, uint64_t seed, uint32_t tensor_id,
                        uint32_t replica) {
  words w;
  draw_words(&w, block, seed, tensor_id, replica);
  for (int i = 0; i < LANES; i++) {
    float x[4];
    gs_random_box_muller(w.word[0][i], w.word[1][i], &x[0], &x[1]);
    gs_random_box_muller(w.word[2][i], w.word[3][i], &x[2], &x[3]);
    for (int j = 0; j < 4; j++) out[4 * i + j] = x[j];
  }
}

static void make_uniform(float out[CHUNK], uint64_t block, uint64_t seed, uint32_t tensor_id,
                         uint32_t replica) {
  words w;
  draw_words(&w, block, seed, tensor_id, replica);
  for (int i = 0; i < LANES; i++) {
    for (int j = 0; j < 4; j++) out[4 * i + j] = gs_random_symmetric(w.word[j][i]);
  }
}

static void make_range(chunk_maker *make, float *out, uint64_t first, size_t count, uint64_t seed,
                       uint32_t tensor_id, uint32_t replica) {
  float chunk[CHUNK];
  while (count > 0) {
    const size_t skip = first % 4;
    const size_t room = CHUNK - skip;
    const size_t taken = count < room ? count : room;
    make(chunk, first / 4, seed, tensor_id, replica);
    memcpy(out, chunk + skip, taken * sizeof *out);
    out += taken;
    first += taken;
    count -= taken;
  }
}

void gs_random_normal(float *out, uint64_t first, size_t count, uint64_t seed, uint32_t tensor_id,
                      uint32_t replica) {
  make_range(make_normal, out, first, count, seed, tensor_id, replica);
}

void gs_random_uniform(float *out, uint64_t first, size_t count, uint64_t seed, uint32_t tensor_id,
                       uint32_t replica) {
  make_range(make_uniform, out, first, count, seed, tensor_id, replica);
}

static void make_two_uniforms(float out[CHUNK], uint64_t block, uint64_t seed, uint32_t tensor_id,
                              uint32_t replica) {
  float second[CHUNK];
  make_uniform(out, block, seed, tensor_id, replica);
  make_uniform(second, block, seed, tensor_id + 1, replica);
  for (int i = 0; i < CHUNK; i++) out[i] = gs_float_add(out[i], second[i]);
}

void gs_random_two_uniforms(float *out, uint64_t first, size_t count, uint64_t seed,
                            uint32_t tensor_id, uint32_t replica) {
  make_range(make_two_uniforms, out, first, count, seed, tensor_id, replica);
}

void gs_random_truncated(float *out, uint64_t first, size_t count, uint64_t seed,
                         uint32_t tensor_id, uint32_t replica) {
  make_range(make_normal, out, first, count, seed, tensor_id, replica);
  for (size_t i = 0; i < count; i++) {
    if (!(out[i] > -2.0f && out[i] < 2.0f)) { /* one in 22 */
      out[i] = gs_random_truncated_from(first + i, 1, seed, tensor_id, replica);
    }
  }
}

uint64_t gs_hash_floats(const float *values, uint64_t first, size_t count, uint32_t tensor_id) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    sum += gs_hash_element(tensor_id, first + i, gs_float_bits(values[i]));
  }
  return sum;
}
