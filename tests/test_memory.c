/* Does a cell take the memory that was predicted? Each cell is measured in a
 * process of its own (this program again, with the cell's number), whose peak
 * resident memory must grow by the prediction, within 10 % or 64 MiB. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/device.h"
#include "measure/measure.h"
#include "support_sanitizer.h"

/* Peak resident memory of this process so far. */
static double peak_bytes(void) {
  char line[128];
  double kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmHWM: %lf kB", &kib) == 1) break;
  }
  if (file) fclose(file);
  return kib * 1024;
}

typedef struct cell {
  const char *what;
  gs_model model;
  int64_t length, width, batch, replicas;
  gs_stats_level stats;
  gs_dtype dtype;
  gs_init_kind init;
  bool tied;
} cell;

static const cell cells[] = {
    {"weights", GS_MLP, 14, 1792, 64, 1, GS_STATS_NORMS, GS_F32, GS_INIT_XAVIER_NORMAL, true},
    {"activations", GS_MLP, 200, 128, 1024, 1, GS_STATS_FULL, GS_F64, GS_INIT_HE_NORMAL, true},
    {"replicas", GS_MLP, 20, 64, 32, 400, GS_STATS_FULL, GS_F32, GS_INIT_XAVIER_NORMAL, true},
    {"sequence", GS_RNN, 4096, 64, 64, 2, GS_STATS_NORMS, GS_F32, GS_INIT_XAVIER_NORMAL, true},
    {"untied", GS_RNN, 1200, 200, 4, 1, GS_STATS_NORMS, GS_F32, GS_INIT_XAVIER_NORMAL, false},
    {"statistics", GS_RNN, 16384, 8, 2, 8, GS_STATS_FULL, GS_F32, GS_INIT_XAVIER_NORMAL, true},
};
enum { CELLS = sizeof cells / sizeof *cells };

static gs_status config_of(const cell *c, gs_config *config, gs_error *error) {
  GS_TRY(gs_config_default(c->model, config, error));
  if (c->model == GS_MLP) GS_TRY(gs_config_set_widths(config, c->length, c->width, error));
  config->hidden = config->input = c->width;
  config->seq_len = c->length;
  config->batch = c->batch;
  config->replicas = c->replicas;
  config->stats = c->stats;
  config->dtype = c->dtype;
  config->tied = c->tied;
  config->init = gs_init_default(c->init);
  return GS_OK;
}

/* Measures one configuration; its predicted bytes, or 0 if that failed. */
static double measure(gs_device *device, const gs_config *config) {
  gs_measure_options options = gs_measure_defaults();
  gs_error error = {0};
  cJSON *record = NULL;
  options.timing.time_limit_s = 0;
  if (gs_measure_cell(device, config, &options, &record, &error) != GS_OK) return 0;
  const cJSON *status = cJSON_GetObjectItemCaseSensitive(record, "status");
  const cJSON *memory = cJSON_GetObjectItemCaseSensitive(record, "memory");
  const cJSON *predicted = cJSON_GetObjectItemCaseSensitive(memory, "predicted_bytes");
  const bool ok = cJSON_IsString(status) && !strcmp(status->valuestring, "ok");
  const double bytes = ok && cJSON_IsNumber(predicted) ? predicted->valuedouble : 0;
  cJSON_Delete(record);
  return bytes;
}

/* The other process: a small cell first, so that libraries are there, then the
 * cell. Prints the prediction and the growth. */
static int measure_alone(int index) {
  const cell small = {"",
                      cells[index].model,
                      2,
                      16,
                      2,
                      1,
                      cells[index].stats,
                      cells[index].dtype,
                      GS_INIT_ORTHOGONAL,
                      true};
  gs_error error = {0};
  gs_device *device = NULL;
  gs_config config;
  if (gs_cpu_device_create(2, &device, &error) != GS_OK) return 1;
  if (config_of(&small, &config, &error) != GS_OK) return 1;
  if (!(measure(device, &config) > 0)) return 1;
  gs_config_clear(&config);
  const double before = peak_bytes();
  if (config_of(&cells[index], &config, &error) != GS_OK) return 1;
  const double predicted = measure(device, &config);
  printf("%.0f %.0f\n", predicted, peak_bytes() - before);
  gs_config_clear(&config);
  device->ops->destroy(device);
  return 0;
}

static void test_growth(void **state) {
  (void)state;
  char program[3800], command[4096];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  int failures = 0;
  assert_true(length > 0);
  program[length] = '\0';
  for (int i = 0; i < CELLS; i++) {
    double predicted = 0, grown = 0;
    snprintf(command, sizeof command, "'%s' %d", program, i);
    FILE *child = popen(command, "r");
    assert_non_null(child);
    const int read = fscanf(child, "%lf %lf", &predicted, &grown);
    assert_int_equal(pclose(child), 0);
    assert_int_equal(read, 2);
    const double allowed = fmax(0.1 * predicted, 64 * 0x1p20);
    assert_true(predicted > 100 * 0x1p20); /* or this would show nothing */
    if (!(fabs(grown - predicted) <= allowed)) {
      failures++;
      print_error("%s: %.0f MiB predicted, %.0f MiB taken\n", cells[i].what, predicted / 0x1p20,
                  grown / 0x1p20);
    }
  }
  assert_int_equal(failures, 0);
}

int main(int argc, char **argv) {
  if (GS_SANITIZED) return GS_TEST_SKIPPED; /* they take memory of their own */
  if (argc > 1) return measure_alone(atoi(argv[1]) % CELLS);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_growth)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
