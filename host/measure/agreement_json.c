/* Prediction and verdict in the record. See agreement.h. */
#include "measure/agreement.h"
#include "theory/theory_json.h"

static void put_judgement(gs_json_writer *w, const gs_judgement *judgement) {
  gs_json_put_number(w, "difference", judgement->difference);
  gs_json_put_number(w, "standard_error", judgement->standard_error);
  gs_json_put_number(w, "z", judgement->z);
  gs_json_put_number(w, "allowance", judgement->allowance);
}

/* Networks whose norm is zero: how many there are, and should be. */
static void put_dead(gs_json_writer *w, const gs_judgement *judgement, const gs_deaths *deaths) {
  gs_json_open_object(w, "dead");
  gs_json_put_number(w, "expected_share", deaths->share);
  gs_json_put_number(w, "expected", deaths->share * (double)deaths->networks);
  gs_json_put_int(w, "measured", deaths->dead);
  gs_json_put_number(w, "z", judgement->dead_z);
  gs_json_put_number(w, "p", judgement->dead_p);
  gs_json_close(w);
}

static void put_decades(gs_json_writer *w, const gs_agreement *agreement) {
  gs_json_open_object(w, "decades");
  gs_json_put_string(w, "by", agreement->decades.median ? "median" : "mean");
  gs_json_put_number(w, "measured", agreement->decades.centre);
  put_judgement(w, &agreement->of_decades);
  gs_json_put_number(w, "sd_ratio", agreement->of_decades.sd_ratio);
  gs_json_put_number(w, "in_band", agreement->in_band);
  put_dead(w, &agreement->of_decades, &agreement->of_dead);
  gs_json_close(w);
}

static void put_worst(gs_json_writer *w, const gs_agreement *agreement) {
  gs_json_open_object(w, "layers");
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    if (agreement->worst[q] < 0) continue;
    gs_json_open_object(w, gs_name(&gs_quantity_names, (gs_quantity)q));
    gs_json_put_int(w, "index", agreement->worst[q] + 1);
    put_judgement(w, &agreement->of_worst[q]);
    put_dead(w, &agreement->of_worst[q], &agreement->dead[q]);
    gs_json_close(w);
  }
  gs_json_close(w);
}

gs_status gs_agreement_put(gs_json_writer *w, const gs_quantity_stats stats[GS_QUANTITY_COUNT],
                           const gs_config *config, int64_t max_points, gs_error *error) {
  gs_theory theory;
  gs_agreement agreement;
  cJSON *json = NULL;
  GS_TRY(gs_theory_of(config, &theory, error));
  gs_status status = gs_agreement_of(stats, config, &theory, &agreement, error);
  if (status == GS_OK) status = gs_theory_json(config, &theory, max_points, &json, error);
  gs_theory_clear(&theory);
  if (status != GS_OK) return status;
  gs_json_put(w, "theory", json);
  gs_json_open_object(w, "agreement");
  gs_json_put_string(w, "verdict", gs_name(&gs_agreement_names, agreement.verdict));
  gs_json_put_string(w, "message", agreement.message);
  gs_json_put_string(w, "dead_law", gs_name(&gs_dead_law_names, agreement.of_dead.law));
  put_decades(w, &agreement);
  put_worst(w, &agreement);
  gs_json_close(w);
  return gs_json_writer_status(w, "the record", error);
}
