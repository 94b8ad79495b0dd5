/* The parent's side of the worker protocol: the input is what a worker writes, in
 * pieces whose sizes its first byte chooses. */
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "sweep/device_facts.h"
#include "sweep/pipe.h"
#include "sweep/record.h"

static void judge(const char *line, size_t length) {
  cJSON *tree = NULL;
  gs_error error = {0};
  gs_status status = gs_json_parse(line, length, "answer", &tree, &error);
  if (status != GS_OK) {
    fuzz_refused(status, &error);
    return;
  }
  gs_floor floor;
  gs_outcome outcome = gs_outcome_pending();
  (void)gs_floor_from_json(tree, &floor);
  (void)gs_device_facts_same(tree, tree);
  status = gs_outcome_read(tree, &outcome, &error);
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
