/* Types of parameters: activations and initialisations, names that may bring parameters of
 * their own along. */
#include <string.h>

#include "base/json_writer.h"
#include "net/init.h"
#include "net/param_types.h"

/* The member "name" of an object, or the value itself when it is a word. */
static const cJSON *name_node(const cJSON *value, gs_location *location) {
  if (!cJSON_IsObject(value)) return value;
  location->member = "name";
  return gs_json_get(value, "name");
}

static gs_status read_named(const cJSON *value, const gs_location *location, const gs_names *names,
                            int *choice, gs_error *error) {
  gs_location at = *location;
  const cJSON *name = name_node(value, &at);
  if (name) return gs_value_choice(name, &at, names, choice, error);
  return GS_FAIL_AT(location, error, "the object needs a \"name\"");
}

/* ---- initialisations ---- */

static gs_status set_init_member(const cJSON *member, const gs_location *location, gs_init *init,
                                 gs_error *error) {
  const gs_init_param *param = gs_init_param_of(init->kind, member->string);
  if (!param) {
    const char *takes = gs_init_takes(init->kind);
    char quoted[GS_QUOTE_BYTES];
    gs_location object = *location;
    object.member = NULL;
    return GS_FAIL_AT(&object, error, "%s does not take %s (it takes: %s)",
                      gs_name(&gs_init_names, init->kind), gs_quote(member->string, quoted),
                      *takes ? takes : "nothing");
  }
  unsigned char *field = (unsigned char *)init + param->offset;
  double *number = (double *)(void *)field;
  if (param->any_sign) return gs_value_finite(member, location, number, error);
  if (!param->choices) return gs_value_real(member, location, number, error);
  int choice = 0;
  GS_TRY(gs_value_choice(member, location, param->choices, &choice, error));
  memcpy(field, &choice, sizeof choice);
  return GS_OK;
}
_Static_assert(sizeof(gs_fan) == sizeof(int), "a choice is stored as an int");

static gs_status set_init(const gs_param *param, const cJSON *value, const gs_location *location,
                          gs_config *config, gs_error *error) {
  int kind = 0;
  GS_TRY(read_named(value, location, param->choices, &kind, error));
  gs_init init = gs_init_default((gs_init_kind)kind);
  const cJSON *member = cJSON_IsObject(value) ? value->child : NULL;
  for (; member; member = member->next) {
    if (strcmp(member->string, "name") == 0) continue;
    gs_location at = *location;
    at.member = member->string;
    GS_TRY(set_init_member(member, &at, &init, error));
  }
  memcpy((unsigned char *)config + param->offset, &init, sizeof init);
  return GS_OK;
}

static cJSON *get_init_member(const gs_init_param *param, const gs_init *init) {
  const unsigned char *field = (const unsigned char *)init + param->offset;
  double value = 0;
  int choice = 0;
  if (param->choices) {
    memcpy(&choice, field, sizeof choice);
    return cJSON_CreateString(gs_name(param->choices, choice));
  }
  memcpy(&value, field, sizeof value);
  return gs_json_number(value);
}

/* An object with the name and exactly the parameters its kind takes. */
static cJSON *get_init(const gs_param *param, const gs_config *config) {
  gs_init init;
  memcpy(&init, (const unsigned char *)config + param->offset, sizeof init);
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "name", gs_name(param->choices, init.kind));
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *member = &gs_init_params[i];
    if (!gs_init_param_of(init.kind, member->key)) continue;
    gs_json_put(&w, member->key, get_init_member(member, &init));
  }
  return gs_json_finish(&w);
}

/* What a kind got later is told where it is not its default. */
static void identify_init(cJSON *value) {
  const cJSON *name = gs_json_get(value, "name");
  const gs_init_kind kind = (gs_init_kind)gs_value_of(&gs_init_names, name->valuestring, NULL);
  for (int i = 0; i < GS_INIT_PARAM_COUNT; i++) {
    const gs_init_param *param = &gs_init_params[i];
    const cJSON *member = gs_json_get(value, param->key);
    if (!cJSON_IsNumber(member) || !gs_init_param_is_later(kind, param)) continue;
    if (member->valuedouble != param->usual) continue;
    cJSON_DeleteItemFromObjectCaseSensitive(value, param->key);
  }
}

const gs_param_type gs_type_init = {"init", GS_PARAM_NAMED, set_init, get_init, identify_init};

/* ---- activations ---- */

/* Of the hidden layers, and of the output's as long as nobody says otherwise. */
static gs_status set_activation(const gs_param *param, const cJSON *value,
                                const gs_location *location, gs_config *config, gs_error *error) {
  int kind = 0;
  GS_TRY(read_named(value, location, param->choices, &kind, error));
  config->activation.kind = (gs_activation_kind)kind;
  const cJSON *member = cJSON_IsObject(value) ? value->child : NULL;
  for (; member; member = member->next) {
    if (strcmp(member->string, "name") == 0) continue;
    gs_location at = *location;
    at.member = member->string;
    if (strcmp(member->string, "slope") != 0) {
      const char *const keys[] = {"name", "slope"};
      return gs_value_unknown_key(&at, keys, 2, error);
    }
    if (kind != GS_LEAKY_RELU) {
      return GS_FAIL_AT(&at, error, "%s has no slope", gs_name(param->choices, kind));
    }
    GS_TRY(gs_value_real(member, &at, &config->activation.slope, error));
  }
  config->output_activation = config->activation;
  return GS_OK;
}

static cJSON *get_activation(const gs_param *param, const gs_config *config) {
  return cJSON_CreateString(gs_name(param->choices, config->activation.kind));
}

static gs_status set_output(const gs_param *param, const cJSON *value, const gs_location *location,
                            gs_config *config, gs_error *error) {
  config->output_activation = config->activation;
  if (cJSON_IsString(value) && strcmp(value->valuestring, "same") == 0) return GS_OK;
  int kind = 0;
  GS_TRY(gs_value_choice(value, location, param->choices, &kind, error));
  config->output_activation.kind = (gs_activation_kind)kind;
  return GS_OK;
}

static cJSON *get_output(const gs_param *param, const gs_config *config) {
  return cJSON_CreateString(gs_name(param->choices, config->output_activation.kind));
}

/* One slope serves both activations. */
static gs_status set_slope(const gs_param *param, const cJSON *value, const gs_location *location,
                           gs_config *config, gs_error *error) {
  (void)param;
  GS_TRY(gs_value_real(value, location, &config->activation.slope, error));
  config->output_activation.slope = config->activation.slope;
  return GS_OK;
}

static cJSON *get_slope(const gs_param *param, const gs_config *config) {
  (void)param;
  const bool hidden = config->activation.kind == GS_LEAKY_RELU;
  return gs_json_number(hidden ? config->activation.slope : config->output_activation.slope);
}

const gs_param_type gs_type_activation = {"activation", GS_PARAM_NAMED, set_activation,
                                          get_activation, NULL};
const gs_param_type gs_type_output = {"output", GS_PARAM_WORD, set_output, get_output, NULL};
const gs_param_type gs_type_slope = {"slope", GS_PARAM_NUMBER, set_slope, get_slope, NULL};
