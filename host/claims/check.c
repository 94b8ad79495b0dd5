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

static void put_expected(gs_json_writer *w, const gs_check *check) {
  const gs_expectation *expected = &check->expected;
  gs_json_open_object(w, "expected");
  gs_json_put_string(w, "rule", expected->inside ? "inside" : "near");
  gs_json_put_number(w, "low", expected->low);
  gs_json_put_number(w, "high", expected->high);
  gs_json_put_number(w, "allowance", expected->allowance);
  gs_json_put_number(w, "resolution", expected->resolution);
  gs_json_put_string(w, "from", check->from);
  gs_json_close(w);
}

static void put_measured(gs_json_writer *w, const gs_estimate *measured) {
  gs_json_open_object(w, "measured");
  gs_json_put_number(w, "value", measured->value);
  gs_json_put_number(w, "standard_error", measured->error);
  gs_json_put_number(w, "reach", gs_estimate_reach(measured, GS_CHECK_CHANCE));
  gs_json_put_number(w, "low", measured->low);
  gs_json_put_number(w, "high", measured->high);
  gs_json_close(w);
}

void gs_check_put(gs_json_writer *w, const gs_check *check) {
  gs_json_open_object(w, NULL);
  gs_json_put_string(w, "sentence", check->sentence);
  gs_json_put_string(w, "source", check->source);
  gs_json_put_string(w, "setup", check->setup);
  gs_json_put_string(w, "quantity", check->quantity);
  put_expected(w, check);
  put_measured(w, &check->measured);
  gs_json_put_string(w, "finding", gs_name(&gs_finding_names, check->finding));
  gs_json_put_string(w, "remark", check->remark);
  gs_json_put_bool(w, "passed", check->passed);
  gs_json_close(w);
}
