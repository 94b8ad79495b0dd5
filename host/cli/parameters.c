/* gradsweep parameters: every parameter of a cell, as help or, for programs, as JSON. What
 * is generated from the table (tools/generate) comes from here. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/location.h"
#include "cli/commands.h"
#include "net/init.h"
#include "net/model.h"
#include "net/param.h"

/* ---- pieces ---- */

static cJSON *words_to_json(const char *words) {
  cJSON *list = cJSON_CreateArray();
  bool ok = list != NULL;
  while (ok && words && *words) {
    char word[64];
    const int length = (int)strcspn(words, " ");
    snprintf(word, sizeof word, "%.*s", length, words);
    ok = gs_json_append(list, cJSON_CreateString(word));
    words += length;
    words += strspn(words, " ");
  }
  if (ok) return list;
  cJSON_Delete(list);
  return NULL;
}

static cJSON *names_to_json(const gs_names *names) {
  const int count = gs_names_count(names);
  return cJSON_CreateStringArray((const char *const *)names->list, count);
}

/* Those of its models that are among these. */
static cJSON *models_to_json(const gs_param *param, unsigned among) {
  cJSON *list = cJSON_CreateArray();
  bool ok = list != NULL;
  for (int m = 0; ok && m < GS_MODEL_COUNT; m++) {
    if (!gs_param_of_model(param, (gs_model)m) || !(among & GS_OF_MODEL(m))) continue;
    ok = gs_json_append(list, cJSON_CreateString(gs_name(&gs_model_names, m)));
  }
  if (ok) return list;
  cJSON_Delete(list);
  return NULL;
}

/* By model: the default where the default configuration has a value. */
static cJSON *defaults_to_json(const gs_param *param) {
  cJSON *object = cJSON_CreateObject();
  bool ok = object != NULL;
  for (int m = 0; ok && m < GS_MODEL_COUNT; m++) {
    gs_config config;
    gs_error error;
    ok = gs_config_default((gs_model)m, &config, &error) == GS_OK;
    if (!ok) break;
    if (gs_param_applies(param, &config)) {
      ok = gs_json_add(object, gs_name(&gs_model_names, m), param->type->get(param, &config));
    }
    gs_config_clear(&config);
  }
  if (ok) return object;
  cJSON_Delete(object);
  return NULL;
}

/* When a cell's name has the value. */
static const char *in_name(const gs_param *param) {
  switch (param->group) {
  case GS_GROUP_MODEL:
  case GS_GROUP_KIND:
  case GS_GROUP_LENGTH:
  case GS_GROUP_SIZE:
  case GS_GROUP_COUNT: return "always";
  case GS_GROUP_PART: return "part";
  case GS_GROUP_NETWORK:
  case GS_GROUP_SEED:
  case GS_GROUP_OTHER: return "unusual";
  case GS_GROUP_LOCATION: return "never";
  case GS_GROUPS: break;
  }
  return "unknown";
}

/* ---- the document ---- */

static bool add_limits(cJSON *object, const gs_param *param) {
  return (param->max == 0 || gs_json_add_int(object, "maximum", param->max)) &&
         (!param->choices || gs_json_add(object, "choices", names_to_json(param->choices)));
}

static bool add_name_rules(cJSON *object, const gs_param *param) {
  const char letter[] = {param->letter, '\0'};
  return gs_json_add_string(object, "in_name", in_name(param)) &&
         (!param->letter || gs_json_add_string(object, "letter", letter)) &&
         gs_json_add(object, "conditional",
                     models_to_json(param, param->applies ? ~param->always : 0)) &&
         gs_json_add(object, "instead_of", words_to_json(param->instead_of)) &&
         gs_json_add_string(object, "goes_with", param->goes_with ? param->goes_with : "") &&
         gs_json_add_string(object, "goes_with_value",
                            param->goes_with_value ? param->goes_with_value : "");
}

static cJSON *param_to_json(const gs_param *param) {
  char usual[256];
  gs_line line = gs_line_in(usual, sizeof usual);
  gs_param_add_default(param, &line);
  cJSON *object = cJSON_CreateObject();
  if (object && gs_json_add_string(object, "key", param->key) &&
      gs_json_add_string(object, "help", param->help) &&
      gs_json_add_string(object, "details", param->details ? param->details : "") &&
      gs_json_add_string(object, "usual", usual) &&
      gs_json_add(object, "models", models_to_json(param, GS_EVERY_MODEL)) &&
      gs_json_add_string(object, "type", param->type->name) && add_limits(object, param) &&
      gs_json_add(object, "defaults", defaults_to_json(param)) && add_name_rules(object, param)) {
    return object;
  }
  cJSON_Delete(object);
  return NULL;
}

static bool add_init_params(cJSON *takes, gs_init_kind kind) {
  bool ok = true;
  for (int i = 0; ok && i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    if (!gs_init_param_of(kind, param->key)) continue;
    ok = param->choices ? gs_json_add(takes, param->key, names_to_json(param->choices))
                        : gs_json_add_number(takes, param->key, param->usual);
  }
  return ok;
}

/* What may be below zero, too. */
static cJSON *any_sign_to_json(gs_init_kind kind) {
  cJSON *keys = cJSON_CreateArray();
  bool ok = keys != NULL;
  for (int i = 0; ok && i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    if (!param->any_sign || !gs_init_param_of(kind, param->key)) continue;
    ok = gs_json_append(keys, cJSON_CreateString(param->key));
  }
  if (ok) return keys;
  cJSON_Delete(keys);
  return NULL;
}

static cJSON *init_to_json(gs_init_kind kind) {
  cJSON *init = cJSON_CreateObject();
  cJSON *takes = cJSON_CreateObject();
  const bool made = init && takes && add_init_params(takes, kind);
  if (!made) cJSON_Delete(takes);
  if (made && gs_json_add(init, "takes", takes) &&
      gs_json_add(init, "any_sign", any_sign_to_json(kind)) &&
      gs_json_add_bool(init, "framework", gs_init_is_framework(kind))) {
    return init;
  }
  cJSON_Delete(init);
  return NULL;
}

/* By name. What one takes is a number, which is the default, or a list of choices, of which
 * the first is. */
static cJSON *inits_to_json(void) {
  cJSON *inits = cJSON_CreateObject();
  bool ok = inits != NULL;
  for (int kind = 0; ok && kind < GS_INIT_COUNT; kind++) {
    ok = gs_json_add(inits, gs_name(&gs_init_names, kind), init_to_json((gs_init_kind)kind));
  }
  if (ok) return inits;
  cJSON_Delete(inits);
  return NULL;
}

/* By name, what is told of each. */
static cJSON *model_rows_to_json(void) {
  cJSON *rows = cJSON_CreateObject();
  bool ok = rows != NULL;
  for (int m = 0; ok && m < GS_MODEL_COUNT; m++) {
    const gs_model_row *model = gs_model_row_of((gs_model)m);
    cJSON *row = cJSON_CreateObject();
    ok = gs_json_add(rows, gs_name(&gs_model_names, m), row) &&
         gs_json_add_string(row, "point", model->point) &&
         gs_json_add_bool(row, "recurrent", model->recurrent) &&
         gs_json_add_bool(row, "theory", !model->no_theory);
  }
  if (ok) return rows;
  cJSON_Delete(rows);
  return NULL;
}

static bool fill_document(cJSON *document) {
  cJSON *params = cJSON_CreateArray();
  bool ok = gs_json_add(document, "models", model_rows_to_json()) && params;
  for (int i = 0; ok && i < GS_PARAM_COUNT; i++) {
    ok = gs_json_append(params, param_to_json(&gs_params[i]));
  }
  if (!ok) cJSON_Delete(params);
  return ok && gs_json_add(document, "parameters", params) &&
         gs_json_add(document, "initialisations", inits_to_json());
}

static gs_status print_json(gs_error *error) {
  cJSON *document = cJSON_CreateObject();
  const bool made = document && fill_document(document);
  if (made) (void)gs_json_print_pretty(document, stdout); /* main looks at stdout */
  cJSON_Delete(document);
  return made ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the parameters");
}

typedef struct parameters_arguments {
  bool json;
} parameters_arguments;

static const gs_option options[] = {{.name = "json",
                                     .help = "JSON, with types, limits and choices",
                                     .kind = GS_OPTION_FLAG,
                                     .offset = offsetof(parameters_arguments, json)},
                                    {.name = NULL}};

static gs_status run(void *arguments, const gs_given *given, int *code, gs_error *error) {
  const parameters_arguments *a = arguments;
  (void)given, (void)code;
  if (a->json) return print_json(error);
  gs_help_print_parameters(stdout, &gs_parameters_command);
  return GS_OK;
}

const gs_command gs_parameters_command = {
    .name = "parameters",
    .summary = "every parameter of a cell",
    .usages = (const char *const[]){"[options]", NULL},
    .description =
        "Prints every parameter of a cell with its choices and its default, as the help of\n"
        "run and theory has them; as JSON for programs that write sweeps or read results.\n",
    .options = options,
    .arguments_size = sizeof(parameters_arguments),
    .run = run};
