/* Texts for people: numbers of every size fit and say what they are. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sweep/text.h"

static void fixed_numbers(void **state) {
  (void)state;
  static const struct {
    double value;
    int digits;
    const char *text;
  } cases[] = {
      {-6.27, 2, "-6.27"},
      {-6270.1, 2, "-6270.1"},
      {1353.04, 2, "1353.0"},
      {-0.001, 2, "0.00"},
      {0, 4, "0.0000"},
      {999.994, 2, "999.99"},
      {-1e5, 2, "-100000"},
      {-1.5e9, 2, "-1.500e+09"},
      {89, 0, "89"},
      {NAN, 2, "-"},
      {-INFINITY, 2, "-"},
      {-0.62704, 4, "-0.6270"},
      {16777216, 0, "16777216"},
  };
  char text[GS_NUMBER_BYTES];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_string_equal(gs_text_fixed(cases[i].value, cases[i].digits, text), cases[i].text);
  }
}

static void short_numbers(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0.00"},       {8.505, "8.51"},     {9.996, "10.0"},  {99.96, "100"},
               {999.4, "999"},    {999.6, "1.00k"},    {12345, "12.3k"}, {1.236e6, "1.24M"},
               {2.35e11, "235G"}, {5.5e15, "5.50P"},   {NAN, "-"},       {INFINITY, "-"},
               {1e18, "1.00E"},   {2.5e23, "2.50e+23"}};
  char text[GS_NUMBER_BYTES];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_string_equal(gs_text_short(cases[i].value, text), cases[i].text);
  }
}

static void bytes_and_seconds(void **state) {
  (void)state;
  char text[GS_NUMBER_BYTES];
  assert_string_equal(gs_text_bytes(0, text), "0 B");
  assert_string_equal(gs_text_bytes(999, text), "999 B");
  assert_string_equal(gs_text_bytes(1536, text), "1.50 KiB");
  assert_string_equal(gs_text_bytes(0x1p40 * 3, text), "3.00 TiB");
  assert_string_equal(gs_text_bytes(INFINITY, text), "-");
  assert_string_equal(gs_text_seconds(0.0001, text), "< 1 ms");
  assert_string_equal(gs_text_seconds(0.15, text), "150 ms");
  assert_string_equal(gs_text_seconds(0.9999, text), "1.0 s");
  assert_string_equal(gs_text_seconds(119.9, text), "119.9 s");
  assert_string_equal(gs_text_seconds(3723.4, text), "1:02:03");
  assert_string_equal(gs_text_seconds(NAN, text), "-");
  assert_string_equal(gs_text_seconds(1e30, text), "1.0e+30 s");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fixed_numbers),
      cmocka_unit_test(short_numbers),
      cmocka_unit_test(bytes_and_seconds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
