/* Writing set-ups. */
#include "claims/setup.h"

#include <string.h>

#include "net/param.h"

enum { VALUE_BYTES = 160, OPTION_BYTES = 32 };

static const int ranks[GS_GROUPS] = {
    [GS_GROUP_LENGTH] = 1,  [GS_GROUP_SIZE] = 2,  [GS_GROUP_KIND] = 3,  [GS_GROUP_PART] = 3,
    [GS_GROUP_NETWORK] = 4, [GS_GROUP_COUNT] = 5, [GS_GROUP_OTHER] = 6, [GS_GROUP_SEED] = 7};

static bool is_always_told(const gs_param *param) {
  return param->letter || param->group == GS_GROUP_KIND || param->group == GS_GROUP_PART;
}

static const char *value_text(const gs_param *param, const gs_config *config,
                              char text[VALUE_BYTES]) {
  gs_line line = gs_line_in(text, VALUE_BYTES);
  if (!gs_param_add_value(param, config, GS_STYLE_OPTION, &line)) gs_line_add(&line, "?");
  return text;
}

/* "seq_len" as "--seq-len". */
static void option_text(const gs_param *param, char option[OPTION_BYTES]) {
  gs_line line = gs_line_in(option, OPTION_BYTES);
  gs_line_add(&line, "%s", param->key);
  for (char *at = option; *at; at++) *at = *at == '_' ? '-' : *at;
}

static void add_param(gs_line *line, const gs_param *param, const gs_config *config,
                      const gs_config *usual, const char *axis, const char *values) {
  char option[OPTION_BYTES];
  char value[VALUE_BYTES];
  char other[VALUE_BYTES];
  option_text(param, option);
  const bool swept = axis && strcmp(axis, option) == 0;
  value_text(param, config, value);
  if (!swept && !is_always_told(param) && strcmp(value, value_text(param, usual, other)) == 0) {
    return;
  }
  gs_line_add(line, " --%s %s", option, swept ? values : value);
}

const char *gs_setup_command(const gs_config *config, const char *axis, const char *values,
                             char *text, size_t capacity) {
  gs_line line = gs_line_in(text, capacity);
  gs_config usual;
  gs_error error;
  int order[GS_PARAM_COUNT];
  gs_line_add(&line, "%s", gs_name(&gs_model_names, (int)config->model));
  if (gs_param_usual(config, &usual, &error) != GS_OK) return text;
  const int count = gs_param_order(ranks, order);
  for (int i = 0; i < count; i++) {
    const gs_param *param = &gs_params[order[i]];
    if (param->changes_no_number || !gs_param_applies(param, config)) continue;
    add_param(&line, param, config, &usual, axis, values);
  }
  gs_config_clear(&usual);
  return text;
}
