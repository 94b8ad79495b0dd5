/* Command lines: the input's lines are the arguments after "mlp" (or "rnn", by the first
 * byte); what follows a form feed is a filter. */
#include "fuzz.h"

#include "cli/options.h"

/* An option of each kind. */
typedef struct fuzz_arguments {
  bool flag;
  const char *text;
  int64_t whole;
  double number;
  double bytes;
  uint64_t seed;
  int choice;
} fuzz_arguments;

#define FIELD(name) offsetof(fuzz_arguments, name)
static const gs_option options[] = {
    {.name = "flag", .kind = GS_OPTION_FLAG, .offset = FIELD(flag)},
    {.name = "text", .argument = "T", .kind = GS_OPTION_TEXT, .offset = FIELD(text)},
    {.name = "whole", .argument = "N", .kind = GS_OPTION_WHOLE, .offset = FIELD(whole), .max = 99},
    {.name = "number",
     .argument = "X",
     .kind = GS_OPTION_NUMBER,
     .offset = FIELD(number),
     .max = 9},
    {.name = "bytes",
     .argument = "B",
     .kind = GS_OPTION_BYTES,
     .offset = FIELD(bytes),
     .max = 1e18},
    {.name = "seeds", .argument = "N", .kind = GS_OPTION_SEED, .offset = FIELD(seed)},
    {.name = "choice",
     .argument = "C",
     .kind = GS_OPTION_CHOICE,
     .offset = FIELD(choice),
     .names = &gs_backend_names},
    {.name = NULL}};
static const gs_command command = {.name = "fuzz", .options = options, .parameters = true};

enum { MAX_ARGUMENTS = 64 };

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
  char name[] = "fuzz", mlp[] = "mlp", rnn[] = "rnn";
  char *words[MAX_ARGUMENTS + 2] = {name, data[0] & 1 ? rnn : mlp};
  int count = 2;
  char *rest = text;
  for (char *line; count < MAX_ARGUMENTS && (line = strsep(&rest, "\n"));) words[count++] = line;
  fuzz_arguments arguments = {0};
  gs_given given;
  gs_sweep sweep;
  gs_error error = {0};
  gs_status status = gs_options_parse(&command, count, words, &arguments, &given, &error);
  if (status == GS_OK) {
    FUZZ_REQUIRE(arguments.whole >= 0 && arguments.whole <= 99 && arguments.number <= 9);
    status = gs_given_sweep(&command, &given, NULL, NULL, &sweep, &error);
  }
  gs_given_clear(&given);
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
