/* What follows from the tensors that a network's operations declare: windows of any size give
 * the same bits, memory's parts, and which tensor has which role. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "support_network.h"

/* The test device, with as much memory for windows as a test wants. */
static const gs_device_ops *device_ops;
static int64_t window_bytes;

static void info(gs_device *device, gs_device_info *info) {
  device_ops->info(device, info);
  info->window_bytes = window_bytes;
}

/* Calls with weight gradients, and jobs in them. */
static int64_t calls, jobs_seen;

static gs_status weight_gradients(gs_device *device, const gs_gradient_job *jobs, int64_t count) {
  calls++;
  jobs_seen += count;
  return device_ops->weight_gradients(device, jobs, count);
}

static int open_device(void **state) {
  static gs_device_ops ops;
  const int status = gs_support_open_device(state);
  gs_device *device = *state;
  if (status != 0) return status;
  device_ops = device->ops;
  ops = *device_ops;
  ops.info = info;
  ops.weight_gradients = weight_gradients;
  device->ops = &ops;
  return 0;
}

static gs_config mlp_of(int64_t depth, bool unequal) {
  static const int64_t widths[] = {5, 17, 3, 33, 16, 8, 1, 40, 9, 7, 12};
  gs_config config = gs_support_mlp(depth, 11, GS_TANH, GS_INIT_XAVIER_NORMAL);
  if (unequal) gs_support_set_widths(&config, depth, widths);
  config.batch = 3;
  config.replicas = 2;
  config.bias_std = 0.5;
  config.loss = GS_LOSS_MSE;
  return config;
}

/* ---- windows ---- */

static gs_network *stepped(gs_device *device, const gs_config *config, bool keep, int64_t window) {
  window_bytes = window;
  gs_network *network = gs_support_network(device, config, keep);
  calls = jobs_seen = 0;
  gs_support_step(network, true);
  return network;
}

/* Fails unless both have the same statistics, histograms included. */
static void assert_same(gs_network *a, gs_network *b) {
  const size_t replicas = (size_t)gs_network_config(a)->replicas;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats of_a = gs_support_stats(a, (gs_quantity)q);
    gs_quantity_stats of_b = gs_support_stats(b, (gs_quantity)q);
    const size_t entries = (size_t)of_a.points * replicas;
    assert_int_equal(of_a.points, of_b.points);
    if (entries > 0) {
      assert_memory_equal(of_a.stats, of_b.stats, entries * sizeof *of_a.stats);
      assert_memory_equal(of_a.histogram, of_b.histogram,
                          entries * (size_t)of_a.bins * sizeof *of_a.histogram);
    }
    gs_quantity_stats_clear(&of_a);
    gs_quantity_stats_clear(&of_b);
  }
}

/* K layers at a time, for every K that the memory can be for. */
static void test_windows(void **state) {
  enum { DEPTH = 10 };
  for (int unequal = 0; unequal < 2; unequal++) {
    const gs_config config = mlp_of(DEPTH, unequal);
    int64_t widest = 0, largest = 0;
    for (int64_t l = 1; l <= DEPTH; l++) {
      const int64_t weights = config.widths[l] * config.widths[l - 1];
      if (config.widths[l] > widest) widest = config.widths[l];
      if (weights > largest) largest = weights;
    }
    const int64_t layer =
        (2 * config.batch * widest + largest) * config.replicas * (int64_t)sizeof(float);
    gs_network *one = stepped(*state, &config, false, 0);
    assert_int_equal(calls, DEPTH);
    for (int64_t K = 1; K <= DEPTH + 1; K++) {
      for (int keep = 0; keep < 2; keep++) {
        gs_network *network = stepped(*state, &config, keep, K * layer + layer / 2);
        const int64_t max = K < DEPTH ? K : DEPTH;
        assert_int_equal(calls, (DEPTH + max - 1) / max);
        assert_int_equal(jobs_seen, DEPTH);
        assert_same(one, network);
        gs_network_destroy(network);
      }
    }
    gs_network_destroy(one);
    gs_config copy = config;
    gs_config_clear(&copy);
  }
}

/* Each step's dW passes through one buffer: their statistics are those of all of them. */
static void test_passing(void **state) {
  gs_config config = gs_support_rnn(7, 5, GS_RELU, GS_INIT_HE_NORMAL);
  config.tied = false;
  config.input = 3;
  config.batch = 2;
  config.replicas = 3;
  config.bias_std = 0.5;
  config.loss_at = GS_LOSS_EVERY;
  gs_network *kept = stepped(*state, &config, true, 1 << 20);
  gs_network *passing = stepped(*state, &config, false, 0);
  assert_int_equal(calls, 8); /* dU, and every dW */
  assert_same(kept, passing);
  gs_network_destroy(kept);
  gs_network_destroy(passing);
}

/* ---- memory ---- */

static gs_network_memory predicted(gs_device *device, const gs_config *config, bool keep) {
  const gs_network_options options = {.keep_gradients = keep};
  gs_network_memory memory;
  gs_error error = {0};
  gs_support_ok(gs_network_predict(device, config, &options, &memory, &error), &error);
  return memory;
}

/* A window's memory is 2 K deltas and K gradients; what is not asked for has none. */
static void test_memory(void **state) {
  enum { DEPTH = 10, UNIT = 64 * 64 * sizeof(float) }; /* of a delta, and of a gradient */
  gs_config config = gs_support_mlp(DEPTH, 64, GS_RELU, GS_INIT_HE_NORMAL);
  config.batch = 64;
  window_bytes = 0;
  const gs_network_memory one = predicted(*state, &config, false);
  assert_int_equal(one.bytes[GS_MEMORY_WEIGHTS], DEPTH * UNIT);
  assert_int_equal(one.bytes[GS_MEMORY_DATA], 2 * UNIT);
  assert_int_equal(one.bytes[GS_MEMORY_ACTIVATIONS], (DEPTH + 2) * UNIT);
  assert_int_equal(one.bytes[GS_MEMORY_GRADIENTS], UNIT);
  assert_int_equal(predicted(*state, &config, true).bytes[GS_MEMORY_GRADIENTS], DEPTH * UNIT);
  window_bytes = 4 * 3 * UNIT;
  const gs_network_memory four = predicted(*state, &config, false);
  assert_int_equal(four.bytes[GS_MEMORY_ACTIVATIONS], (DEPTH + 8) * UNIT);
  assert_int_equal(four.bytes[GS_MEMORY_GRADIENTS], 4 * UNIT);
  window_bytes = 1000 * 3 * UNIT;
  const gs_network_memory all = predicted(*state, &config, false);
  assert_int_equal(all.bytes[GS_MEMORY_ACTIVATIONS], (DEPTH + DEPTH) * UNIT);
  config.stats = GS_STATS_OFF;
  assert_int_equal(predicted(*state, &config, false).bytes[GS_MEMORY_STATISTICS], 0);
  config.loss = GS_LOSS_MSE;
  assert_int_equal(predicted(*state, &config, false).bytes[GS_MEMORY_ACTIVATIONS],
                   all.bytes[GS_MEMORY_ACTIVATIONS] + UNIT);
  gs_config_clear(&config);
}

/* ---- roles ---- */

static void assert_shape(gs_network *network, gs_role role, int64_t index, int64_t rows,
                         int64_t cols) {
  const gs_tensor tensor = gs_network_tensor(network, role, index);
  assert_int_equal(tensor.data ? tensor.rows : 0, rows);
  assert_int_equal(tensor.data ? tensor.cols : 0, cols);
}

static void test_mlp_roles(void **state) {
  gs_config config = mlp_of(3, true); /* widths 5, 17, 3, 33 */
  gs_network *network = gs_support_network(*state, &config, true);
  assert_shape(network, GS_ROLE_INPUT, 0, 3, 5);
  assert_shape(network, GS_ROLE_TARGET, 0, 3, 33);
  assert_shape(network, GS_ROLE_OUTPUT, 0, 3, 33);
  assert_shape(network, GS_ROLE_WEIGHT, 1, 17, 5);
  assert_shape(network, GS_ROLE_WEIGHT, 3, 33, 3);
  assert_shape(network, GS_ROLE_GRAD_WEIGHT, 2, 3, 17);
  assert_shape(network, GS_ROLE_GRAD_BIAS, 3, 1, 33);
  assert_shape(network, GS_ROLE_WEIGHT, 0, 0, 0);
  assert_shape(network, GS_ROLE_WEIGHT, 4, 0, 0);
  assert_shape(network, GS_ROLE_INPUT_WEIGHT, 1, 0, 0);
  gs_network_destroy(network);
  network = gs_support_network(*state, &config, false);
  assert_shape(network, GS_ROLE_BIAS, 1, 1, 17);
  assert_shape(network, GS_ROLE_GRAD_WEIGHT, 2, 0, 0);
  assert_shape(network, GS_ROLE_GRAD_BIAS, 2, 0, 0);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_rnn_roles(void **state) {
  gs_config config = gs_support_rnn(4, 6, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.input = 5;
  config.batch = 3;
  config.tied = false;
  gs_network *network = gs_support_network(*state, &config, true);
  assert_shape(network, GS_ROLE_INPUT, 0, 4 * 3, 5);
  assert_shape(network, GS_ROLE_TARGET, 0, 3, 6);
  assert_shape(network, GS_ROLE_OUTPUT, 0, 3, 6);
  assert_shape(network, GS_ROLE_INPUT_WEIGHT, 0, 6, 5);
  assert_shape(network, GS_ROLE_GRAD_INPUT, 0, 6, 5);
  assert_shape(network, GS_ROLE_BIAS, 0, 0, 0);
  const gs_tensor first = gs_network_tensor(network, GS_ROLE_WEIGHT, 1);
  const gs_tensor last = gs_network_tensor(network, GS_ROLE_WEIGHT, 4);
  assert_ptr_equal(last.data, (float *)first.data + 3 * 6 * 6);
  assert_shape(network, GS_ROLE_GRAD_WEIGHT, 4, 6, 6);
  assert_shape(network, GS_ROLE_WEIGHT, 5, 0, 0);
  gs_network_destroy(network);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_windows),   cmocka_unit_test(test_passing),
      cmocka_unit_test(test_memory),    cmocka_unit_test(test_mlp_roles),
      cmocka_unit_test(test_rnn_roles),
  };
  return cmocka_run_group_tests(tests, open_device, gs_support_close_device);
}
