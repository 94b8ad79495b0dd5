/* Command lines: the input's lines are the arguments after "run mlp" (or "run rnn", by
 * the first byte); what follows a form feed is a filter. */
#include "fuzz.h"

#include "sweep/spec.h"

enum { MOST_ARGUMENTS = 64 };

static void filter(gs_sweep *sweep, const char *expression) {
  gs_error error = {0};
  const int64_t before = sweep->count;
  const gs_status status = gs_sweep_filter(sweep, expression, &error);
  if (status == GS_OK) {
    FUZZ_REQUIRE(sweep->count >= 0 && sweep->count <= before);
  } else {
    fuzz_refused(status, &error);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  char *text = malloc(size);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = '\0';
  char *expression = strchr(text, '\f');
  if (expression) *expression++ = '\0';
  char *arguments[MOST_ARGUMENTS];
  int count = 0;
  char *rest = text;
  for (char *line; count < MOST_ARGUMENTS && (line = strsep(&rest, "\n"));)
    arguments[count++] = line;
  gs_sweep sweep;
  gs_error error = {0};
  const gs_status status =
      gs_sweep_from_options(data[0] & 1 ? "rnn" : "mlp", arguments, count, &sweep, &error);
  if (status == GS_OK) {
    FUZZ_REQUIRE(sweep.count >= 1 && sweep.count <= GS_SWEEP_MAX_CELLS);
    if (expression && strlen(expression) < 64) filter(&sweep, expression);
    gs_sweep_clear(&sweep);
  } else {
    fuzz_refused(status, &error);
  }
  free(text);
  return 0;
}
