/* Small work stays on the thread that called; large work has all threads; the record says
 * which it was, and no bit depends on it. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "device/device.h"
#include "measure/measure.h"

enum { THREADS = 3 };

static cJSON *measure(int threads, bool whole_teams, int64_t width, int64_t batch) {
  gs_device *device = NULL;
  gs_config config;
  gs_error error = {0};
  cJSON *record = NULL;
  gs_measure_options options = gs_measure_defaults();
  options.timing.time_limit_s = 0;
  gs_support_ok(gs_cpu_device_create(threads, &device, &error), &error);
  if (whole_teams) gs_cpu_device_whole_teams(device);
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, 3, width, &error), &error);
  config.width = width;
  config.batch = batch;
  gs_support_ok(gs_measure_cell(device, &config, &options, &record, &error), &error);
  gs_config_clear(&config);
  device->ops->destroy(device);
  return record;
}

static double threads_of(const cJSON *record) {
  const cJSON *backend = cJSON_GetObjectItemCaseSensitive(record, "backend");
  return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(backend, "threads"));
}

static void the_record_names_the_threads_that_ran(void **state) {
  (void)state;
  static const struct {
    int threads;
    bool whole_teams;
    int64_t width, batch;
    double ran;
  } cases[] = {{THREADS, false, 9, 4, 1},
               {THREADS, true, 9, 4, THREADS},
               {THREADS, false, 256, 64, THREADS},
               {1, true, 256, 64, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cJSON *record = measure(cases[i].threads, cases[i].whole_teams, cases[i].width, cases[i].batch);
    assert_true(threads_of(record) == cases[i].ran);
    cJSON_Delete(record);
  }
}

static void no_bit_depends_on_it(void **state) {
  (void)state;
  static const int64_t widths[] = {9, 70, 140};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
    char *lines[2];
    for (int whole = 0; whole < 2; whole++) {
      cJSON *record = measure(THREADS, whole == 1, widths[i], 33);
      cJSON_DeleteItemFromObjectCaseSensitive(record, "backend");
      lines[whole] = gs_json_print_line(record);
      cJSON_Delete(record);
    }
    assert_string_equal(lines[0], lines[1]);
    free(lines[0]);
    free(lines[1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_record_names_the_threads_that_ran),
      cmocka_unit_test(no_bit_depends_on_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
