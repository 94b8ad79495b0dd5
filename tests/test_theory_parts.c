/* The theory's parts against independent values: laws of ratios, pairs, batches,
 * fixed points and spectra. */
#include <math.h>
#include <stdlib.h>

#include "device/activation_f64.h"
#include "device/device.h"
#include "net/init.h"
#include "support_network.h"
#include "theory/batch.h"
#include "theory/chain.h"
#include "theory/critical.h"
#include "theory/pair.h"
#include "theory/ratio.h"
#include "theory/recurrent.h"

static bool near(double value, double expected, double tolerance) {
  if (fabs(value - expected) <= tolerance) return true;
  print_message("%.12g, expected %.12g +- %.3g\n", value, expected, tolerance);
  return false;
}

/* ---- laws of ratios ---- */

static void test_digamma(void **state) {
  (void)state;
  const double gamma = 0.57721566490153286061;
  assert_true(near(gs_digamma(1), -gamma, 1e-14));
  assert_true(near(gs_digamma(0.5), -gamma - 2 * log(2), 1e-14));
  assert_true(near(gs_trigamma(1), M_PI * M_PI / 6, 1e-14));
  assert_true(near(gs_trigamma(0.5), M_PI * M_PI / 2, 1e-14));
  for (double x = 0.01; x < 1e6; x *= 1.7) {
    assert_true(near(gs_digamma(x + 1) - gs_digamma(x), 1 / x, 1e-13 * (1 + 1 / x)));
    assert_true(near(gs_trigamma(x) - gs_trigamma(x + 1), 1 / (x * x), 1e-13 / (x * x) + 1e-13));
  }
}

/* Sums over all K, weights from lgamma. */
static gs_ratio_law binomial_sum(int64_t n) {
  double total = 0, mean = 0, square = 0, within = 0;
  for (int64_t k = 1; k <= n; k++) {
    const double x = (double)k, all = (double)n;
    const double w = exp(lgamma(all + 1) - lgamma(x + 1) - lgamma(all - x + 1) - all * log(2));
    const double psi = gs_digamma(x / 2);
    total += w;
    mean += w * psi;
    square += w * psi * psi;
    within += w * gs_trigamma(x / 2);
  }
  mean /= total;
  return (gs_ratio_law){mean, within / total + square / total - mean * mean};
}

static void test_exact_ratios(void **state) {
  (void)state;
  for (int64_t n = 1; n <= 2048; n = n * 3 / 2 + 1) {
    const double units = (double)n;
    const gs_ratio_law sum = binomial_sum(n);
    const gs_ratio_law relu = gs_ratio_exact(n, true, 0);
    const gs_ratio_law rotated = gs_ratio_exact(n, true, n);
    const gs_ratio_law linear = gs_ratio_exact(n, false, 0);
    assert_true(near(relu.mean, sum.mean + log(2) - log(units / 2), 1e-11));
    assert_true(near(relu.variance, sum.variance, 1e-11));
    assert_true(near(rotated.mean, sum.mean - gs_digamma(units / 2) + log(2), 1e-11));
    assert_true(near(linear.variance, gs_trigamma(units / 2), 1e-14));
    assert_true(near(gs_ratio_exact(n, false, n).mean, 0, 1e-14));
    assert_true(near(gs_ratio_exact(n, false, n).variance, 0, 1e-14));
    /* kappa 2, 5, and 2 less for orthogonal weights; terms of 1/n^2 remain */
    assert_true(near(linear.mean, -1 / units, 1 / (units * units)));
    if (n >= 16) assert_true(near(relu.variance, 5 / units, 40 / (units * units)));
    if (n >= 16) assert_true(near(rotated.variance, 3 / units, 40 / (units * units)));
  }
  const gs_ratio_law below = gs_ratio_exact(2048, true, 0);
  const gs_ratio_law above = gs_ratio_exact(2049, true, 0);
  assert_true(near(above.mean / below.mean, 1, 5e-3) &&
              near(above.variance / below.variance, 1, 5e-3));
  const gs_ratio_law gamma = gs_ratio_gamma(2.0 / 64); /* a gamma variate is chi-square here */
  assert_true(near(gamma.variance, gs_ratio_exact(64, false, 0).variance, 1e-14));
  assert_true(near(gamma.mean, gs_ratio_exact(64, false, 0).mean, 1e-14));
}

/* ---- pairs and batches: trapezoids in two dimensions ---- */

typedef struct plane {
  double hh, dd, h2h2, d2d2, h2d2;
} plane;

static plane integrate_plane(gs_activation phi, double s, double c) {
  const double end = 7.5, step = 0.03, across = sqrt(1 - c * c);
  plane sum = {0, 0, 0, 0, 0};
  double h2 = 0, d2 = 0;
  for (double x = -end + step / 2; x < end; x += step) {
    const gs_f64_slope a = gs_f64_activation(phi, s * x);
    const double wx = step * exp(-x * x / 2) / sqrt(2 * M_PI);
    h2 += wx * a.h * a.h;
    d2 += wx * a.slope * a.slope;
    for (double y = -end + step / 2; y < end; y += step) {
      const gs_f64_slope b = gs_f64_activation(phi, s * (c * x + across * y));
      const double w = wx * step * exp(-y * y / 2) / sqrt(2 * M_PI);
      sum.hh += w * a.h * b.h;
      sum.dd += w * a.slope * b.slope;
      sum.h2h2 += w * a.h * a.h * b.h * b.h;
      sum.d2d2 += w * a.slope * a.slope * b.slope * b.slope;
      sum.h2d2 += w * a.h * a.h * b.slope * b.slope;
    }
  }
  return (plane){sum.hh / h2, sum.dd / d2, sum.h2h2 / (h2 * h2), sum.d2d2 / (d2 * d2),
                 sum.h2d2 / (h2 * d2)};
}

static void check_pair(gs_activation_kind kind, double s, double c, double tolerance) {
  const gs_activation phi = {kind, 0.3};
  const plane exact = integrate_plane(phi, s, c);
  gs_pair_table *table = NULL;
  gs_error error = {0};
  gs_support_ok(gs_pair_table_create(phi, &table, &error), &error);
  const gs_pair_moments pair = gs_pair_table_at(table, 2 * log(s), c);
  gs_pair_table_destroy(table);
  assert_true(near(pair.hh, exact.hh, tolerance));
  assert_true(near(pair.dd, exact.dd, tolerance));
  assert_true(near(pair.h2h2 / exact.h2h2, 1, tolerance));
  assert_true(near(pair.d2d2 / exact.d2d2, 1, tolerance));
  assert_true(near(pair.h2d2 / exact.h2d2, 1, tolerance));
}

static void test_pairs(void **state) {
  (void)state;
  for (double c = 0; c < 1; c += 0.33) {
    check_pair(GS_RELU, 1, c, 2e-2); /* the trapezoid's error at the kink */
    check_pair(GS_LEAKY_RELU, 2, c, 2e-2);
    check_pair(GS_TANH, 1, c, 2e-3);
    check_pair(GS_TANH, 6, c, 0.1); /* narrower than 48 terms see */
    check_pair(GS_SIGMOID, 3, c, 2e-3);
    check_pair(GS_ELU, 1, c, 2e-2);
    check_pair(GS_GELU, 1.5, c, 2e-3);
  }
}

/* c = 1 is one example. */
static void test_pair_of_one(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    const gs_activation phi = {(gs_activation_kind)kind, 0.01};
    gs_pair_table *table = NULL;
    gs_error error = {0};
    gs_support_ok(gs_pair_table_create(phi, &table, &error), &error);
    for (double log_q = -20; log_q <= 8; log_q += 4) {
      const gs_pair_moments pair = gs_pair_table_at(table, log_q, 1);
      const gs_moments m = gs_moments_at(phi, log_q);
      assert_true(near(pair.hh, 1, 1e-12) && near(pair.dd, 1, 1e-12));
      assert_true(near(pair.h2h2 / m.h4, 1, 1e-6));
      assert_true(near(pair.d2d2 / exp(m.log_m2 - 2 * m.log_m1), 1, 1e-6));
      assert_true(near(pair.h2d2 / m.cross, 1, 1e-6));
    }
    gs_pair_table_destroy(table);
  }
}

/* A rotation keeps norms and cosines; one row of it is a direction; N -> infinity: normal. */
static void test_haar(void **state) {
  (void)state;
  for (int64_t N = 2; N <= 64; N += N < 8 ? 1 : 13) {
    const double n = (double)N;
    for (double c = 0; c <= 1; c += 0.25) {
      const gs_haar haar = gs_haar_of(N, c);
      const double same = haar.same * (1 + 2 * c) / n;
      assert_true(near((1 - 1 / n) * haar.norms + same, 1, 1e-14));
      assert_true(near((1 - 1 / n) * haar.cosines + same, c, 1e-14));
    }
    const gs_haar even = gs_haar_of(N, 1 / n); /* b is anywhere on the sphere, as W b is */
    assert_true(near(even.norms, 1, 1e-14));
    assert_true(near(even.same * (1 + 2 / n), 1, 1e-14) && near(even.cosines, 0, 1e-14));
  }
  const gs_haar sign = gs_haar_of(1, 1);
  assert_true(near(3 * sign.same, 1, 1e-14));
  const gs_haar wide = gs_haar_of(1000000000, 0.3);
  const gs_haar normal = gs_haar_of(0, 0.3);
  assert_true(near(wide.same, normal.same, 1e-8) && near(wide.norms, normal.norms, 1e-8));
  assert_true(near(wide.cosines, normal.cosines, 1e-8));
}

/* The average of two lognormals. */
static void check_batch_of_two(double d, double tolerance) {
  const double end = 8, step = 0.05;
  double mean = 0, square = 0;
  for (double x = -end; x <= end; x += step) {
    for (double y = -end; y <= end; y += step) {
      const double w = step * step * exp(-(x * x + y * y) / 2) / (2 * M_PI);
      const double value = log((exp(d * x - d * d / 2) + exp(d * y - d * d / 2)) / 2);
      mean += w * value;
      square += w * value * value;
    }
  }
  gs_batch_law law;
  gs_batch_law_start(&law, 2);
  const gs_log_norm norm = gs_batch_norm(&law, 0, -d * d / 2, (gs_spread){.own = d * d});
  assert_true(near(norm.shift, mean, tolerance * d * d));
  assert_true(near(norm.variance, square - mean * mean, tolerance * d * d));
}

static void test_batches(void **state) {
  (void)state;
  check_batch_of_two(0.1, 0.01);
  check_batch_of_two(0.75, 1e-3); /* a point of the table */
  check_batch_of_two(1.1, 0.02);
  check_batch_of_two(3, 1e-3);
  check_batch_of_two(5, 0.01);
  gs_batch_law law;
  gs_batch_law_start(&law, 1);
  const gs_log_norm one = gs_batch_norm(&law, 3, -0.5, (gs_spread){.own = 2, .pair = 1});
  assert_true(one.log_mean == 3 && one.shift == -0.5 && one.variance == 2);
  gs_batch_law_start(&law, 32); /* examples that go together are one example */
  const gs_log_norm same = gs_batch_norm(&law, 3, -0.5, (gs_spread){.own = 2, .pair = 2});
  assert_true(same.shift == -0.5 && same.variance == 2);
}

/* ---- fixed points and criticality ---- */

static void test_critical(void **state) {
  (void)state;
  const gs_activation tanh_ = {GS_TANH, 0};
  const gs_activation sigmoid = {GS_SIGMOID, 0};
  gs_critical critical;
  assert_true(gs_critical_of(tanh_, 0.05, &critical)); /* Schoenholz et al. 2017 */
  assert_true(near(critical.sigma_w2, 1.76095, 5e-6));
  assert_true(near(gs_fixed_point_of(tanh_, critical.sigma_w2, 0.05).chi, 1, 1e-9));
  assert_true(near(gs_fixed_point_of(tanh_, 1, 0.05).chi, 0.75903, 5e-6));
  assert_true(near(gs_fixed_point_of(tanh_, 4, 0.05).chi, 1.34240, 5e-6));
  assert_true(near(gs_fixed_point_of(sigmoid, 1, 0).chi, 0.05572, 5e-6));
  assert_true(near(gs_fixed_point_of(sigmoid, 2, 0).chi, 0.10098, 5e-6));
  assert_true(near(sqrt(gs_fixed_point_of(sigmoid, 1, 1).chi), 0.2048, 5e-5)); /* Nielsen */
  assert_true(gs_critical_of(tanh_, 0, &critical) && near(critical.sigma_w2, 1, 1e-12));
  assert_true(gs_critical_of((gs_activation){GS_RELU, 0}, 0, &critical));
  assert_true(near(critical.sigma_w2, 2, 1e-12));
  assert_true(gs_critical_of(sigmoid, 0, &critical)); /* THEORY section 4: rms, L = 1000 */
  assert_true(near(critical.sigma_w2, 103, 1));
  assert_true(gs_fixed_point_of(tanh_, 0.9, 0).log_q == -INFINITY);
  assert_true(gs_fixed_point_of((gs_activation){GS_GELU, 0}, 3, 0).log_q == INFINITY);
  assert_false(gs_critical_of((gs_activation){GS_RELU, 0}, NAN, &critical) &&
               isnan(critical.sigma_w2));
}

/* THEORY section 4: decades per layer, rms, settled. */
static void test_folklore_table(void **state) {
  (void)state;
  static const double widths[] = {16, 64, 256, 1024, 8192};
  static const double sigmoid[] = {-0.200, -0.050, 0.096, 0.243, 0.466};
  static const double tanh_[] = {0.188, 0.326, 0.471, 0.618, 0.842};
  for (int i = 0; i < 5; i++) {
    const double s = gs_fixed_point_of((gs_activation){GS_SIGMOID, 0}, widths[i], 0).chi;
    const double t = gs_fixed_point_of((gs_activation){GS_TANH, 0}, widths[i], 0).chi;
    assert_true(near(0.5 * log10(s), sigmoid[i], 6e-4));
    assert_true(near(0.5 * log10(t), tanh_[i], 6e-4));
  }
}

/* ---- recurrent matrices ---- */

static void test_spectra(void **state) {
  (void)state;
  gs_error error = {0};
  gs_spectrum s;
  const double turn[] = {0.6, -0.8, 0.8, 0.6};
  const double nilpotent[] = {0, 5, 0, 0};
  const double tiny[] = {3e-200, 0, 0, -4e-200};
  const double broken[] = {1, NAN, 0, 1};
  gs_support_ok(gs_spectrum_of(turn, 2, &s, &error), &error);
  assert_true(near(s.radius, 1, 1e-14) && near(s.singular, 1, 1e-14));
  gs_support_ok(gs_spectrum_of(nilpotent, 2, &s, &error), &error);
  assert_true(near(s.radius, 0, 1e-14) && near(s.singular, 5, 1e-13));
  gs_support_ok(gs_spectrum_of(tiny, 2, &s, &error), &error);
  assert_true(near(s.radius / 4e-200, 1, 1e-14) && near(s.singular / 4e-200, 1, 1e-14));
  assert_int_equal(gs_spectrum_of(broken, 2, &s, &error), GS_ERR_INTERNAL);
  assert_int_equal(gs_spectrum_of(turn, 0, &s, &error), GS_ERR_DATA);
}

/* Circular law and the Marchenko-Pastur edge: both fluctuate by n^(-2/3) or less. */
static void test_realised(void **state) {
  (void)state;
  gs_error error = {0};
  gs_spectrum s[4];
  gs_device *device = gs_support_device(1);
  gs_config config = gs_support_rnn(50, 100, GS_TANH, GS_INIT_ORTHOGONAL);
  config.replicas = 4;
  config.init.gain = 0.9;
  gs_support_ok(gs_spectra_realised(device, &config, s, &error), &error);
  for (int r = 0; r < 4; r++)
    assert_true(near(s[r].radius, 0.9, 1e-6) && near(s[r].singular, 0.9, 1e-6));
  config.init = gs_init_default(GS_INIT_XAVIER_NORMAL);
  gs_support_ok(gs_spectra_realised(device, &config, s, &error), &error);
  for (int r = 0; r < 4; r++)
    assert_true(near(s[r].radius, 1, 0.15) && near(s[r].singular, 2, 0.15));
  const gs_pascanu bound = gs_pascanu_of(&config);
  assert_true(near(bound.singular, 2, 1e-12) && near(bound.spectral_radius, 1, 1e-12));
  assert_true(!bound.vanishes && bound.gamma == 1);
  config.activation.kind = GS_SIGMOID; /* 1/4 times 2: must vanish */
  assert_true(gs_pascanu_of(&config).vanishes && gs_pascanu_of(&config).gamma == 0.25);
  gs_config_clear(&config);
  device->ops->destroy(device);
}

/* gamma is the largest |phi'| on a fine grid, and is nowhere exceeded. */
static void test_steepest(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    const gs_activation phi = {(gs_activation_kind)kind, 0.01};
    double max = 0;
    for (double z = -10; z <= 10; z += 1e-3) max = fmax(max, fabs(gs_f64_activation(phi, z).slope));
    assert_true(near(gs_activation_steepest(phi), max, 1e-4));
    assert_true(gs_activation_steepest(phi) >= max * (1 - 1e-12));
  }
}

/* ---- biases that are not normal ---- */

/* ln E f^2 of z = s x + a u, f phi or phi', x ~ N(0,1), u ~ U(-1, 1) or the sum of two:
 * midpoints, both ways. */
static double mixed(gs_activation phi, bool slope, bool two, double s, double a) {
  enum { HALF = 150 };
  double sum = 0, mass = 0;
  for (int i = -HALF; i <= HALF; i++) {
    const double x = 7.0 * i / HALF;
    for (int j = -HALF; j < HALF; j++) {
      const double u = (two ? 2 : 1) * (j + 0.5) / HALF;
      const double density = exp(-0.5 * x * x) * (two ? 2 - fabs(u) : 1);
      const gs_f64_slope at = gs_f64_activation(phi, s * x + a * u);
      const double f = slope ? at.slope : at.h;
      sum += density * f * f;
      mass += density;
    }
  }
  return log(sum / mass);
}

/* At the settled end of a network of PyTorch's defaults: V and m1 of the chain against
 * integrals, to a half of what normal biases of the same variance would be off, or 1e-4. */
static void test_uniform_biases(void **state) {
  (void)state;
  double max = 0; /* off, for normal biases */
  for (int k = 0; k < GS_ACTIVATION_COUNT * 2; k++) {
    gs_error error = {0};
    gs_chain chain;
    const bool two = k % 2 == 1;
    const double n = 40;
    gs_config config =
        two ? gs_support_rnn(30, 40, (gs_activation_kind)(k / 2), GS_INIT_TORCH_DEFAULT)
            : gs_support_mlp(30, 40, (gs_activation_kind)(k / 2), GS_INIT_TORCH_DEFAULT);
    config.bias = gs_init_bias(config.init.kind, config.model);
    config.input = 1;
    config.input_init = gs_init_default(GS_INIT_SCALED);
    config.input_init.sigma_w2 = 1 / (3 * n);
    gs_support_ok(gs_chain_make(&config, &chain, &error), &error);
    const gs_link *deep = &chain.links[20];
    const double q = exp(deep->log_q);
    const double s = sqrt(q - (two ? 2 : 1) / (3 * n));
    const gs_moments normal = gs_moments_at(config.activation, deep->log_q);
    const double V = mixed(config.activation, false, two, s, 1 / sqrt(n));
    const double m1 = mixed(config.activation, true, two, s, 1 / sqrt(n));
    assert_true(near(deep->m.log_V, V, fabs(normal.log_V - V) / 2 + 1e-4));
    assert_true(near(deep->m.log_m1, m1, fabs(normal.log_m1 - m1) / 2 + 1e-4));
    max = fmax(max, fabs(normal.log_m1 - m1));
    gs_chain_clear(&chain);
    gs_config_clear(&config);
  }
  assert_true(max > 5e-3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_digamma),  cmocka_unit_test(test_exact_ratios),
      cmocka_unit_test(test_pairs),    cmocka_unit_test(test_pair_of_one),
      cmocka_unit_test(test_haar),     cmocka_unit_test(test_batches),
      cmocka_unit_test(test_critical), cmocka_unit_test(test_folklore_table),
      cmocka_unit_test(test_spectra),  cmocka_unit_test(test_realised),
      cmocka_unit_test(test_steepest), cmocka_unit_test(test_uniform_biases),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
