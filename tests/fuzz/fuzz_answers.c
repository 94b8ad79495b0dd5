/* The parent's side of the worker protocol: the input is what a worker writes, in
 * pieces whose sizes its first byte chooses. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "sweep/device_facts.h"
#include "sweep/pipe.h"
#include "sweep/record_read.h"
#include "sweep/record_shape.h"

/* Read as the record of any cell with Jacobians, and as a later round's line. */
static void judge_record(const char *line, size_t length, gs_stats_level stats) {
  const gs_config config = {.stats = stats, .jacobian = true};
  gs_record_facts facts;
  gs_round_facts round;
  gs_error error = {0};
  const char *params = strstr(line, ",\"status\":");
  char *opening = strndup(line, params ? (size_t)(params - line) + 1 : 1);
  gs_text_source text = {line, length, 0};
  const gs_json_source source = gs_text_source_of(&text);
  FUZZ_REQUIRE(opening);
  gs_status status = gs_record_read(&source, opening, &config, &facts, &error);
  if (status != GS_OK) fuzz_refused(status, &error);
  text.at = 0;
  status = gs_round_read(&source, &round, &error);
  if (status != GS_OK) fuzz_refused(status, &error);
  free(opening);
}

static void judge(const char *line, size_t length) {
  cJSON *tree = NULL;
  gs_error error = {0};
  judge_record(line, length, GS_STATS_FULL);
  judge_record(line, length, GS_STATS_NORMS);
  gs_status status = gs_json_parse(line, length, "answer", &tree, &error);
  if (status != GS_OK) {
    fuzz_refused(status, &error);
    return;
  }
  gs_roofline roofline;
  (void)gs_roofline_from_json(tree, &roofline);
  (void)gs_device_facts_same(tree, tree);
  status = gs_record_check_tree(tree, &gs_device_shape, &error);
  if (status != GS_OK) fuzz_refused(status, &error);
  cJSON_Delete(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > 1 << 15) return 0; /* fits into a pipe */
  int ends[2];
  FUZZ_REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const size_t piece = (size_t)data[0] + 1;
  gs_lines lines;
  gs_error error = {0};
  memset(&lines, 0, sizeof lines);
  size_t newlines = 0;
  size_t taken = 0;
  for (size_t at = 1; at < size; at += piece) {
    const size_t bytes = at + piece < size ? piece : size - at;
    for (size_t i = 0; i < bytes; i++) newlines += data[at + i] == '\n';
    FUZZ_REQUIRE(write(ends[1], data + at, bytes) == (ssize_t)bytes);
    FUZZ_REQUIRE(gs_lines_read(&lines, ends[0], &error) == GS_OK);
    size_t length = 0;
    for (char *line; (line = gs_lines_take(&lines, &length)); taken++) judge(line, length);
  }
  FUZZ_REQUIRE(taken == newlines);
  gs_lines_clear(&lines);
  close(ends[0]);
  close(ends[1]);
  return 0;
}
