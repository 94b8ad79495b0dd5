/* Text that a terminal shows, and nothing that it obeys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static void shows(const char *text, const char *expected) {
  char printable[64];
  assert_string_equal(gs_printable(text, printable, sizeof printable), expected);
}

static void letters_stay(void **state) {
  (void)state;
  shows("", "");
  shows("L100/n128: 2.5 %", "L100/n128: 2.5 %");
  shows("Stra\xC3\x9F"
        "e",
        "Stra\xC3\x9F"
        "e");
  shows("\xE5\xB1\xA4 \xF0\x9F\x93\x89", "\xE5\xB1\xA4 \xF0\x9F\x93\x89");
}

static void what_terminals_obey_is_replaced(void **state) {
  (void)state;
  shows("a\x1b[2J\n\x7f", "a?[2J??");
  shows("a\xC2\x9B"
        "2J",
        "a?2J");                                     /* U+009B: CSI in one character */
  shows("a\xC2\x80\xC2\x9F\xC2\xA0", "a??\xC2\xA0"); /* C1's first and last; U+00A0 is a space */
  shows("x\xE2\x80\xAEy\xE2\x81\xA6z", "x?y?z");     /* U+202E, U+2066: direction */
  shows("x\xE2\x80\xA8y\xE2\x80\xA9z", "x?y?z");     /* U+2028, U+2029: new lines */
  shows("x\xE2\x80\x8By\xEF\xBB\xBFz", "x?y?z");     /* U+200B, U+FEFF: no width */
  shows("x\xF3\xA0\x81\x81y", "x?y");                /* U+E0041: a tag */
}

static void bytes_that_are_no_text_are_replaced(void **state) {
  (void)state;
  shows("\x9B"
        "2J\xFF",
        "?2J?");
  shows("\xC3", "?");           /* cut short */
  shows("\xC0\x9B", "??");      /* overlong */
  shows("\xED\xA0\x80", "???"); /* a surrogate */
}

static void cuts_between_characters(void **state) {
  (void)state;
  char text[8];
  assert_string_equal(gs_printable("longer than that", text, sizeof text), "longer ");
  assert_string_equal(gs_printable("123456\xC3\x9F", text, sizeof text), "123456");
  assert_string_equal(gs_printable("12345\xC3\x9F", text, sizeof text), "12345\xC3\x9F");
  char own[] = "in\x1b place\xC2\x9B";
  assert_string_equal(gs_printable(own, own, sizeof own), "in? place?");
}

/* Whatever the bytes: the result is printable, and printing it again changes nothing. */
static void twice_is_once(void **state) {
  (void)state;
  uint32_t seed = 1;
  for (int trial = 0; trial < 100000; trial++) {
    char text[24];
    char once[24];
    char twice[24];
    for (size_t i = 0; i + 1 < sizeof text; i++) {
      seed = seed * 1664525u + 1013904223u;
      text[i] = (char)(seed >> (24 - trial % 2)); /* any byte, or mostly text */
      if (text[i] == '\0') text[i] = (char)0x9B;
    }
    text[sizeof text - 1] = '\0';
    gs_printable(text, once, sizeof once);
    gs_printable(once, twice, sizeof twice);
    assert_string_equal(once, twice);
    for (const char *c = once; *c; c++) assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
    assert_null(strstr(once, "\xC2\x9B"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(letters_stay),
      cmocka_unit_test(what_terminals_obey_is_replaced),
      cmocka_unit_test(bytes_that_are_no_text_are_replaced),
      cmocka_unit_test(cuts_between_characters),
      cmocka_unit_test(twice_is_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
