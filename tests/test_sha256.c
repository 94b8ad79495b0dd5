/* SHA-256 against the examples of FIPS 180-4, however the bytes arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

static const char *sum_of(const void *bytes, size_t length, size_t piece,
                          char text[GS_SHA256_TEXT_BYTES]) {
  gs_sha256 hash;
  gs_sha256_start(&hash);
  for (size_t at = 0; at < length; at += piece) {
    gs_sha256_add(&hash, (const char *)bytes + at, length - at < piece ? length - at : piece);
  }
  return gs_sha256_text(&hash, text);
}

static void the_standard_s_examples(void **state) {
  (void)state;
  static const struct {
    const char *message, *digest;
  } examples[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                  {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                  {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                   "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                  {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnop"
                   "qklmnopqrlmno"
                   "pqrsmnopqrstnopqrstu",
                   "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"}};
  char text[GS_SHA256_TEXT_BYTES];
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    const size_t length = strlen(examples[i].message);
    assert_string_equal(sum_of(examples[i].message, length, 1000, text), examples[i].digest);
  }
}

static void a_million_letters_in_pieces_of_any_size(void **state) {
  (void)state;
  static const size_t pieces[] = {1, 7, 63, 64, 65, 127, 1000000};
  char text[GS_SHA256_TEXT_BYTES];
  char *letters = malloc(1000000);
  assert_non_null(letters);
  memset(letters, 'a', 1000000);
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    assert_string_equal(sum_of(letters, 1000000, pieces[i], text),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
  free(letters);
}

/* Every length around the ends of blocks, where the padding changes its shape. */
static void more_may_follow_a_reading(void **state) {
  (void)state;
  char bytes[200];
  char text[GS_SHA256_TEXT_BYTES];
  char whole[GS_SHA256_TEXT_BYTES];
  gs_sha256 hash;
  gs_sha256_start(&hash);
  memset(bytes, 'x', sizeof bytes);
  for (size_t length = 0; length < sizeof bytes; length++) {
    assert_string_equal(gs_sha256_text(&hash, text), sum_of(bytes, length, 1000, whole));
    gs_sha256_add(&hash, "x", 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_standard_s_examples),
      cmocka_unit_test(a_million_letters_in_pieces_of_any_size),
      cmocka_unit_test(more_may_follow_a_reading),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
