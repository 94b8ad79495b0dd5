/* Measured networks against numbers that theory and papers state in advance.
 *
 * Formulas, for the linear loss and one example (Schoenholz et al. 2017; Hanin &
 * Nica 2020): with R_l = |delta^l|^2 / |delta^{l+1}|^2,
 *   E R_l = chi,  E ln R_l = ln chi - kappa/(2 n),  Var ln R_l = kappa/n,
 * kappa = 5 for relu. Batches are of one example where the law is used: a larger
 * one averages. Every tolerance is four standard errors of what was measured,
 * unless a bound is stated. */
#include <math.h>
#include <stdlib.h>

#include "measure/layers.h"
#include "support_network.h"

#ifdef __SANITIZE_ADDRESS__
enum { REPLICAS = 16 };
#else
enum { REPLICAS = 64 };
#endif

typedef struct moments {
  double mean, sd;
  int64_t count;
} moments;

static moments moments_of(const double *values, int64_t count) {
  moments m = {.count = count};
  for (int64_t i = 0; i < count; i++) m.mean += values[i] / (double)count;
  double square = 0;
  for (int64_t i = 0; i < count; i++) square += (values[i] - m.mean) * (values[i] - m.mean);
  m.sd = sqrt(square / (double)(count - 1));
  return m;
}

static double standard_error(moments m) { return m.sd / sqrt((double)m.count); }

static gs_config single_example(gs_config config) {
  config.batch = 1;
  return config;
}

/* ln |delta^l|^2 of layers l = 1..L: [L][replicas]. Clears the config. */
static double *measure(gs_config *config, int64_t replicas) {
  config->replicas = replicas;
  config->stats = GS_STATS_NORMS;
  gs_network *network = gs_support_network(gs_group_device, config, false);
  gs_support_step(network, true);
  gs_quantity_stats stats = gs_support_stats(network, GS_DELTA);
  double *logs = malloc((size_t)(stats.points * replicas) * sizeof *logs);
  assert_non_null(logs);
  for (int64_t i = 0; i < stats.points * replicas; i++) {
    logs[i] = 2 * log(10) * gs_stats_log10_norm(&stats.stats[i]);
    assert_true(isfinite(logs[i]));
  }
  gs_quantity_stats_clear(&stats);
  gs_network_destroy(network);
  gs_config_clear(config);
  return logs;
}

/* log10 of |delta^1| / |delta^L| of each replica. */
static moments decades_of(const double *logs, int64_t depth, int64_t replicas) {
  double *values = malloc((size_t)replicas * sizeof *values);
  assert_non_null(values);
  for (int64_t r = 0; r < replicas; r++)
    values[r] = (logs[r] - logs[(depth - 1) * replicas + r]) / (2 * log(10));
  const moments m = moments_of(values, replicas);
  free(values);
  return m;
}

/* R_l of every replica and of the layers above the first `skipped`, where the
 * forward pass has not settled yet. */
static moments ratios_of(const double *logs, int64_t depth, int64_t replicas, int64_t skipped) {
  const int64_t count = (depth - 1 - skipped) * replicas;
  double *values = malloc((size_t)count * sizeof *values);
  assert_non_null(values);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i + skipped * replicas;
    values[i] = exp(logs[at] - logs[at + replicas]);
  }
  const moments m = moments_of(values, count);
  free(values);
  return m;
}

/* ---- relu ---- */

/* He: chi = 1, so the typical network loses 49 * 5/256 / (2 ln 10) decades. */
static void test_relu_he(void **state) {
  (void)state;
  const double n = 128, steps = 49;
  gs_config config = single_example(gs_support_mlp(50, 128, GS_RELU, GS_INIT_HE_NORMAL));
  double *logs = measure(&config, REPLICAS);
  const moments m = decades_of(logs, 50, REPLICAS);
  free(logs);
  const double typical = steps * (-5 / (2 * n)) / (2 * log(10));
  const double spread = sqrt(steps * 5 / n) / (2 * log(10));
  print_message("relu, He: %.4f +- %.4f (sd %.4f); theory %.4f (sd %.4f)\n", m.mean,
                standard_error(m), m.sd, typical, spread);
  assert_true(fabs(m.mean - typical) <= 4 * spread / sqrt(REPLICAS));
  /* the sample variance over the variance is chi-square / (R - 1), whose standard
   * deviation is sqrt(2 / (R - 1)) */
  const double ratio = m.sd * m.sd / (spread * spread);
  assert_true(fabs(ratio - 1) <= 4 * sqrt(2.0 / (REPLICAS - 1)));
}

/* He et al. 2015, section 2.2: 30 layers with Xavier's weights shrink the
 * gradient by 2^(-29/2) = 10^-4.365, He's leave it. Root mean square over
 * replicas of the whole ratio; its standard error follows from the lognormal
 * law with variance 29 * 5/n of ln ratio^2. */
static void check_he_2015(gs_init_kind init, double expected) {
  const double n = 256;
  gs_config config = single_example(gs_support_mlp(30, 256, GS_RELU, init));
  double *logs = measure(&config, REPLICAS);
  double square = 0;
  for (int64_t r = 0; r < REPLICAS; r++)
    square += exp(logs[r] - logs[29 * REPLICAS + r]) / REPLICAS;
  free(logs);
  const double relative = sqrt((exp(29 * 5 / n) - 1) / REPLICAS); /* of the mean square */
  const double tolerance = 4 * relative / (2 * log(10));
  print_message("relu, %s, 30 layers: 10^%.3f, He 2015: 10^%.3f +- %.3f\n",
                gs_name(&gs_init_names, init), 0.5 * log10(square), expected, tolerance);
  assert_true(fabs(0.5 * log10(square) - expected) <= tolerance);
}

static void test_he_2015(void **state) {
  (void)state;
  check_he_2015(GS_INIT_XAVIER_NORMAL, -4.365);
  check_he_2015(GS_INIT_HE_NORMAL, 0);
}

/* ---- bounded activations ---- */

/* THEORY section 4: +0.471 decades a layer in the root mean square, 13.66 over 29
 * layers; the typical network has less. A batch of 32 examples lies between. */
static void test_tanh_normal_explodes(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(30, 256, GS_TANH, GS_INIT_NORMAL);
  config.batch = 32;
  double *logs = measure(&config, 16);
  const moments m = decades_of(logs, 30, 16);
  free(logs);
  print_message("tanh, N(0,1): %.3f decades, sd %.3f\n", m.mean, m.sd);
  assert_true(m.mean >= 13 && m.mean <= 14);
  assert_true(m.sd < 1);
}

/* -0.627 decades a layer, within 1 %. */
static void test_sigmoid_xavier(void **state) {
  (void)state;
  gs_config config = single_example(gs_support_mlp(60, 128, GS_SIGMOID, GS_INIT_XAVIER_NORMAL));
  double *logs = measure(&config, REPLICAS);
  const moments m = decades_of(logs, 60, REPLICAS);
  free(logs);
  print_message("sigmoid, Xavier: %.4f decades a layer\n", m.mean / 59);
  assert_true(fabs(m.mean / 59 + 0.627) <= 0.00627);
}

/* THEORY: sigmoid + N(0,1) turns from vanishing to exploding with the width: rms
 * decades a layer, (1/2) log10 E R. The table has three digits and is of the wide
 * limit: 0.01 for both beside the four standard errors. */
static void check_turning(int64_t n, gs_activation_kind activation, double expected) {
  gs_config config = single_example(gs_support_mlp(30, n, activation, GS_INIT_NORMAL));
  double *logs = measure(&config, REPLICAS);
  const moments ratios = ratios_of(logs, 30, REPLICAS, 2);
  const moments decades = decades_of(logs, 30, REPLICAS);
  free(logs);
  const double rms = 0.5 * log10(ratios.mean);
  const double error = standard_error(ratios) / ratios.mean / (2 * log(10));
  print_message("%s, N(0,1), n = %d: rms %.4f +- %.4f a layer, theory %.3f; typical %.4f\n",
                gs_name(&gs_activation_names, activation), (int)n, rms, error, expected,
                decades.mean / 29);
  assert_true(fabs(rms - expected) <= 0.01 + 4 * error);
  assert_true(expected < 0 ? decades.mean < 0 : decades.mean > 0);
}

static void test_width_turns_the_sigmoid(void **state) {
  (void)state;
  check_turning(64, GS_SIGMOID, -0.050);
  check_turning(256, GS_SIGMOID, 0.096);
  check_turning(64, GS_TANH, 0.326);
  check_turning(256, GS_TANH, 0.471);
}

/* ---- recurrent networks ---- */

/* Le, Jaitly & Hinton 2015: W = I, relu, h_0 = 0. delta_1 is not zero where z_1..z_T
 * are all positive, sums of symmetric independent steps: C(2T, T) / 4^T of the
 * units, whatever the distribution (Sparre Andersen 1953). Units of a network
 * share inputs and examples share weights, so the standard error is taken over
 * replicas. */
static void check_irnn(int64_t T) {
  gs_config config = gs_support_rnn(T, 64, GS_RELU, GS_INIT_IDENTITY);
  double expected = 1;
  for (int64_t k = 1; k <= T; k++) expected *= (2 * (double)k - 1) / (2 * (double)k);
  config.replicas = REPLICAS;
  config.stats = GS_STATS_NORMS;
  gs_network *network = gs_support_network(gs_group_device, &config, false);
  gs_support_step(network, true);
  gs_quantity_stats stats = gs_support_stats(network, GS_DELTA);
  double alive[REPLICAS];
  for (int64_t r = 0; r < REPLICAS; r++)
    alive[r] = 1 - (double)stats.stats[r].zero / (double)stats.stats[r].count;
  const moments m = moments_of(alive, REPLICAS);
  print_message("irnn, %d steps: %.4f +- %.4f survive, theory %.4f\n", (int)T, m.mean,
                standard_error(m), expected);
  assert_true(fabs(m.mean - expected) <= 4 * standard_error(m));
  assert_true(standard_error(m) < 0.05 * expected);
  gs_quantity_stats_clear(&stats);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* An orthogonal linear rnn keeps the norm of delta exactly: 0 decades. */
static void test_orthogonal_linear_rnn(void **state) {
  (void)state;
  gs_config config = single_example(gs_support_rnn(200, 64, GS_IDENTITY, GS_INIT_ORTHOGONAL));
  double *logs = measure(&config, 4);
  const moments m = decades_of(logs, 200, 4);
  free(logs);
  assert_true(fabs(m.mean) <= 1e-4 && m.sd <= 1e-4);
}

static void test_irnn(void **state) {
  (void)state;
  check_irnn(4);
  check_irnn(100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_relu_he),
      cmocka_unit_test(test_he_2015),
      cmocka_unit_test(test_tanh_normal_explodes),
      cmocka_unit_test(test_sigmoid_xavier),
      cmocka_unit_test(test_width_turns_the_sigmoid),
      cmocka_unit_test(test_irnn),
      cmocka_unit_test(test_orthogonal_linear_rnn),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device, gs_support_close_device);
}
