/* Prediction and verdict in the record. See agreement.h. */
#include "measure/agreement.h"
#include "theory/theory_json.h"

static bool add_judgement(cJSON *object, const gs_judgement *judgement) {
  return gs_json_add_number(object, "difference", judgement->difference) &&
         gs_json_add_number(object, "standard_error", judgement->standard_error) &&
         gs_json_add_number(object, "z", judgement->z) &&
         gs_json_add_number(object, "allowance", judgement->allowance);
}

/* Networks whose norm is zero: how many there are, and should be. */
static bool add_dead(cJSON *json, const gs_judgement *judgement, const gs_deaths *deaths) {
  cJSON *dead = cJSON_AddObjectToObject(json, "dead");
  return dead && gs_json_add_number(dead, "expected_share", deaths->share) &&
         gs_json_add_number(dead, "expected", deaths->share * (double)deaths->networks) &&
         gs_json_add_int(dead, "measured", deaths->dead) &&
         gs_json_add_number(dead, "z", judgement->dead_z) &&
         gs_json_add_number(dead, "p", judgement->dead_p);
}

static bool add_decades(cJSON *json, const gs_agreement *agreement) {
  cJSON *decades = cJSON_AddObjectToObject(json, "decades");
  return decades &&
         gs_json_add_string(decades, "by", agreement->decades.median ? "median" : "mean") &&
         gs_json_add_number(decades, "measured", agreement->decades.centre) &&
         add_judgement(decades, &agreement->of_decades) &&
         gs_json_add_number(decades, "sd_ratio", agreement->of_decades.sd_ratio) &&
         gs_json_add_number(decades, "in_band", agreement->in_band) &&
         add_dead(decades, &agreement->of_decades, &agreement->of_dead);
}

static bool add_worst(cJSON *json, const gs_agreement *agreement) {
  cJSON *layers = cJSON_AddObjectToObject(json, "layers");
  for (int q = 0; layers && q < GS_QUANTITY_COUNT; q++) {
    if (agreement->worst[q] < 0) continue;
    cJSON *one = cJSON_AddObjectToObject(layers, gs_name(&gs_quantity_names, (gs_quantity)q));
    if (!one || !gs_json_add_int(one, "index", agreement->worst[q] + 1) ||
        !add_judgement(one, &agreement->of_worst[q]) ||
        !add_dead(one, &agreement->of_worst[q], &agreement->dead[q])) {
      return false;
    }
  }
  return layers != NULL;
}

static bool add_agreement(cJSON *record, const gs_agreement *agreement) {
  cJSON *json = cJSON_AddObjectToObject(record, "agreement");
  return json &&
         gs_json_add_string(json, "verdict", gs_name(&gs_agreement_names, agreement->verdict)) &&
         gs_json_add_string(json, "message", agreement->message) &&
         gs_json_add_string(json, "dead_law",
                            gs_name(&gs_dead_law_names, agreement->of_dead.law)) &&
         add_decades(json, agreement) && add_worst(json, agreement);
}

gs_status gs_agreement_add(cJSON *record, const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                           const gs_config *config, int64_t max_points, gs_error *error) {
  gs_theory theory;
  gs_agreement agreement;
  cJSON *json = NULL;
  GS_TRY(gs_theory_of(config, &theory, error));
  gs_status status = gs_agreement_of(stats, config, &theory, &agreement, error);
  if (status == GS_OK) status = gs_theory_json(config, &theory, max_points, &json, error);
  gs_theory_clear(&theory);
  if (status != GS_OK) return status;
  if (gs_json_add(record, "theory", json) && add_agreement(record, &agreement)) return GS_OK;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the record");
}
