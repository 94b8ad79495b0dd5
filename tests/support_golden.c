/* Reads the golden networks (format: tools/golden/make_golden.py). */
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
  FILE *file;
  char *line;
  size_t capacity;
  int number; /* of the line, for messages */
} reader;

static bool next_line(reader *in) {
  do {
    if (getline(&in->line, &in->capacity, in->file) < 0) return false;
    in->number++;
  } while (in->line[0] == '#' || in->line[0] == '\n');
  in->line[strcspn(in->line, "\n")] = 0;
  return true;
}

static void malformed(const reader *in) {
  fail_msg("golden file, line %d: %s", in->number, in->line);
}

static int64_t integer(const reader *in, const char *text) {
  char *end = NULL;
  const long long value = strtoll(text, &end, 10);
  if (end == text || *end) malformed(in);
  return value;
}

static void read_widths(const reader *in, gs_config *config, char *text) {
  int64_t widths[64], count = 0;
  for (char *save = NULL, *word = strtok_r(text, " ", &save); word;
       word = strtok_r(NULL, " ", &save)) {
    if (count == 64) malformed(in);
    widths[count++] = integer(in, word);
  }
  if (count < 2) malformed(in);
  free(config->widths);
  config->widths = malloc((size_t)count * sizeof *widths);
  assert_non_null(config->widths);
  memcpy(config->widths, widths, (size_t)count * sizeof *widths);
  config->depth = count - 1;
  config->width = 0;
}

static int choice(const reader *in, const gs_names *names, const char *name) {
  const int value = gs_value_of(names, name, NULL);
  if (value < 0) malformed(in);
  return value;
}

static void start_case(const reader *in, gs_golden *golden, const char *name, const char *model) {
  gs_error error = {0};
  const gs_model kind = (gs_model)choice(in, &gs_model_names, model);
  memset(golden, 0, sizeof *golden);
  snprintf(golden->name, sizeof golden->name, "%s", name);
  gs_support_ok(gs_config_default(kind, &golden->config, &error), &error);
}

static void read_key(const reader *in, gs_golden *golden, const char *key, char *value) {
  gs_config *config = &golden->config;
  bool known = true;
  if (!strcmp(key, "widths"))
    read_widths(in, config, value);
  else if (!strcmp(key, "batch"))
    config->batch = integer(in, value);
  else if (!strcmp(key, "replicas"))
    config->replicas = integer(in, value);
  else if (!strcmp(key, "hidden"))
    config->hidden = integer(in, value);
  else if (!strcmp(key, "inputs"))
    config->input = integer(in, value);
  else if (!strcmp(key, "seq_len"))
    config->seq_len = integer(in, value);
  else if (!strcmp(key, "tied"))
    config->tied = integer(in, value) != 0;
  else if (!strcmp(key, "bias"))
    config->bias_std = integer(in, value) ? 1 : 0;
  else if (!strcmp(key, "native_f32"))
    golden->native_f32 = integer(in, value) != 0;
  else if (!strcmp(key, "slope"))
    config->activation.slope = strtod(value, NULL);
  else if (!strcmp(key, "loss"))
    config->loss = (gs_loss)choice(in, &gs_loss_names, value);
  else if (!strcmp(key, "loss_at"))
    config->loss_at = (gs_loss_at)choice(in, &gs_loss_at_names, value);
  else if (!strcmp(key, "output_activation"))
    config->output_activation.kind = (gs_activation_kind)choice(in, &gs_activation_names, value);
  else if (!strcmp(key, "activation"))
    config->activation.kind = (gs_activation_kind)choice(in, &gs_activation_names, value);
  else if (!strcmp(key, "norm"))
    config->norm = (gs_norm)choice(in, &gs_norm_names, value);
  else if (!strcmp(key, "norm_at"))
    config->norm_at = (gs_norm_at)choice(in, &gs_norm_at_names, value);
  else if (!strcmp(key, "residual"))
    config->residual = (gs_residual)choice(in, &gs_residual_names, value);
  else if (!strcmp(key, "block"))
    config->block = integer(in, value);
  else if (!strcmp(key, "residual_scale"))
    config->residual_scale = strtod(value, NULL);
  else if (!strcmp(key, "residual_activation"))
    config->residual_activation =
        (gs_residual_activation)choice(in, &gs_residual_activation_names, value);
  else
    known = false;
  if (!known) malformed(in);
}

static void read_tensor(reader *in, gs_golden *golden, const char *header) {
  if (golden->count == GS_GOLDEN_MAX_TENSORS) malformed(in);
  gs_golden_tensor *tensor = &golden->tensors[golden->count++];
  if (sscanf(header, "%23s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, tensor->role,
             &tensor->index, &tensor->replicas, &tensor->rows, &tensor->cols) != 5)
    malformed(in);
  const int64_t lines = tensor->replicas * tensor->rows;
  tensor->values = calloc((size_t)(lines * tensor->cols), sizeof *tensor->values);
  assert_non_null(tensor->values);
  double *out = tensor->values;
  for (int64_t i = 0; i < lines; i++) {
    if (!next_line(in)) malformed(in);
    char *text = in->line;
    for (int64_t j = 0; j < tensor->cols; j++) {
      char *end = NULL;
      *out++ = strtod(text, &end);
      if (end == text) malformed(in);
      text = end;
    }
    if (*text) malformed(in);
  }
}

static void read_case(reader *in, gs_golden *golden, const char *name) {
  char model[16] = "";
  if (!next_line(in) || sscanf(in->line, "model %15s", model) != 1) malformed(in);
  start_case(in, golden, name, model);
  while (next_line(in) && strcmp(in->line, "end") != 0) {
    char *value = strchr(in->line, ' ');
    if (!value) malformed(in);
    *value++ = 0;
    if (!strcmp(in->line, "tensor"))
      read_tensor(in, golden, value);
    else
      read_key(in, golden, in->line, value);
  }
  gs_config *config = &golden->config;
  config->output_activation.slope = config->activation.slope;
  if (config->model == GS_RNN) config->output_activation = config->activation;
}

void gs_golden_read(const char *path, gs_golden **cases, int *count) {
  reader in = {.file = fopen(path, "r")};
  if (!in.file) fail_msg("cannot open %s", path);
  *cases = NULL;
  *count = 0;
  while (next_line(&in)) {
    char name[GS_GOLDEN_NAME_BYTES] = "";
    if (sscanf(in.line, "case %63s", name) != 1) malformed(&in);
    *cases = realloc(*cases, (size_t)(*count + 1) * sizeof **cases);
    assert_non_null(*cases);
    read_case(&in, &(*cases)[(*count)++], name);
  }
  free(in.line);
  fclose(in.file);
}

void gs_golden_free(gs_golden *cases, int count) {
  for (int i = 0; i < count; i++) {
    for (int k = 0; k < cases[i].count; k++) free(cases[i].tensors[k].values);
    gs_config_clear(&cases[i].config);
  }
  free(cases);
}

const gs_golden_tensor *gs_golden_find(const gs_golden *golden, const char *role, int64_t index) {
  for (int k = 0; k < golden->count; k++)
    if (!strcmp(golden->tensors[k].role, role) && golden->tensors[k].index == index)
      return &golden->tensors[k];
  return NULL;
}
