/* Writing JSON: every bit of a number survives, strings are always valid, the
 * layout is as documented, and running out of room is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"

static cJSON *read_back(const char *text) {
  cJSON *root = NULL;
  gs_error error = {0};
  if (gs_json_parse(text, strlen(text), "written", &root, &error) != GS_OK) {
    fail_msg("%s in %s", error.message, text);
  }
  return root;
}

static char *pretty(const cJSON *root) {
  char *text = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  assert_non_null(stream);
  assert_true(gs_json_print_pretty(root, stream));
  assert_int_equal(fclose(stream), 0);
  return text;
}

static void check_round_trip(const double *values, size_t count) {
  cJSON *array = cJSON_CreateDoubleArray(values, (int)count);
  assert_non_null(array);
  char *texts[2] = {gs_json_print_line(array), pretty(array)};
  for (int i = 0; i < 2; i++) {
    assert_non_null(texts[i]);
    cJSON *back = read_back(texts[i]);
    const cJSON *item;
    size_t at = 0;
    cJSON_ArrayForEach(item, back) {
      assert_true(cJSON_IsNumber(item));
      assert_memory_equal(&item->valuedouble, &values[at], sizeof *values);
      at++;
    }
    assert_int_equal(at, count);
    cJSON_Delete(back);
    free(texts[i]);
  }
  cJSON_Delete(array);
}

static void test_doubles_keep_every_bit(void **state) {
  (void)state;
  static const double special[] = {
      0.0,          -0.0,      0.1,        1.0 / 3, DBL_MAX,     -DBL_MAX,       DBL_MIN,
      DBL_MIN / 3,  0x1p-1074, -0x1p-1074, 1e22,    1e23,        123456789.0,    -2147483648.0,
      4294967296.0, 0x1p53,    0x1p53 + 2, 1e300,   DBL_EPSILON, 1 + DBL_EPSILON};
  check_round_trip(special, sizeof special / sizeof *special);
  enum { COUNT = 20000 };
  double values[COUNT];
  for (uint64_t i = 0, seed = 1; i < COUNT;) {
    const uint64_t bits = gs_hash_mix(seed++);
    memcpy(&values[i], &bits, sizeof bits);
    if (isfinite(values[i])) i++;
  }
  check_round_trip(values, COUNT);
}

static void check_line(cJSON *root, const char *expected) {
  assert_non_null(root);
  char *text = gs_json_print_line(root);
  assert_non_null(text);
  assert_string_equal(text, expected);
  cJSON_Delete(read_back(text));
  free(text);
  cJSON_Delete(root);
}

static void test_scalars(void **state) {
  (void)state;
  check_line(gs_json_number(0.1), "0.1");
  check_line(gs_json_number(-0.0), "-0");
  check_line(gs_json_number(1e6), "1000000");
  check_line(gs_json_number(0.1 + 0.2), "0.30000000000000004");
  check_line(gs_json_number(NAN), "null");
  check_line(gs_json_number(INFINITY), "null");
  check_line(gs_json_number(-INFINITY), "null");
  check_line(cJSON_CreateNumber(NAN), "null");
  check_line(gs_json_uint64(UINT64_MAX), "\"18446744073709551615\"");
  check_line(gs_json_uint64(0), "\"0\"");
  check_line(gs_json_hex64(0xABC), "\"0000000000000abc\"");
  check_line(gs_json_hex64(UINT64_MAX), "\"ffffffffffffffff\"");
}

static void test_integers(void **state) {
  (void)state;
  check_line(gs_json_integer(INT64_C(1) << 53), "9007199254740992");
  check_line(gs_json_integer((INT64_C(1) << 53) + 1), "\"9007199254740993\"");
  check_line(gs_json_integer(INT64_MIN), "\"-9223372036854775808\"");
  check_line(gs_json_integer(-7), "-7");
}

static void test_adders(void **state) {
  (void)state;
  cJSON *object = cJSON_CreateObject();
  assert_true(gs_json_add(object, "null", cJSON_CreateNull()));
  assert_false(gs_json_add(object, "x", NULL));
  assert_false(gs_json_add(NULL, "x", cJSON_CreateNull())); /* freed: the leak check sees it */
  assert_false(gs_json_append(NULL, cJSON_CreateNull()));
  check_line(object, "{\"null\":null}");
}

static void test_strings(void **state) {
  (void)state;
  check_line(cJSON_CreateString("\"\\/\b\f\n\r\t\x01\x1F\x7F"),
             "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
  check_line(cJSON_CreateString("\xC3\xA4\xF0\x9F\x98\x80"), "\"\xC3\xA4\xF0\x9F\x98\x80\"");
  /* bytes that are not UTF-8 become U+FFFD */
  check_line(cJSON_CreateString("a\xFF\xC3"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
  cJSON *object = cJSON_CreateObject();
  assert_true(gs_json_add(object, "k\n\xFF", gs_json_number(1)));
  check_line(object, "{\"k\\n\xEF\xBF\xBD\":1}");
}

static void test_pretty_layout(void **state) {
  (void)state;
  cJSON *root = read_back("{\"a\":[1,2.5,null,\"x\"],\"empty\":[],\"none\":{},"
                          "\"rows\":[[1,2],[3]],\"list\":[{\"b\":true}]}");
  char *text = pretty(root);
  assert_string_equal(text, "{\n"
                            "  \"a\": [1, 2.5, null, \"x\"],\n"
                            "  \"empty\": [],\n"
                            "  \"none\": {},\n"
                            "  \"rows\": [\n"
                            "    [1, 2],\n"
                            "    [3]\n"
                            "  ],\n"
                            "  \"list\": [\n"
                            "    {\n"
                            "      \"b\": true\n"
                            "    }\n"
                            "  ]\n"
                            "}\n");
  cJSON *back = read_back(text);
  assert_true(cJSON_Compare(root, back, true));
  cJSON_Delete(back);
  cJSON_Delete(root);
  free(text);
}

static void test_full_disk(void **state) {
  (void)state;
  FILE *stream = fopen("/dev/full", "w");
  assert_non_null(stream);
  setvbuf(stream, NULL, _IONBF, 0);
  cJSON *root = cJSON_CreateObject();
  assert_false(gs_json_print_pretty(root, stream));
  fclose(stream);
  cJSON_Delete(root);
}

static int allocations_left;

static void *scarce_malloc(size_t bytes) { return allocations_left-- > 0 ? malloc(bytes) : NULL; }

/* Wherever memory runs out, the answer is a status and nothing leaks. */
static void test_out_of_memory(void **state) {
  (void)state;
  static const char text[] = "{\"a\":[1,\"x\"],\"b\":{\"c\":null}}";
  cJSON_Hooks hooks = {.malloc_fn = scarce_malloc, .free_fn = free};
  cJSON_InitHooks(&hooks);
  int failures = 0;
  bool parsed = false;
  for (int budget = 0; budget < 100 && !parsed; budget++) {
    cJSON *root = NULL;
    gs_error error = {0};
    allocations_left = budget;
    const gs_status status = gs_json_parse(text, sizeof text - 1, "m", &root, &error);
    parsed = status == GS_OK;
    if (!parsed) {
      failures++;
      assert_int_equal(status, GS_ERR_MEMORY);
      assert_string_equal(error.message, "m: out of memory");
      assert_null(root);
    }
    cJSON_Delete(root);
  }
  cJSON_InitHooks(NULL);
  assert_true(parsed);
  assert_true(failures > 8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_doubles_keep_every_bit),
      cmocka_unit_test(test_scalars),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_adders),
      cmocka_unit_test(test_strings),
      cmocka_unit_test(test_pretty_layout),
      cmocka_unit_test(test_full_disk),
      cmocka_unit_test(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
