/* The order of cells in interleaved rounds, and the floors of a run. */
#include "support.h"

#include <math.h>
#include <string.h>

#include "sweep/device_facts.h"
#include "sweep/order.h"
#include "sweep/rooflines.h"

/* ---- order ---- */

static void every_round_has_every_cell(void **state) {
  (void)state;
  int64_t order[72];
  int64_t again[72];
  int64_t before[72] = {0};
  for (int64_t round = 0; round < 20; round++) {
    bool seen[72] = {false};
    gs_order_shuffle(order, 72, 1, round);
    gs_order_shuffle(again, 72, 1, round);
    assert_memory_equal(order, again, sizeof order);
    assert_memory_not_equal(order, before, sizeof order);
    memcpy(before, order, sizeof order);
    for (int i = 0; i < 72; i++) {
      assert_true(order[i] >= 0 && order[i] < 72 && !seen[order[i]]);
      seen[order[i]] = true;
    }
  }
  gs_order_shuffle(again, 72, 2, 19);
  assert_memory_not_equal(order, again, sizeof order); /* another seed */
  gs_order_shuffle(order, 1, 1, 0);
  assert_int_equal(order[0], 0);
}

/* Every cell is in every place as often as in any other: chi-square over 6 x 6, 25 degrees
 * of freedom, has 0.1 % above 52.6. */
static void orders_are_fair(void **state) {
  (void)state;
  enum { CELLS = 6, ROUNDS = 6000 };
  double counts[CELLS][CELLS] = {{0}};
  int64_t order[CELLS];
  for (int64_t round = 0; round < ROUNDS; round++) {
    gs_order_shuffle(order, CELLS, 1, round);
    for (int i = 0; i < CELLS; i++) counts[i][order[i]]++;
  }
  double chi2 = 0;
  const double expected = (double)ROUNDS / CELLS;
  for (int i = 0; i < CELLS; i++) {
    for (int k = 0; k < CELLS; k++) chi2 += pow(counts[i][k] - expected, 2) / expected;
  }
  assert_true(chi2 < 52.6);
}

/* The same order on every machine: README and results/README.md promise it. */
static void the_order_is_pinned(void **state) {
  (void)state;
  static const int64_t PINNED[8] = {2, 4, 5, 6, 1, 0, 7, 3};
  int64_t order[8];
  gs_order_shuffle(order, 8, 1, 0);
  assert_memory_equal(order, PINNED, sizeof order);
}

/* ---- floors ---- */

static cJSON *entry_of(double f32, double f64, double copy, double launch) {
  const gs_roofline roofline = {.flops_per_s = {[GS_F32] = f32, [GS_F64] = f64},
                                .copy_bytes_per_s = copy,
                                .launch_ns = launch};
  cJSON *entry = gs_rooflines_entry(gs_roofline_to_json(&roofline), 1.5);
  assert_non_null(entry);
  return entry;
}

/* Of rates the highest, of times the shortest, whichever measurement they are from; a rate
 * that one of them lacks is the others'. */
static void the_best_of_all(void **state) {
  (void)state;
  static const double measured[][4] = {
      {3e10, 0, 2e9, 500}, {2e10, 1e10, 5e9, 700}, {1e10, 2e10, 4e9, 300}};
  gs_rooflines rooflines = {0};
  gs_roofline_best best;
  gs_error error = {0};
  assert_false(gs_rooflines_best(&rooflines, &best));
  for (int i = 0; i < 3; i++) {
    cJSON *entry = entry_of(measured[i][0], measured[i][1], measured[i][2], measured[i][3]);
    gs_support_ok(gs_rooflines_add(&rooflines, entry, &error), &error);
    cJSON_Delete(entry);
    assert_true(gs_rooflines_best(&rooflines, &best));
    assert_int_equal(best.measurements, i + 1);
    assert_true(best.limits.flops_per_s[GS_F32] == 3e10);
  }
  assert_true(best.limits.flops_per_s[GS_F64] == 2e10);
  assert_true(best.limits.copy_bytes_per_s == 5e9);
  assert_true(best.limits.launch_ns == 300);
  assert_int_equal(cJSON_GetArraySize(rooflines.list), 3);
  gs_rooflines_clear(&rooflines);
}

static void what_is_no_roofline(void **state) {
  (void)state;
  static const char *const keys[] = {"date", "elapsed_s", "limits"};
  gs_rooflines rooflines = {0};
  gs_error error = {0};
  for (int i = 0; i < 3; i++) {
    cJSON *entry = entry_of(1e10, 1e10, 1e9, 0);
    cJSON_DeleteItemFromObject(entry, keys[i]);
    assert_int_equal(gs_rooflines_add(&rooflines, entry, &error), GS_ERR_DATA);
    cJSON_Delete(entry);
  }
  assert_null(rooflines.list);
  assert_int_equal(gs_rooflines_add(&rooflines, NULL, &error), GS_ERR_DATA);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_round_has_every_cell), cmocka_unit_test(orders_are_fair),
      cmocka_unit_test(the_order_is_pinned),        cmocka_unit_test(the_best_of_all),
      cmocka_unit_test(what_is_no_roofline),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
