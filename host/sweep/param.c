/* Parameters: from a JSON value to a field of gs_config, with every complaint
 * naming its place. */
#include "sweep/param.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"

gs_status gs_param_model(const cJSON *value, const gs_place *place, gs_model *model,
                         gs_error *error) {
  int choice = 0;
  GS_TRY(gs_value_choice(value, place, &gs_model_names, &choice, error));
  *model = (gs_model)choice;
  return GS_OK;
}

/* ---- setters that serve several parameters ---- */

static void *field_of(gs_config *config, const gs_param *param) {
  return (unsigned char *)config + param->offset;
}

static gs_status set_size(const gs_param *param, const cJSON *value, const gs_place *place,
                          gs_config *config, gs_error *error) {
  int64_t *field = field_of(config, param);
  return gs_value_size(value, place, param->max, field, error);
}

static gs_status set_real(const gs_param *param, const cJSON *value, const gs_place *place,
                          gs_config *config, gs_error *error) {
  double *field = field_of(config, param);
  return gs_value_real(value, place, field, error);
}

/* One of an enumeration's names; the field is any enumeration. */
static gs_status set_choice(const gs_param *param, const cJSON *value, const gs_place *place,
                            gs_config *config, gs_error *error) {
  int choice = 0;
  GS_TRY(gs_value_choice(value, place, param->names, &choice, error));
  memcpy(field_of(config, param), &choice, sizeof choice);
  return GS_OK;
}
_Static_assert(sizeof(gs_loss) == sizeof(int) && sizeof(gs_loss_at) == sizeof(int) &&
                   sizeof(gs_dtype) == sizeof(int) && sizeof(gs_range) == sizeof(int) &&
                   sizeof(gs_stats_level) == sizeof(int) && sizeof(gs_launch) == sizeof(int) &&
                   sizeof(gs_loop) == sizeof(int) && sizeof(gs_backend) == sizeof(int),
               "set_choice stores an int");

/* Does the blank-separated list `takes` hold the key? */
static bool takes_key(const char *takes, const char *key) {
  const size_t length = strlen(key);
  for (const char *word = takes; *word;) {
    const size_t span = strcspn(word, " ");
    if (span == length && strncmp(word, key, length) == 0) return true;
    word += span;
    word += strspn(word, " ");
  }
  return false;
}

static gs_status set_init_member(const cJSON *member, const gs_place *place, gs_init *init,
                                 gs_error *error) {
  const char *takes = gs_init_takes(init->kind);
  if (!takes_key(takes, member->string)) {
    char quoted[GS_QUOTE_BYTES];
    gs_place object = *place;
    object.member = NULL;
    return GS_FAIL_AT(&object, error, "%s does not take %s (it takes: %s)",
                      gs_name(&gs_init_names, init->kind), gs_quote(member->string, quoted),
                      *takes ? takes : "nothing");
  }
  if (strcmp(member->string, "fan") == 0) {
    int fan = 0;
    GS_TRY(gs_value_choice(member, place, &gs_fan_names, &fan, error));
    init->fan = (gs_fan)fan;
    return GS_OK;
  }
  double *fields[] = {&init->std, &init->sigma_w2, &init->gain, &init->slope};
  const char *const keys[] = {"std", "sigma_w2", "gain", "slope"};
  for (int i = 0; i < 4; i++) {
    if (strcmp(member->string, keys[i]) == 0) return gs_value_real(member, place, fields[i], error);
  }
  return GS_FAIL(error, GS_ERR_INTERNAL, "no field for the parameter %s", member->string);
}

/* The member "name" of an object, or the value itself when it is a word. */
static const cJSON *name_node(const cJSON *value, gs_place *place) {
  if (!cJSON_IsObject(value)) return value;
  place->member = "name";
  return cJSON_GetObjectItemCaseSensitive(value, "name");
}

static gs_status read_named(const cJSON *value, const gs_place *place, const gs_names *names,
                            int *choice, gs_error *error) {
  gs_place at = *place;
  const cJSON *name = name_node(value, &at);
  if (name) return gs_value_choice(name, &at, names, choice, error);
  return GS_FAIL_AT(place, error, "the object needs a \"name\"");
}

static gs_status set_init(const gs_param *param, const cJSON *value, const gs_place *place,
                          gs_config *config, gs_error *error) {
  int kind = 0;
  GS_TRY(read_named(value, place, &gs_init_names, &kind, error));
  gs_init init = gs_init_default((gs_init_kind)kind);
  const cJSON *member = cJSON_IsObject(value) ? value->child : NULL;
  for (; member; member = member->next) {
    if (strcmp(member->string, "name") == 0) continue;
    gs_place at = *place;
    at.member = member->string;
    GS_TRY(set_init_member(member, &at, &init, error));
  }
  *(gs_init *)field_of(config, param) = init;
  return GS_OK;
}

/* ---- one parameter each ---- */

static gs_status set_widths(const gs_param *param, const cJSON *value, const gs_place *place,
                            gs_config *config, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsArray(value)) {
    return GS_FAIL_AT(place, error, "must be a list of sizes, not %s",
                      gs_quote_value(value, quoted));
  }
  const int64_t depth = (int64_t)cJSON_GetArraySize(value) - 1;
  if (depth < 1 || depth > param->max) {
    return GS_FAIL_AT(place, error, "needs 2 to %" PRId64 " sizes, not %" PRId64, param->max + 1,
                      depth + 1);
  }
  GS_TRY(gs_config_set_widths(config, depth, 1, error));
  gs_place at = *place;
  int64_t l = 0;
  bool equal = true;
  for (const cJSON *size = value->child; size; size = size->next, l++) {
    at.inner = l;
    GS_TRY(gs_value_size(size, &at, GS_MAX_SIZE, &config->widths[l], error));
    equal = equal && config->widths[l] == config->widths[0];
  }
  config->width = equal ? config->widths[0] : 0;
  return GS_OK;
}

/* A number; or null, in words "init": what the initialisation says (block.c settles it). */
static gs_status set_bias_std(const gs_param *param, const cJSON *value, const gs_place *place,
                              gs_config *config, gs_error *error) {
  const char *text = cJSON_IsString(value) ? value->valuestring : "";
  config->bias = GS_BIAS_COUNT; /* of the initialisation's */
  config->bias_std = 0;
  if (cJSON_IsNull(value) || strcmp(text, "init") == 0) return GS_OK;
  config->bias = GS_BIAS_NORMAL;
  return set_real(param, value, place, config, error);
}

static gs_status set_seed(const gs_param *param, const cJSON *value, const gs_place *place,
                          gs_config *config, gs_error *error) {
  (void)param;
  char quoted[GS_QUOTE_BYTES];
  int64_t whole = 0;
  if (cJSON_IsNumber(value) && gs_integer_of(value->valuedouble, 0, GS_MAX_SIZE, &whole)) {
    config->seed = (uint64_t)whole;
    return GS_OK;
  }
  const char *text = cJSON_IsString(value) ? value->valuestring : "";
  if (*text && text[strspn(text, "0123456789")] == '\0') {
    errno = 0;
    const unsigned long long seed = strtoull(text, NULL, 10);
    if (errno == 0) {
      config->seed = seed;
      return GS_OK;
    }
  }
  return GS_FAIL_AT(place, error,
                    "must be an integer from 0 to 2^53 - 1, or digits in quotes up to 2^64 - 1, "
                    "not %s",
                    gs_quote_value(value, quoted));
}

static gs_status set_activation(const gs_param *param, const cJSON *value, const gs_place *place,
                                gs_config *config, gs_error *error) {
  (void)param;
  int kind = 0;
  GS_TRY(read_named(value, place, &gs_activation_names, &kind, error));
  config->activation.kind = (gs_activation_kind)kind;
  const cJSON *member = cJSON_IsObject(value) ? value->child : NULL;
  for (; member; member = member->next) {
    if (strcmp(member->string, "name") == 0) continue;
    gs_place at = *place;
    at.member = member->string;
    if (strcmp(member->string, "slope") != 0) {
      const char *const keys[] = {"name", "slope"};
      return gs_value_unknown_key(&at, keys, 2, error);
    }
    if (kind != GS_LEAKY_RELU) {
      return GS_FAIL_AT(&at, error, "%s has no slope",
                        gs_name(&gs_activation_names, config->activation.kind));
    }
    GS_TRY(gs_value_real(member, &at, &config->activation.slope, error));
  }
  return GS_OK;
}

static gs_status set_output_activation(const gs_param *param, const cJSON *value,
                                       const gs_place *place, gs_config *config, gs_error *error) {
  (void)param;
  config->output_activation = config->activation;
  if (cJSON_IsString(value) && strcmp(value->valuestring, "same") == 0) return GS_OK;
  int kind = 0;
  GS_TRY(gs_value_choice(value, place, &gs_activation_names, &kind, error));
  config->output_activation.kind = (gs_activation_kind)kind;
  return GS_OK;
}

static gs_status set_flag(const gs_param *param, const cJSON *value, const gs_place *place,
                          gs_config *config, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsBool(value)) {
    return GS_FAIL_AT(place, error, "must be true or false, not %s", gs_quote_value(value, quoted));
  }
  bool *field = field_of(config, param);
  *field = cJSON_IsTrue(value);
  return GS_OK;
}

static gs_status set_device(const gs_param *param, const cJSON *value, const gs_place *place,
                            gs_config *config, gs_error *error) {
  (void)param;
  char quoted[GS_QUOTE_BYTES];
  const char *text = cJSON_IsString(value) ? value->valuestring : "";
  const size_t length = strlen(text);
  bool printable = true;
  for (size_t i = 0; i < length; i++) printable = printable && text[i] > ' ' && text[i] < 127;
  if (length == 0 || length >= GS_DEVICE_NAME_BYTES || !printable) {
    return GS_FAIL_AT(place, error, "must be \"auto\" or a device's index or id as text, not %s",
                      gs_quote_value(value, quoted));
  }
  memcpy(config->device, text, length + 1);
  return GS_OK;
}

/* ---- the table ---- */

#define FIELD(name) offsetof(gs_config, name)

const gs_param gs_params[GS_PARAM_COUNT] = {
    {"model", GS_PARAM_WORD, true, true, NULL, 0, 0, NULL},
    {"depth", GS_PARAM_NUMBER, true, false, set_size, FIELD(depth), GS_MAX_DEPTH, NULL},
    {"width", GS_PARAM_NUMBER, true, false, set_size, FIELD(width), GS_MAX_SIZE, NULL},
    {"widths", GS_PARAM_SIZES, true, false, set_widths, 0, GS_MAX_DEPTH, NULL},
    {"hidden", GS_PARAM_NUMBER, false, true, set_size, FIELD(hidden), GS_MAX_SIZE, NULL},
    {"input", GS_PARAM_NUMBER, false, true, set_size, FIELD(input), GS_MAX_SIZE, NULL},
    {"seq_len", GS_PARAM_NUMBER, false, true, set_size, FIELD(seq_len), GS_MAX_DEPTH, NULL},
    {"batch", GS_PARAM_NUMBER, true, true, set_size, FIELD(batch), GS_MAX_SIZE, NULL},
    {"replicas", GS_PARAM_NUMBER, true, true, set_size, FIELD(replicas), GS_MAX_REPLICAS, NULL},
    {"seed", GS_PARAM_WORD, true, true, set_seed, 0, 0, NULL},
    {"activation", GS_PARAM_NAMED, true, true, set_activation, 0, 0, NULL},
    {"slope", GS_PARAM_NUMBER, true, true, set_real, FIELD(activation.slope), 0, NULL},
    {"output_activation", GS_PARAM_WORD, true, false, set_output_activation, 0, 0, NULL},
    {"init", GS_PARAM_NAMED, true, true, set_init, FIELD(init), 0, NULL},
    {"input_init", GS_PARAM_NAMED, false, true, set_init, FIELD(input_init), 0, NULL},
    {"tied", GS_PARAM_FLAG, false, true, set_flag, FIELD(tied), 0, NULL},
    {"bias_std", GS_PARAM_NUMBER, true, true, set_bias_std, FIELD(bias_std), 0, NULL},
    {"loss", GS_PARAM_WORD, true, true, set_choice, FIELD(loss), 0, &gs_loss_names},
    {"loss_at", GS_PARAM_WORD, false, true, set_choice, FIELD(loss_at), 0, &gs_loss_at_names},
    {"dtype", GS_PARAM_WORD, true, true, set_choice, FIELD(dtype), 0, &gs_dtype_names},
    {"range", GS_PARAM_WORD, true, true, set_choice, FIELD(range), 0, &gs_range_names},
    {"stats", GS_PARAM_WORD, true, true, set_choice, FIELD(stats), 0, &gs_stats_names},
    {"jacobian", GS_PARAM_FLAG, true, true, set_flag, FIELD(jacobian), 0, NULL},
    {"launch", GS_PARAM_WORD, true, true, set_choice, FIELD(launch), 0, &gs_launch_names},
    {"loop", GS_PARAM_WORD, false, true, set_choice, FIELD(loop), 0, &gs_loop_names},
    {"backend", GS_PARAM_WORD, true, true, set_choice, FIELD(backend), 0, &gs_backend_names},
    {"device", GS_PARAM_WORD, true, true, set_device, 0, 0, NULL},
};

int gs_param_find(const char *key) {
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    if (strcmp(gs_params[i].key, key) == 0) return i;
  }
  return -1;
}

bool gs_param_is_place(const char *key) {
  return strcmp(key, "backend") == 0 || strcmp(key, "device") == 0;
}

bool gs_param_applies(const gs_param *param, gs_model model) {
  return model == GS_MLP ? param->mlp : param->rnn;
}
