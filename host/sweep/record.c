/* A cell's record. See record.h. */
#include "sweep/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/integer.h"
#include "base/json_writer.h"
#include "measure/timing_json.h"

const gs_names gs_cell_status_names = {"status", GS_NAMES(GS_CELL_STATUS_LIST(GS_ROW_NAME)), NULL};

gs_outcome gs_outcome_pending(void) {
  const gs_outcome outcome = {.agreement = GS_AGREEMENT_VERDICT_COUNT,
                              .decades_p05 = NAN,
                              .decades_p50 = NAN,
                              .decades_p95 = NAN,
                              .decades_per_layer = NAN,
                              .dead = NAN,
                              .not_finite = NAN,
                              .theory_z = NAN,
                              .lost_f16 = NAN,
                              .lost_f32 = NAN,
                              .samples_per_s = NAN,
                              .fraction_of_floor = NAN,
                              .median_ns = NAN,
                              .timed_samples = NAN,
                              .steps_per_sample = NAN,
                              .timed_steps = NAN,
                              .noise = NAN,
                              .disturbed = NAN,
                              .wall_ns = NAN,
                              .held_up_ns = NAN};
  return outcome;
}

gs_outcome *gs_outcomes_pending(int64_t count) {
  gs_outcome *outcomes = malloc((size_t)count * sizeof *outcomes);
  for (int64_t i = 0; outcomes && i < count; i++) outcomes[i] = gs_outcome_pending();
  return outcomes;
}

/* A mean over replicas; INFINITY when it is null because none is finite. */
static double mean_of(const cJSON *sample) {
  const double mean = gs_json_get_number(sample, "mean");
  return isnan(mean) && gs_json_get_number(sample, "not_finite") > 0 ? INFINITY : mean;
}

/* A quantile of decades; what is null has its class beside it. */
static double quantile(const cJSON *decades, const char *key) {
  const char *class = cJSON_GetStringValue(gs_json_get(gs_json_get(decades, "class"), key));
  if (class && strcmp(class, "dead") == 0) return -INFINITY;
  if (class && strcmp(class, "not_finite") == 0) return INFINITY;
  return gs_json_get_number(decades, key);
}

static void copy_text(char *into, size_t capacity, const cJSON *item) {
  const char *text = cJSON_GetStringValue(item);
  snprintf(into, capacity, "%s", text ? text : "");
}

/* GS_AGREEMENT_VERDICT_COUNT when it is none. */
static gs_agreement_verdict agreement_of(const cJSON *item) {
  const int found = gs_value_of(&gs_agreement_names, cJSON_GetStringValue(item), NULL);
  return found < 0 ? GS_AGREEMENT_VERDICT_COUNT : (gs_agreement_verdict)found;
}

void gs_outcome_take_timing(const cJSON *timing, gs_outcome *outcome) {
  const cJSON *entry = NULL;
  const char *roofline = cJSON_GetStringValue(gs_json_get(timing, "floor"));
  outcome->samples_per_s = gs_json_get_number(timing, "samples_per_s");
  outcome->fraction_of_floor = gs_json_get_number(timing, "fraction_of_floor");
  outcome->floor_wrong = roofline && strcmp(roofline, GS_FLOOR_WRONG) == 0;
  outcome->median_ns = gs_json_get_number(timing, "median_ns");
  outcome->steps_per_sample = gs_json_get_number(timing, "steps_per_sample");
  outcome->timed_samples =
      timing ? (double)cJSON_GetArraySize(gs_json_get(timing, "samples_ns")) : (double)NAN;
  outcome->timed_steps = outcome->timed_samples * outcome->steps_per_sample;
  outcome->noise = gs_json_get_number(timing, "noise");
  outcome->lacks = gs_timing_lacks_from_json(gs_json_get(timing, "lacks"));
  outcome->disturbed = gs_json_get_number(timing, "disturbed");
  outcome->wall_ns = outcome->held_up_ns = timing ? 0 : (double)NAN;
  cJSON_ArrayForEach(entry, gs_json_get(timing, "rounds")) {
    outcome->wall_ns += gs_json_get_number(entry, "wall_ns");
    outcome->held_up_ns += gs_json_get_number(entry, "held_up_ns");
  }
}

gs_status gs_outcome_read(const cJSON *record, gs_outcome *outcome, gs_error *error) {
  const char *status = cJSON_GetStringValue(gs_json_get(record, "status"));
  const int found = gs_value_of(&gs_cell_status_names, status, NULL);
  if (found <= GS_CELL_PENDING) {
    return GS_FAIL(error, GS_ERR_DATA, "not the record of a cell: no known status");
  }
  outcome->status = (gs_cell_status)found;
  copy_text(outcome->reason, sizeof outcome->reason, gs_json_get(record, "error"));
  const cJSON *summary = gs_json_get(record, "summary");
  const cJSON *decades = gs_json_get(summary, "decades");
  outcome->decades_p05 = quantile(decades, "p05");
  outcome->decades_p50 = quantile(decades, "p50");
  outcome->decades_p95 = quantile(decades, "p95");
  outcome->decades_per_layer = gs_json_get_number(gs_json_get(summary, "decades_per_layer"), "p50");
  outcome->dead = gs_json_get_number(gs_json_get(gs_json_get(summary, "law"), "dead"), "share");
  outcome->not_finite =
      gs_json_get_number(gs_json_get(gs_json_get(summary, "law"), "not_finite"), "share");
  copy_text(outcome->verdict, sizeof outcome->verdict, gs_json_get(summary, "verdict"));
  const cJSON *agreement = gs_json_get(record, "agreement");
  outcome->agreement = agreement_of(gs_json_get(agreement, "verdict"));
  outcome->theory_z = gs_json_get_number(gs_json_get(agreement, "decades"), "z");
  if (found == GS_CELL_OK) {
    copy_text(outcome->reason, sizeof outcome->reason, gs_json_get(agreement, "message"));
  }
  const cJSON *jacobian = gs_json_get(record, "jacobian");
  const cJSON *whole = gs_json_get(jacobian, "end_to_end");
  outcome->has_jacobian = jacobian != NULL;
  outcome->jacobian_rms = mean_of(gs_json_get(whole, "log10_rms"));
  outcome->jacobian_largest = mean_of(gs_json_get(whole, "log10_largest"));
  outcome->jacobian_smallest = mean_of(gs_json_get(whole, "log10_smallest"));
  const cJSON *exponents = gs_json_get(gs_json_get(jacobian, "lyapunov"), "exponent");
  const cJSON *first = cJSON_GetArrayItem(gs_json_get(exponents, "mean"), 0);
  const cJSON *broken = cJSON_GetArrayItem(gs_json_get(exponents, "not_finite"), 0);
  outcome->lyapunov = cJSON_IsNumber(first) ? first->valuedouble : (double)NAN;
  if (cJSON_IsNull(first) && cJSON_IsNumber(broken) && broken->valuedouble > 0) {
    outcome->lyapunov = INFINITY;
  }
  const cJSON *lost = gs_json_get(gs_json_get(summary, "first_layer_lost"), "delta");
  outcome->lost_f16 = gs_json_get_number(lost, "f16");
  outcome->lost_f32 = gs_json_get_number(lost, "f32");
  gs_outcome_take_timing(gs_json_get(record, "timing"), outcome);
  return GS_OK;
}

cJSON *gs_record_params(const gs_config *config, bool identify) {
  cJSON *params = gs_config_to_json(config);
  const char *device = config->device;
  const bool plain = strcmp(device, "auto") == 0 || !device[strspn(device, "0123456789")];
  if (!params || identify || plain) return params;
  cJSON_DeleteItemFromObjectCaseSensitive(params, "device");
  if (gs_json_add(params, "device", cJSON_CreateString("named"))) return params;
  cJSON_Delete(params);
  return NULL;
}

static void put_identity(gs_json_writer *w, const char *id, const char *name, const cJSON *params) {
  gs_json_put_string(w, "id", id);
  gs_json_put_string(w, "name", name);
  gs_json_put_copy(w, "params", params);
}

/* The three facts of a device that every record carries. */
static void put_backend(gs_json_writer *w, const cJSON *device) {
  const char *backend = cJSON_GetStringValue(gs_json_get(device, "backend"));
  const char *name = cJSON_GetStringValue(gs_json_get(device, "name"));
  int64_t threads = 0; /* a description that does not say so */
  (void)gs_integer_of(gs_json_get_number(device, "threads"), 0, INT32_MAX, &threads);
  gs_json_open_object(w, "backend");
  gs_json_put_string(w, "name", backend ? backend : "unknown");
  gs_json_put_string(w, "device", name ? name : "unknown");
  gs_json_put_int(w, "threads", threads);
  gs_json_close(w);
}

cJSON *gs_record_bare(const char *id, const char *name, const cJSON *params, gs_cell_status status,
                      const char *reason, const cJSON *device) {
  gs_json_writer w = gs_json_writer_object();
  put_identity(&w, id, name, params);
  gs_json_put_string(&w, "status", gs_name(&gs_cell_status_names, status));
  gs_json_put_string(&w, "error", reason);
  put_backend(&w, device);
  return gs_json_finish(&w);
}

cJSON *gs_record_round(const char *id, int64_t round, gs_cell_status status, const char *reason,
                       cJSON *timing) {
  gs_json_writer w = gs_json_writer_object();
  gs_json_put_string(&w, "id", id);
  gs_json_put_int(&w, "round", round);
  gs_json_put_string(&w, "status", gs_name(&gs_cell_status_names, status));
  gs_json_put_string(&w, "error", reason);
  if (timing) gs_json_put(&w, "timing", timing);
  return gs_json_finish(&w);
}

cJSON *gs_record_complete(const char *id, const char *name, const cJSON *params, cJSON *measured) {
  gs_json_writer w = gs_json_writer_object();
  put_identity(&w, id, name, params);
  while (measured->child) {
    cJSON *item = cJSON_DetachItemViaPointer(measured, measured->child);
    char *key = item->string;
    item->string = NULL; /* the new object makes its own copy */
    gs_json_put(&w, key, item);
    cJSON_free(key);
  }
  cJSON_Delete(measured);
  return gs_json_finish(&w);
}
