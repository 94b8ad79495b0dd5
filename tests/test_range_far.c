/* Networks far outside every format's range: extended range measures them to
 * the end, against theory or a plain recursion; under native range the same
 * networks show zeros and infinities, as findings and not as errors. */
#include <math.h>
#include <stdlib.h>

#include "measure/layers.h"
#include "support_network.h"
#include "support_reference.h"

#ifdef __SANITIZE_ADDRESS__
enum { SIGMOID_DEPTH = 1000, RELU_DEPTH = 200, STEPS = 800 };
#else
enum { SIGMOID_DEPTH = 10000, RELU_DEPTH = 1000, STEPS = 5000 };
#endif

/* Elements of a quantity by kind, over all points and replicas. */
typedef struct tally {
  int64_t count, nan, inf, zero;
} tally;

static tally tally_of(const gs_quantity_stats *stats, int64_t replicas) {
  tally sum = {0};
  for (int64_t i = 0; i < stats->points * replicas; i++) {
    sum.count += stats->stats[i].count;
    sum.nan += stats->stats[i].nan;
    sum.inf += stats->stats[i].inf;
    sum.zero += stats->stats[i].zero;
  }
  return sum;
}

static tally tally_quantity(gs_network *network, gs_quantity quantity) {
  gs_quantity_stats stats = gs_support_stats(network, quantity);
  const tally sum = tally_of(&stats, gs_network_config(network)->replicas);
  gs_quantity_stats_clear(&stats);
  return sum;
}

/* Every number of every quantity is finite, and not 0 unless `zeros`. */
static void check_all_finite(gs_network *network, bool zeros) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    const tally sum = tally_quantity(network, (gs_quantity)q);
    if (sum.nan || sum.inf || (sum.zero && !zeros))
      fail_msg("%s: %d NaN, %d infinities, %d zeros", gs_name(&gs_quantity_names, (gs_quantity)q),
               (int)sum.nan, (int)sum.inf, (int)sum.zero);
  }
}

/* log10(norm of the first delta / norm of the last), replica 0. */
static double decades_of(gs_network *network) {
  gs_quantity_stats stats = gs_support_stats(network, GS_DELTA);
  const int64_t replicas = gs_network_config(network)->replicas;
  const double decades = gs_stats_log10_norm(&stats.stats[0]) -
                         gs_stats_log10_norm(&stats.stats[(stats.points - 1) * replicas]);
  gs_quantity_stats_clear(&stats);
  return decades;
}

static gs_network *run(gs_config *config) {
  config->stats = GS_STATS_NORMS;
  gs_network *network = gs_support_network(gs_group_device, config, false);
  gs_support_step(network, true);
  return network;
}

static tally run_native(gs_config *config, gs_quantity quantity) {
  config->range = GS_RANGE_NATIVE;
  gs_network *network = run(config);
  const tally sum = tally_quantity(network, quantity);
  gs_network_destroy(network);
  return sum;
}

/* The wide limit is -0.627 decades a layer (THEORY section 4). */
static void test_sigmoid(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(SIGMOID_DEPTH, 128, GS_SIGMOID, GS_INIT_XAVIER_NORMAL);
  config.batch = 4;
  gs_network *network = run(&config);
  const double decades = decades_of(network);
  check_all_finite(network, false);
  gs_network_destroy(network);
  print_message("sigmoid, depth %d: %.2f decades\n", SIGMOID_DEPTH, decades);
  const double expected = -0.627 * (SIGMOID_DEPTH - 1);
  assert_true(fabs(decades - expected) <= 0.01 * fabs(expected));
  const tally native = run_native(&config, GS_DELTA);
  assert_true(native.zero > native.count / 2);
  assert_int_equal(native.nan + native.inf, 0);
  gs_config_clear(&config);
}

/* Typical value and spread of THEORY section 2: ln of each squared ratio has mean
 * ln(n/2) - 5/(2n) and variance 5/n (for one example; a batch narrows it). */
static void test_relu(void **state) {
  (void)state;
  const double n = 256, layers = RELU_DEPTH - 1;
  gs_config config = gs_support_mlp(RELU_DEPTH, 256, GS_RELU, GS_INIT_NORMAL);
  config.batch = 2;
  gs_network *network = run(&config);
  const double decades = decades_of(network);
  check_all_finite(network, true);
  gs_network_destroy(network);
  const double typical = layers * (log(n / 2) - 5 / (2 * n)) / (2 * log(10));
  const double spread = sqrt(layers * 5 / n) / (2 * log(10));
  print_message("relu, depth %d: %.2f decades, typical %.2f +- %.2f\n", RELU_DEPTH, decades,
                typical, spread);
  assert_true(fabs(decades - typical) <= 4 * spread);
  const tally native = run_native(&config, GS_ACTIVATION_H);
  assert_true(native.nan + native.inf > native.count / 2);
  gs_config_clear(&config);
}

/* log10 |delta_t| of a linear rnn's replica 0 by the plain recursion
 * delta_t = W^T delta_{t+1} in f64, its vector brought back to length 1 at every
 * step. */
static double *plain_norms(gs_network *network) {
  const gs_config *config = gs_network_config(network);
  const int64_t n = config->hidden, B = config->batch, T = config->seq_len;
  const gs_tensor weight = gs_network_tensor(network, GS_ROLE_WEIGHT, 1);
  const gs_tensor target = gs_network_tensor(network, GS_ROLE_TARGET, 0);
  double *w = gs_support_download(gs_group_device, &weight);
  double *delta = gs_support_download(gs_group_device, &target);
  double *next = malloc((size_t)(B * n) * sizeof *next);
  double *norms = calloc((size_t)T + 1, sizeof *norms);
  assert_non_null(next);
  assert_non_null(norms);
  double log_length = 0;
  for (int64_t t = T; t >= 1; t--) {
    double square = 0;
    for (int64_t i = 0; i < B * n; i++) square += delta[i] * delta[i];
    for (int64_t i = 0; i < B * n; i++) delta[i] /= sqrt(square);
    log_length += 0.5 * log10(square);
    norms[t] = log_length;
    gs_reference_gemm(false, false, B, n, n, delta, w, next);
    double *other = delta;
    delta = next;
    next = other;
  }
  free(next);
  free(delta);
  free(w);
  return norms;
}

static void check_linear_rnn(double sigma_w2, bool explodes) {
  gs_config config = gs_support_rnn(STEPS, 48, GS_IDENTITY, GS_INIT_SCALED);
  config.init.sigma_w2 = sigma_w2;
  config.batch = 2;
  gs_network *network = run(&config);
  gs_quantity_stats stats = gs_support_stats(network, GS_DELTA);
  double *expected = plain_norms(network);
  double worst = 0;
  for (int64_t t = 1; t <= config.seq_len; t++) {
    const double difference = fabs(gs_stats_log10_norm(&stats.stats[t - 1]) - expected[t]);
    if (!(difference <= worst)) worst = difference; /* NaN too */
  }
  const double decades = expected[1] - expected[config.seq_len];
  print_message("linear rnn, %d steps: %.2f decades, at most %.2g off\n", (int)config.seq_len,
                decades, worst);
  assert_true(worst <= 0.01);
  assert_true(explodes ? decades > STEPS / 10.0 : decades < -STEPS / 10.0);
  check_all_finite(network, true);
  assert_int_equal(tally_of(&stats, 1).zero, 0);
  free(expected);
  gs_quantity_stats_clear(&stats);
  gs_network_destroy(network);
  const tally native = run_native(&config, GS_DELTA);
  assert_true((explodes ? native.nan + native.inf : native.zero) > native.count / 2);
  gs_config_clear(&config);
}

static void test_linear_rnn(void **state) {
  (void)state;
  check_linear_rnn(4, true);
  check_linear_rnn(0.25, false);
}

/* Past float64's own range, both ways: float32 and float64 measure the same
 * network, and every layer's delta has the same norm in both. */
static void check_f64(double std, gs_quantity native_quantity) {
  gs_config config = gs_support_mlp(500, 64, GS_IDENTITY, GS_INIT_NORMAL);
  config.init.std = std;
  config.batch = 2;
  gs_quantity_stats stats[2];
  for (int i = 0; i < 2; i++) {
    config.dtype = i ? GS_F64 : GS_F32;
    config.range = GS_RANGE_EXTENDED;
    gs_network *network = run(&config);
    check_all_finite(network, false);
    stats[i] = gs_support_stats(network, GS_DELTA);
    gs_network_destroy(network);
  }
  assert_true(fabs(gs_stats_log10_norm(&stats[1].stats[0])) > 320);
  for (int64_t l = 0; l < config.depth; l++) {
    const double f32 = gs_stats_log10_norm(&stats[0].stats[l]);
    const double f64 = gs_stats_log10_norm(&stats[1].stats[l]);
    assert_true(fabs(f32 - f64) <= 1e-3);
  }
  gs_quantity_stats_clear(&stats[0]);
  gs_quantity_stats_clear(&stats[1]);
  const tally native = run_native(&config, native_quantity);
  assert_true(native.nan + native.inf + native.zero > 0);
  gs_config_clear(&config);
}

static void test_f64(void **state) {
  (void)state;
  check_f64(1, GS_ACTIVATION_H);
  check_f64(1.0 / 512, GS_DELTA);
}

/* A narrow relu network often dies, all units at once, and its biases bring it
 * back: what died at 2^200 must not take what is of the size of 1 with it. float64
 * has the range that float32 borrows. */
static int revivals_of(gs_config *config) {
  enum { R = 256 };
  gs_network *networks[2];
  config->bias_std = 1;
  config->batch = 1;
  config->replicas = R;
  for (int i = 0; i < 2; i++) {
    config->dtype = i ? GS_F64 : GS_F32;
    config->range = i ? GS_RANGE_NATIVE : GS_RANGE_EXTENDED;
    networks[i] = run(config);
  }
  int revivals = 0;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats f32 = gs_support_stats(networks[0], (gs_quantity)q);
    gs_quantity_stats f64 = gs_support_stats(networks[1], (gs_quantity)q);
    const bool sums = config->model == GS_RNN && q != GS_ACTIVATION_H && q != GS_DELTA;
    for (int64_t i = 0; i < f32.points * R; i++) {
      const gs_stats *a = &f32.stats[i], *b = &f64.stats[i];
      /* a sum over steps has one exponent: units that only small steps moved are 0 */
      if (!sums) assert_int_equal(a->zero, b->zero);
      if (b->zero == b->count) continue;
      assert_true(fabs(gs_stats_log10_norm(a) - gs_stats_log10_norm(b)) <= 1e-3);
      if (q == GS_ACTIVATION_H && i >= 2 * R && f64.stats[i - R].zero == b->count &&
          gs_stats_log10_norm(&f64.stats[i - 2 * R]) > 40)
        revivals++;
    }
    gs_quantity_stats_clear(&f32);
    gs_quantity_stats_clear(&f64);
  }
  gs_network_destroy(networks[1]);
  gs_network_destroy(networks[0]);
  gs_config_clear(config);
  return revivals;
}

static void test_revival(void **state) {
  (void)state;
  for (int mse = 0; mse <= 1; mse++) {
    gs_config mlp = gs_support_mlp(30, 2, GS_RELU, GS_INIT_NORMAL);
    mlp.init.std = 32768;
    mlp.loss = mse ? GS_LOSS_MSE : GS_LOSS_LINEAR;
    assert_true(revivals_of(&mlp) > 0);
    for (int tied = 0; tied <= 1; tied++) {
      gs_config rnn = gs_support_rnn(30, 2, GS_RELU, GS_INIT_NORMAL);
      rnn.init.std = 4096;
      rnn.tied = tied;
      rnn.loss = mse ? GS_LOSS_MSE : GS_LOSS_LINEAR;
      rnn.loss_at = mse ? GS_LOSS_EVERY : GS_LOSS_LAST;
      const int revivals = revivals_of(&rnn); /* with one W growth seldom ends */
      assert_true(tied || revivals > 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sigmoid),    cmocka_unit_test(test_relu),
      cmocka_unit_test(test_linear_rnn), cmocka_unit_test(test_f64),
      cmocka_unit_test(test_revival),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
