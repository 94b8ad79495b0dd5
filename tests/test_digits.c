/* Numbers as text: what is read back is the number, by no digit more than it takes. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"
#include "base/random.h"
#include "support.h"

static void test_known(void **state) {
  (void)state;
  static const struct {
    double value;
    int from;
    const char *text;
  } cases[] = {{0.1, 15, "0.1"},
               {0.1, 1, "0.1"},
               {0.1, 17, "0.10000000000000001"},
               {100, 15, "100"},
               {100, 1, "1e+02"},
               {1.0 / 3, 1, "0.3333333333333333"},
               {0.1 + 0.2, 15, "0.30000000000000004"},
               {-0.0, 15, "-0"},
               {DBL_MAX, 15, "1.7976931348623157e+308"},
               {0x1p-1074, 1, "5e-324"}};
  char text[GS_DIGITS_BYTES];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_string_equal(gs_digits(cases[i].value, cases[i].from, text), cases[i].text);
  }
  assert_non_null(strstr(gs_digits((double)INFINITY, 15, text), "inf"));
  assert_non_null(strstr(gs_digits((double)NAN, 15, text), "nan"));
}

/* Significant ones. */
static int digits_in(const char *text) {
  int count = 0;
  for (; *text && *text != 'e'; text++) {
    if (isdigit((unsigned char)*text) && (count > 0 || *text != '0')) count++;
  }
  return count;
}

/* Any bits at all come back, and with one digit less they would not. */
static void test_reads_back(void **state) {
  (void)state;
  int checked = 0;
  for (int i = 0; i < 20000; i++) {
    const gs_random_words drawn = gs_random_philox(3, (uint64_t)i, 0, 0);
    const uint64_t bits = (uint64_t)drawn.word[0] << 32 | drawn.word[1];
    double value;
    char text[GS_DIGITS_BYTES];
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    assert_true(strtod(gs_digits(value, 1, text), NULL) == value);
    const int digits = digits_in(text);
    char shorter[64];
    snprintf(shorter, sizeof shorter, "%.*e", digits < 2 ? 0 : digits - 2, value);
    assert_true(digits < 2 || strtod(shorter, NULL) != value);
    checked++;
  }
  assert_true(checked > 19000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_known),
                                     cmocka_unit_test(test_reads_back)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
