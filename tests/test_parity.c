/* Whole networks on a GPU against the CPU: the same weights to the bit, the same
 * gradients and statistics within the dtype's rounding; and a step replayed from a graph
 * against the same step enqueued, to the bit. Skipped where the test device is the CPU
 * (GRADSWEEP_TEST_BACKEND). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "net/init.h"
#include "support_network.h"
#include "support_reference.h"

typedef struct parity_case {
  const char *name;
  gs_model model;
  int64_t length, width, input, batch, replicas;
  gs_activation_kind activation;
  gs_init_kind init;
  double bias_std; /* -1: what init says */
  bool tied, every, mse;
  gs_range range;
  struct {
    gs_norm norm;
    gs_norm_at at;
    gs_residual residual;
    gs_residual_activation where;
  } blocks;
} parity_case;

/* Odd sizes, several windows of layers, every kind of loss; relu networks are narrow
 * enough that no unit sits within rounding of its kink. */
static const parity_case cases[] = {
    {"tanh",
     GS_MLP,
     5,
     33,
     37,
     7,
     3,
     GS_TANH,
     GS_INIT_XAVIER_NORMAL,
     0.1,
     true,
     false,
     true,
     GS_RANGE_EXTENDED,
     {0}},
    {"relu",
     GS_MLP,
     9,
     16,
     16,
     4,
     2,
     GS_RELU,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"relu, native",
     GS_MLP,
     9,
     16,
     16,
     4,
     2,
     GS_RELU,
     GS_INIT_HE_UNIFORM,
     0,
     true,
     false,
     false,
     GS_RANGE_NATIVE,
     {0}},
    {"deep sigmoid",
     GS_MLP,
     60,
     12,
     12,
     4,
     3,
     GS_SIGMOID,
     GS_INIT_XAVIER_UNIFORM,
     0,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"exploding identity",
     GS_MLP,
     40,
     24,
     24,
     3,
     1,
     GS_IDENTITY,
     GS_INIT_NORMAL,
     0,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"gelu, orthogonal",
     GS_MLP,
     3,
     40,
     24,
     6,
     2,
     GS_GELU,
     GS_INIT_ORTHOGONAL,
     0.2,
     true,
     false,
     true,
     GS_RANGE_EXTENDED,
     {0}},
    {"one by one",
     GS_MLP,
     1,
     1,
     1,
     1,
     1,
     GS_SILU,
     GS_INIT_NORMAL,
     0,
     true,
     false,
     true,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn",
     GS_RNN,
     6,
     19,
     11,
     5,
     3,
     GS_TANH,
     GS_INIT_XAVIER_NORMAL,
     0.1,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn, every step",
     GS_RNN,
     7,
     33,
     33,
     3,
     2,
     GS_SOFTSIGN,
     GS_INIT_ORTHOGONAL,
     0,
     true,
     true,
     true,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn, untied",
     GS_RNN,
     4,
     9,
     13,
     3,
     2,
     GS_TANH,
     GS_INIT_HE_TRUNCATED,
     0.3,
     false,
     false,
     true,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn, exploding",
     GS_RNN,
     30,
     21,
     5,
     2,
     2,
     GS_IDENTITY,
     GS_INIT_NORMAL,
     0,
     true,
     true,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"framework's biases",
     GS_MLP,
     4,
     29,
     13,
     5,
     3,
     GS_TANH,
     GS_INIT_TORCH_DEFAULT,
     -1,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn, framework's biases",
     GS_RNN,
     5,
     21,
     6,
     4,
     2,
     GS_TANH,
     GS_INIT_TORCH_DEFAULT,
     -1,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn, framework's zeros",
     GS_RNN,
     5,
     13,
     21,
     4,
     2,
     GS_TANH,
     GS_INIT_KERAS_DEFAULT,
     -1,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {0}},
    {"rnn, native",
     GS_RNN,
     5,
     8,
     8,
     2,
     1,
     GS_SIGMOID,
     GS_INIT_TORCH_DEFAULT,
     0,
     true,
     false,
     false,
     GS_RANGE_NATIVE,
     {0}},
    {"layer norm",
     GS_MLP,
     6,
     33,
     17,
     5,
     3,
     GS_TANH,
     GS_INIT_XAVIER_NORMAL,
     0.1,
     true,
     false,
     true,
     GS_RANGE_EXTENDED,
     {.norm = GS_NORM_LAYER}},
    {"rms norm of h",
     GS_MLP,
     6,
     37,
     37,
     5,
     2,
     GS_GELU,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     false,
     GS_RANGE_NATIVE,
     {.norm = GS_NORM_RMS, .at = GS_NORM_AT_H}},
    {"batch norm",
     GS_MLP,
     6,
     131,
     13,
     19,
     2,
     GS_TANH,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {.norm = GS_NORM_BATCH}},
    {"residual",
     GS_MLP,
     24,
     24,
     24,
     3,
     3,
     GS_TANH,
     GS_INIT_HE_NORMAL,
     0.1,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {.residual = GS_RESIDUAL_PLAIN}},
    {"residual, exploding",
     GS_MLP,
     40,
     24,
     24,
     3,
     2,
     GS_IDENTITY,
     GS_INIT_NORMAL,
     0,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {.residual = GS_RESIDUAL_SCALED, .where = GS_RESIDUAL_POST}},
    {"residual, pre-activation",
     GS_MLP,
     8,
     20,
     20,
     4,
     2,
     GS_SIGMOID,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     true,
     GS_RANGE_NATIVE,
     {.norm = GS_NORM_LAYER,
      .at = GS_NORM_AT_Z,
      .residual = GS_RESIDUAL_SCALED,
      .where = GS_RESIDUAL_PRE}},
    {"pre-norm",
     GS_MLP,
     10,
     21,
     21,
     4,
     3,
     GS_SILU,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     false,
     GS_RANGE_EXTENDED,
     {.norm = GS_NORM_LAYER, .at = GS_NORM_AT_BRANCH, .residual = GS_RESIDUAL_PLAIN}},
    {"post-norm",
     GS_MLP,
     10,
     21,
     21,
     4,
     3,
     GS_TANH,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     true,
     GS_RANGE_EXTENDED,
     {.norm = GS_NORM_RMS, .at = GS_NORM_AT_STREAM, .residual = GS_RESIDUAL_SCALED}},
    {"rezero",
     GS_MLP,
     6,
     9,
     9,
     3,
     2,
     GS_TANH,
     GS_INIT_HE_NORMAL,
     0,
     true,
     false,
     true,
     GS_RANGE_EXTENDED,
     {.residual = GS_RESIDUAL_REZERO}},
};
enum { CASES = sizeof cases / sizeof *cases };

typedef struct fixture {
  gs_device *cpu, *gpu;
} fixture;

static gs_config config_of(const parity_case *c, gs_dtype dtype) {
  gs_config config = c->model == GS_MLP
                         ? gs_support_mlp(c->length, c->width, c->activation, c->init)
                         : gs_support_rnn(c->length, c->width, c->activation, c->init);
  if (c->model == GS_MLP) {
    config.widths[0] = c->input;
    config.width = 0;
  } else {
    config.input = c->input;
    config.tied = c->tied;
    config.loss_at = c->every ? GS_LOSS_EVERY : GS_LOSS_LAST;
  }
  config.norm = c->blocks.norm;
  config.norm_at = c->blocks.at;
  config.residual = c->blocks.residual;
  config.residual_activation = c->blocks.where;
  config.residual_scale = 0.5;
  config.branch_init = config.init;
  config.batch = c->batch;
  config.replicas = c->replicas;
  if (c->bias_std < 0) {
    config.bias = gs_init_bias(c->init, c->model);
    config.input_init = config.init;
  } else {
    config.bias_std = c->bias_std;
  }
  config.loss = c->mse ? GS_LOSS_MSE : GS_LOSS_LINEAR;
  config.range = c->range;
  config.dtype = dtype;
  return config;
}

static uint64_t hash_of(gs_network *network) {
  gs_error error = {0};
  uint64_t hash = 0;
  gs_support_ok(gs_network_weights_hash(network, &hash, &error), &error);
  return hash;
}

/* ---- the CPU and the GPU ---- */

/* log10 of a statistic's norm; -inf for none. */
static double log10_norm(const gs_stats *stats) {
  return 0.5 * (log10(stats->sum_sq.value) + (double)stats->sum_sq.exponent * log10(2));
}

/* Rounding in f32 and f64 is within tolerance of the largest element; 16-bit networks
 * drift a little in every layer. */
static double norm_tolerance(gs_dtype dtype, int64_t length) {
  const double layers = (double)length;
  switch (dtype) {
  case GS_F64: return 1e-11 * layers;
  case GS_F32: return 1e-5 * layers;
  case GS_TF32: return 1e-3 * layers;
  default: return 1e-2 * layers;
  }
}

static void compare_norms(const parity_case *c, gs_dtype dtype, gs_network *cpu, gs_network *gpu) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats a = gs_support_stats(cpu, (gs_quantity)q);
    gs_quantity_stats b = gs_support_stats(gpu, (gs_quantity)q);
    assert_int_equal(a.points, b.points);
    for (int64_t i = 0; i < a.points * c->replicas; i++) {
      const double want = log10_norm(&a.stats[i]), got = log10_norm(&b.stats[i]);
      const bool both_zero = a.stats[i].sum_sq.value == 0 && b.stats[i].sum_sq.value == 0;
      assert_int_equal(a.stats[i].count, b.stats[i].count);
      assert_int_equal(a.stats[i].nan, b.stats[i].nan);
      assert_int_equal(a.stats[i].inf, b.stats[i].inf);
      if (!both_zero && !(fabs(got - want) <= norm_tolerance(dtype, c->length)))
        fail_msg("%s, %s: log10 norm of %s at point %d is %.9g, the CPU's %.9g", c->name,
                 gs_name(&gs_dtype_names, dtype), gs_name(&gs_quantity_names, (gs_quantity)q),
                 (int)(i / c->replicas) + 1, got, want);
    }
    gs_quantity_stats_clear(&a);
    gs_quantity_stats_clear(&b);
  }
}

static void compare_gradients(const parity_case *c, gs_dtype dtype, gs_network *cpu,
                              gs_network *gpu) {
  gs_support_parameter list[GS_SUPPORT_MAX_PARAMETERS];
  const int count = gs_support_parameters(gs_network_config(cpu), list);
  const double tolerance = (dtype == GS_F64 ? 1e-12 : 1e-5) * (double)(c->length + 5);
  for (int i = 0; i < count; i++) {
    const gs_tensor of_cpu = gs_network_tensor(cpu, list[i].gradient, list[i].index);
    const gs_tensor of_gpu = gs_network_tensor(gpu, list[i].gradient, list[i].index);
    const int64_t size = of_cpu.rows * of_cpu.cols;
    double *want = gs_support_download(gs_network_device(cpu), &of_cpu);
    double *got = gs_support_download(gs_network_device(gpu), &of_gpu);
    for (int64_t r = 0; r < of_cpu.replicas; r++) {
      const double error = gs_reference_error(got + r * size, want + r * size, size);
      if (!(error <= tolerance))
        fail_msg("%s, %s: gradient %d of role %d, replica %d: off by %.3g", c->name,
                 gs_name(&gs_dtype_names, dtype), (int)list[i].index, (int)list[i].gradient, (int)r,
                 error);
    }
    free(got);
    free(want);
  }
}

/* The CPU computes 16-bit and tf32 cases in f32, whose weights are not rounded. */
static void check_case(const fixture *f, const parity_case *c, gs_dtype dtype) {
  const bool exact = dtype == GS_F64 || dtype == GS_F32;
  gs_config on_cpu = config_of(c, exact ? dtype : GS_F32);
  gs_config on_gpu = config_of(c, dtype);
  gs_network *cpu = gs_support_network(f->cpu, &on_cpu, true);
  gs_network *gpu = gs_support_network(f->gpu, &on_gpu, true);
  if (exact || dtype == GS_TF32) assert_true(hash_of(gpu) == hash_of(cpu));
  gs_support_step(cpu, true);
  gs_support_step(gpu, true);
  compare_norms(c, dtype, cpu, gpu);
  if (exact) compare_gradients(c, dtype, cpu, gpu);
  gs_network_destroy(gpu);
  gs_network_destroy(cpu);
  gs_config_clear(&on_gpu);
  gs_config_clear(&on_cpu);
}

/* In 16 bits, how large a network must be to say something is a question of its own:
 * f16 without exponents, and units beside a kink, are left out. */
static bool comparable(const parity_case *c, gs_dtype dtype) {
  if (dtype == GS_F64 || dtype == GS_F32) return true;
  return c->activation != GS_RELU && c->range == GS_RANGE_EXTENDED;
}

static void test_networks(void **state) {
  for (size_t i = 0; i < CASES; i++)
    for (int dtype = GS_F64; dtype < GS_DTYPE_COUNT; dtype++)
      if (gs_support_has(((fixture *)*state)->gpu, (gs_dtype)dtype) &&
          comparable(&cases[i], (gs_dtype)dtype))
        check_case(*state, &cases[i], (gs_dtype)dtype);
}

/* ---- graphs ---- */

/* All bits of a network's loss and statistics. */
static unsigned char *results_of(gs_network *network, size_t *size) {
  const size_t replicas = (size_t)gs_network_config(network)->replicas;
  gs_scaled *loss = gs_support_loss(network);
  unsigned char *all = malloc(replicas * sizeof *loss);
  assert_non_null(all);
  *size = replicas * sizeof *loss;
  memcpy(all, loss, *size);
  free(loss);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats stats = gs_support_stats(network, (gs_quantity)q);
    const size_t entries = (size_t)stats.points * replicas;
    const size_t bytes = entries * sizeof *stats.stats;
    const size_t bins = entries * (size_t)stats.bins * sizeof *stats.histogram;
    all = realloc(all, *size + bytes + bins);
    assert_non_null(all);
    if (entries > 0) memcpy(all + *size, stats.stats, bytes);
    if (entries > 0) memcpy(all + *size + bytes, stats.histogram, bins);
    *size += bytes + bins;
    gs_quantity_stats_clear(&stats);
  }
  return all;
}

static gs_graph *capture(gs_network *network, bool with_statistics) {
  gs_device *device = gs_network_device(network);
  gs_graph *graph = NULL;
  gs_support_ok(device->ops->capture_begin(device), &device->error);
  gs_support_step(network, with_statistics);
  gs_support_ok(device->ops->capture_end(device, &graph), &device->error);
  return graph;
}

/* warm: plans of products are chosen before the capture, or in it. */
static void check_graph(const fixture *f, const parity_case *c, bool warm) {
  gs_config config = config_of(c, GS_F32);
  gs_device *device = f->gpu;
  gs_network *eager = gs_support_network(device, &config, false);
  gs_network *replayed = gs_support_network(device, &config, false);
  if (warm) gs_support_step(eager, true);
  gs_graph *graph = capture(replayed, true);
  for (int i = 0; i < 3; i++) gs_support_ok(device->ops->replay(device, graph), &device->error);
  gs_support_step(eager, true);
  size_t size, other_size;
  unsigned char *of_eager = results_of(eager, &size);
  unsigned char *of_graph = results_of(replayed, &other_size);
  assert_int_equal(size, other_size);
  if (memcmp(of_eager, of_graph, size) != 0) fail_msg("%s: a graph has other results", c->name);
  device->ops->graph_destroy(device, graph);
  free(of_graph);
  free(of_eager);
  gs_network_destroy(replayed);
  gs_network_destroy(eager);
  gs_config_clear(&config);
}

static void test_graphs(void **state) {
  for (size_t i = 0; i < CASES; i++) {
    check_graph(*state, &cases[i], false);
    check_graph(*state, &cases[i], true);
  }
}

/* A failure inside a capture ends the capture, and the device goes on. */
static void test_failed_capture(void **state) {
  const fixture *f = *state;
  gs_device *device = f->gpu;
  gs_graph *graph = NULL;
  gs_config config = config_of(&cases[0], GS_F32);
  gs_network *network = gs_support_network(device, &config, false);
  float element;
  gs_support_ok(device->ops->capture_begin(device), &device->error);
  const gs_tensor x = gs_network_tensor(network, GS_ROLE_INPUT, 0);
  (void)device->ops->download(device, &element, x.data, sizeof element); /* waits: not allowed */
  assert_true(device->ops->capture_end(device, &graph) != GS_OK);
  assert_null(graph);
  gs_support_step(network, true);
  gs_support_ok(device->ops->sync(device), &device->error);
  assert_false(device->lost);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static int setup(void **state) {
  enum { SKIPPED = 77 };
  static fixture f;
  gs_error error = {0};
  if (!gs_support_cuda()) {
    print_message("skipped: GRADSWEEP_TEST_BACKEND is not cuda\n");
    exit(SKIPPED);
  }
  gs_support_ok(gs_cpu_device_create(1, &f.cpu, &error), &error);
  f.gpu = gs_support_device(0);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  const fixture *f = *state;
  f->gpu->ops->destroy(f->gpu);
  f->cpu->ops->destroy(f->cpu);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_networks),
      cmocka_unit_test(test_graphs),
      cmocka_unit_test(test_failed_capture),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
