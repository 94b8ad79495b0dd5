/* Deep networks with every activation far outside float32's range, in extended range,
 * against the same network in long double, whose range of 2^+-16000 needs no help: norms of
 * h, delta and dW, zeros, saturated units, layer by layer. */
#include <math.h>
#include <stdlib.h>

#include "device/activation_scale.h"
#include "measure/layers.h"
#include "support_network.h"
#include "support_wide.h"

enum { N = 24, B = 3, MAX = 100 };

/* Layers (steps) 1..length: log10 of the norms, and counts. */
typedef struct trace {
  double h[MAX + 1], delta[MAX + 1], grad_weight[MAX + 1];
  int64_t zero[MAX + 1], saturated[MAX + 1]; /* of h */
} trace;

static long double *numbers(int64_t count) {
  long double *values = calloc((size_t)count, sizeof *values);
  assert_non_null(values);
  return values;
}

static double log10_norm(const long double *x, int64_t count) {
  long double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += x[i] * x[i];
  return (double)(0.5L * log10l(sum));
}

/* ---- in long double ---- */

typedef struct wide_network {
  gs_network *network;
  const gs_config *config;
  int64_t length;
  long double *h, *slope, *delta; /* [length + 1][B][N] */
} wide_network;

static double *values_of(const wide_network *w, gs_role role, int64_t index) {
  const gs_tensor tensor = gs_network_tensor(w->network, role, index);
  return tensor.data ? gs_support_download(gs_group_device, &tensor) : NULL;
}

/* W of layer or step l. */
static double *weights_of(const wide_network *w, int64_t l) {
  return values_of(w, GS_ROLE_WEIGHT, w->config->model == GS_MLP || !w->config->tied ? l : 1);
}

static void wide_forward(wide_network *w, trace *made) {
  const bool recurrent = w->config->model == GS_RNN;
  double *x = values_of(w, GS_ROLE_INPUT, 0), *u = values_of(w, GS_ROLE_INPUT_WEIGHT, 0);
  for (int64_t i = 0; !recurrent && i < B * N; i++) w->h[i] = (long double)x[i];
  for (int64_t l = 1; l <= w->length; l++) {
    const bool output = !recurrent && l == w->length;
    const gs_activation phi = output ? w->config->output_activation : w->config->activation;
    double low = 0, high = 0;
    const bool bounded = gs_activation_saturation(phi.kind, &low, &high);
    double *weights = weights_of(w, l), *b = values_of(w, GS_ROLE_BIAS, recurrent ? 1 : l);
    for (int64_t k = 0; k < B * N; k++) {
      const int64_t row = k / N, i = k % N, at = l * B * N + k;
      long double z = b ? (long double)b[i] : 0;
      for (int64_t j = 0; j < N; j++) {
        z += (long double)weights[i * N + j] * w->h[(l - 1) * B * N + row * N + j];
        if (recurrent) z += (long double)u[i * N + j] * (long double)x[((l - 1) * B + row) * N + j];
      }
      const gs_wide_slope is = gs_wide_activation(phi, z);
      w->h[at] = is.h;
      w->slope[at] = is.slope;
      made->zero[l] += is.h == 0;
      made->saturated[l] += bounded && (is.h <= (long double)low || is.h >= (long double)high);
    }
    made->h[l] = log10_norm(w->h + l * B * N, B * N);
    free(b);
    free(weights);
  }
  free(u);
  free(x);
}

/* sum += the gradient of one layer or step. */
static void add_gradient(const wide_network *w, int64_t l, long double *sum) {
  for (int64_t row = 0; row < B; row++)
    for (int64_t i = 0; i < N; i++)
      for (int64_t j = 0; j < N; j++)
        sum[i * N + j] += w->delta[(l * B + row) * N + i] * w->h[((l - 1) * B + row) * N + j];
}

static void wide_backward(wide_network *w, trace *made) {
  const bool tied = w->config->model == GS_RNN && w->config->tied;
  double *target = values_of(w, GS_ROLE_TARGET, 0);
  long double *dW = numbers(N * N);
  for (int64_t l = w->length; l >= 1; l--) {
    double *above = l < w->length ? weights_of(w, l + 1) : NULL;
    for (int64_t k = 0; k < B * N; k++) {
      const int64_t row = k / N, j = k % N;
      long double eps = above ? 0 : (long double)target[k];
      for (int64_t i = 0; above && i < N; i++)
        eps += (long double)above[i * N + j] * w->delta[((l + 1) * B + row) * N + i];
      w->delta[l * B * N + k] = eps * w->slope[l * B * N + k];
    }
    made->delta[l] = log10_norm(w->delta + l * B * N, B * N);
    for (int64_t i = 0; !tied && i < N * N; i++) dW[i] = 0;
    add_gradient(w, l, dW);
    made->grad_weight[tied ? 1 : l] = log10_norm(dW, N * N);
    free(above);
  }
  free(dW);
  free(target);
}

static trace *wide_trace(gs_network *network) {
  const gs_config *config = gs_network_config(network);
  const int64_t length = config->model == GS_MLP ? config->depth : config->seq_len;
  const int64_t count = (length + 2) * B * N;
  wide_network w = {network, config, length, numbers(count), numbers(count), numbers(count)};
  trace *made = calloc(1, sizeof *made);
  assert_non_null(made);
  wide_forward(&w, made);
  wide_backward(&w, made);
  free(w.delta);
  free(w.slope);
  free(w.h);
  return made;
}

/* ---- comparison ---- */

static void compare(gs_network *network, gs_quantity quantity, const double *want,
                    double tolerance) {
  const gs_config *config = gs_network_config(network);
  gs_quantity_stats stats = gs_support_stats(network, quantity);
  for (int64_t i = 0; i < stats.points; i++) {
    const double got = gs_stats_log10_norm(&stats.stats[i]);
    const bool both_zero = isinf(got) && isinf(want[i + 1]);
    if (!both_zero && !(fabs(got - want[i + 1]) <= tolerance))
      fail_msg("%s %s, std %g, %s: log10 norm of %s at %d is %.9g, not %.9g",
               gs_name(&gs_model_names, config->model),
               gs_name(&gs_activation_names, config->activation.kind), config->init.std,
               gs_name(&gs_dtype_names, config->dtype), gs_name(&gs_quantity_names, quantity),
               (int)i + 1, got, want[i + 1]);
  }
  gs_quantity_stats_clear(&stats);
}

static void compare_counts(gs_network *network, const trace *want) {
  gs_quantity_stats stats = gs_support_stats(network, GS_ACTIVATION_H);
  const bool relu = gs_network_config(network)->activation.kind == GS_RELU;
  for (int64_t i = 0; i < stats.points; i++) {
    assert_int_equal(stats.stats[i].nan + stats.stats[i].inf, 0);
    /* tails of gelu and silu at large z are 0; a relu may be so by its last bit */
    assert_true(relu || stats.stats[i].zero >= want->zero[i + 1]);
    assert_int_equal(stats.stats[i].saturated, want->saturated[i + 1]);
  }
  gs_quantity_stats_clear(&stats);
}

static void check_network(gs_config *config) {
  config->batch = B;
  config->stats = GS_STATS_NORMS;
  config->range = GS_RANGE_EXTENDED;
  gs_network *network = gs_support_network(gs_group_device, config, false);
  gs_support_step(network, true);
  trace *want = wide_trace(network);
  /* rounding errors of f32 add up over the layers */
  const double tolerance = config->dtype == GS_F64 ? 1e-9 : 2e-3;
  compare(network, GS_ACTIVATION_H, want->h, tolerance);
  compare(network, GS_DELTA, want->delta, tolerance);
  compare(network, GS_GRAD_WEIGHT, want->grad_weight, tolerance);
  compare_counts(network, want);
  free(want);
  gs_network_destroy(network);
  gs_config_clear(config);
}

/* Weights of these standard deviations: far too small, a little so, far too large. What
 * large weights do to a bounded phi is chaos, in which roundings grow. */
static const double sizes[] = {1e-4, 0.02, 3, 1e3};

static bool comparable(gs_activation_kind kind, double std) {
  return std < 1 || gs_activation_grows(kind);
}

static void test_mlp(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (int dtype = GS_F64; dtype <= GS_F32; dtype++)
      for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const bool far = s == 0 || s == 3; /* f64's window is wider */
        if (dtype == GS_F64 && !far) continue;
        if (!comparable((gs_activation_kind)kind, sizes[s]) || !gs_support_takes(7)) continue;
        gs_config config =
            gs_support_mlp(far ? 100 : 60, N, (gs_activation_kind)kind, GS_INIT_NORMAL);
        config.dtype = (gs_dtype)dtype;
        config.init.std = sizes[s];
        check_network(&config);
      }
}

/* An output that stays where it is: what large z make of it must have a slope that f32 holds. */
static gs_activation_kind ends_of(bool large, int kind) {
  static const gs_activation_kind lifted[] = {GS_SIGMOID, GS_SOFTPLUS, GS_TANH};
  return large ? GS_SOFTPLUS : lifted[kind % 3];
}

/* Hidden layers that leave the range below an output that does not follow, and biases. */
static void test_mixed(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (int variant = 0; variant < 8; variant++) {
      const bool large = variant & 1, bias = variant & 2, ends = variant & 4;
      if (!comparable((gs_activation_kind)kind, large ? 9 : 0) || !gs_support_takes(5)) continue;
      gs_config config = gs_support_mlp(40, N, (gs_activation_kind)kind, GS_INIT_NORMAL);
      config.dtype = GS_F32;
      config.init.std = large ? 100 : 1e-3;
      config.bias_std = bias ? (large ? 1 : 1e-12) : 0;
      if (ends) config.output_activation = gs_support_activation(ends_of(large, kind));
      check_network(&config);
    }
}

static void test_rnn(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
      for (int tied = 0; tied < 2; tied++) {
        if (!comparable((gs_activation_kind)kind, sizes[s]) || !gs_support_takes(7)) continue;
        gs_config config = gs_support_rnn(60, N, (gs_activation_kind)kind, GS_INIT_NORMAL);
        config.dtype = (s + (size_t)kind) % 3 ? GS_F32 : GS_F64;
        config.init.std = sizes[s];
        config.tied = tied;
        config.bias_std = s % 2 ? 0 : 0.5;
        check_network(&config);
      }
}

/* Both slopes of leaky_relu, elu and selu, and gelu's and silu's curve, at every depth of
 * the linear region: phi(z) and phi'(z) of units with one weight each. */
static void test_slopes(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    if (!gs_activation_shrinks((gs_activation_kind)kind)) continue;
    gs_config config = gs_support_mlp(100, N, (gs_activation_kind)kind, GS_INIT_IDENTITY);
    config.dtype = GS_F32;
    config.init.gain = 0x1p-9;
    check_network(&config);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mlp),
      cmocka_unit_test(test_mixed),
      cmocka_unit_test(test_rnn),
      cmocka_unit_test(test_slopes),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
