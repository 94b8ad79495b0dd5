/* The JSON writer: what it builds, and that after its first failure nothing comes of it. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"

/* ---- what it builds ---- */

static void put_all(gs_json_writer *w) {
  const cJSON copied = {.type = cJSON_True};
  gs_json_put_string(w, "text", "t\"");
  gs_json_put_string(w, "nobody", NULL);
  gs_json_open_object(w, "inner");
  gs_json_put_number(w, "half", 0.5);
  gs_json_put_number(w, "nan", NAN);
  gs_json_open_array(w, "list");
  gs_json_put_int(w, NULL, -3);
  gs_json_put_int(w, NULL, INT64_MAX);
  gs_json_open_array(w, NULL);
  gs_json_close(w);
  gs_json_put_bool(w, NULL, true);
  gs_json_close(w);
  gs_json_close(w);
  gs_json_put_numbers(w, "numbers", (const double[]){1, INFINITY, 2.5}, 3);
  gs_json_put_copy(w, "copy", &copied);
  cJSON *a = gs_json_put_column(w, "a");
  cJSON *b = gs_json_put_column(w, "b");
  for (int i = 0; i < 2; i++) {
    gs_json_append_number(w, a, i);
    gs_json_append_number(w, gs_json_append_column(w, b), 10 * i);
  }
  gs_json_put(w, "last", gs_json_hex64(1));
}

static const char ALL[] =
    "{\"text\":\"t\\\"\",\"nobody\":null,\"inner\":{\"half\":0.5,\"nan\":null,"
    "\"list\":[-3,\"9223372036854775807\",[],true]},\"numbers\":[1,null,2.5],\"copy\":true,"
    "\"a\":[0,1],\"b\":[[0],[10]],\"last\":\"0000000000000001\"}";

static void assert_line(cJSON *tree, const char *expected) {
  char *line = NULL;
  gs_error error = {0};
  gs_support_ok(gs_json_take_line(tree, "a line", &line, &error), &error);
  assert_string_equal(line, expected);
  free(line);
}

static void test_trees(void **state) {
  (void)state;
  gs_json_writer w = gs_json_writer_object();
  put_all(&w);
  assert_int_equal(gs_json_writer_status(&w, "it", NULL), GS_OK);
  assert_string_equal(gs_json_get(gs_json_opened(&w), "text")->valuestring, "t\"");
  assert_line(gs_json_finish(&w), ALL);
  w = gs_json_writer_array();
  assert_line(gs_json_finish(&w), "[]");
}

static void test_open_is_closed_at_the_end(void **state) {
  (void)state;
  gs_json_writer w = gs_json_writer_array();
  gs_json_open_object(&w, NULL);
  gs_json_open_array(&w, "x");
  gs_json_put_int(&w, NULL, 1);
  assert_line(gs_json_finish(&w), "[{\"x\":[1]}]");
}

static void test_a_stream(void **state) {
  (void)state;
  char *text = NULL;
  size_t bytes = 0;
  gs_error error = {0};
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_int(&w, "n", 1);
  FILE *stream = open_memstream(&text, &bytes);
  assert_non_null(stream);
  gs_support_ok(gs_json_finish_to(&w, "it", stream, &error), &error);
  assert_int_equal(fclose(stream), 0);
  assert_string_equal(text, "{\n  \"n\": 1\n}\n");
  free(text);
}

/* ---- failures ---- */

/* Everything that is put from here on is freed (the leak check sees it), and nothing comes. */
static void assert_failed(gs_json_writer *w) {
  gs_error error = {0};
  cJSON *tree = cJSON_CreateNull();
  cJSON *made = tree;
  put_all(w);
  assert_null(gs_json_put_column(w, "column"));
  assert_int_equal(gs_json_writer_status(w, "the end", &error), GS_ERR_MEMORY);
  assert_int_equal(gs_json_finish_as(w, "the sizes", &tree, &error), GS_ERR_MEMORY);
  assert_string_equal(error.message, "no memory for the sizes");
  assert_null(tree);
  cJSON_Delete(made);
}

static void test_the_first_failure_sticks(void **state) {
  (void)state;
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_int(&w, "before", 1);
  gs_json_put(&w, "none", NULL);
  assert_failed(&w);
  w = gs_json_writer_object();
  gs_json_put_copy(&w, "none", NULL); /* a tree that there was no memory for */
  assert_failed(&w);
  w = gs_json_writer_array();
  for (int i = 0; i < GS_JSON_WRITER_DEPTH; i++) gs_json_open_array(&w, NULL); /* one too deep */
  assert_failed(&w);
  w = gs_json_writer_object();
  gs_json_abandon(&w);
  assert_failed(&w); /* the end was before */
}

static int left; /* allocations that succeed; negative: all */

static void *scarce_malloc(size_t bytes) {
  if (left == 0) return NULL;
  if (left > 0) left--;
  return malloc(bytes);
}

/* Each allocation failing, and all after it: no tree before all of them succeed. */
static void test_each_allocation(void **state) {
  (void)state;
  cJSON_Hooks hooks = {.malloc_fn = scarce_malloc, .free_fn = free};
  cJSON_InitHooks(&hooks);
  cJSON *tree = NULL;
  int count = -1;
  while (!tree) {
    left = ++count;
    gs_json_writer w = gs_json_writer_object();
    put_all(&w);
    tree = gs_json_finish(&w);
  }
  left = -1;
  cJSON_InitHooks(NULL);
  assert_true(count > 30);
  assert_line(tree, ALL);
}

static void test_no_tree_is_no_line(void **state) {
  (void)state;
  gs_error error = {0};
  char *line = NULL;
  assert_int_equal(gs_json_take_line(NULL, "an answer", &line, &error), GS_ERR_MEMORY);
  assert_string_equal(error.message, "no memory for an answer");
  assert_null(line);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trees),           cmocka_unit_test(test_open_is_closed_at_the_end),
      cmocka_unit_test(test_a_stream),        cmocka_unit_test(test_the_first_failure_sticks),
      cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_no_tree_is_no_line)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
