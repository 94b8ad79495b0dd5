/* Statuses, error objects and arenas. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"
#include "base/integer.h"
#include "base/status.h"

static void test_names_and_exit_codes(void **state) {
  (void)state;
  static const struct {
    gs_status status;
    const char *name;
    int code;
  } cases[] = {
      {GS_OK, "ok", 0},
      {GS_ERR_USAGE, "usage", 64},
      {GS_ERR_DATA, "bad data", 65},
      {GS_ERR_NO_DEVICE, "no device", 69},
      {GS_ERR_INTERNAL, "internal error", 70},
      {GS_ERR_MEMORY, "out of memory", 71},
      {GS_ERR_DEVICE, "device error", 71},
      {GS_ERR_OUTPUT, "output error", 74},
      {GS_ERR_UNSUPPORTED, "unsupported", 69},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_string_equal(gs_name(&gs_status_names, cases[i].status), cases[i].name);
    assert_int_equal(gs_status_exit_code(cases[i].status), cases[i].code);
  }
  assert_string_equal(gs_name(&gs_status_names, 999), "unknown");
  assert_int_equal(gs_status_exit_code((gs_status)999), 70);
}

static void test_error_carries_everything(void **state) {
  (void)state;
  gs_error error = {0};
  const int line = __LINE__ + 1;
  const gs_status status = GS_FAIL_NATIVE(&error, GS_ERR_OUTPUT, 28, "%s is %d", "disk", 7);
  assert_int_equal(status, GS_ERR_OUTPUT);
  assert_int_equal(error.status, GS_ERR_OUTPUT);
  assert_int_equal(error.native, 28);
  assert_int_equal(error.line, line);
  assert_non_null(strstr(error.file, "test_base.c"));
  assert_string_equal(error.message, "disk is 7");
  assert_int_equal(GS_FAIL(&error, GS_ERR_DATA, "again"), GS_ERR_DATA);
  assert_int_equal(error.native, 0);
  assert_string_equal(error.message, "again");
}

static void test_error_without_an_object(void **state) {
  (void)state;
  assert_int_equal(GS_FAIL(NULL, GS_ERR_MEMORY, "nobody reads %s", "this"), GS_ERR_MEMORY);
}

static void test_long_message_is_cut(void **state) {
  (void)state;
  char longer[2 * GS_ERROR_MESSAGE_BYTES];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  struct {
    gs_error error;
    char guard[16];
  } box;
  memset(&box, 0x5A, sizeof box);
  assert_int_equal(GS_FAIL(&box.error, GS_ERR_DATA, "%s", longer), GS_ERR_DATA);
  assert_int_equal(strlen(box.error.message), GS_ERROR_MESSAGE_BYTES - 1);
  for (size_t i = 0; i < sizeof box.guard; i++) assert_int_equal(box.guard[i], 0x5A);
}

static gs_status tried(gs_status inner, int *reached) {
  GS_TRY(inner);
  *reached = 1;
  return GS_OK;
}

static void test_try(void **state) {
  (void)state;
  int reached = 0;
  assert_int_equal(tried(GS_ERR_DEVICE, &reached), GS_ERR_DEVICE);
  assert_int_equal(reached, 0);
  assert_int_equal(tried(GS_OK, &reached), GS_OK);
  assert_int_equal(reached, 1);
}

static _Alignas(GS_ARENA_ALIGNMENT) unsigned char memory[4 * GS_ARENA_ALIGNMENT];

static void test_arena_hands_out_aligned_pieces(void **state) {
  (void)state;
  gs_arena arena = gs_arena_over(memory, sizeof memory);
  assert_ptr_equal(gs_arena_take(&arena, 1, 1), memory);
  assert_ptr_equal(gs_arena_take(&arena, 33, 8), memory + GS_ARENA_ALIGNMENT); /* 264 bytes: 2 */
  assert_ptr_equal(gs_arena_take(&arena, GS_ARENA_ALIGNMENT, 1), memory + 3 * GS_ARENA_ALIGNMENT);
  assert_int_equal(arena.used, sizeof memory);
  assert_false(arena.overflowed);
}

static void test_arena_refuses_what_does_not_fit(void **state) {
  (void)state;
  gs_arena arena = gs_arena_over(memory, sizeof memory);
  assert_null(gs_arena_take(&arena, sizeof memory + 1, 1));
  assert_true(arena.overflowed);
  assert_int_equal(arena.used, 0);
  assert_ptr_equal(gs_arena_take(&arena, sizeof memory, 1), memory); /* what fits still does */
  assert_null(gs_arena_take(&arena, 1, 1));
  assert_true(arena.overflowed); /* and the mark stays */
}

static void test_arena_counts_like_it_carves(void **state) {
  (void)state;
  static const size_t requests[][2] = {{1, 1}, {0, 8}, {33, 8}, {255, 1}};
  gs_arena carving = gs_arena_over(memory, sizeof memory);
  gs_arena counting = gs_arena_counting();
  for (size_t i = 0; i < 4; i++) {
    gs_arena_take(&carving, requests[i][0], requests[i][1]);
    assert_null(gs_arena_take(&counting, requests[i][0], requests[i][1]));
    assert_int_equal(counting.used, carving.used);
  }
  assert_false(carving.overflowed);
  assert_null(gs_arena_take(&counting, SIZE_MAX / 2, 1)); /* counting has no end */
  assert_false(counting.overflowed);
}

static void test_arena_sizes_do_not_wrap(void **state) {
  (void)state;
  static const size_t requests[][2] = {
      {SIZE_MAX / 2, 4}, {SIZE_MAX, 1}, {SIZE_MAX - 1, 1}, {(size_t)1 << 32, (size_t)1 << 32}};
  for (size_t i = 0; i < 4; i++) {
    gs_arena counting = gs_arena_counting();
    assert_null(gs_arena_take(&counting, requests[i][0], requests[i][1]));
    assert_true(counting.overflowed);
    assert_int_equal(counting.used, 0);
  }
  gs_arena counting = gs_arena_counting();
  gs_arena_take(&counting, SIZE_MAX / 2, 1);
  gs_arena_take(&counting, SIZE_MAX / 2, 1); /* the sum wraps */
  assert_true(counting.overflowed);
}

/* ---- integers from outside ---- */

static void test_whole_numbers_in_range_are_integers(void **state) {
  (void)state;
  const double max = 0x1p53;
  static const double whole[] = {0, -0.0, 1, -1, 1e15, 9007199254740991.0};
  int64_t got = 7;
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    assert_true(gs_integer_of(whole[i], -GS_INTEGER_MAX, GS_INTEGER_MAX, &got));
    assert_true((double)got == whole[i]);
  }
  assert_true(gs_integer_of(max, 0, GS_INTEGER_MAX, &got) && got == GS_INTEGER_MAX);
  assert_true(gs_integer_of(3, 3, 3, &got) && got == 3);
}

/* Under the undefined-behaviour sanitizer a cast of any of these would end the test. */
static void test_everything_else_is_none(void **state) {
  (void)state;
  static const double other[] = {NAN,     INFINITY, -INFINITY, 1e300,   -1e300, 0x1p63,
                                 -0x1p63, 0x1p64,   0x1p54,    -0x1p54, 0.5,    -1e-300};
  int64_t got = 7;
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
    assert_false(gs_integer_of(other[i], INT64_MIN, INT64_MAX, &got));
  }
  assert_false(gs_integer_of(0, 1, 9, &got));
  assert_false(gs_integer_of(10, 1, 9, &got));
  assert_false(gs_integer_of(0, 1, -1, &got)); /* an empty range */
  assert_int_equal(got, 7);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_and_exit_codes),
      cmocka_unit_test(test_error_carries_everything),
      cmocka_unit_test(test_error_without_an_object),
      cmocka_unit_test(test_long_message_is_cut),
      cmocka_unit_test(test_try),
      cmocka_unit_test(test_arena_hands_out_aligned_pieces),
      cmocka_unit_test(test_arena_refuses_what_does_not_fit),
      cmocka_unit_test(test_arena_counts_like_it_carves),
      cmocka_unit_test(test_arena_sizes_do_not_wrap),
      cmocka_unit_test(test_whole_numbers_in_range_are_integers),
      cmocka_unit_test(test_everything_else_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
