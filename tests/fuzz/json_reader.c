/* The JSON reader as a filter, for tests/json_differential.py: documents come as
 * "LENGTH\nBYTES", answers are one line each: what was read, written again, or "no". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int main(void) {
  size_t length = 0;
  while (scanf("%zu", &length) == 1 && getchar() == '\n' && length < 1 << 24) {
    char *text = malloc(length + 1);
    if (!text || fread(text, 1, length, stdin) != length) return 1;
    cJSON *tree = NULL;
    gs_error error;
    const gs_status status = gs_json_parse(text, length, "input", &tree, &error);
    char *line = status == GS_OK ? gs_json_print_line(tree) : strdup("no");
    if (!line || (status != GS_OK && status != GS_ERR_DATA)) return 1;
    puts(line);
    free(line);
    cJSON_Delete(tree);
    free(text);
  }
  return feof(stdin) ? 0 : 1;
}
