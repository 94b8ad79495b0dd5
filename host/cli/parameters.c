/* gradsweep parameters: every parameter of a cell, as help or, for programs, as JSON. What
 * is generated from the table (tools/generate) comes from here. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/location.h"
#include "cli/commands.h"
#include "net/init.h"
#include "net/model.h"
#include "net/param.h"

/* ---- pieces ---- */

static void put_words(gs_json_writer *w, const char *key, const char *words) {
  gs_json_open_array(w, key);
  while (words && *words) {
    char word[64];
    const int length = (int)strcspn(words, " ");
    snprintf(word, sizeof word, "%.*s", length, words);
    gs_json_put_string(w, NULL, word);
    words += length;
    words += strspn(words, " ");
  }
  gs_json_close(w);
}

static void put_names(gs_json_writer *w, const char *key, const gs_names *names) {
  gs_json_open_array(w, key);
  for (int i = 0; names->list[i]; i++) gs_json_put_string(w, NULL, names->list[i]);
  gs_json_close(w);
}

/* Those of its models that are among these. */
static void put_models(gs_json_writer *w, const char *key, const gs_param *param, unsigned among) {
  gs_json_open_array(w, key);
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    if (!gs_param_of_model(param, (gs_model)m) || !(among & GS_OF_MODEL(m))) continue;
    gs_json_put_string(w, NULL, gs_name(&gs_model_names, m));
  }
  gs_json_close(w);
}

/* By model: the default where the default configuration has a value. */
static gs_status put_defaults(gs_json_writer *w, const gs_param *param, gs_error *error) {
  gs_json_open_object(w, "defaults");
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    gs_config config;
    GS_TRY(gs_config_default((gs_model)m, &config, error));
    if (gs_param_applies(param, &config)) {
      gs_json_put(w, gs_name(&gs_model_names, m), param->type->get(param, &config));
    }
    gs_config_clear(&config);
  }
  gs_json_close(w);
  return GS_OK;
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

static void put_name_rules(gs_json_writer *w, const gs_param *param) {
  const char letter[] = {param->letter, '\0'};
  gs_json_put_string(w, "in_name", in_name(param));
  if (param->letter) gs_json_put_string(w, "letter", letter);
  put_models(w, "conditional", param, param->applies ? ~param->always : 0);
  put_words(w, "instead_of", param->instead_of);
  gs_json_put_string(w, "goes_with", param->goes_with ? param->goes_with : "");
  gs_json_put_string(w, "goes_with_value", param->goes_with_value ? param->goes_with_value : "");
}

static gs_status put_param(gs_json_writer *w, const gs_param *param, gs_error *error) {
  char usual[256];
  gs_line line = gs_line_in(usual, sizeof usual);
  gs_param_add_default(param, &line);
  gs_json_open_object(w, NULL);
  gs_json_put_string(w, "key", param->key);
  gs_json_put_string(w, "help", param->help);
  gs_json_put_string(w, "details", param->details ? param->details : "");
  gs_json_put_string(w, "usual", usual);
  put_models(w, "models", param, GS_EVERY_MODEL);
  gs_json_put_string(w, "type", param->type->name);
  if (param->max != 0) gs_json_put_int(w, "maximum", param->max);
  if (param->choices) put_names(w, "choices", param->choices);
  GS_TRY(put_defaults(w, param, error));
  put_name_rules(w, param);
  gs_json_close(w);
  return GS_OK;
}

/* What one takes is a number, which is the default, or a list of choices, of which the first
 * is; any_sign: what may be below zero, too. */
static void put_init(gs_json_writer *w, gs_init_kind kind) {
  gs_json_open_object(w, gs_name(&gs_init_names, kind));
  gs_json_open_object(w, "takes");
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    if (!gs_init_param_of(kind, param->key)) continue;
    if (param->choices) put_names(w, param->key, param->choices);
    if (!param->choices) gs_json_put_number(w, param->key, param->usual);
  }
  gs_json_close(w);
  gs_json_open_array(w, "any_sign");
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    if (!param->any_sign || !gs_init_param_of(kind, param->key)) continue;
    gs_json_put_string(w, NULL, param->key);
  }
  gs_json_close(w);
  gs_json_put_bool(w, "framework", gs_init_is_framework(kind));
  gs_json_close(w);
}

/* By name, what is told of each. */
static void put_model_rows(gs_json_writer *w) {
  gs_json_open_object(w, "models");
  for (int m = 0; m < GS_MODEL_COUNT; m++) {
    const gs_model_row *model = gs_model_row_of((gs_model)m);
    gs_json_open_object(w, gs_name(&gs_model_names, m));
    gs_json_put_string(w, "point", model->point);
    gs_json_put_bool(w, "recurrent", model->recurrent);
    gs_json_put_bool(w, "theory", !model->no_theory);
    gs_json_close(w);
  }
  gs_json_close(w);
}

static gs_status put_document(gs_json_writer *w, gs_error *error) {
  put_model_rows(w);
  gs_json_open_array(w, "parameters");
  for (int i = 0; i < GS_PARAM_COUNT; i++) GS_TRY(put_param(w, &gs_params[i], error));
  gs_json_close(w);
  gs_json_open_object(w, "initialisations");
  for (int kind = 0; kind < GS_INIT_COUNT; kind++) put_init(w, (gs_init_kind)kind);
  gs_json_close(w);
  return GS_OK;
}

static gs_status print_json(gs_error *error) {
  gs_json_writer w = gs_json_writer_object();
  const gs_status status = put_document(&w, error);
  if (status == GS_OK) return gs_json_finish_to(&w, "the parameters", stdout, error);
  gs_json_abandon(&w);
  return status;
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
