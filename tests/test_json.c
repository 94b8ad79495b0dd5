/* Reading JSON: what is refused and in which words, what is accepted, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

static void refuse(const char *text, size_t length, const char *message) {
  cJSON *root = (cJSON *)&root; /* must be overwritten */
  gs_error error = {0};
  char *copy = malloc(length ? length : 1); /* no terminator, so that overruns show */
  assert_non_null(copy);
  memcpy(copy, text, length);
  const gs_status status = gs_json_parse(copy, length, "f.json", &root, &error);
  free(copy);
  assert_null(root);
  assert_int_equal(status, GS_ERR_DATA);
  assert_string_equal(error.message, message);
}

static cJSON *accept(const char *text, size_t length) {
  cJSON *root = NULL;
  gs_error error = {0};
  char *copy = malloc(length);
  assert_non_null(copy);
  memcpy(copy, text, length);
  const gs_status status = gs_json_parse(copy, length, "f.json", &root, &error);
  free(copy);
  if (status != GS_OK) fail_msg("%s", error.message);
  assert_non_null(root);
  return root;
}

static void test_refuses_with_location(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *message;
  } cases[] = {
      {"", "f.json:1:1: the text ends too early"},
      {"  \n ", "f.json:2:2: the text ends too early"},
      {"{", "f.json:1:2: the text ends too early"},
      {"[1", "f.json:1:3: the text ends too early"},
      {"[1,", "f.json:1:4: the text ends too early"},
      {"{\"a\"", "f.json:1:5: the text ends too early"},
      {"{\"a\":", "f.json:1:6: the text ends too early"},
      {"\"abc", "f.json:1:5: the text ends too early"},
      {"\"abc\\", "f.json:1:6: the text ends too early"},
      {"\"\\u12", "f.json:1:6: the text ends too early"},
      {"-", "f.json:1:2: the text ends too early"},
      {"1.", "f.json:1:3: the text ends too early"},
      {"1e", "f.json:1:3: the text ends too early"},
      {"[1.]", "f.json:1:4: expected a digit after the point"},
      {"[1e+]", "f.json:1:5: expected a digit in the exponent"},
      {"[01]", "f.json:1:3: a number may not start with 0"},
      {"[-01]", "f.json:1:4: a number may not start with 0"},
      {"[+1]", "f.json:1:2: expected a value"},
      {"[.5]", "f.json:1:2: expected a value"},
      {"[-x]", "f.json:1:3: expected a digit"},
      {"[0x10]", "f.json:1:3: expected ',' or ']' after a value"},
      {"[NaN]", "f.json:1:2: expected a value"},
      {"[Infinity]", "f.json:1:2: expected a value"},
      {"[-Infinity]", "f.json:1:3: expected a digit"},
      {"[nul]", "f.json:1:2: expected a value"},
      {"[True]", "f.json:1:2: expected a value"},
      {"[nullx]", "f.json:1:6: expected ',' or ']' after a value"},
      {"[1,]", "f.json:1:4: expected a value"},
      {"[,1]", "f.json:1:2: expected a value"},
      {"[1 2]", "f.json:1:4: expected ',' or ']' after a value"},
      {"[1}", "f.json:1:3: expected ',' or ']' after a value"},
      {"{\"a\":1]", "f.json:1:7: expected ',' or '}' after a value"},
      {"{\"a\":1,}", "f.json:1:8: expected a key in double quotes"},
      {"{a:1}", "f.json:1:2: expected a key in double quotes"},
      {"{'a':1}", "f.json:1:2: expected a key in double quotes"},
      {"{\"a\" 1}", "f.json:1:6: expected ':' after a key"},
      {"{\"a\":}", "f.json:1:6: expected a value"},
      {"{\n  \"a\": 1,\n  \"b\": x\n}", "f.json:3:8: expected a value"},
      {"[\"\xC3\xA4\xE2\x82\xAC\", x]", "f.json:1:8: expected a value"}, /* characters, not bytes */
      {"1 2", "f.json:1:3: text after the end of the value"},
      {"{} x", "f.json:1:4: text after the end of the value"},
      {"[]]", "f.json:1:3: text after the end of the value"},
      {"// no\n1", "f.json:1:1: expected a value"},
      {"\xEF\xBB\xBF{}", "f.json:1:1: the text starts with a byte order mark"},
      {"[\"a\nb\"]", "f.json:1:4: a control character in a string"},
      {"[\"a\tb\"]", "f.json:1:4: a control character in a string"},
      {"[\"\\x\"]", "f.json:1:3: invalid escape in a string"},
      {"[\"\\u12G4\"]", "f.json:1:7: expected four hexadecimal digits"},
      {"[\"\\u0000\"]", "f.json:1:3: U+0000 in a string"},
      {"[\"\\ud800\"]", "f.json:1:3: an unpaired surrogate"},
      {"[\"\\udc00\"]", "f.json:1:3: an unpaired surrogate"},
      {"[\"\\ud800\\u0041\"]", "f.json:1:3: an unpaired surrogate"},
      {"[\"\x80\"]", "f.json:1:3: invalid UTF-8"},
      {"[\"\xC0\xAF\"]", "f.json:1:3: invalid UTF-8"},         /* overlong */
      {"[\"\xE0\x80\xAF\"]", "f.json:1:3: invalid UTF-8"},     /* overlong */
      {"[\"\xF0\x80\x80\xAF\"]", "f.json:1:3: invalid UTF-8"}, /* overlong */
      {"[\"\xED\xA0\x80\"]", "f.json:1:3: invalid UTF-8"},     /* a surrogate */
      {"[\"\xF4\x90\x80\x80\"]", "f.json:1:3: invalid UTF-8"}, /* above U+10FFFF */
      {"[\"\xE2\x82\"]", "f.json:1:3: invalid UTF-8"},         /* cut short */
      {"[\"\xE2\x82", "f.json:1:3: invalid UTF-8"},
      {"[1234567890123456789012345678901234567890123456789012345678901234]",
       "f.json:1:2: a number of more than 63 characters"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    refuse(cases[i].text, strlen(cases[i].text), cases[i].message);
  }
  refuse("\0", 1, "f.json:1:1: expected a value");
  refuse("[1]\0", 4, "f.json:1:4: text after the end of the value");
  refuse("\"a\0b\"", 5, "f.json:1:3: a control character in a string");
  refuse("\"\\\0\"", 4, "f.json:1:2: invalid escape in a string");
}

static void test_refuses_with_path(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *message;
  } cases[] = {
      {"1e400", "f.json: $: number outside the range of a double"},
      {"[0, -1e400]", "f.json: $[1]: number outside the range of a double"},
      {"{\"blocks\":[{},{\"depth\":[1,2,1e999]}]}",
       "f.json: $.blocks[1].depth[2]: number outside the range of a double"},
      {"{\"a\":1,\"a\":2}", "f.json: $.a: duplicate key"},
      {"{\"a\":1,\"b\":3,\"\\u0061\":2}", "f.json: $.a: duplicate key"},
      {"{\"blocks\":[0,{\"x\":{\"d\":1,\"d\":1}}]}", "f.json: $.blocks[1].x.d: duplicate key"},
      {"[[],{\"two words\":1,\"two words\":1}]", "f.json: $[1][\"two words\"]: duplicate key"},
      {"{\"\":1,\"\":1}", "f.json: $[\"\"]: duplicate key"},
      {"{\"a\\nb\":1,\"a\\nb\":1}", "f.json: $[\"a?b\"]: duplicate key"}, /* one line */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    refuse(cases[i].text, strlen(cases[i].text), cases[i].message);
  }
}

/* Same key in different objects, or keys that differ in case, are fine. */
static void test_accepts(void **state) {
  (void)state;
  static const char *const cases[] = {"0",
                                      "-0",
                                      "null",
                                      "true",
                                      " [ ] ",
                                      "{ }",
                                      "\"\"",
                                      "-1.5e-3",
                                      "1E+2",
                                      "[{\"a\":1},{\"a\":2}]",
                                      "{\"a\":1,\"A\":2}",
                                      "{\"a\":{\"a\":{\"a\":[]}}}",
                                      "\"\\ud83d\\ude00 \\\" \\/ \\u00e4 \x7F\"",
                                      "\"\xF0\x9F\x98\x80\"",
                                      "1e-400",
                                      "\t\r\n[1,\n2]\r\n"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cJSON_Delete(accept(cases[i], strlen(cases[i])));
  }
  cJSON *root = accept("{\"a\":[1,\"\\u00e4\",false]}", 24);
  const cJSON *a = cJSON_GetObjectItemCaseSensitive(root, "a");
  assert_int_equal(cJSON_GetArraySize(a), 3);
  assert_string_equal(cJSON_GetArrayItem(a, 1)->valuestring, "\xC3\xA4");
  cJSON_Delete(root);
}

static void test_depth(void **state) {
  (void)state;
  enum { DEEP = 10000 };
  char *text = malloc(2 * DEEP);
  assert_non_null(text);
  memset(text, '[', DEEP);
  memset(text + DEEP, ']', DEEP);
  refuse(text, 2 * DEEP, "f.json:1:101: nested too deeply");
  refuse(text, DEEP, "f.json:1:101: nested too deeply");
  cJSON_Delete(accept(text + DEEP - GS_JSON_MAX_DEPTH, 2 * GS_JSON_MAX_DEPTH));
  refuse(text + DEEP - GS_JSON_MAX_DEPTH - 1, 2 * (GS_JSON_MAX_DEPTH + 1),
         "f.json:1:101: nested too deeply");
  for (int i = 0; i + 5 <= DEEP; i += 5) memcpy(text + i, "{\"a\":", 5);
  refuse(text, DEEP, "f.json:1:501: nested too deeply");
  free(text);
}

static void check_message_fits(size_t key_bytes, int levels) {
  const size_t size = ((size_t)levels + 1) * (key_bytes + 8) + 64;
  char *text = malloc(size);
  char *key = malloc(key_bytes + 1);
  cJSON *root = NULL;
  gs_error error = {0};
  assert_non_null(text);
  assert_non_null(key);
  memset(key, 'k', key_bytes);
  key[key_bytes] = '\0';
  size_t length = 0;
  for (int i = 0; i < levels; i++) {
    length += (size_t)snprintf(text + length, size - length, "{\"%s\":", key);
  }
  length += (size_t)snprintf(text + length, size - length, "1e400");
  for (int i = 0; i < levels; i++) text[length++] = '}';
  assert_int_equal(gs_json_parse(text, length, "f.json", &root, &error), GS_ERR_DATA);
  assert_non_null(strstr(error.message, "number outside the range of a double"));
  free(text);
  free(key);
}

/* However long the keys and the way to them, the message says what is wrong. */
static void test_long_paths(void **state) {
  (void)state;
  check_message_fits(10000, 1);
  check_message_fits(30, 90);
  check_message_fits(100, 90);
}

/* Every prefix of a document is refused, and no byte past it is read. */
static void test_prefixes(void **state) {
  (void)state;
  static const char text[] =
      "{\"a\": [1.5e3, \"x\\u00e4\\ud83d\\ude00\xC3\xA4\", null], \"b\": {}}";
  for (size_t length = 0; length < sizeof text - 1; length++) {
    char *copy = malloc(length ? length : 1);
    cJSON *root = NULL;
    assert_non_null(copy);
    memcpy(copy, text, length);
    assert_int_equal(gs_json_parse(copy, length, "prefix", &root, NULL), GS_ERR_DATA);
    assert_null(root);
    free(copy);
  }
  cJSON_Delete(accept(text, sizeof text - 1));
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static cJSON *object_of(int count) {
  cJSON *object = cJSON_CreateObject();
  for (int i = 0; i < count; i++) {
    char key[16];
    snprintf(key, sizeof key, "k%d", i);
    assert_true(gs_json_add(object, key, gs_json_number(i)));
  }
  return object;
}

/* 100,000 keys, 1,000,000 numbers: seconds if either were quadratic. */
static void test_large(void **state) {
  (void)state;
  const double start = seconds();
  cJSON *object = object_of(100000);
  cJSON *array = cJSON_CreateArray();
  for (int i = 0; i < 1000000; i++) assert_true(gs_json_append(array, gs_json_number(i)));
  assert_true(gs_json_add(object, "array", array));
  char *text = gs_json_print_line(object);
  assert_non_null(text);
  cJSON *back = accept(text, strlen(text));
  assert_int_equal(cJSON_GetArraySize(back), 100001);
  assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(back, "array")), 1000000);
  cJSON_Delete(back);
  cJSON_Delete(object);
  free(text);
  assert_true(seconds() - start < 20);
}

static void write_file(const char *path, size_t bytes) {
  FILE *stream = fopen(path, "wb");
  assert_non_null(stream);
  for (size_t i = 0; i < bytes; i++) fputc(i == 0 ? '[' : i == bytes - 1 ? ']' : ' ', stream);
  assert_int_equal(fclose(stream), 0);
}

static void test_read_file(void **state) {
  (void)state;
  char path[] = "/tmp/gs_test_json_XXXXXX";
  char expected[128];
  cJSON *root = NULL;
  gs_error error = {0};
  const int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  static const size_t sizes[] = {2, 65535, 65536, 65537, 200000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    write_file(path, sizes[i]);
    assert_int_equal(gs_json_read_file(path, sizes[i], &root, &error), GS_OK);
    assert_true(cJSON_IsArray(root));
    cJSON_Delete(root);
    assert_int_equal(gs_json_read_file(path, sizes[i] + 1, &root, &error), GS_OK);
    cJSON_Delete(root);
    assert_int_equal(gs_json_read_file(path, sizes[i] - 1, &root, &error), GS_ERR_DATA);
    assert_null(root);
    snprintf(expected, sizeof expected, "%s: larger than %zu bytes", path, sizes[i] - 1);
    assert_string_equal(error.message, expected);
  }
  /* 100 MB without writing them */
  assert_int_equal(truncate(path, 100000000), 0);
  const double start = seconds();
  assert_int_equal(gs_json_read_file(path, GS_JSON_MAX_INPUT_BYTES, &root, &error), GS_ERR_DATA);
  assert_non_null(strstr(error.message, ": larger than 16777216 bytes"));
  assert_true(seconds() - start < 5);
  unlink(path);
  assert_int_equal(gs_json_read_file(path, 10, &root, &error), GS_ERR_DATA);
  assert_non_null(strstr(error.message, ": cannot be opened: No such file or directory"));
  assert_int_equal(gs_json_read_file("/tmp", 10, &root, &error), GS_ERR_DATA);
  assert_string_equal(error.message, "/tmp: cannot be read: Is a directory");
}

/* A pipe that never ends is read no further than the limit. */
static void test_read_stops_at_the_limit(void **state) {
  (void)state;
  int ends[2];
  char path[32];
  char bytes[3000] = {0};
  cJSON *root = NULL;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write(ends[1], bytes, sizeof bytes), sizeof bytes);
  snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
  assert_int_equal(gs_json_read_file(path, 1000, &root, NULL), GS_ERR_DATA);
  close(ends[1]);
  assert_int_equal(read(ends[0], bytes, sizeof bytes), 3000 - 1001);
  close(ends[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refuses_with_location),
      cmocka_unit_test(test_refuses_with_path),
      cmocka_unit_test(test_accepts),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_long_paths),
      cmocka_unit_test(test_prefixes),
      cmocka_unit_test(test_large),
      cmocka_unit_test(test_read_file),
      cmocka_unit_test(test_read_stops_at_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
