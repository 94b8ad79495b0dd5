/* The cost model against closed forms, and timing: that steps are really run,
 * when sampling stops, and what the record says. */
#include "base/clock.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/device.h"
#include "measure/cost.h"
#include "measure/measure.h"
#include "measure/timing_json.h"
#include "support_fake_gpu.h"
#include "support_sanitizer.h"

static gs_config mlp_config(int64_t depth, int64_t width, int64_t batch) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, depth, width, &error), &error);
  config.batch = batch;
  return config;
}

/* ---- cost ---- */

static void assert_equal(double got, double want) {
  if (!(fabs(got - want) <= 1e-12 * fabs(want))) fail_msg("%.17g, not %.17g", got, want);
}

static void test_mlp_flops(void **state) {
  (void)state;
  static const int64_t sizes[][3] = {{1, 1, 1}, {1, 128, 32}, {50, 128, 64}, {7, 33, 5}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    gs_config config = mlp_config(sizes[i][0], sizes[i][1], sizes[i][2]);
    const double L = (double)sizes[i][0], n = (double)sizes[i][1], B = (double)sizes[i][2];
    assert_equal(gs_cost_of(&config).flops, (6 * L - 2) * B * n * n);
    assert_equal(gs_cost_of(&config).samples, B);
    config.replicas = 9;
    assert_equal(gs_cost_of(&config).flops, 9 * (6 * L - 2) * B * n * n);
    assert_equal(gs_cost_of(&config).samples, 9 * B);
    gs_config_clear(&config);
  }
  /* 784 - 100 - 10: 4 B 784 100 for the first layer, 6 B 100 10 for the second */
  gs_config config = mlp_config(2, 100, 20);
  config.widths[0] = 784;
  config.widths[2] = 10;
  config.width = 0;
  assert_equal(gs_cost_of(&config).flops, 20 * (4.0 * 784 * 100 + 6.0 * 100 * 10));
  gs_config_clear(&config);
}

static void test_rnn_flops(void **state) {
  (void)state;
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
  config.hidden = 64;
  config.input = 10;
  config.seq_len = 100;
  config.batch = 8;
  config.replicas = 3;
  /* per step W h, W^T delta (not at the last) and dW; U x and dU */
  const double want = 3.0 * 8 * ((6.0 * 100 - 2) * 64 * 64 + 4.0 * 100 * 64 * 10);
  assert_equal(gs_cost_of(&config).flops, want);
  config.tied = false;
  assert_equal(gs_cost_of(&config).flops, want);
  gs_config_clear(&config);
}

/* Bytes: no less than reading and writing every tensor once, twice for f64, and
 * proportional to the replicas. Untied weights are read at every step. */
static void test_bytes(void **state) {
  (void)state;
  gs_config config = mlp_config(10, 64, 16);
  config.activation.kind = config.output_activation.kind = GS_RELU;
  const double relu = gs_cost_of(&config).bytes;
  const double weights = 10.0 * 64 * 64, states = 10.0 * 16 * 64;
  assert_true(relu >= 4 * (3 * weights + 7 * states)); /* W twice and dW; cost.c lists the rest */
  assert_true(relu <= 4 * (3 * weights + 10 * states));
  config.activation.kind = config.output_activation.kind = GS_TANH; /* phi' is kept */
  assert_equal(gs_cost_of(&config).bytes - relu, 4 * states);
  config.activation.kind = config.output_activation.kind = GS_RELU;
  config.dtype = GS_F64;
  assert_equal(gs_cost_of(&config).bytes, 2 * relu);
  config.replicas = 5;
  assert_equal(gs_cost_of(&config).bytes, 10 * relu);
  gs_config_clear(&config);
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
  const double tied = gs_cost_of(&config).bytes;
  config.tied = false;
  assert_equal(gs_cost_of(&config).bytes - tied, 4.0 * 3 * 99 * 128 * 128);
  gs_config_clear(&config);
}

/* The longest chain of products, 2 L or 2 T; which of them wait for a barrier: those that
 * read more than a warp's 32 units. Replicas and batch do not lengthen it. */
static void test_barriers(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 2, 100, 10000};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    const double L = (double)lengths[i];
    for (int64_t n = 31; n <= 34; n++) {
      gs_config config = mlp_config(lengths[i], n, 3);
      gs_error error = {0};
      config.replicas = 7;
      assert_equal(gs_cost_of(&config).dependent, 2 * L);
      assert_equal(gs_cost_of(&config).barriers, n > 32 ? 2 * L : 0);
      gs_config_clear(&config);
      gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
      config.seq_len = lengths[i];
      config.hidden = n;
      config.replicas = 7;
      for (int loop = GS_LOOP_AUTO; loop <= GS_LOOP_PERSISTENT; loop++) {
        config.loop = (gs_loop)loop; /* however it is done */
        config.input = 128;
        assert_equal(gs_cost_of(&config).dependent, 2 * L);
        assert_equal(gs_cost_of(&config).barriers, n > 32 ? 2 * L : 1);
        config.input = 1;
        assert_equal(gs_cost_of(&config).barriers, n > 32 ? 2 * L - 1 : 0);
      }
      gs_config_clear(&config);
    }
  }
}

/* Layers of 40, 1, 50, 2 units above 9 inputs: what reads 40 or 50 of them meets, z^2 and
 * z^4 forward, delta^2 (of 50) backward, and dW^1 (of 40). */
static void test_barriers_of_unequal_layers(void **state) {
  (void)state;
  static const int64_t widths[] = {9, 40, 1, 50, 2};
  gs_config config = mlp_config(4, 8, 3);
  memcpy(config.widths, widths, sizeof widths);
  config.width = 0;
  assert_equal(gs_cost_of(&config).dependent, 8);
  assert_equal(gs_cost_of(&config).barriers, 4);
  config.widths[0] = 784; /* z^1 */
  assert_equal(gs_cost_of(&config).barriers, 5);
  gs_config_clear(&config);
}

/* What today's implementation launches for it: replicas and widths do not lengthen it. */
static void test_launches(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 2, 100, 10000};
  static const gs_loop in_one[] = {GS_LOOP_AUTO, GS_LOOP_PERSISTENT};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    const double L = (double)lengths[i];
    gs_config config = mlp_config(lengths[i], 5, 3);
    assert_equal(gs_cost_of(&config).launches, 2 * L);
    config.replicas = 7;
    assert_equal(gs_cost_of(&config).launches, 2 * L);
    gs_config_clear(&config);
    gs_error error = {0};
    gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
    config.seq_len = lengths[i];
    config.loop = GS_LOOP_STEPS;
    assert_equal(gs_cost_of(&config).launches, 2 * L + 1);
    for (int k = 0; k < 2; k++) {
      config.loop = in_one[k];
      assert_equal(gs_cost_of(&config).launches, L > 1 ? 4 : 3);
    }
    gs_config_clear(&config);
  }
}

/* ---- timing ---- */

/* Of this thread. */
static double cpu_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static gs_timing *timing_of(gs_network *network, bool statistics, double limit_s, double spread) {
  const gs_timing_limits limits = {.time_limit_s = limit_s, .spread = spread};
  gs_timing *timing = malloc(sizeof *timing);
  gs_error error = {0};
  assert_non_null(timing);
  timing->count = 12345; /* whatever was there */
  gs_support_ok(gs_timing_measure(network, statistics, &limits, 0, timing, &error), &error);
  return timing;
}

static gs_network *create(gs_device *device, const gs_config *config) {
  gs_network *network = NULL;
  gs_error error = {0};
  gs_support_ok(gs_network_create(device, config, NULL, &network, &error), &error);
  return network;
}

/* The samples add up to the time that passed, and the last step left results. */
static void test_loop_runs(void **state) {
  gs_config config = mlp_config(4, 64, 32);
  gs_network *network = create(*state, &config);
  gs_error error = {0};
  gs_scaled before, after;
  gs_timing *timing = timing_of(network, false, 5, 1e9);
  /* such a step takes far less than 0.2 ms, though the first one of all takes longer */
  if (!GS_SANITIZED) assert_true(timing->steps_per_sample >= 2);
  gs_device_info info;
  gs_device *device = *state;
  device->ops->info(device, &info);
  assert_int_equal(timing->launch, info.graphs ? GS_LAUNCH_GRAPH : GS_LAUNCH_EAGER);
  free(timing);
  const double start = gs_clock_s();
  const double cpu_start = cpu_s();
  timing = timing_of(network, false, 0.2, -1); /* a spread never reached */
  const double wall_ns = (gs_clock_s() - start) * 1e9;
  double sum_ns = 0;
  assert_true(timing->count >= 1 && timing->count <= GS_TIMING_MAX_SAMPLES);
  for (int64_t i = 0; i < timing->count; i++) {
    assert_true(timing->samples_ns[i] > 0);
    sum_ns += timing->samples_ns[i] * (double)timing->steps_per_sample;
  }
  assert_true(sum_ns <= wall_ns);
  /* of this thread's own time, which a busy machine does not stretch */
  assert_true(sum_ns >= 0.5 * (cpu_s() - cpu_start) * 1e9);
  if (timing->stopped == GS_STOP_TIME_LIMIT) {
    assert_true(wall_ns >= 0.2e9); /* the first steps, which are not timed, count */
  } else {
    assert_int_equal(timing->stopped, GS_STOP_MAX_SAMPLES);
  }
  gs_support_ok(gs_network_loss(network, &before, &error), &error);
  gs_support_ok(gs_network_step(network, false, &error), &error);
  gs_support_ok(gs_network_loss(network, &after, &error), &error);
  assert_true(before.value != 0);
  assert_memory_equal(&before, &after, sizeof before);
  free(timing);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_stop_rules(void **state) {
  gs_config config = mlp_config(1, 8, 1);
  gs_network *network = create(*state, &config);
  gs_timing *timing = timing_of(network, false, 0, 0.01); /* no time: one sample all the same */
  assert_int_equal(timing->count, 1);
  assert_int_equal(timing->stopped, GS_STOP_TIME_LIMIT);
  assert_int_equal(timing->lacks, GS_LACKS_SPREAD);
  free(timing);
  timing = timing_of(network, false, 100, 1e9); /* any spread will do: the fewest samples */
  assert_int_equal(timing->count, 5);
  assert_int_equal(timing->stopped, GS_STOP_SPREAD);
  assert_int_equal(timing->lacks, 0);
  free(timing);
  const double start = gs_clock_s();
  timing = timing_of(network, false, 3600, -1); /* never settles: the most samples */
  assert_int_equal(timing->count, GS_TIMING_MAX_SAMPLES);
  assert_int_equal(timing->stopped, GS_STOP_MAX_SAMPLES);
  assert_true(gs_clock_s() - start < 60);
  free(timing);
  gs_network_destroy(network);
  gs_config_clear(&config);
  config = mlp_config(8, 512, 128); /* long steps are timed singly */
  network = create(*state, &config);
  timing = timing_of(network, true, 0.01, 0.01);
  assert_int_equal(timing->steps_per_sample, 1);
  assert_true(timing->samples_ns[0] >= 200e3);
  free(timing);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* ---- launching ---- */

/* Operations of a step, its opening included: 6 layers are 6 products forward, the
 * loss, the last activation backward, 5 products, 6 weight gradients. */
enum { LAYERS = 6, OPERATIONS = 20 };

/* Times a network on a device that is a GPU for all one can see. */
static gs_timing *time_fake(gs_fake_gpu *gpu, gs_launch launch, gs_status expected,
                            gs_error *error) {
  gs_config config = mlp_config(LAYERS, 8, 2);
  config.launch = launch;
  gs_network *network = create(&gpu->base, &config);
  gs_timing *timing = calloc(1, sizeof *timing);
  assert_non_null(timing);
  gpu->run = 0;
  const gs_timing_limits limits = {.time_limit_s = 0.1, .spread = 0.01};
  const gs_status status = gs_timing_measure(network, false, &limits, 0, timing, error);
  if (status != expected) fail_msg("%s: %s", gs_name(&gs_status_names, status), error->message);
  assert_int_equal(gpu->live_events, 0);
  assert_int_equal(gpu->live_graphs, 0);
  gs_network_destroy(network);
  gs_config_clear(&config);
  return timing;
}

static void assert_all_samples(const gs_timing *timing, double ns) {
  assert_true(timing->count >= 5);
  for (int64_t i = 0; i < timing->count; i++) assert_equal(timing->samples_ns[i], ns);
}

/* A graph: one step as it is, which a backend may need, one captured, then only
 * replays. */
static void test_graph(void **state) {
  (void)state;
  for (int asked = GS_LAUNCH_AUTO; asked <= GS_LAUNCH_GRAPH; asked++) {
    gs_fake_gpu *gpu = gs_support_fake_gpu();
    gs_error error = {0};
    gs_timing *timing = time_fake(gpu, (gs_launch)asked, GS_OK, &error);
    assert_int_equal(timing->launch, GS_LAUNCH_GRAPH);
    assert_int_equal(gpu->captures, 1);
    assert_int_equal(gpu->captured, OPERATIONS);
    assert_int_equal(gpu->run, OPERATIONS);
    assert_true(gpu->replays >= timing->count * timing->steps_per_sample);
    assert_all_samples(timing, OPERATIONS * gpu->replayed_ns);
    free(timing);
    gpu->base.ops->destroy(&gpu->base);
  }
}

static void test_eager(void **state) {
  (void)state;
  for (int graphs = 0; graphs < 2; graphs++) { /* asked for, and for lack of graphs */
    gs_fake_gpu *gpu = gs_support_fake_gpu();
    gs_error error = {0};
    gpu->info.graphs = graphs;
    gs_timing *timing = time_fake(gpu, graphs ? GS_LAUNCH_EAGER : GS_LAUNCH_AUTO, GS_OK, &error);
    assert_int_equal(timing->launch, GS_LAUNCH_EAGER);
    assert_int_equal(gpu->captures, 0);
    assert_int_equal(gpu->replays, 0);
    assert_all_samples(timing, OPERATIONS * gpu->operation_ns);
    free(timing);
    gpu->base.ops->destroy(&gpu->base);
  }
}

/* The reason is the failing operation's, not that of the capture it spoils; a
 * device that says it has graphs and has none is found out. */
static void test_capture_fails(void **state) {
  (void)state;
  gs_fake_gpu *gpu = gs_support_fake_gpu();
  gs_error error = {0};
  gpu->fail_captured_at = 3;
  free(time_fake(gpu, GS_LAUNCH_AUTO, GS_ERR_DEVICE, &error));
  assert_string_equal(error.message, "a failure inside the capture");
  gpu->base.ops->destroy(&gpu->base);
  gpu = gs_support_fake_gpu();
  gpu->no_capture = true;
  free(time_fake(gpu, GS_LAUNCH_GRAPH, GS_ERR_UNSUPPORTED, &error));
  gpu->base.ops->destroy(&gpu->base);
}

/* ---- the record ---- */

static double field(const cJSON *json, const char *key) {
  const cJSON *found = cJSON_GetObjectItemCaseSensitive(json, key);
  if (!found || !cJSON_IsNumber(found)) fail_msg("there is no number %s", key);
  return cJSON_GetNumberValue(found);
}

static void test_record(void **state) {
  (void)state;
  gs_config config = mlp_config(3, 20, 10);
  const gs_cost cost = gs_cost_of(&config);
  const gs_roofline_best roofline = {
      .limits = {.flops_per_s = {[GS_F32] = 4e9, [GS_F64] = 2e9}, .copy_bytes_per_s = 1e9},
      .measurements = 3};
  gs_timing *timing = calloc(1, sizeof *timing);
  gs_error error = {0};
  cJSON *json = NULL;
  assert_non_null(timing);
  timing->count = 5;
  timing->steps_per_sample = 7;
  timing->launch = GS_LAUNCH_GRAPH;
  timing->stopped = GS_STOP_SPREAD;
  for (int i = 0; i < 5; i++) timing->samples_ns[i] = 1e5 + 1e3 * (double)((i * 2) % 5);
  for (int wide = 0; wide < 2; wide++) {
    config.dtype = wide ? GS_F64 : GS_F32;
    gs_support_ok(gs_timing_json(timing, 0, &config, &roofline, &json, &error), &error);
    const double bytes = cost.bytes * (wide ? 2 : 1);
    const double flops_ns = cost.flops / (wide ? 2.0 : 4.0), copy_ns = bytes;
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "samples_ns")), 5);
    assert_equal(field(json, "steps_per_sample"), 7);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "launch")), "graph");
    assert_equal(field(json, "median_ns"), 102e3);
    assert_equal(field(json, "p5_ns"), 100.2e3);
    assert_equal(field(json, "p95_ns"), 103.8e3);
    assert_equal(field(json, "noise"), 3.6 / 102);
    assert_equal(field(json, "samples_per_s"), 10 / 102e-6);
    assert_equal(field(json, "flops_per_s"), cost.flops / 102e-6);
    assert_equal(field(json, "bytes_per_s"), bytes / 102e-6);
    assert_equal(field(json, "fraction_of_flops"), flops_ns / 102e3);
    assert_equal(field(json, "fraction_of_copy"), copy_ns / 102e3);
    assert_true(field(json, "fraction_of_launches") == 0); /* nothing is launched */
    assert_true(field(json, "fraction_of_barriers") == 0); /* nor met, as far as is known */
    assert_equal(field(json, "floor_ns"), fmax(flops_ns, copy_ns));
    assert_equal(field(json, "fraction_of_floor"), fmax(flops_ns, copy_ns) / 102e3);
    cJSON_Delete(json);
  }
  gs_support_ok(gs_timing_json(timing, 0, &config, NULL, &json, &error), &error);
  assert_false(cJSON_HasObjectItem(json, "floor_ns"));
  assert_false(cJSON_HasObjectItem(json, "fraction_of_flops"));
  cJSON_Delete(json);
  free(timing);
  gs_config_clear(&config);
}

/* The host's launch of a graph is no part of a step's time on a GPU, whether the step is
 * timed among many or almost alone. */
static void test_the_launch_is_not_timed(void **state) {
  static const double step_ns[] = {20e3, 200e3, 300e3, 2e6, 4.9e6};
  (void)state;
  for (size_t i = 0; i < sizeof step_ns / sizeof *step_ns; i++) {
    gs_fake_gpu *gpu = gs_support_fake_gpu();
    gs_error error = {0};
    gpu->replayed_ns = step_ns[i] / OPERATIONS;
    gpu->launch_ns = 15e3;
    gs_timing *timing = time_fake(gpu, GS_LAUNCH_GRAPH, GS_OK, &error);
    for (int64_t k = 0; k < timing->count; k++) {
      if (!(fabs(timing->samples_ns[k] - step_ns[i]) <= 1)) {
        fail_msg("%g ns, not %g", timing->samples_ns[k], step_ns[i]);
      }
    }
    free(timing);
    gpu->base.ops->destroy(&gpu->base);
  }
}

/* Each dtype has its own peak; one without any has no fraction of it, and a floor of what
 * is left; barriers make the floor of what is small. Launches are no part of it, however
 * long they take. */
static void test_rooflines(void **state) {
  (void)state;
  gs_config config = mlp_config(3, 40, 10);
  const gs_cost cost = gs_cost_of(&config); /* 6 barriers, 6 launches */
  const double copy_ns = cost.bytes;        /* at 1e9 B/s */
  gs_timing *timing = calloc(1, sizeof *timing);
  assert_non_null(timing);
  timing->count = timing->steps_per_sample = 1;
  timing->stopped = GS_STOP_TIME_LIMIT;
  timing->samples_ns[0] = 1e6;
  for (int d = 0; d < GS_DTYPE_COUNT; d++) {
    for (int launched = 0; launched < 2; launched++) {
      gs_roofline_best roofline = {.limits = {.copy_bytes_per_s = 1e9,
                                              .launch_ns = launched ? 5e5 : 0,
                                              .block_barrier_ns = launched ? 1e5 : 0}};
      gs_error error = {0};
      cJSON *json = NULL;
      for (int e = 0; e < GS_DTYPE_COUNT; e++) roofline.limits.flops_per_s[e] = 1e8 * (e + 1);
      roofline.limits.flops_per_s[GS_BF16] = 0;
      config.dtype = (gs_dtype)d;
      gs_support_ok(gs_timing_json(timing, 0, &config, &roofline, &json, &error), &error);
      const double flops_ns = d == GS_BF16 ? 0 : cost.flops / (1e8 * (d + 1)) * 1e9;
      const double bytes_ns = copy_ns * (double)gs_dtype_bytes((gs_dtype)d) / 4;
      const double floor_ns = fmax(flops_ns, fmax(bytes_ns, launched ? 6e5 : 0));
      if (d == GS_BF16) {
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "fraction_of_flops")));
      } else {
        assert_equal(field(json, "fraction_of_flops"), flops_ns / 1e6);
      }
      assert_equal(field(json, "fraction_of_barriers"), launched ? 0.6 : 0);
      assert_equal(field(json, "fraction_of_launches"), launched ? 3 : 0);
      assert_equal(field(json, "floor_ns"), floor_ns);
      assert_equal(field(json, "fraction_of_floor"), floor_ns / 1e6);
      cJSON_Delete(json);
    }
  }
  free(timing);
  gs_config_clear(&config);
}

/* The machine can do something, and multiplying is faster than copying. */
static void test_roofline(void **state) {
  gs_roofline roofline = {0};
  gs_error error = {0};
  gs_support_ok(gs_roofline_measure(*state, &roofline, &error), &error);
  assert_true(roofline.flops_per_s[GS_F32] > 1e8 && roofline.flops_per_s[GS_F32] < 1e15);
  assert_true(roofline.flops_per_s[GS_F64] > 1e8 && roofline.flops_per_s[GS_F64] < 1e15);
  const gs_device *device = *state;
  assert_int_equal(roofline.launch_ns > 0, !device->host_memory); /* the CPU launches nothing */
  assert_int_equal(roofline.block_barrier_ns > 0, !device->host_memory);
  assert_int_equal(roofline.grid_barrier_ns > 0, !device->host_memory);
  assert_true(roofline.copy_bytes_per_s > 1e7 && roofline.copy_bytes_per_s < 1e13);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mlp_flops),
      cmocka_unit_test(test_rnn_flops),
      cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_launches),
      cmocka_unit_test(test_barriers),
      cmocka_unit_test(test_barriers_of_unequal_layers),
      cmocka_unit_test(test_loop_runs),
      cmocka_unit_test(test_stop_rules),
      cmocka_unit_test(test_graph),
      cmocka_unit_test(test_eager),
      cmocka_unit_test(test_capture_fails),
      cmocka_unit_test(test_record),
      cmocka_unit_test(test_the_launch_is_not_timed),
      cmocka_unit_test(test_rooflines),
      cmocka_unit_test(test_roofline),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device_alone, gs_support_close_device);
}
