/* Parameters as columns. See table_params.h. */
#include "sweep/table_params.h"

#include <string.h>

#include "base/printable.h"
#include "net/model.h"
#include "sweep/text.h"

gs_status gs_table_params_values(const gs_config *config,
                                 char values[GS_PARAM_COUNT][GS_VALUE_BYTES], gs_error *error) {
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    char text[GS_VALUE_BYTES * 2];
    gs_line line = gs_line_in(text, sizeof text);
    if (gs_param_applies(&gs_params[i], config) &&
        !gs_param_add_value(&gs_params[i], config, GS_STYLE_TABLE, &line)) {
      return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the table");
    }
    gs_printable(text, values[i], GS_VALUE_BYTES);
    if (line.length >= GS_VALUE_BYTES) strcpy(values[i] + GS_VALUE_BYTES - 4, "...");
  }
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
  const int activation = gs_param_find("activation");
  const int output = gs_param_find("output_activation");
  bool output_differs = false;
  char values[GS_PARAM_COUNT][GS_VALUE_BYTES];
  memset(params, 0, sizeof *params);
  params->model = model;
  for (int i = 0; i < GS_PARAM_COUNT; i++) {
    params->width[i] = (int)strlen(gs_params[i].key);
    params->right[i] = gs_params[i].type->kind == GS_PARAM_NUMBER;
  }
  for (int64_t i = 0; i < sweep->count; i++) {
    const gs_config *config = &sweep->cells[i].config;
    if (outcomes[i].status == GS_CELL_PENDING || config->model != model) continue;
    GS_TRY(gs_table_params_values(config, values, error));
    if (params->rows++ == 0) memcpy(params->first, values, sizeof values);
    widen(params, values);
    output_differs |= values[output][0] && strcmp(values[output], values[activation]) != 0;
  }
  for (int i = 0; i < GS_PARAM_COUNT; i++) { /* what every question is about */
    const gs_param *param = &gs_params[i];
    if (param->group != GS_GROUP_LENGTH || !gs_param_of_model(param, model)) continue;
    params->varies[i] = true;
  }
  if (!output_differs) { /* it follows the activation: nothing to say */
    params->varies[output] = false;
    params->first[output][0] = '\0';
  }
  return GS_OK;
}
