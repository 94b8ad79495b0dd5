/* Whole cells: what gs_measure_cell's record holds for both models, cells that
 * cannot be run, and numbers that leave the range. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "measure/measure.h"
#include "support_fake_gpu.h"

static gs_config config_of(gs_model model) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(model, &config, &error), &error);
  return config;
}

static void set_widths(gs_config *config, int64_t depth, int64_t width) {
  gs_error error = {0};
  gs_support_ok(gs_config_set_widths(config, depth, width, &error), &error);
}

/* Untimed, so that records can be compared. */
static cJSON *measure(gs_device *device, const gs_config *config) {
  gs_measure_options options = gs_measure_defaults();
  cJSON *record = NULL;
  gs_error error = {0};
  options.timing.time_limit_s = 0;
  gs_support_ok(gs_measure_cell(device, config, &options, &record, &error), &error);
  assert_non_null(record);
  return record;
}

/* "summary/decades/mean", or NULL */
static const cJSON *find(const cJSON *json, const char *path) {
  char key[64];
  while (json && *path) {
    const size_t length = strcspn(path, "/");
    assert_true(length < sizeof key);
    memcpy(key, path, length);
    key[length] = '\0';
    json = cJSON_GetObjectItemCaseSensitive(json, key);
    path += length + (path[length] == '/');
  }
  return json;
}

static const cJSON *at(const cJSON *json, const char *path) {
  const cJSON *found = find(json, path);
  if (!found) fail_msg("there is no %s", path);
  return found;
}

static double number(const cJSON *json, const char *path) {
  const cJSON *found = at(json, path);
  if (!cJSON_IsNumber(found)) fail_msg("%s is not a number", path);
  return cJSON_GetNumberValue(found);
}

static const char *string(const cJSON *json, const char *path) {
  const char *value = cJSON_GetStringValue(at(json, path));
  if (!value) fail_msg("%s is not a string", path);
  return value;
}

/* One entry of an array; NaN for null. */
static double entry(const cJSON *json, const char *path, int index) {
  const cJSON *found = cJSON_GetArrayItem(at(json, path), index);
  if (!found) fail_msg("%s has no entry %d", path, index);
  return cJSON_IsNull(found) ? NAN : cJSON_GetNumberValue(found);
}

static void assert_ok(const cJSON *record) {
  if (strcmp(string(record, "status"), "ok") != 0) fail_msg("%s", string(record, "error"));
  assert_true(cJSON_IsNull(at(record, "error")));
  assert_string_equal(string(record, "backend/name"), "cpu");
  assert_int_equal(strlen(string(record, "weights_hash")), 16);
  assert_true(number(record, "cost/flops") > 0);
  static const char *const parts[] = {"weights",   "data",       "activations",
                                      "gradients", "statistics", "workspace"};
  double sum = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char path[64];
    snprintf(path, sizeof path, "memory/%s_bytes", parts[i]);
    sum += number(record, path);
  }
  assert_true(sum <= number(record, "memory/predicted_bytes"));
  assert_true(sum >= 0.5 * number(record, "memory/predicted_bytes"));
}

/* ---- records ---- */

static void test_mlp(void **state) {
  gs_config config = config_of(GS_MLP);
  set_widths(&config, 30, 128);
  config.activation.kind = config.output_activation.kind = GS_SIGMOID;
  config.replicas = 4;
  config.bias_std = 0.01;
  cJSON *record = measure(*state, &config);
  assert_ok(record);
  /* THEORY section 4: -0.627 decades a layer */
  assert_true(fabs(number(record, "summary/decades_per_layer/mean") + 0.627) < 0.03);
  assert_true(number(record, "summary/decades/sd") < 0.5);
  assert_string_equal(string(record, "summary/verdict"), "vanishing");
  assert_int_equal(cJSON_GetArraySize(at(record, "summary/decades/values")), 4);
  assert_int_equal(cJSON_GetArraySize(at(record, "summary/loss/sign")), 4);
  static const char *const quantities[] = {"activation", "delta", "grad_weight", "grad_bias"};
  for (size_t q = 0; q < sizeof quantities / sizeof *quantities; q++) {
    const cJSON *layers = find(at(record, "layers"), quantities[q]);
    assert_int_equal(cJSON_GetArraySize(at(layers, "index")), 30);
    assert_true(isfinite(entry(layers, "log10_norm/mean", 0)));
  }
  assert_null(find(record, "layers/grad_input_weight"));
  assert_null(find(record, "timing"));
  /* decades are those of the layers' norms */
  const double fall = entry(record, "layers/delta/log10_norm/mean", 0) -
                      entry(record, "layers/delta/log10_norm/mean", 29);
  assert_true(fabs(fall - number(record, "summary/decades/mean")) < 1e-9);
  assert_true(number(record, "summary/first_layer_lost/delta/f16") > 1);
  assert_true(cJSON_IsNull(at(record, "summary/first_layer_lost/activation/f16")));
  cJSON_Delete(record);
  gs_config_clear(&config);
}

static void test_rnn(void **state) {
  gs_config config = config_of(GS_RNN);
  config.hidden = config.input = 32;
  config.seq_len = 2000;
  config.batch = 4;
  config.replicas = 3;
  config.activation.kind = config.output_activation.kind = GS_IDENTITY;
  config.init = gs_init_default(GS_INIT_ORTHOGONAL);
  cJSON *record = measure(*state, &config);
  assert_ok(record);
  /* THEORY section 5: orthogonal and linear is exactly 0 decades */
  assert_true(fabs(number(record, "summary/decades/mean")) < 1e-3);
  assert_string_equal(string(record, "summary/verdict"), "stable");
  assert_int_equal(cJSON_GetArraySize(at(record, "layers/delta/index")), 1024);
  assert_true(entry(record, "layers/delta/index", 1023) == 2000);
  assert_int_equal(cJSON_GetArraySize(at(record, "layers/grad_weight/index")), 1);
  assert_int_equal(cJSON_GetArraySize(at(record, "layers/grad_input_weight/index")), 1);
  assert_null(find(record, "layers/grad_bias"));
  cJSON_Delete(record);
  gs_config_clear(&config);
}

static void test_levels_and_timing(void **state) {
  gs_measure_options options = gs_measure_defaults();
  for (int level = 0; level < 3; level++) {
    gs_config config = config_of(level % 2 ? GS_MLP : GS_RNN);
    gs_error error = {0};
    cJSON *record = NULL;
    config.stats = (gs_stats_level)level;
    options.timing.time_limit_s = 0.01;
    gs_support_ok(gs_measure_cell(*state, &config, &options, &record, &error), &error);
    assert_ok(record);
    assert_true((find(record, "summary") != NULL) == (level != GS_STATS_OFF));
    assert_true((find(record, "layers/delta") != NULL) == (level != GS_STATS_OFF));
    assert_true((find(record, "layers/delta/histogram") != NULL) == (level == GS_STATS_FULL));
    assert_true((find(record, "layers/delta/kept") != NULL) == (level == GS_STATS_FULL));
    assert_true(number(record, "timing/median_ns") > 0);
    assert_true(number(record, "timing/samples_per_s") > 0);
    cJSON_Delete(record);
    gs_config_clear(&config);
  }
}

/* Measuring again, with any number of threads, gives the same record but for what
 * the number of threads is in. */
static void test_repeats(void **state) {
  for (int model = 0; model < 2; model++) {
    gs_config config = config_of((gs_model)model);
    cJSON *first = measure(*state, &config);
    cJSON_DeleteItemFromObject(first, "backend");
    cJSON_DeleteItemFromObject(first, "memory"); /* workspace is per thread */
    for (int threads = 1; threads <= 3; threads++) {
      gs_device *device = gs_support_device(threads);
      cJSON *again = measure(device, &config);
      cJSON_DeleteItemFromObject(again, "backend");
      cJSON_DeleteItemFromObject(again, "memory");
      assert_true(cJSON_Compare(first, again, true));
      cJSON_Delete(again);
      device->ops->destroy(device);
    }
    cJSON_Delete(first);
    gs_config_clear(&config);
  }
}

/* ---- cells that cannot be run ---- */

static void assert_refused(gs_device *device, const gs_config *config, const char *status,
                           const char *reason) {
  cJSON *record = measure(device, config);
  assert_string_equal(string(record, "status"), status);
  if (!strstr(string(record, "error"), reason)) fail_msg("\"%s\"", string(record, "error"));
  assert_null(strchr(string(record, "error"), '\n'));
  assert_null(find(record, "summary"));
  assert_null(find(record, "weights_hash"));
  assert_string_equal(string(record, "backend/name"), "cpu");
  cJSON_Delete(record);
}

static void test_refused(void **state) {
  gs_config config = config_of(GS_MLP);
  set_widths(&config, 3, INT64_C(1) << 21); /* 48 TiB of weights */
  assert_refused(*state, &config, "skipped", "GiB of memory");
  set_widths(&config, 1, (INT64_C(1) << 31) - 1); /* 2^64 bytes */
  assert_refused(*state, &config, "skipped", "address space");
  set_widths(&config, 1, INT64_C(1) << 44);
  config.widths[0] = 1;
  config.batch = 1;
  assert_refused(*state, &config, "skipped", "memory");
  config.widths[0] = config.widths[1];
  config.widths[1] = 1;
  assert_refused(*state, &config, "skipped", "memory");
  set_widths(&config, 2, 8);
  static const gs_dtype dtypes[] = {GS_BF16, GS_F16, GS_TF32};
  for (size_t i = 0; i < 3; i++) {
    config.dtype = dtypes[i];
    assert_refused(*state, &config, "skipped", gs_name(&gs_dtype_names, dtypes[i]));
  }
  config.dtype = GS_F32;
  config.batch = 0;
  assert_refused(*state, &config, "failed", "batch");
  gs_config_clear(&config);
  config = config_of(GS_RNN);
  config.seq_len = GS_MAX_DEPTH;
  config.replicas = GS_MAX_REPLICAS;
  assert_refused(*state, &config, "skipped", "memory");
  config.seq_len = config.replicas = config.hidden = config.batch = 1;
  config.input = INT64_C(1) << 44;
  assert_refused(*state, &config, "skipped", "memory");
  gs_config_clear(&config);
}

/* What the device cannot do is skipped: its words, or ours where it need not be
 * asked. That a loop does not fit shows when the first step is enqueued. */
static void test_ways_the_device_lacks(void **state) {
  gs_config config = config_of(GS_RNN);
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  config.hidden = config.input = config.seq_len = 4;
  config.loop = GS_LOOP_PERSISTENT;
  assert_refused(*state, &config, "skipped", "loop persistent");
  cJSON *record = measure(&gpu->base, &config);
  assert_string_equal(string(record, "status"), "skipped");
  assert_string_equal(string(record, "error"), "the cpu backend has no persistent kernels");
  assert_non_null(find(record, "weights_hash")); /* as far as it got */
  assert_null(find(record, "layers"));
  cJSON_Delete(record);
  config.loop = GS_LOOP_STEPS;
  config.launch = GS_LAUNCH_GRAPH;
  assert_refused(*state, &config, "skipped", "launch graph");
  cJSON_Delete(measure(&gpu->base, &config));
  gpu->info.graphs = false;
  record = measure(&gpu->base, &config);
  assert_string_equal(string(record, "status"), "skipped");
  cJSON_Delete(record);
  config.launch = GS_LAUNCH_EAGER;
  record = measure(*state, &config);
  assert_ok(record);
  cJSON_Delete(record);
  gs_config_clear(&config);
  gpu->base.ops->destroy(&gpu->base);
}

/* A device that fails costs the cell; one that is lost for good costs it whatever
 * the failing call was taken for, and also after the last number was there. */
static void test_lost_device(void **state) {
  (void)state;
  gs_config config = config_of(GS_MLP);
  set_widths(&config, 2, 4);
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  cJSON *record = measure(&gpu->base, &config);
  assert_string_equal(string(record, "status"), "ok");
  cJSON_Delete(record);
  const int64_t whole = gpu->run;
  for (int lose = 0; lose < 2; lose++) {
    for (int64_t at = 1; at <= whole; at += 3) {
      gpu->run = 0;
      gpu->fail_at = at;
      gpu->lose = lose;
      gpu->base.lost = false;
      record = measure(&gpu->base, &config);
      assert_string_equal(string(record, "status"), "failed");
      assert_string_equal(string(record, "error"), "the failure that was asked for");
      assert_int_equal(gpu->base.lost, lose);
      cJSON_Delete(record);
    }
  }
  gpu->fail_at = 0;
  gpu->base.lost = false;
  gpu->lose_at_free = true;
  const gs_measure_options options = gs_measure_defaults();
  gs_error error = {0};
  gs_support_ok(gs_measure_cell(&gpu->base, &config, &options, &record, &error), &error);
  assert_string_equal(string(record, "status"), "failed");
  assert_string_equal(string(record, "error"), "lost at last");
  assert_null(find(record, "timing")); /* a failed cell has none */
  cJSON_Delete(record);
  gpu->base.lost = true;
  config.launch = GS_LAUNCH_GRAPH; /* a reason to skip counts for nothing then */
  gpu->info.graphs = false;
  record = measure(&gpu->base, &config);
  assert_string_equal(string(record, "status"), "failed");
  cJSON_Delete(record);
  gs_config_clear(&config);
  gpu->base.ops->destroy(&gpu->base);
}

/* What a wide input takes grows with its width, not with the width's square. */
static void test_wide_input(void **state) {
  gs_config config = config_of(GS_RNN);
  config.hidden = 4;
  config.input = 50000;
  config.seq_len = config.batch = 2;
  cJSON *record = measure(*state, &config);
  assert_ok(record);
  assert_true(number(record, "memory/predicted_bytes") < 16 * 0x1p20);
  cJSON_Delete(record);
  gs_config_clear(&config);
}

/* ---- out of range ---- */

static void test_native_overflow(void **state) {
  gs_config config = config_of(GS_MLP);
  set_widths(&config, 60, 256);
  config.activation.kind = config.output_activation.kind = GS_RELU;
  config.init = gs_init_default(GS_INIT_NORMAL);
  config.replicas = 2;
  cJSON *extended = measure(*state, &config);
  config.range = GS_RANGE_NATIVE;
  cJSON *native = measure(*state, &config);
  assert_ok(extended);
  assert_ok(native);
  /* sqrt(256 / 2) a layer, less what a width of 256 costs */
  assert_true(fabs(number(extended, "summary/decades_per_layer/mean") - 1.05) < 0.02);
  assert_true(entry(extended, "layers/delta/nan", 0) + entry(extended, "layers/delta/inf", 0) == 0);
  assert_true(isnan(entry(native, "summary/decades/values", 0)));
  assert_true(number(native, "summary/decades/not_finite") == 2);
  assert_true(cJSON_IsNull(at(native, "summary/decades/mean")));
  assert_true(isnan(entry(native, "layers/delta/log10_norm/mean", 0)));
  assert_true(entry(native, "layers/delta/log10_norm/finite", 0) == 0);
  assert_true(entry(native, "layers/delta/nan", 0) + entry(native, "layers/delta/inf", 0) > 0);
  assert_true(entry(native, "layers/activation/inf", 50) > 0 ||
              entry(native, "layers/activation/nan", 50) > 0);
  assert_string_equal(string(native, "summary/verdict"), "exploding");
  assert_string_equal(string(extended, "summary/verdict"), "exploding");
  cJSON_Delete(extended);
  cJSON_Delete(native);
  gs_config_clear(&config);
}

static void test_native_underflow(void **state) {
  gs_config config = config_of(GS_MLP);
  set_widths(&config, 100, 64);
  config.activation.kind = config.output_activation.kind = GS_SIGMOID;
  config.replicas = 3;
  cJSON *extended = measure(*state, &config);
  config.range = GS_RANGE_NATIVE;
  cJSON *native = measure(*state, &config);
  assert_ok(extended);
  assert_ok(native);
  assert_true(fabs(number(extended, "summary/decades_per_layer/mean") + 0.627) < 0.03);
  assert_true(entry(extended, "layers/delta/zero_share", 0) == 0);
  assert_true(number(native, "summary/decades/dead") == 3);
  assert_true(cJSON_IsNull(at(native, "summary/decades/p50")));
  assert_true(entry(native, "layers/delta/zero_share", 0) == 1);
  assert_string_equal(string(native, "summary/verdict"), "vanishing");
  /* f32 loses it at the same layer, seen from either range: about 72 layers down */
  const double lost = number(extended, "summary/first_layer_lost/delta/f32");
  assert_true(lost > 22 && lost < 36);
  cJSON_Delete(extended);
  cJSON_Delete(native);
  gs_config_clear(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mlp),
      cmocka_unit_test(test_rnn),
      cmocka_unit_test(test_repeats),
      cmocka_unit_test(test_levels_and_timing),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_ways_the_device_lacks),
      cmocka_unit_test(test_lost_device),
      cmocka_unit_test(test_wide_input),
      cmocka_unit_test(test_native_overflow),
      cmocka_unit_test(test_native_underflow),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
