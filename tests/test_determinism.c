/* The same bits whatever the number of threads, and every time, in every dtype: gradients,
 * statistics, histograms, losses and weights, at shapes that are cut into
 * several tiles as well as at small odd ones. */
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "support_network.h"

/* All bits that a network shows, one after another. */
typedef struct snapshot {
  unsigned char *bytes;
  size_t size, capacity;
} snapshot;

static void *grow(snapshot *all, size_t bytes) {
  if (all->size + bytes > all->capacity) {
    all->capacity = 2 * (all->size + bytes);
    all->bytes = realloc(all->bytes, all->capacity);
    assert_non_null(all->bytes);
  }
  all->size += bytes;
  return all->bytes + all->size - bytes;
}

static void append(snapshot *all, const void *data, size_t bytes) {
  memcpy(grow(all, bytes), data, bytes);
}

static void append_tensor(snapshot *all, gs_device *device, gs_tensor tensor) {
  const size_t row = (size_t)tensor.cols * gs_dtype_bytes(tensor.dtype);
  for (int64_t r = 0; r < tensor.replicas; r++)
    for (int64_t i = 0; i < tensor.rows; i++) {
      const int64_t element = r * tensor.stride + i * tensor.ld;
      const char *from = (const char *)tensor.data + (size_t)element * gs_dtype_bytes(tensor.dtype);
      gs_support_ok(device->ops->download(device, grow(all, row), from, row), &device->error);
    }
  if (!tensor.scale) return;
  const size_t slots = (size_t)tensor.replicas * sizeof *tensor.scale;
  gs_support_ok(device->ops->download(device, grow(all, slots), tensor.scale, slots),
                &device->error);
}

static void append_statistics(snapshot *all, gs_network *network) {
  const int64_t replicas = gs_network_config(network)->replicas;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats stats = gs_support_stats(network, (gs_quantity)q);
    const size_t entries = (size_t)(stats.points * replicas);
    append(all, &stats.points, sizeof stats.points);
    if (entries == 0) continue;
    append(all, stats.stats, entries * sizeof *stats.stats);
    append(all, stats.histogram, entries * (size_t)stats.bins * sizeof *stats.histogram);
    gs_quantity_stats_clear(&stats);
  }
}

static snapshot snapshot_of(gs_network *network) {
  snapshot all = {0};
  gs_support_parameter parameters[GS_SUPPORT_MAX_PARAMETERS];
  const gs_config *config = gs_network_config(network);
  gs_device *device = gs_network_device(network);
  const int count = gs_support_parameters(config, parameters);
  gs_error error = {0};
  uint64_t hash = 0;
  gs_support_ok(gs_network_weights_hash(network, &hash, &error), &error);
  append(&all, &hash, sizeof hash);
  gs_scaled *loss = gs_support_loss(network);
  append(&all, loss, (size_t)config->replicas * sizeof *loss);
  free(loss);
  append_tensor(&all, device, gs_network_tensor(network, GS_ROLE_OUTPUT, 0));
  for (int i = 0; i < count; i++)
    append_tensor(&all, device,
                  gs_network_tensor(network, parameters[i].gradient, parameters[i].index));
  append_statistics(&all, network);
  return all;
}

static bool same(const snapshot *a, const snapshot *b) {
  return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* ---- the networks ---- */

typedef struct network_case {
  const char *name;
  gs_model model;
  int64_t steps; /* depth, or seq_len */
  int64_t width, input, batch, replicas;
  gs_activation_kind activation;
  double sigma_w2, bias_std;
  bool tied, every, mse;
} network_case;

static const network_case cases[] = {
    {"small", GS_MLP, 3, 33, 37, 3, 3, GS_TANH, 1, 1, true, false, true},
    {"one by one", GS_MLP, 2, 1, 1, 1, 1, GS_SIGMOID, 1, 0, true, false, false},
    {"tall tiles", GS_MLP, 3, 37, 33, 130, 2, GS_GELU, 2, 1, true, false, true},
    {"packed", GS_MLP, 2, 257, 300, 130, 1, GS_RELU, 2, 1, true, false, false},
    {"packed, replicas", GS_MLP, 2, 300, 257, 129, 2, GS_SILU, 2, 1, true, false, true},
    {"large parts", GS_MLP, 2, 530, 530, 17, 1, GS_RELU, 2, 0, true, false, false},
    {"exploding", GS_MLP, 9, 65, 65, 70, 2, GS_LEAKY_RELU, 1e6, 1, true, false, true},
    {"rnn", GS_RNN, 7, 37, 33, 3, 3, GS_TANH, 2, 1, true, false, false},
    {"rnn, row tiles", GS_RNN, 9, 33, 37, 33, 1, GS_RELU, 2, 1, true, true, true},
    {"rnn, row tiles, untracked", GS_RNN, 9, 65, 5, 66, 1, GS_TANH, 2, 0, true, true, true},
    {"rnn, untied", GS_RNN, 5, 33, 1, 33, 1, GS_SOFTPLUS, 2, 1, false, true, true},
    {"rnn, wide", GS_RNN, 3, 257, 300, 130, 1, GS_SIGMOID, 2, 1, true, true, false},
    {"rnn, exploding", GS_RNN, 40, 33, 33, 33, 1, GS_LEAKY_RELU, 100, 1, true, true, true},
    {"rnn, vanishing", GS_RNN, 40, 65, 33, 33, 2, GS_IDENTITY, 1e-4, 0, true, false, true},
};
enum { CASES = sizeof cases / sizeof *cases };

static gs_config config_of(const network_case *c, gs_dtype dtype) {
  gs_config config = c->model == GS_MLP
                         ? gs_support_mlp(c->steps, c->width, c->activation, GS_INIT_SCALED)
                         : gs_support_rnn(c->steps, c->width, c->activation, GS_INIT_SCALED);
  if (c->model == GS_MLP) {
    config.widths[0] = c->input;
    config.width = 0;
  }
  config.input = c->model == GS_RNN ? c->input : config.input;
  config.init.sigma_w2 = c->sigma_w2;
  config.bias_std = c->bias_std;
  config.batch = c->batch;
  config.replicas = c->replicas;
  config.tied = c->tied;
  config.loss = c->mse ? GS_LOSS_MSE : GS_LOSS_LINEAR;
  config.loss_at = c->every ? GS_LOSS_EVERY : GS_LOSS_LAST;
  config.dtype = dtype;
  config.stats = GS_STATS_FULL;
  return config;
}

/* A backend may choose by the clock how it multiplies: a simulated GPU, which reads this,
 * finds another of its algorithms fastest every time. */
static void change_the_fastest(void) {
  static const char *const algorithms[] = {"0", "2", "1", "5", "4"};
  static size_t turn;
  setenv("GRADSWEEP_SIM_FAST", algorithms[turn++ % (sizeof algorithms / sizeof *algorithms)], 1);
}

/* A network of its own on a device with this many threads; `steps` steps. */
static snapshot run(const gs_config *config, int threads, int steps) {
  change_the_fastest();
  gs_device *device = gs_support_device(threads);
  gs_network *network = gs_support_network(device, config, true);
  for (int i = 0; i < steps; i++) gs_support_step(network, true);
  const snapshot all = snapshot_of(network);
  gs_network_destroy(network);
  device->ops->destroy(device);
  return all;
}

static int differences(const network_case *c, gs_dtype dtype) {
  static const struct {
    int threads, steps;
  } runs[] = {{1, 1}, {2, 1}, {3, 1}, {5, 1}, {5, 1}, {2, 3}};
  gs_config config = config_of(c, dtype);
  const snapshot one = run(&config, 1, 1);
  int found = 0;
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    if (!gs_support_takes(5)) continue;
    const snapshot other = run(&config, runs[i].threads, runs[i].steps);
    if (!same(&one, &other)) {
      found++;
      print_error("%s, %s: other bits with %d threads and %d steps\n", c->name,
                  gs_name(&gs_dtype_names, dtype), runs[i].threads, runs[i].steps);
    }
    free(other.bytes);
  }
  free(one.bytes);
  gs_config_clear(&config);
  return found;
}

static void test_dtype(gs_dtype dtype) {
  gs_device *device = gs_support_device(1);
  const bool there = gs_support_has(device, dtype);
  int found = 0;
  device->ops->destroy(device);
  for (int i = 0; there && i < CASES; i++)
    if (gs_support_takes(2)) found += differences(&cases[i], dtype);
  assert_int_equal(found, 0);
}

#define TEST_OF(name, dtype)                                                                       \
  static void name(void **state) {                                                                 \
    (void)state;                                                                                   \
    test_dtype(dtype);                                                                             \
  }
TEST_OF(test_f32, GS_F32)
TEST_OF(test_f64, GS_F64)
TEST_OF(test_tf32, GS_TF32)
TEST_OF(test_bf16, GS_BF16)
TEST_OF(test_f16, GS_F16)
#undef TEST_OF

/* The first replica's weights and data are those of a network of one replica;
 * and dtype and range change no weight. */
static void test_replica_is_the_same_network(void **state) {
  (void)state;
  gs_device *device = gs_support_device(2);
  for (int i = 0; i < CASES; i++) {
    gs_support_parameter parameters[GS_SUPPORT_MAX_PARAMETERS];
    gs_config config = config_of(&cases[i], GS_F32);
    config.replicas = 3;
    gs_network *three = gs_support_network(device, &config, false);
    config.replicas = 1;
    config.range = GS_RANGE_NATIVE;
    config.dtype = GS_F64;
    gs_network *one = gs_support_network(device, &config, false);
    int count = gs_support_parameters(&config, parameters);
    parameters[count++] = (gs_support_parameter){GS_ROLE_INPUT, GS_ROLE_INPUT, 0};
    parameters[count++] = (gs_support_parameter){GS_ROLE_TARGET, GS_ROLE_TARGET, 0};
    for (int k = 0; k < count; k++) {
      const gs_tensor of_three = gs_network_tensor(three, parameters[k].role, parameters[k].index);
      const gs_tensor of_one = gs_network_tensor(one, parameters[k].role, parameters[k].index);
      const size_t size = (size_t)(of_one.rows * of_one.cols);
      double *a = gs_support_download(device, &of_three);
      double *b = gs_support_download(device, &of_one);
      assert_memory_equal(a, b, size * sizeof *a);
      assert_memory_not_equal(a, a + size, size * sizeof *a); /* replicas differ */
      free(b);
      free(a);
    }
    gs_network_destroy(one);
    gs_network_destroy(three);
    gs_config_clear(&config);
  }
  device->ops->destroy(device);
}

/* Another seed gives other bits: the comparison compares something. */
static void test_comparison(void **state) {
  (void)state;
  gs_config config = config_of(&cases[0], GS_F32);
  const snapshot one = run(&config, 1, 1);
  config.seed = 2;
  const snapshot other = run(&config, 1, 1);
  assert_int_equal(one.size, other.size);
  assert_false(same(&one, &other));
  memcpy(other.bytes, one.bytes, one.size);
  assert_true(same(&one, &other));
  other.bytes[one.size / 2] ^= 1;
  assert_false(same(&one, &other));
  free(other.bytes);
  free(one.bytes);
  gs_config_clear(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_comparison),
      cmocka_unit_test(test_f32),
      cmocka_unit_test(test_f64),
      cmocka_unit_test(test_tf32),
      cmocka_unit_test(test_bf16),
      cmocka_unit_test(test_f16),
      cmocka_unit_test(test_replica_is_the_same_network),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
