/* The hash of a network's weights: what it covers, what it ignores, and that it
 * is the same for every dtype and number of threads. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device/device.h"
#include "net/init.h"

static gs_network *create(gs_device *device, const gs_config *config) {
  gs_network *network = NULL;
  gs_error error = {0};
  gs_support_ok(gs_network_create(device, config, NULL, &network, &error), &error);
  return network;
}

static uint64_t hash_of(gs_network *network) {
  uint64_t hash = 0;
  gs_error error = {0};
  gs_support_ok(gs_network_weights_hash(network, &hash, &error), &error);
  return hash;
}

static uint64_t hash_of_config(gs_device *device, const gs_config *config) {
  gs_network *network = create(device, config);
  const uint64_t hash = hash_of(network);
  assert_true(hash_of(network) == hash); /* asking changes nothing */
  gs_network_destroy(network);
  return hash;
}

static gs_config mlp_config(void) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, 3, 37, &error), &error);
  config.widths[1] = 250; /* more than one chunk of elements with 37 x 250 */
  config.widths[2] = 91;
  config.width = 0;
  config.replicas = 3;
  config.batch = 2;
  config.bias_std = 0.1;
  return config;
}

static gs_config rnn_config(bool tied) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
  config.hidden = 19;
  config.input = 7;
  config.seq_len = 4;
  config.batch = 2;
  config.replicas = 2;
  config.bias_std = 1;
  config.tied = tied;
  return config;
}

/* Adds one tensor of replica r to its hash, element by element. */
static uint64_t add_stream(uint64_t hash, const gs_config *config, uint32_t id, uint32_t r,
                           int64_t count, double std) {
  for (int64_t i = 0; i < count; i++) {
    const float value = gs_random_normal_at((uint64_t)i, config->seed, id, r) * (float)std;
    hash += gs_hash_element(id, (uint64_t)i, gs_float_bits(value));
  }
  return hash;
}

/* From the definitions alone: N(0,1) weights, biases of 0.1. */
static void test_by_definition(void **state) {
  gs_config config = mlp_config();
  config.init = gs_init_default(GS_INIT_NORMAL);
  uint64_t want = 0;
  for (uint32_t r = 0; r < 3; r++) {
    uint64_t own = 0;
    for (int64_t l = 1; l <= config.depth; l++) {
      own = add_stream(own, &config, gs_tensor_id(GS_KIND_WEIGHT, l), r,
                       config.widths[l] * config.widths[l - 1], 1);
      own = add_stream(own, &config, gs_tensor_id(GS_KIND_BIAS, l), r, config.widths[l], 0.1);
    }
    want += gs_hash_element((uint32_t)(own >> 32), r, (uint32_t)own);
  }
  assert_true(hash_of_config(*state, &config) == want);
  gs_config_clear(&config);
}

/* The same bits for any number of threads and in either dtype. */
static void test_same(void **state) {
  for (int kind = 0; kind < 3; kind++) {
    gs_config config = kind == 0 ? mlp_config() : rnn_config(kind == 1);
    const uint64_t hash = hash_of_config(*state, &config);
    for (int threads = 1; threads <= 4; threads += 3) {
      gs_device *device = gs_support_device(threads);
      assert_true(hash_of_config(device, &config) == hash);
      device->ops->destroy(device);
    }
    config.dtype = GS_F64;
    assert_true(hash_of_config(*state, &config) == hash);
    config.batch = 5; /* data is not weights, nor is anything below */
    config.range = GS_RANGE_NATIVE;
    config.loss = GS_LOSS_MSE;
    config.stats = GS_STATS_OFF;
    config.activation.kind = config.output_activation.kind = GS_RELU;
    assert_true(hash_of_config(*state, &config) == hash);
    gs_config_clear(&config);
  }
}

static void test_different(void **state) {
  gs_config config = mlp_config();
  const uint64_t hash = hash_of_config(*state, &config);
  config.seed++;
  assert_true(hash_of_config(*state, &config) != hash);
  config.seed = config.seed - 1 + (UINT64_C(1) << 32); /* the upper half counts too */
  assert_true(hash_of_config(*state, &config) != hash);
  config.seed -= UINT64_C(1) << 32;
  assert_true(hash_of_config(*state, &config) == hash);
  config.replicas--;
  assert_true(hash_of_config(*state, &config) != hash);
  config.replicas++;
  config.bias_std = 0;
  assert_true(hash_of_config(*state, &config) != hash);
  config.bias_std = 0.1;
  config.init = gs_init_default(GS_INIT_HE_NORMAL);
  assert_true(hash_of_config(*state, &config) != hash);
  gs_config_clear(&config);
}

/* Flips one bit of one element and back. */
static void assert_bit_matters(gs_network *network, gs_role role, int64_t index, int64_t replica,
                               int64_t element, int bit) {
  gs_device *device = gs_network_device(network);
  const gs_tensor tensor = gs_network_tensor(network, role, index);
  float *at = (float *)tensor.data + replica * tensor.stride + element;
  const uint64_t before = hash_of(network);
  uint32_t bits;
  gs_support_ok(device->ops->download(device, &bits, at, sizeof bits), &device->error);
  bits ^= UINT32_C(1) << bit;
  gs_support_ok(device->ops->upload(device, at, &bits, sizeof bits), &device->error);
  assert_true(hash_of(network) != before);
  bits ^= UINT32_C(1) << bit;
  gs_support_ok(device->ops->upload(device, at, &bits, sizeof bits), &device->error);
  assert_true(hash_of(network) == before);
}

static void test_every_bit(void **state) {
  gs_config config = mlp_config();
  gs_network *network = create(*state, &config);
  for (int bit = 0; bit < 32; bit++) {
    assert_bit_matters(network, GS_ROLE_WEIGHT, 1, 0, 0, bit);
    assert_bit_matters(network, GS_ROLE_WEIGHT, 2, 2, 91 * 250 - 1, bit);
    assert_bit_matters(network, GS_ROLE_BIAS, 3, 1, 36, bit);
  }
  gs_network_destroy(network);
  gs_config_clear(&config);
  config = rnn_config(false);
  network = create(*state, &config);
  for (int bit = 0; bit < 32; bit++) {
    for (int64_t t = 1; t <= 4; t++) assert_bit_matters(network, GS_ROLE_WEIGHT, t, 1, 360, bit);
    assert_bit_matters(network, GS_ROLE_INPUT_WEIGHT, 0, 1, 132, bit);
    assert_bit_matters(network, GS_ROLE_BIAS, 0, 0, 18, bit);
  }
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* Exchanging two tensors, rows or replicas changes it: order counts. */
static void test_order(void **state) {
  gs_config config = mlp_config();
  gs_network *network = create(*state, &config);
  gs_device *device = *state;
  const uint64_t before = hash_of(network);
  const gs_tensor b = gs_network_tensor(network, GS_ROLE_BIAS, 2);
  float values[3 * 91], swapped[3 * 91];
  gs_support_ok(device->ops->download(device, values, b.data, sizeof values), &device->error);
  memcpy(swapped, values, sizeof values);
  memcpy(swapped, values + 91, 91 * sizeof *values); /* replicas 0 and 1 */
  memcpy(swapped + 91, values, 91 * sizeof *values);
  gs_support_ok(device->ops->upload(device, b.data, swapped, sizeof values), &device->error);
  assert_true(hash_of(network) != before);
  memcpy(swapped, values, sizeof values);
  swapped[3] = values[4]; /* neighbours */
  swapped[4] = values[3];
  gs_support_ok(device->ops->upload(device, b.data, swapped, sizeof values), &device->error);
  assert_true(hash_of(network) != before);
  gs_support_ok(device->ops->upload(device, b.data, values, sizeof values), &device->error);
  assert_true(hash_of(network) == before);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* f64 networks hold the float32 numbers exactly. */
static void test_f64_weights(void **state) {
  static const gs_init_kind kinds[] = {GS_INIT_NORMAL, GS_INIT_XAVIER_UNIFORM, GS_INIT_HE_TRUNCATED,
                                       GS_INIT_ORTHOGONAL};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    gs_config config = mlp_config();
    config.init = gs_init_default(kinds[k]);
    gs_network *narrow = create(*state, &config);
    config.dtype = GS_F64;
    gs_network *wide = create(*state, &config);
    const gs_tensor narrow_w = gs_network_tensor(narrow, GS_ROLE_WEIGHT, 2);
    const gs_tensor wide_w = gs_network_tensor(wide, GS_ROLE_WEIGHT, 2);
    double *a = gs_support_download(*state, &narrow_w), *b = gs_support_download(*state, &wide_w);
    assert_memory_equal(a, b, 3 * 91 * 250 * sizeof *a);
    assert_true(hash_of(narrow) == hash_of(wide));
    free(a);
    free(b);
    gs_network_destroy(narrow);
    gs_network_destroy(wide);
    gs_config_clear(&config);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_by_definition), cmocka_unit_test(test_same),
      cmocka_unit_test(test_different),     cmocka_unit_test(test_every_bit),
      cmocka_unit_test(test_order),         cmocka_unit_test(test_f64_weights),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
