/* The number of threads changes no bit: outputs, gradients, losses, statistics
 * and weights of networks large enough to be cut into many tasks. The same runs
 * are what the thread sanitizer watches. */
#include "device/device.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 1, SEVERAL = 2, MANY = 5 };

/* What a step leaves behind, as bytes in one buffer. */
typedef struct step_trace {
  unsigned char *bytes;
  size_t size;
} step_trace;

static void append(step_trace *trace, const void *bytes, size_t size) {
  if (size == 0) return; /* a quantity that this network does not have */
  trace->bytes = realloc(trace->bytes, trace->size + size);
  assert_non_null(trace->bytes);
  memcpy(trace->bytes + trace->size, bytes, size);
  trace->size += size;
}

static void append_tensor(step_trace *trace, gs_device *device, const gs_network *network,
                          gs_role role, int64_t index) {
  const gs_tensor tensor = gs_network_tensor(network, role, index);
  if (!tensor.data) return;
  double *values = gs_support_download(device, &tensor);
  append(trace, values, (size_t)(tensor.replicas * tensor.rows * tensor.cols) * sizeof *values);
  free(values);
}

static void append_statistics(step_trace *trace, gs_network *network, int64_t replicas) {
  for (gs_quantity quantity = 0; quantity < GS_QUANTITY_COUNT; quantity++) {
    gs_quantity_stats stats = {0};
    gs_error error = {0};
    gs_support_ok(gs_network_stats(network, quantity, &stats, &error), &error);
    const size_t entries = (size_t)(stats.points * replicas);
    append(trace, stats.stats, entries * sizeof *stats.stats);
    if (stats.histogram)
      append(trace, stats.histogram, entries * (size_t)stats.bins * sizeof *stats.histogram);
    gs_quantity_stats_clear(&stats);
  }
}

static step_trace run(const gs_config *config, int threads) {
  const gs_network_options options = {.keep_gradients = true};
  gs_device *device = gs_support_device(threads);
  gs_network *network = NULL;
  gs_error error = {0};
  step_trace trace = {0};
  uint64_t hash = 0;
  gs_scaled loss[4];
  assert_true(config->replicas <= 4);
  gs_support_ok(gs_network_create(device, config, &options, &network, &error), &error);
  gs_support_ok(gs_network_step(network, true, &error), &error);
  gs_support_ok(gs_network_weights_hash(network, &hash, &error), &error);
  gs_support_ok(gs_network_loss(network, loss, &error), &error);
  append(&trace, &hash, sizeof hash);
  append(&trace, loss, (size_t)config->replicas * sizeof *loss);
  append_tensor(&trace, device, network, GS_ROLE_OUTPUT, 0);
  append_tensor(&trace, device, network, GS_ROLE_GRAD_INPUT, 0);
  const int64_t layers = config->model == GS_MLP ? config->depth
                         : config->tied          ? 1
                                                 : config->seq_len;
  for (int64_t l = 0; l <= layers; l++) {
    append_tensor(&trace, device, network, GS_ROLE_GRAD_WEIGHT, l);
    append_tensor(&trace, device, network, GS_ROLE_GRAD_BIAS, l);
  }
  append_statistics(&trace, network, config->replicas);
  gs_network_destroy(network);
  device->ops->destroy(device);
  return trace;
}

static void assert_same_bits(const gs_config *config) {
  const int threads[] = {SEVERAL, MANY};
  step_trace expected = run(config, FEW);
  assert_true(expected.size > 10000);
  for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
    step_trace actual = run(config, threads[i]);
    assert_int_equal(actual.size, expected.size);
    assert_memory_equal(actual.bytes, expected.bytes, expected.size);
    free(actual.bytes);
  }
  free(expected.bytes);
}

static void check_mlp(gs_dtype dtype, gs_activation_kind activation, int64_t width, int64_t batch,
                      int64_t replicas) {
  gs_error error = {0};
  gs_config config;
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, 3, width, &error), &error);
  config.widths[1] = width / 2 + 5; /* tiles with edges */
  config.width = 0;
  config.batch = batch;
  config.replicas = replicas;
  config.activation.kind = config.output_activation.kind = activation;
  config.bias_std = 0.1;
  config.dtype = dtype;
  gs_support_ok(gs_config_check(&config, &error), &error);
  assert_same_bits(&config);
  gs_config_clear(&config);
}

static void check_rnn(gs_dtype dtype, gs_loss_at loss_at, bool tied, int64_t replicas) {
  gs_error error = {0};
  gs_config config;
  gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
  config.hidden = 64;
  config.input = 37;
  config.seq_len = 12;
  config.batch = 70;
  config.replicas = replicas;
  config.bias_std = 0.1;
  config.loss_at = loss_at;
  config.tied = tied;
  config.dtype = dtype;
  gs_support_ok(gs_config_check(&config, &error), &error);
  assert_same_bits(&config);
  gs_config_clear(&config);
}

static void test_mlp_f32(void **state) {
  (void)state;
  check_mlp(GS_F32, GS_TANH, 257, 300, 1);
  check_mlp(GS_F32, GS_RELU, 600, 40, 1);
  check_mlp(GS_F32, GS_GELU, 64, 33, 4);
}

static void test_mlp_f64(void **state) {
  (void)state;
  check_mlp(GS_F64, GS_TANH, 257, 100, 1);
  check_mlp(GS_F64, GS_RELU, 64, 33, 3);
}

static void test_rnn(void **state) {
  (void)state;
  check_rnn(GS_F32, GS_LOSS_LAST, true, 1);
  check_rnn(GS_F32, GS_LOSS_EVERY, true, 3);
  check_rnn(GS_F32, GS_LOSS_LAST, false, 1);
  check_rnn(GS_F64, GS_LOSS_EVERY, true, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mlp_f32),
      cmocka_unit_test(test_mlp_f64),
      cmocka_unit_test(test_rnn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
