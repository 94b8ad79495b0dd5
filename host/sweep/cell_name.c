/* The readable name of a cell. */
#include <stdio.h>
#include <string.h>

#include "net/param.h"
#include "sweep/spec.h"

static const int ranks[GS_GROUPS] = {
    [GS_GROUP_MODEL] = 1, [GS_GROUP_KIND] = 2,    [GS_GROUP_LENGTH] = 3, [GS_GROUP_SIZE] = 4,
    [GS_GROUP_COUNT] = 5, [GS_GROUP_NETWORK] = 6, [GS_GROUP_SEED] = 7,   [GS_GROUP_OTHER] = 8};

typedef struct name_writer {
  const gs_config *config;
  const gs_config *usual; /* gs_param_usual of config */
  gs_line line;
} name_writer;

/* The value of a parameter as text. */
static bool value_text(const gs_param *param, const gs_config *config,
                       char text[GS_CELL_NAME_BYTES]) {
  gs_line line = gs_line_in(text, GS_CELL_NAME_BYTES);
  return gs_param_add_value(param, config, GS_STYLE_NAME, &line);
}

/* A slope stands beside the leaky_relu that has it. */
static bool add_part(name_writer *name, const char *value) {
  const gs_param *slope = &gs_params[gs_param_find("slope")];
  char text[GS_CELL_NAME_BYTES];
  char usual[GS_CELL_NAME_BYTES];
  if (strcmp(value, gs_name(&gs_activation_names, GS_LEAKY_RELU)) != 0) return true;
  const gs_config plain = {.activation.slope = GS_LEAKY_DEFAULT_SLOPE,
                           .activation.kind = GS_LEAKY_RELU};
  if (!value_text(slope, name->config, text) || !value_text(slope, &plain, usual)) return false;
  if (strcmp(text, usual) != 0) gs_line_add(&name->line, ":%s=%s", slope->key, text);
  return true;
}

static bool add_value(name_writer *name, const gs_param *param) {
  char text[GS_CELL_NAME_BYTES];
  if (!value_text(param, name->config, text)) return false;
  gs_line_add(&name->line, "%s", text);
  return param->choices != &gs_activation_names || add_part(name, text);
}

/* As many inputs as units need no word. */
static bool is_square(const gs_param *param, const gs_config *config) {
  return strcmp(param->key, "input") == 0 && config->input == config->hidden;
}

static bool add_param(name_writer *name, const gs_param *param) {
  char text[GS_CELL_NAME_BYTES];
  char usual[GS_CELL_NAME_BYTES];
  switch (param->group) {
  case GS_GROUP_MODEL: return add_value(name, param);
  case GS_GROUP_KIND: gs_line_add(&name->line, "/"); return add_value(name, param);
  case GS_GROUP_LENGTH:
  case GS_GROUP_SIZE:
  case GS_GROUP_COUNT:
    if (is_square(param, name->config)) return true;
    gs_line_add(&name->line, "/%c", param->letter);
    return add_value(name, param);
  default: break;
  }
  if (!value_text(param, name->config, text) || !value_text(param, name->usual, usual)) {
    return false;
  }
  if (strcmp(text, usual) == 0) return true;
  gs_line_add(&name->line, "/%s=", param->key);
  return add_value(name, param);
}

static bool add_params(name_writer *name) {
  int order[GS_PARAM_COUNT];
  const int count = gs_param_order(ranks, order);
  for (int i = 0; i < count; i++) {
    const gs_param *param = &gs_params[order[i]];
    if (gs_param_applies(param, name->config) && !add_param(name, param)) return false;
  }
  return true;
}

gs_status gs_config_describe(const gs_config *config, char name[GS_CELL_NAME_BYTES],
                             gs_error *error) {
  gs_config usual;
  GS_TRY(gs_param_usual(config, &usual, error));
  memset(name, 0, GS_CELL_NAME_BYTES);
  name_writer writer = {config, &usual, gs_line_in(name, GS_CELL_NAME_BYTES)};
  const bool written = add_params(&writer);
  gs_config_clear(&usual);
  if (!written) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for a cell's name");
  if (!writer.line.cut) return GS_OK;
  char id[GS_CELL_ID_BYTES];
  GS_TRY(gs_config_id(config, id, error));
  snprintf(name + GS_CELL_NAME_BYTES - sizeof id - 1, sizeof id + 1, "~%s", id);
  return GS_OK;
}
