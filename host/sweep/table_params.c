/* Parameters as columns. See table_params.h. */
#include "sweep/table_params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "sweep/text.h"

/* Text that is cut when it is full. */
typedef struct value_text {
  char text[GS_VALUE_BYTES * 2];
  size_t length;
} value_text;

static void append(value_text *value, const char *text) {
  const size_t room = sizeof value->text - value->length;
  const int length = snprintf(value->text + value->length, room, "%s", text);
  value->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* The fewest digits that read back equal. */
static void append_number(value_text *value, double number) {
  char digits[40];
  int precision = 1;
  do {
    snprintf(digits, sizeof digits, "%.*g", precision, number);
  } while (precision++ < 17 && strtod(digits, NULL) != number);
  if (fabs(number) < 1e15 && number == floor(number)) {
    snprintf(digits, sizeof digits, "%.0f", number);
  }
  append(value, digits);
}

/* What an initialisation is without saying so (net/config.h). */
static bool is_usual(const cJSON *member) {
  if (cJSON_IsString(member)) return strcmp(member->valuestring, "in") == 0;
  const double usual = strcmp(member->string, "slope") == 0 ? 0 : 1;
  return strcmp(member->string, "sigma_w2") != 0 && member->valuedouble == usual;
}

static void append_value(value_text *value, const cJSON *item);

/* "scaled:sigma_w2=1.5". */
static void append_init(value_text *value, const cJSON *init) {
  const cJSON *member = NULL;
  cJSON_ArrayForEach(member, init) {
    const bool name = strcmp(member->string, "name") == 0;
    if (!name && is_usual(member)) continue;
    if (!name) append(value, ":");
    if (!name) append(value, member->string);
    if (!name) append(value, "=");
    append_value(value, member);
  }
}

/* "784-512-10". */
static void append_sizes(value_text *value, const cJSON *list) {
  const cJSON *size = NULL;
  cJSON_ArrayForEach(size, list) {
    if (size != list->child) append(value, "-");
    append_value(value, size);
    if (value->length + 1 >= sizeof value->text) return;
  }
}

static void append_value(value_text *value, const cJSON *item) {
  if (cJSON_IsObject(item)) {
    append_init(value, item);
  } else if (cJSON_IsArray(item)) {
    append_sizes(value, item);
  } else if (cJSON_IsString(item)) {
    append(value, item->valuestring);
  } else if (cJSON_IsBool(item)) {
    append(value, cJSON_IsTrue(item) ? "true" : "false");
  } else if (cJSON_IsNull(item)) {
    append(value, "init"); /* bias_std: as the initialisation says */
  } else if (cJSON_IsNumber(item)) {
    append_number(value, item->valuedouble);
  }
}

gs_status gs_table_params_values(const gs_config *config,
                                 char values[GS_PARAM_COUNT][GS_VALUE_BYTES], gs_error *error) {
  cJSON *tree = gs_config_to_json(config);
  if (!tree) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the table");
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    value_text value = {.length = 0};
    append_value(&value, cJSON_GetObjectItemCaseSensitive(tree, gs_params[i].key));
    gs_printable(value.text, values[i], GS_VALUE_BYTES);
    if (value.length >= GS_VALUE_BYTES) strcpy(values[i] + GS_VALUE_BYTES - 4, "...");
  }
  cJSON_Delete(tree);
  return GS_OK;
}

static void widen(gs_table_params *params, char values[GS_PARAM_COUNT][GS_VALUE_BYTES]) {
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    const int length = (int)strlen(values[i]);
    if (length > params->width[i]) params->width[i] = length;
    if (strcmp(values[i], params->first[i]) != 0) params->varies[i] = true;
  }
}

gs_status gs_table_params_find(const gs_sweep *sweep, const gs_outcome *outcomes, gs_model model,
                               gs_table_params *params, gs_error *error) {
  const int depth = gs_param_find(model == GS_MLP ? "depth" : "seq_len");
  const int activation = gs_param_find("activation");
  const int output = gs_param_find("output_activation");
  bool output_differs = false;
  char values[GS_PARAM_COUNT][GS_VALUE_BYTES];
  memset(params, 0, sizeof *params);
  params->model = model;
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    params->width[i] = (int)strlen(gs_params[i].key);
    params->right[i] = gs_params[i].kind == GS_PARAM_NUMBER;
  }
  for (int64_t i = 0; i < sweep->count; i++) {
    const gs_config *config = &sweep->cells[i].config;
    if (outcomes[i].status == GS_CELL_PENDING || config->model != model) continue;
    GS_TRY(gs_table_params_values(config, values, error));
    if (params->rows++ == 0) memcpy(params->first, values, sizeof values);
    widen(params, values);
    output_differs |= values[output][0] && strcmp(values[output], values[activation]) != 0;
  }
  params->varies[depth] = true; /* what every question is about */
  if (!output_differs) {        /* it follows the activation: nothing to say */
    params->varies[output] = false;
    params->first[output][0] = '\0';
  }
  return GS_OK;
}
