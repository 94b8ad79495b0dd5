/* Judging one check. */
#include "claims/check.h"

gs_expectation gs_expect_near(double value, double allowance, double resolution) {
  return (gs_expectation){false, value, value, allowance, resolution};
}

gs_expectation gs_expect_inside(double low, double high) {
  return (gs_expectation){true, low, high, 0, 0};
}

void gs_check_judge(gs_check *check) {
  const gs_expectation *expected = &check->expected;
  const double value = check->measured.value;
  const double reach = gs_estimate_reach(&check->measured, GS_CHECK_CHANCE);
  if (expected->inside) {
    check->passed = value - reach >= expected->low && value + reach <= expected->high;
  } else {
    const double off = reach + expected->allowance;
    check->passed = value >= expected->low - off && value <= expected->high + off &&
                    reach <= expected->resolution;
  }
  if (!check->passed) check->finding = GS_HOLDS_NOT;
}

const gs_names gs_finding_names = {"finding", GS_NAMES(GS_FINDING_LIST(GS_ROW_NAME)), NULL};

static bool add_expected(cJSON *json, const gs_check *check) {
  const gs_expectation *expected = &check->expected;
  cJSON *object = cJSON_AddObjectToObject(json, "expected");
  return gs_json_add_string(object, "rule", expected->inside ? "inside" : "near") &&
         gs_json_add_number(object, "low", expected->low) &&
         gs_json_add_number(object, "high", expected->high) &&
         gs_json_add_number(object, "allowance", expected->allowance) &&
         gs_json_add_number(object, "resolution", expected->resolution) &&
         gs_json_add_string(object, "from", check->from);
}

static bool add_measured(cJSON *json, const gs_estimate *measured) {
  cJSON *object = cJSON_AddObjectToObject(json, "measured");
  return gs_json_add_number(object, "value", measured->value) &&
         gs_json_add_number(object, "standard_error", measured->error) &&
         gs_json_add_number(object, "reach", gs_estimate_reach(measured, GS_CHECK_CHANCE)) &&
         gs_json_add_number(object, "low", measured->low) &&
         gs_json_add_number(object, "high", measured->high);
}

cJSON *gs_check_json(const gs_check *check) {
  cJSON *json = cJSON_CreateObject();
  const bool made =
      gs_json_add_string(json, "sentence", check->sentence) &&
      gs_json_add_string(json, "source", check->source) &&
      gs_json_add_string(json, "setup", check->setup) &&
      gs_json_add_string(json, "quantity", check->quantity) && add_expected(json, check) &&
      add_measured(json, &check->measured) &&
      gs_json_add_string(json, "finding", gs_name(&gs_finding_names, check->finding)) &&
      gs_json_add_string(json, "remark", check->remark) &&
      gs_json_add_bool(json, "passed", check->passed);
  if (made) return json;
  cJSON_Delete(json);
  return NULL;
}
