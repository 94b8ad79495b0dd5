/* Sweeps: the input's bytes choose keys and values of blocks, so that every input is
 * JSON and most of it nearly a sweep. What expands has cells that survive the way to
 * JSON and back with the same id; what does not ends in one line. */
#include "fuzz.h"

#include "net/param.h"
#include "sweep/spec.h"

typedef struct source {
  const uint8_t *data;
  size_t left;
} source;

static unsigned choose(source *from, unsigned count) {
  if (from->left == 0) return 0;
  from->left--;
  return *from->data++ % count;
}

static double number(source *from) {
  static const double values[] = {0,
                                  1,
                                  2,
                                  3,
                                  8,
                                  64,
                                  1000,
                                  -1,
                                  1.5,
                                  0.1,
                                  1e-3,
                                  1e300,
                                  1e-300,
                                  1e9,
                                  1e15,
                                  4294967296.0,
                                  9007199254740993.0};
  return values[choose(from, sizeof values / sizeof *values)];
}

static const char *word(source *from) {
  static const char *const words[] = {"mlp",        "rnn",
                                      "tanh",       "relu",
                                      "leaky_relu", "sigmoid",
                                      "softplus",   "gelu",
                                      "normal",     "scaled",
                                      "he_normal",  "orthogonal",
                                      "identity",   "torch_default",
                                      "linear",     "mse",
                                      "f32",        "f64",
                                      "bf16",       "extended",
                                      "native",     "full",
                                      "off",        "auto",
                                      "cpu",        "graph",
                                      "steps",      "last",
                                      "every",      "in",
                                      "out",        "18446744073709551615",
                                      "-1",         "",
                                      "\xC2\x9B",   "true",
                                      "name",       "std",
                                      "slope",      "gain"};
  return words[choose(from, sizeof words / sizeof *words)];
}

static cJSON *value(source *from, int depth) {
  const unsigned kind = choose(from, depth > 0 ? 9 : 5);
  if (kind <= 1) return cJSON_CreateNumber(number(from));
  if (kind <= 3) return cJSON_CreateString(word(from));
  if (kind == 4)
    return choose(from, 4) ? cJSON_CreateBool(choose(from, 2) == 1) : cJSON_CreateNull();
  cJSON *container = kind < 8 ? cJSON_CreateArray() : cJSON_CreateObject();
  const unsigned count = choose(from, 5);
  for (unsigned i = 0; i < count; i++) {
    if (kind < 8) {
      cJSON_AddItemToArray(container, value(from, depth - 1));
    } else {
      cJSON_AddItemToObject(container, word(from), value(from, depth - 1));
    }
  }
  return container;
}

static cJSON *block(source *from) {
  cJSON *object = cJSON_CreateObject();
  if (choose(from, 16)) cJSON_AddStringToObject(object, "model", choose(from, 2) ? "mlp" : "rnn");
  const unsigned count = choose(from, 6);
  for (unsigned i = 0; i < count; i++) {
    const char *key = gs_params[choose(from, GS_PARAM_COUNT)].key;
    if (!choose(from, 32)) key = word(from);
    cJSON_AddItemToObject(object, key, value(from, 2));
  }
  return object;
}

static void check_cell(const gs_cell *cell) {
  gs_error error = {0};
  gs_config config;
  char id[GS_CELL_ID_BYTES];
  memset(&config, 0, sizeof config);
  cJSON *params = gs_config_to_json(&cell->config);
  FUZZ_REQUIRE(params);
  FUZZ_REQUIRE(gs_config_from_json(params, "$", &config, &error) == GS_OK);
  FUZZ_REQUIRE(gs_config_id(&config, id, &error) == GS_OK);
  FUZZ_REQUIRE(strcmp(id, cell->id) == 0);
  FUZZ_REQUIRE(strlen(cell->name) > 0);
  gs_config_clear(&config);
  cJSON_Delete(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  source from = {data, size};
  cJSON *root = cJSON_CreateObject();
  cJSON *blocks = cJSON_AddArrayToObject(root, "blocks");
  const unsigned count = choose(&from, 3) + 1;
  for (unsigned i = 0; i < count; i++) cJSON_AddItemToArray(blocks, block(&from));
  if (!choose(&from, 8)) cJSON_AddItemToObject(root, word(&from), value(&from, 2));
  gs_sweep sweep;
  gs_error error = {0};
  const gs_status status = gs_sweep_from_json(root, "input", &sweep, &error);
  if (status == GS_OK) {
    FUZZ_REQUIRE(sweep.count >= 1 && sweep.count <= GS_SWEEP_MAX_CELLS);
    for (int64_t i = 0; i < sweep.count; i++) {
      if (sweep.cells[i].config.depth <= 1000) check_cell(&sweep.cells[i]);
    }
    gs_sweep_clear(&sweep);
  } else {
    fuzz_refused(status, &error);
  }
  cJSON_Delete(root);
  return 0;
}
