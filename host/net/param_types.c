/* Types of parameters: a JSON value to a field of gs_config, with every complaint naming
 * its place, and back. Activations and initialisations: param_named.c. */
#include "net/param_types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "base/json_writer.h"
#include "net/init.h"

static void *field_of(gs_config *config, const gs_param *param) {
  return (unsigned char *)config + param->offset;
}

static const void *field_in(const gs_config *config, const gs_param *param) {
  return (const unsigned char *)config + param->offset;
}

/* ---- one field ---- */

static gs_status set_size(const gs_param *param, const cJSON *value, const gs_location *location,
                          gs_config *config, gs_error *error) {
  int64_t *field = field_of(config, param);
  return gs_value_size(value, location, param->max, field, error);
}

static cJSON *get_size(const gs_param *param, const gs_config *config) {
  const int64_t *field = field_in(config, param);
  return gs_json_number((double)*field);
}

static gs_status set_real(const gs_param *param, const cJSON *value, const gs_location *location,
                          gs_config *config, gs_error *error) {
  double *field = field_of(config, param);
  return gs_value_real(value, location, field, error);
}

static cJSON *get_real(const gs_param *param, const gs_config *config) {
  const double *field = field_in(config, param);
  return gs_json_number(*field);
}

static gs_status set_flag(const gs_param *param, const cJSON *value, const gs_location *location,
                          gs_config *config, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsBool(value)) {
    return GS_FAIL_AT(location, error, "must be true or false, not %s",
                      gs_quote_value(value, quoted));
  }
  bool *field = field_of(config, param);
  *field = cJSON_IsTrue(value);
  return GS_OK;
}

static cJSON *get_flag(const gs_param *param, const gs_config *config) {
  const bool *field = field_in(config, param);
  return cJSON_CreateBool(*field);
}

/* One of an enumeration's names; the field is any enumeration. */
static gs_status set_choice(const gs_param *param, const cJSON *value, const gs_location *location,
                            gs_config *config, gs_error *error) {
  int choice = 0;
  GS_TRY(gs_value_choice(value, location, param->choices, &choice, error));
  memcpy(field_of(config, param), &choice, sizeof choice);
  return GS_OK;
}

static cJSON *get_choice(const gs_param *param, const gs_config *config) {
  int choice = 0;
  memcpy(&choice, field_in(config, param), sizeof choice);
  return cJSON_CreateString(gs_name(param->choices, choice));
}
_Static_assert(sizeof(gs_model) == sizeof(int) && sizeof(gs_loss) == sizeof(int) &&
                   sizeof(gs_loss_at) == sizeof(int) && sizeof(gs_dtype) == sizeof(int) &&
                   sizeof(gs_range) == sizeof(int) && sizeof(gs_stats_level) == sizeof(int) &&
                   sizeof(gs_launch) == sizeof(int) && sizeof(gs_loop) == sizeof(int) &&
                   sizeof(gs_backend) == sizeof(int),
               "a choice is stored as an int");

const gs_param_type gs_type_model = {"model", GS_PARAM_WORD, NULL, get_choice, NULL};
const gs_param_type gs_type_size = {"size", GS_PARAM_NUMBER, set_size, get_size, NULL};
const gs_param_type gs_type_real = {"real", GS_PARAM_NUMBER, set_real, get_real, NULL};
const gs_param_type gs_type_flag = {"flag", GS_PARAM_FLAG, set_flag, get_flag, NULL};
const gs_param_type gs_type_choice = {"choice", GS_PARAM_WORD, set_choice, get_choice, NULL};

/* ---- widths ---- */

static gs_status set_widths(const gs_param *param, const cJSON *value, const gs_location *location,
                            gs_config *config, gs_error *error) {
  char quoted[GS_QUOTE_BYTES];
  if (!cJSON_IsArray(value)) {
    return GS_FAIL_AT(location, error, "must be a list of sizes, not %s",
                      gs_quote_value(value, quoted));
  }
  const int64_t depth = (int64_t)cJSON_GetArraySize(value) - 1;
  if (depth < 1 || depth > param->max) {
    return GS_FAIL_AT(location, error, "needs 2 to %" PRId64 " sizes, not %" PRId64, param->max + 1,
                      depth + 1);
  }
  GS_TRY(gs_config_set_widths(config, depth, 1, error));
  gs_location at = *location;
  int64_t l = 0;
  bool equal = true;
  for (const cJSON *size = value->child; size; size = size->next, l++) {
    at.inner = l;
    GS_TRY(gs_value_size(size, &at, GS_MAX_SIZE, &config->widths[l], error));
    equal = equal && config->widths[l] == config->widths[0];
  }
  config->width = equal ? config->widths[0] : 0;
  gs_config_set_ends(config, config->widths[0], config->widths[depth]);
  return GS_OK;
}

static cJSON *get_widths(const gs_param *param, const gs_config *config) {
  (void)param;
  gs_json_writer w = gs_json_writer_array();
  for (int64_t l = 0; l <= config->depth; l++) gs_json_put_int(&w, NULL, config->widths[l]);
  return gs_json_finish(&w);
}

const gs_param_type gs_type_sizes = {"sizes", GS_PARAM_SIZES, set_widths, get_widths, NULL};

/* ---- biases ---- */

/* A number; or null, in words "init": what the initialisation says, which stands before it
 * in the table. */
static gs_status set_bias(const gs_param *param, const cJSON *value, const gs_location *location,
                          gs_config *config, gs_error *error) {
  (void)param;
  const char *text = cJSON_IsString(value) ? value->valuestring : "";
  config->bias = gs_init_bias(config->init.kind, config->model);
  config->bias_std = 0;
  if (cJSON_IsNull(value) || strcmp(text, "init") == 0) return GS_OK;
  config->bias = GS_BIAS_NORMAL;
  return gs_value_real(value, location, &config->bias_std, error);
}

static cJSON *get_bias(const gs_param *param, const gs_config *config) {
  (void)param;
  if (config->bias == GS_BIAS_NORMAL) return gs_json_number(config->bias_std);
  return cJSON_CreateNull();
}

const gs_param_type gs_type_bias = {"bias", GS_PARAM_NUMBER, set_bias, get_bias, NULL};

/* ---- the seed ---- */

static gs_status set_seed(const gs_param *param, const cJSON *value, const gs_location *location,
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
  return GS_FAIL_AT(location, error,
                    "must be an integer from 0 to 2^53 - 1, or digits in quotes up to 2^64 - 1, "
                    "not %s",
                    gs_quote_value(value, quoted));
}

static cJSON *get_seed(const gs_param *param, const gs_config *config) {
  (void)param;
  return gs_json_uint64(config->seed);
}

const gs_param_type gs_type_seed = {"seed", GS_PARAM_WORD, set_seed, get_seed, NULL};

/* ---- the device ---- */

static gs_status set_device(const gs_param *param, const cJSON *value, const gs_location *location,
                            gs_config *config, gs_error *error) {
  (void)param;
  char quoted[GS_QUOTE_BYTES];
  const char *text = cJSON_IsString(value) ? value->valuestring : "";
  const size_t length = strlen(text);
  bool printable = true;
  for (size_t i = 0; i < length; i++) printable = printable && text[i] > ' ' && text[i] < 127;
  if (length == 0 || length >= GS_DEVICE_NAME_BYTES || !printable) {
    return GS_FAIL_AT(location, error, "must be \"auto\" or a device's index or id as text, not %s",
                      gs_quote_value(value, quoted));
  }
  memcpy(config->device, text, length + 1);
  return GS_OK;
}

static cJSON *get_device(const gs_param *param, const gs_config *config) {
  (void)param;
  return cJSON_CreateString(config->device);
}

const gs_param_type gs_type_text = {"text", GS_PARAM_WORD, set_device, get_device, NULL};
