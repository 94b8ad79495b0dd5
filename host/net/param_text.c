/* Parameters' values as text: of cells' names, of tables, and as the command line takes
 * them. */
#include <math.h>
#include <string.h>

#include "net/init.h"
#include "net/param_types.h"

static void add_number(const gs_param *param, double number, gs_param_style style, gs_line *line) {
  const bool whole = fabs(number) < 1e15 && number == floor(number);
  const bool size = param->type == &gs_type_size || param->type == &gs_type_sizes;
  if (size || (style == GS_STYLE_TABLE && whole)) {
    gs_line_add(line, "%.0f", number);
  } else {
    gs_line_add_number(line, number);
  }
}

static void add_scalar(const gs_param *param, const cJSON *item, gs_param_style style,
                       gs_line *line) {
  if (cJSON_IsString(item)) {
    gs_line_add(line, "%s", item->valuestring);
  } else if (cJSON_IsBool(item)) {
    gs_line_add(line, "%s", cJSON_IsTrue(item) ? "true" : "false");
  } else if (cJSON_IsNull(item)) {
    gs_line_add(line, "init"); /* bias_std: as the initialisation says */
  } else if (cJSON_IsNumber(item)) {
    add_number(param, item->valuedouble, style, line);
  }
}

static bool is_usual(const cJSON *member) {
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    if (strcmp(param->key, member->string) != 0) continue;
    if (!param->choices) return member->valuedouble == param->usual;
    return strcmp(member->valuestring, gs_name(param->choices, (int)param->usual)) == 0;
  }
  return false;
}

/* "he_normal:fan=out"; a scale is always told, except where it is typed. */
static void add_init(const gs_param *param, const cJSON *init, gs_param_style style,
                     gs_line *line) {
  const cJSON *member = NULL;
  cJSON_ArrayForEach(member, init) {
    const bool name = strcmp(member->string, "name") == 0;
    const bool told = style != GS_STYLE_OPTION && strcmp(member->string, "sigma_w2") == 0;
    if (!name && !told && is_usual(member)) continue;
    if (!name) gs_line_add(line, ":%s=", member->string);
    add_scalar(param, member, style, line);
  }
}

static void add_sizes(const gs_param *param, const cJSON *list, gs_param_style style,
                      gs_line *line) {
  const cJSON *size = NULL;
  cJSON_ArrayForEach(size, list) {
    if (line->cut) return;
    if (size != list->child) gs_line_add(line, style == GS_STYLE_OPTION ? "," : "-");
    add_scalar(param, size, style, line);
  }
}

void gs_param_add_text(const gs_param *param, const cJSON *value, gs_param_style style,
                       gs_line *line) {
  if (cJSON_IsObject(value)) {
    add_init(param, value, style, line);
  } else if (cJSON_IsArray(value)) {
    add_sizes(param, value, style, line);
  } else {
    add_scalar(param, value, style, line);
  }
}

bool gs_param_add_value(const gs_param *param, const gs_config *config, gs_param_style style,
                        gs_line *line) {
  cJSON *value = param->type->get(param, config);
  if (!value) return false;
  gs_param_add_text(param, value, style, line);
  cJSON_Delete(value);
  return true;
}

/* ---- help ---- */

void gs_param_add_default(const gs_param *param, gs_line *line) {
  int model = 0;
  while (model + 1 < GS_MODEL_COUNT && !gs_param_of_model(param, (gs_model)model)) model++;
  gs_config config;
  gs_error error;
  if (param->usual) {
    gs_line_add(line, "%s", param->usual);
  } else if (gs_config_default((gs_model)model, &config, &error) == GS_OK) {
    (void)gs_param_add_value(param, &config, GS_STYLE_OPTION, line);
    gs_config_clear(&config);
  }
}

/* An initialisation with all it takes: "he_normal:fan=in:slope=0". */
static void add_members(gs_init_kind kind, gs_line *line) {
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *member = &gs_init_params[i];
    if (!gs_init_param_of(kind, member->key)) continue;
    gs_line_add(line, ":%s=", member->key);
    if (member->choices) {
      gs_line_add(line, "%s", gs_name(member->choices, (int)member->usual));
    } else {
      gs_line_add_number(line, member->usual);
    }
  }
}

static bool is_told_before(const gs_param *param) {
  for (const gs_param *other = gs_params; other < param; other++) {
    if (other->choices == param->choices) return true;
  }
  return false;
}

void gs_param_add_help(const gs_param *param, gs_line *line) {
  if (param->choices && !is_told_before(param)) {
    for (int c = 0; param->choices->list[c]; c++) {
      gs_line_add(line, "%s%s", c > 0 ? ", " : "", param->choices->list[c]);
      if (param->choices == &gs_init_names) add_members((gs_init_kind)c, line);
    }
    gs_line_add(line, ": ");
  }
  gs_line_add(line, "%s", param->help);
  const size_t before = line->length;
  gs_line_add(line, " (");
  gs_param_add_default(param, line);
  if (line->length == before + 2) {
    line->length = before;
    line->text[before] = '\0';
  } else {
    gs_line_add(line, ")");
  }
}
