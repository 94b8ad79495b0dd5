/* Random numbers to the bit: Philox against its published test vectors, floats
 * against float64 arithmetic, whole ranges against single elements, and golden
 * bits, so that a change on any machine shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"

typedef void range_generator(float *out, uint64_t first, size_t count, uint64_t seed,
                             uint32_t tensor_id, uint32_t replica);
typedef float element_generator(uint64_t index, uint64_t seed, uint32_t tensor_id,
                                uint32_t replica);

static range_generator *const ranges[] = {gs_random_normal, gs_random_uniform, gs_random_truncated,
                                          gs_random_two_uniforms};
static element_generator *const elements[] = {gs_random_normal_at, gs_random_uniform_at,
                                              gs_random_truncated_at, gs_random_two_uniforms_at};
enum { GENERATORS = 4, GOLDEN = 3 };

/* Random123's known answers (its file kat_vectors, philox4x32 10). */
static void test_philox_known_answers(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4];
    uint32_t key[2];
    uint32_t answer[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const uint64_t seed = cases[i].key[0] | (uint64_t)cases[i].key[1] << 32;
    const uint64_t block = cases[i].counter[0] | (uint64_t)cases[i].counter[1] << 32;
    const gs_random_words words =
        gs_random_philox(seed, block, cases[i].counter[2], cases[i].counter[3]);
    assert_memory_equal(words.word, cases[i].answer, sizeof words.word);
  }
}

static void test_golden_elements(void **state) {
  (void)state;
  static const struct {
    uint64_t index;
    uint64_t seed;
    uint32_t tensor_id;
    uint32_t replica;
    uint32_t bits[GOLDEN]; /* normal, uniform, truncated */
  } golden[] = {
      {0, 0, 0x0, 0x0, {0xbfad6600, 0x3f4c4fd1, 0xbfad6600}},
      {0x1, 0, 0x0, 0x0, {0x3d40884c, 0xbe74b1d4, 0x3d40884c}},
      {0x2, 0, 0x0, 0x0, {0x3dc4488f, 0xbf0750a7, 0x3dc4488f}},
      {0x3, 0, 0x0, 0x0, {0xbf47101b, 0xbf49fe49, 0xbf47101b}},
      {0x4, 0, 0x0, 0x0, {0x3e722d85, 0xbd636670, 0x3e722d85}},
      {0xff, 0, 0x0, 0x0, {0xc01f0bf2, 0xbf38936b, 0xbf660ddd}},
      {0x100, 0, 0x0, 0x0, {0xbf46904a, 0x3e919356, 0xbf46904a}},
      {0xf4243, 0, 0x0, 0x0, {0xbf3d05ae, 0xbf254d31, 0xbf3d05ae}},
      {0x3ffffffff, 0, 0x0, 0x0, {0x400f58a9, 0x3ea87bde, 0xbeee1f8a}},
      {0x400000000, 0, 0x0, 0x0, {0xbfa406b3, 0x3f55a18b, 0xbfa406b3}},
      {0x10000000002, 0, 0x0, 0x0, {0xbf1931e7, 0xbf24a429, 0xbf1931e7}},
      {0x200000000000003, 0, 0x0, 0x0, {0xbfa7615a, 0xbf7df2bb, 0xbfa7615a}},
      {0, 0x123456789abcdef, 0x7, 0xb, {0x3f8dde9b, 0x3ecf6efe, 0x3f8dde9b}},
      {0x1, 0x123456789abcdef, 0x7, 0xb, {0xbfb36c23, 0xbf7684cb, 0xbfb36c23}},
      {0x2, 0x123456789abcdef, 0x7, 0xb, {0xbe205acb, 0x3f7b982f, 0xbe205acb}},
      {0x3, 0x123456789abcdef, 0x7, 0xb, {0xbf9742fc, 0xbf3543a9, 0xbf9742fc}},
      {0x4, 0x123456789abcdef, 0x7, 0xb, {0xbf073d53, 0xbee9a31e, 0xbf073d53}},
      {0xff, 0x123456789abcdef, 0x7, 0xb, {0xc026dbf6, 0xbf22db0d, 0xbf826c6e}},
      {0x100, 0x123456789abcdef, 0x7, 0xb, {0xbea3f52d, 0xbe6e6bbc, 0xbea3f52d}},
      {0xf4243, 0x123456789abcdef, 0x7, 0xb, {0x3f938b01, 0x3ed3ff1e, 0x3f938b01}},
      {0x3ffffffff, 0x123456789abcdef, 0x7, 0xb, {0xbf98b449, 0xbf25d8f9, 0xbf98b449}},
      {0x400000000, 0x123456789abcdef, 0x7, 0xb, {0x3fa4b0a0, 0x3f5dbf7d, 0x3fa4b0a0}},
      {0x10000000002, 0x123456789abcdef, 0x7, 0xb, {0x3f768633, 0xbf3e0f19, 0x3f768633}},
      {0x200000000000003, 0x123456789abcdef, 0x7, 0xb, {0x3e2aa2e0, 0xbe3d0e2c, 0x3e2aa2e0}},
      {0, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0xbfd6a5ff, 0x3e28bd6c, 0xbfd6a5ff}},
      {0x1, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0xbfbd01b5, 0xbef5a93e, 0xbfbd01b5}},
      {0x2, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0xbe421b34, 0xbe03d3f4, 0xbe421b34}},
      {0x3, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0xbe9f92df, 0xbf137915, 0xbe9f92df}},
      {0x4, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0xbe4d5b25, 0x3ea2482e, 0xbe4d5b25}},
      {0xff, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0x3efb447b, 0xbdc45268, 0x3efb447b}},
      {0x100, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0x3e9179f8, 0x3e5a2cdc, 0x3e9179f8}},
      {0xf4243, 0xffffffffffffffff, 0xffffffff, 0xfffffffe, {0x4001966a, 0x3ed87cda, 0xbf96bc5c}},
      {0x3ffffffff,
       0xffffffffffffffff,
       0xffffffff,
       0xfffffffe,
       {0xbf956cad, 0xbf043d9d, 0xbf956cad}},
      {0x400000000,
       0xffffffffffffffff,
       0xffffffff,
       0xfffffffe,
       {0x3fe3292e, 0x3ec28fea, 0x3fe3292e}},
      {0x10000000002,
       0xffffffffffffffff,
       0xffffffff,
       0xfffffffe,
       {0xbf9d1770, 0x3ed720ba, 0xbf9d1770}},
      {0x200000000000003,
       0xffffffffffffffff,
       0xffffffff,
       0xfffffffe,
       {0x3f62344d, 0x3eee167e, 0x3f62344d}},
  };
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
    for (int g = 0; g < GOLDEN; g++) {
      const float one =
          elements[g](golden[i].index, golden[i].seed, golden[i].tensor_id, golden[i].replica);
      float many[5];
      assert_int_equal(gs_float_bits(one), golden[i].bits[g]);
      ranges[g](many, golden[i].index, 5, golden[i].seed, golden[i].tensor_id, golden[i].replica);
      assert_int_equal(gs_float_bits(many[0]), golden[i].bits[g]);
    }
  }
}

static void test_golden_hashes(void **state) {
  (void)state;
  static const uint64_t golden[GENERATORS] = {0xf298fa2ee3e540ca, 0xd962c7c8c1090b00,
                                              0xc1aede43d1828c5b, 0xd6da385a2e6ad499};
  const size_t count = 1 << 20;
  float *values = malloc(count * sizeof *values);
  assert_non_null(values);
  for (int g = 0; g < GENERATORS; g++) {
    ranges[g](values, 0, count, 2024, 5, 6);
    assert_true(gs_hash_floats(values, 0, count, 5) == golden[g]);
  }
  free(values);
}

/* Any cut of a range gives the bits of the single elements, also where the low
 * word of the block wraps. */
static void test_cuts(void **state) {
  (void)state;
  enum { COUNT = 1400 };
  static const uint64_t starts[] = {0, 1, 2, 3, 1021, (UINT64_C(1) << 34) - 701};
  static const size_t pieces[] = {1, 3, 4, 255, 256, 257, 1400};
  float whole[COUNT];
  float cut[COUNT];
  for (int g = 0; g < GENERATORS; g++) {
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
      for (size_t i = 0; i < COUNT; i++) whole[i] = elements[g](starts[s] + i, 42, 9, 3);
      for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        memset(cut, 0xFF, sizeof cut);
        for (size_t i = 0; i < COUNT; i += pieces[p]) {
          const size_t left = COUNT - i;
          ranges[g](cut + i, starts[s] + i, left < pieces[p] ? left : pieces[p], 42, 9, 3);
        }
        assert_memory_equal(cut, whole, sizeof whole);
      }
    }
  }
}

/* A count of 0 writes nothing, and no call writes past its end. */
static void test_bounds(void **state) {
  (void)state;
  for (int g = 0; g < GENERATORS; g++) {
    float values[12];
    memset(values, 0xFF, sizeof values);
    ranges[g](values, 6, 0, 1, 2, 3);
    ranges[g](values + 1, 6, 10, 1, 2, 3);
    assert_int_equal(gs_float_bits(values[0]), 0xFFFFFFFFu);
    assert_int_equal(gs_float_bits(values[11]), 0xFFFFFFFFu);
    for (int i = 1; i <= 10; i++) assert_true(isfinite(values[i]));
  }
}

/* Error of one Box-Muller pair against float64 on the same rounded uniform. */
static double pair_error(uint32_t radius_word, uint32_t angle_word) {
  float first;
  float second;
  gs_random_box_muller(radius_word, angle_word, &first, &second);
  const double radius = sqrt(-2 * log((double)gs_random_unit(radius_word)));
  const double angle = 2 * M_PI * (((double)angle_word + 0.5) / 4294967296.0 - 0.125);
  return fmax(fabs((double)first - radius * sin(angle)),
              fabs((double)second - radius * cos(angle)));
}

static void test_normal_accuracy(void **state) {
  (void)state;
  double sum = 0;
  const int count = 400000;
  for (int i = 0; i < count; i++) {
    gs_random_words w = gs_random_philox(5, (uint64_t)i, 0, 0);
    const double typical = pair_error(w.word[0], w.word[1]);
    const double extreme = pair_error(w.word[2] >> (i & 31), w.word[3]);
    const double centre = pair_error(~(w.word[2] >> (i & 31)), w.word[3]);
    sum += typical;
    assert_false(!(typical <= 1e-6));
    assert_false(!(extreme <= 1e-6));
    assert_false(!(centre <= 1e-6));
  }
  assert_false(!(sum / count <= 1.2e-7));
}

static void test_log_accuracy(void **state) {
  (void)state;
  for (uint32_t bits = gs_float_bits(0x1p-33f); bits <= gs_float_bits(1.0f); bits += 997) {
    const float u = gs_float_from_bits(bits);
    const double exact = log((double)u);
    assert_false(!(fabs((double)gs_random_log(u) - exact) <= 0x1p-22 * fabs(exact)));
  }
  assert_true(gs_random_log(1.0f) == 0.0f);
}

/* Without a division the same quotient, for every f that a logarithm meets: 1 + f runs
 * over the floats of [sqrt(1/2), sqrt(2)). */
static void test_ratio(void **state) {
  (void)state;
  uint32_t other = 0;
  for (uint32_t bits = 0x3f3504f4u; bits <= 0x3fb504f3u; bits++) {
    const float f = gs_float_from_bits(bits) - 1.0f;
    other += gs_float_bits(gs_random_ratio(f)) != gs_float_bits(f / (2.0f + f));
  }
  assert_int_equal(other, 0);
}

/* The smallest radius word reaches the tail, the largest gives 0; every quarter
 * turn has its signs. */
static void test_normal_extremes(void **state) {
  (void)state;
  static const float signs[4][2] = {{0, 1}, {1, 0}, {0, -1}, {-1, 0}};
  for (uint32_t quarter = 0; quarter < 4; quarter++) {
    float x[2];
    gs_random_box_muller(0, (quarter << 30) + 0x20000000u, &x[0], &x[1]);
    for (int i = 0; i < 2; i++) {
      assert_false(!(fabs((double)x[i] - signs[quarter][i] * sqrt(66 * log(2.0))) < 1e-6));
    }
    gs_random_box_muller(UINT32_MAX, quarter << 30, &x[0], &x[1]);
    assert_true(x[0] == 0.0f && x[1] == 0.0f);
  }
  for (uint32_t edge = 0; edge < 9; edge++) { /* around the borders of quarter turns */
    for (uint32_t turn = 0; turn < 4; turn++) {
      assert_false(!(pair_error(0, (turn << 30) + edge - 4) <= 1e-6));
    }
  }
}

static void test_uniform_values(void **state) {
  (void)state;
  assert_true(gs_random_symmetric(0) == 0x1p-24f);
  assert_true(gs_random_symmetric(UINT32_MAX) == -0x1p-24f);
  assert_true(gs_random_symmetric(0x7fffffffu) == 1.0f - 0x1p-24f);
  assert_true(gs_random_symmetric(0x80000000u) == -1.0f + 0x1p-24f);
  for (uint64_t x = 0; x <= UINT32_MAX; x += 65521) {
    const uint32_t word = (uint32_t)x;
    const double top = word >> 8 < 0x800000u ? word >> 8 : (double)(word >> 8) - 0x1p24;
    assert_true((double)gs_random_symmetric(word) == (2 * top + 1) / 0x1p24);
    assert_true(gs_random_symmetric(word) == -gs_random_symmetric(~word));
  }
}

/* Nothing is rounded in the sum of two uniforms, which are streams of their own. */
static void test_two_uniforms(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 50000; i++) {
    const double first = (double)gs_random_uniform_at(i, 2024, 5, 6);
    const double second = (double)gs_random_uniform_at(i, 2024, 6, 6);
    assert_true((double)gs_random_two_uniforms_at(i, 2024, 5, 6) == first + second);
    assert_true(first != second);
  }
}

/* A truncated normal is the normal where that is inside, else the first later
 * attempt that is, drawn from a block that the plain stream never uses. */
static void test_truncated_attempts(void **state) {
  (void)state;
  int deepest = 0;
  for (uint64_t i = 0; i < 50000; i++) {
    const float x = gs_random_truncated_at(i, 2024, 5, 6);
    int attempt = 0;
    while (!(fabsf(gs_random_normal_attempt(i, (uint32_t)attempt, 2024, 5, 6)) < 2.0f)) attempt++;
    assert_true(x == gs_random_normal_attempt(i, (uint32_t)attempt, 2024, 5, 6));
    assert_true(fabsf(x) < 2.0f);
    if (attempt > deepest) deepest = attempt;
  }
  assert_int_equal(deepest, 4);
  assert_true(gs_random_block(7, 3) == (UINT64_C(3) << 56 | 1));
}

static void test_hash(void **state) {
  (void)state;
  enum { COUNT = 1000 };
  float values[COUNT];
  gs_random_normal(values, 0, COUNT, 1, 2, 3);
  const uint64_t whole = gs_hash_floats(values, 0, COUNT, 2);
  assert_true(gs_hash_element(0, 0, 0) == 0x48218226ff3cd4bf);
  assert_true(gs_hash_element(3, 5, 0x3f800000) == 0xa411da5adddda676);
  /* in any order, in any pieces */
  uint64_t sum = gs_hash_floats(values + 333, 333, COUNT - 333, 2);
  for (int i = 332; i >= 0; i--) {
    sum += gs_hash_element(2, (uint64_t)i, gs_float_bits(values[i]));
  }
  assert_true(sum == whole);
  /* but not of other values, other places or another tensor */
  assert_true(gs_hash_floats(values, 0, COUNT, 3) != whole);
  assert_true(gs_hash_floats(values, 1, COUNT, 2) != whole);
  const float first = values[0];
  values[0] = values[1];
  values[1] = first;
  assert_true(gs_hash_floats(values, 0, COUNT, 2) != whole);
  values[1] = values[0];
  values[0] = gs_float_from_bits(gs_float_bits(first) ^ 1u);
  assert_true(gs_hash_floats(values, 0, COUNT, 2) != whole);
  assert_true(gs_hash_element(0, 0, gs_float_bits(0.0f)) !=
              gs_hash_element(0, 0, gs_float_bits(-0.0f)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_philox_known_answers),
      cmocka_unit_test(test_golden_elements),
      cmocka_unit_test(test_golden_hashes),
      cmocka_unit_test(test_cuts),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_normal_accuracy),
      cmocka_unit_test(test_log_accuracy),
      cmocka_unit_test(test_ratio),
      cmocka_unit_test(test_normal_extremes),
      cmocka_unit_test(test_uniform_values),
      cmocka_unit_test(test_two_uniforms),
      cmocka_unit_test(test_truncated_attempts),
      cmocka_unit_test(test_hash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
