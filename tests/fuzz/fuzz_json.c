/* The JSON reader: whatever it takes, it writes, and reads back as the same tree;
 * what it refuses ends in one line with a place in it. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  cJSON *tree = NULL;
  gs_error error = {0};
  const gs_status status = gs_json_parse((const char *)data, size, "input", &tree, &error);
  if (status != GS_OK) {
    FUZZ_REQUIRE(tree == NULL && status == GS_ERR_DATA);
    FUZZ_REQUIRE(strncmp(error.message, "input:", 6) == 0);
    fuzz_refused(status, &error);
    return 0;
  }
  char *line = gs_json_print_line(tree);
  FUZZ_REQUIRE(line && !strchr(line, '\n'));
  cJSON *again = NULL;
  FUZZ_REQUIRE(gs_json_parse(line, strlen(line), "line", &again, &error) == GS_OK);
  FUZZ_REQUIRE(cJSON_Compare(tree, again, true));
  char *second = gs_json_print_line(again);
  FUZZ_REQUIRE(second && strcmp(line, second) == 0);
  free(line);
  free(second);
  cJSON_Delete(tree);
  cJSON_Delete(again);
  return 0;
}
