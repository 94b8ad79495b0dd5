/* Jacobians of networks against known products of any length, and against the laws of
 * random matrices (THEORY section 8). */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/orthogonal.h"
#include "support_jacobian.h"
#include "support_reference.h"
#include "support_sanitizer.h"
#include "theory/moments.h"
#include "theory/ratio.h"

static gs_device *device;

static int open_device(void **state) {
  const int failed = gs_support_open_device(state);
  device = *state;
  return failed;
}

/* ---- known products ---- */

enum { N = 9 };

/* An orthogonal matrix, polished to float64: Newton's Q (3 - Q^T Q)/2, twice. */
static void orthogonal(double Q[N * N], uint32_t id) {
  float draw[N * N];
  double workspace[4 * N * N + 1024];
  double gram[N * N], next[N * N];
  assert_true(gs_random_orthogonal_workspace(N, N) <= sizeof workspace / sizeof *workspace);
  gs_random_orthogonal(draw, N, N, 1, 99, id, 0, workspace);
  for (int i = 0; i < N * N; i++) Q[i] = (double)draw[i];
  for (int round = 0; round < 3; round++) {
    gs_reference_gemm(true, false, N, N, N, Q, Q, gram);
    for (int i = 0; i < N * N; i++) gram[i] = (i % (N + 1) == 0 ? 1.5 : 0) - 0.5 * gram[i];
    gs_reference_gemm(false, false, N, N, N, Q, gram, next);
    memcpy(Q, next, sizeof next);
  }
}

/* W^l = V_l S V_{l-1}^T with S = diag(s): P = V_L S^L V_0^T. Without rotations V = 1. */
static void check_product(const double s[N], int64_t depth, bool rotated) {
  gs_config config = gs_support_mlp(depth, N, GS_IDENTITY, GS_INIT_IDENTITY);
  config.dtype = GS_F64;
  config.batch = 1;
  gs_network *network = gs_support_network(device, &config, false);
  double V[2][N * N], scaled[N * N], W[N * N];
  double largest = 0, smallest = INFINITY;
  for (int i = 0; i < N * N; i++) V[0][i] = V[1][i] = i % (N + 1) == 0;
  if (rotated) orthogonal(V[0], 0);
  for (int64_t l = 1; l <= depth; l++) {
    double *new = V[l % 2], *old = V[(l + 1) % 2];
    const gs_tensor tensor = gs_network_tensor(network, GS_ROLE_WEIGHT, l);
    if (rotated) orthogonal(new, (uint32_t)l);
    for (int i = 0; i < N * N; i++) scaled[i] = new[i] * s[i % N];
    gs_reference_gemm(false, true, N, N, N, scaled, old, W);
    gs_support_upload(device, &tensor, W);
  }
  gs_jacobian j = gs_support_jacobian(network, 20);
  const double layers = (double)depth;
  for (int i = 0; i < N; i++) {
    int above = 0;
    largest = fmax(largest, s[i]);
    smallest = fmin(smallest, s[i]);
    for (int k = 0; k < N; k++) above += s[k] > s[i] || (s[k] == s[i] && k < i);
    /* rotated, the exponents find their directions in the first layers */
    assert_true(gs_support_near(j.lyapunov[above], log(s[i]), rotated ? 5 / layers : 1e-13));
  }
  assert_true(gs_support_near(j.log10_largest[0], layers * log10(largest), 1e-12 * layers));
  assert_true(gs_support_near(j.log10_smallest[0], layers * log10(smallest), 1e-12 * layers));
  for (int64_t l = 0; l < j.points; l++) {
    assert_true(gs_support_near(j.largest[l], largest, 1e-13 * largest));
    assert_true(
        gs_support_near(j.smallest[l] / smallest, 1, rotated ? 1e-15 * largest / smallest : 1e-13));
  }
  gs_jacobian_clear(&j);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_known_products(void **state) {
  (void)state;
  const double falling[N] = {2, 1.5, 1.25, 1, 0.75, 0.5, 0.375, 0.25, 0.125};
  const double rising[N] = {0.01, 0.125, 0.25, 0.5, 0.75, 1, 2, 4, 8};
  const double pairs[N] = {3, 0.1, 3, 0.1, 3, 0.1, 3, 0.1, 1};
  const double far[N] = {1e-9, 1, 1e6, 1e-3, 1, 1e-7, 10, 1e2, 1e-5};
  const double *const all[] = {falling, rising, pairs, far};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    check_product(all[i], 1, false);
    check_product(all[i], 2000, false);
    if (all[i] == far) continue; /* rotated, W itself would not hold its smallest */
    check_product(all[i], 1, true);
    check_product(all[i], GS_SANITIZED ? 100 : 2000, true);
  }
}

/* A saturated layer: z chosen, from 0 to far, W orthogonal, so the singular values are
 * phi'(z). What is subnormal among them has no digits, and counts as zero. */
static void check_graded(gs_activation_kind activation, double far, double tolerance) {
  gs_config config = gs_support_mlp(1, N, activation, GS_INIT_IDENTITY);
  double V[N * N], x[N], z[N], V2[N * N];
  config.dtype = GS_F64;
  config.batch = 1;
  orthogonal(V, 3);
  memcpy(V2, V, sizeof V);
  for (int i = 0; i < N; i++) z[i] = far * ((i * 5) % N) / (N - 1);
  gs_reference_gemm(true, false, N, 1, N, V2, z, x);
  gs_network *network = gs_support_network(device, &config, false);
  const gs_tensor W = gs_network_tensor(network, GS_ROLE_WEIGHT, 1);
  const gs_tensor input = gs_network_tensor(network, GS_ROLE_INPUT, 0);
  gs_support_upload(device, &W, V);
  gs_support_upload(device, &input, x);
  gs_jacobian j = gs_support_jacobian(network, 0);
  const double smallest = gs_reference_slope(config.activation, far);
  if (smallest < DBL_MIN) {
    assert_true(isinf(j.log10_smallest[0]) && j.log10_smallest[0] < 0);
  } else {
    assert_true(gs_support_near(j.smallest[0] / smallest, 1, tolerance));
    assert_true(gs_support_near(j.log10_smallest[0], log10(smallest), tolerance));
  }
  assert_true(gs_support_near(j.largest[0], 1, 1e-13));
  assert_true(gs_support_near(j.log10_largest[0], 0, 1e-13));
  gs_jacobian_clear(&j);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_graded_layer(void **state) {
  (void)state;
  check_graded(GS_TANH, 35, 1e-12);
  check_graded(GS_ELU, -700, 1e-11);
  check_graded(GS_ELU, -735, 1e-11);
  check_graded(GS_ELU, -742, 1e-11);
}

/* ---- the smallest singular value of a product by solving ---- */

/* Solves A x = y (or A^T x = y) in place by Gaussian elimination with pivots. */
static void solve(const double *matrix, int n, bool transposed, double *y) {
  double a[N * N];
  for (int i = 0; i < n; i++)
    for (int k = 0; k < n; k++) a[i * n + k] = matrix[transposed ? k * n + i : i * n + k];
  for (int c = 0; c < n; c++) {
    int pivot = c;
    for (int i = c + 1; i < n; i++)
      if (fabs(a[i * n + c]) > fabs(a[pivot * n + c])) pivot = i;
    for (int k = 0; k < n; k++) {
      const double kept = a[c * n + k];
      a[c * n + k] = a[pivot * n + k];
      a[pivot * n + k] = kept;
    }
    const double kept = y[c];
    y[c] = y[pivot];
    y[pivot] = kept;
    for (int i = c + 1; i < n; i++) {
      const double factor = a[i * n + c] / a[c * n + c];
      for (int k = c; k < n; k++) a[i * n + k] -= factor * a[c * n + k];
      y[i] -= factor * y[c];
    }
  }
  for (int i = n - 1; i >= 0; i--) {
    for (int k = i + 1; k < n; k++) y[i] -= a[i * n + k] * y[k];
    y[i] /= a[i * n + i];
  }
}

/* Scales y to length 1; returns log10 of what it was. */
static double unit(double y[N]) {
  double max = 0, squares = 0;
  for (int i = 0; i < N; i++) max = fmax(max, fabs(y[i]));
  for (int i = 0; i < N; i++) squares += y[i] / max * (y[i] / max);
  for (int i = 0; i < N; i++) y[i] /= max * sqrt(squares);
  return log10(max) + 0.5 * log10(squares);
}

/* y = P^-1 y, or P^-T y, of unit length; returns log10 of its length. P is the product
 * of diag(slope) W over the layers. */
static double through_inverse(double *const *W, const double *slope, int depth, bool transposed,
                              double y[N]) {
  double length = 0;
  for (int i = 0; i < depth; i++) {
    const int l = transposed ? i : depth - 1 - i;
    if (transposed) solve(W[l], N, true, y);
    for (int k = 0; k < N; k++) y[k] /= slope[l * N + k];
    if (!transposed) solve(W[l], N, false, y);
    length += unit(y);
  }
  return length;
}

/* Saturated tanh layers: the product's singular values span thousands of decades. The
 * inverse's largest by power iteration, which has converged after one round. */
static void test_smallest_by_solving(void **state) {
  (void)state;
  enum { DEPTH = 300 };
  gs_config config = gs_support_mlp(DEPTH, N, GS_TANH, GS_INIT_NORMAL);
  double *W[DEPTH], z[N], h[N], y[N];
  double slope[DEPTH * N];
  config.dtype = GS_F64;
  config.batch = 1;
  gs_network *network = gs_support_network(device, &config, false);
  const gs_tensor input = gs_network_tensor(network, GS_ROLE_INPUT, 0);
  double *x = gs_support_download(device, &input);
  memcpy(h, x, sizeof h);
  for (int l = 0; l < DEPTH; l++) {
    const gs_tensor tensor = gs_network_tensor(network, GS_ROLE_WEIGHT, l + 1);
    W[l] = gs_support_download(device, &tensor);
    gs_reference_gemm(false, false, N, 1, N, W[l], h, z);
    for (int i = 0; i < N; i++) {
      h[i] = gs_reference_activation(config.activation, z[i]);
      slope[l * N + i] = gs_reference_slope(config.activation, z[i]);
    }
  }
  for (int i = 0; i < N; i++) y[i] = 1 + 0.1 * i;
  for (int round = 0; round < 2; round++) {
    through_inverse(W, slope, DEPTH, false, y);
    through_inverse(W, slope, DEPTH, true, y);
  }
  const double smallest = -through_inverse(W, slope, DEPTH, false, y);
  gs_jacobian j = gs_support_jacobian(network, 2);
  assert_true(gs_support_near(j.log10_smallest[0], smallest, 1e-9 * fabs(smallest)));
  assert_true(j.log10_largest[0] > smallest + 500); /* far outside one float64 */
  for (int l = 0; l < DEPTH; l++) free(W[l]);
  free(x);
  gs_jacobian_clear(&j);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

/* ---- out of float64's range ---- */

/* Both networks' weights differ by the factor 2^bits in all layers. */
static void check_scaled(gs_activation_kind kind, double std, int bits) {
  const int64_t depth = GS_SANITIZED ? 500 : 2000;
  gs_config config = gs_support_mlp(depth, 33, kind, GS_INIT_NORMAL);
  gs_config other;
  gs_error error = {0};
  config.dtype = GS_F64;
  config.batch = 1;
  gs_support_ok(gs_config_copy(&config, &other, &error), &error);
  config.init.std = std;
  other.init.std = ldexp(std, bits);
  gs_jacobian a = gs_support_jacobian_of(device, config);
  gs_jacobian b = gs_support_jacobian_of(device, other);
  const double more = (double)depth * bits * log10(2);
  assert_true(isfinite(a.log10_rms[0]));
  assert_true(gs_support_near(b.log10_rms[0] - a.log10_rms[0], more, 1e-9));
  assert_true(gs_support_near(b.log10_largest[0] - a.log10_largest[0], more, 1e-9));
  assert_true(gs_support_near(b.lyapunov[0] - a.lyapunov[0], bits * log(2), 1e-11));
  gs_jacobian_clear(&a);
  gs_jacobian_clear(&b);
}

/* An activation that is asymptotically `factor` times relu, under exploding weights. */
static void check_asymptotic(gs_activation_kind kind, double factor) {
  const int64_t depth = 150;
  gs_config config = gs_support_mlp(depth, 33, kind, GS_INIT_NORMAL);
  config.init.std = 0x1p60;
  config.batch = 1;
  gs_config relu = gs_support_mlp(depth, 33, GS_RELU, GS_INIT_NORMAL);
  relu.init.std = 0x1p60;
  relu.batch = 1;
  gs_jacobian a = gs_support_jacobian_of(device, config);
  gs_jacobian b = gs_support_jacobian_of(device, relu);
  const double more = (double)depth * log10(factor);
  assert_true(gs_support_near(a.log10_rms[0], b.log10_rms[0] + more, 1e-9));
  assert_true(gs_support_near(a.log10_largest[0], b.log10_largest[0] + more, 1e-9));
  assert_true(gs_support_near(a.rms[63], b.rms[63] * factor, 1e-9 * b.rms[63]));
  gs_jacobian_clear(&a);
  gs_jacobian_clear(&b);
}

static void test_range(void **state) {
  (void)state;
  check_scaled(GS_RELU, 1, 2);
  check_scaled(GS_RELU, 1, -30);
  check_scaled(GS_LEAKY_RELU, 0x1p-4, 60);
  check_scaled(GS_IDENTITY, 1, -60);
  check_asymptotic(GS_ELU, 1);
  check_asymptotic(GS_SELU, 1.0507009873554804934);
  check_asymptotic(GS_GELU, 1);
  check_asymptotic(GS_SILU, 1);
  check_asymptotic(GS_SOFTPLUS, 1);
}

/* ---- laws ---- */

static double mean_of(const double *values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += values[i];
  return sum / (double)count;
}

/* Glorot and Bengio 2010: tanh near 0, where W alone counts: quarter circle. */
static void test_quarter_circle(void **state) {
  (void)state;
  const double sigma_w2[] = {1, 1.0 / 3};
  const int64_t n = GS_SANITIZED ? 60 : 200;
  for (int i = 0; i < 2; i++) {
    gs_config config = gs_support_mlp(1, n, GS_TANH, GS_INIT_SCALED);
    config.init.sigma_w2 = sigma_w2[i];
    config.batch = 1;
    config.replicas = 8;
    gs_network *network = gs_support_network(device, &config, false);
    const gs_tensor input = gs_network_tensor(network, GS_ROLE_INPUT, 0);
    double *x = gs_support_download(device, &input);
    for (int64_t k = 0; k < 8 * n; k++) x[k] *= 1e-4;
    gs_support_upload(device, &input, x);
    gs_jacobian j = gs_support_jacobian(network, 0);
    const double sigma = sqrt(sigma_w2[i]);
    assert_true(gs_support_near(mean_of(j.mean, 8), 8 / (3 * M_PI) * sigma, 0.006 * sigma));
    assert_true(gs_support_near(mean_of(j.rms, 8), sigma, 0.01 * sigma));
    assert_true(gs_support_near(mean_of(j.largest, 8), 2 * sigma, 0.1 * sigma));
    assert_true(mean_of(j.smallest, 8) < 0.05 * sigma);
    free(x);
    gs_jacobian_clear(&j);
    gs_network_destroy(network);
    gs_config_clear(&config);
  }
}

/* rms^2 = chi = sigma_w^2 m1(q), q from the layer before; at a fixed point of tanh with
 * its own input: q is taken from the network. */
static void test_chi(void **state) {
  (void)state;
  const gs_activation_kind kinds[] = {GS_TANH, GS_RELU, GS_SIGMOID, GS_SELU};
  for (int k = 0; k < 4; k++) {
    gs_config config = gs_support_mlp(1, 101, kinds[k], GS_INIT_SCALED);
    config.init.sigma_w2 = 1.7;
    config.batch = 1;
    config.replicas = GS_SANITIZED ? 40 : 100;
    const gs_activation phi = config.activation;
    const double replicas = (double)config.replicas;
    gs_jacobian j = gs_support_jacobian_of(device, config);
    double square = 0;
    for (int64_t r = 0; r < j.replicas; r++) square += j.rms[r] * j.rms[r] / replicas;
    const double chi = 1.7 * exp(gs_moments_at(phi, log(1.7)).log_m1);
    assert_true(gs_support_near(square / chi, 1, 5 * sqrt(6 / (101 * replicas))));
    assert_true(gs_support_near(j.log10_rms[0], log10(j.rms[0]), 1e-13));
    gs_jacobian_clear(&j);
  }
}

/* Dynamical isometry (Saxe et al. 2014): orthogonal weights without an activation. */
static void test_isometry(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(GS_SANITIZED ? 30 : 300, 21, GS_IDENTITY, GS_INIT_ORTHOGONAL);
  config.dtype = GS_F64;
  config.batch = 1;
  config.init.gain = 0.5;
  const double layers = (double)config.depth;
  gs_jacobian j = gs_support_jacobian_of(device, config);
  const double expected = -layers * log10(2); /* matrices are orthogonal to float32 */
  assert_true(gs_support_near(j.log10_mean[0], expected, 1e-7 * layers));
  assert_true(gs_support_near(j.log10_rms[0], expected, 1e-7 * layers));
  assert_true(gs_support_near(j.log10_largest[0], expected, 1e-7 * layers));
  assert_true(gs_support_near(j.log10_smallest[0], expected, 1e-7 * layers));
  assert_true(gs_support_near(j.mean[0], 0.5, 1e-7) && gs_support_near(j.smallest[0], 0.5, 1e-7));
  for (int i = 0; i < 21; i++) assert_true(gs_support_near(j.lyapunov[i], log(0.5), 1e-7));
  gs_jacobian_clear(&j);
}

/* Newman 1986: W_t ~ N(0, sigma^2) anew each step and no activation:
 * lambda_i = ln sigma + (ln 2 + psi((n - i + 1)/2))/2, exactly, at every T. */
static void test_ginibre(void **state) {
  (void)state;
  enum { UNITS = 7, STEPS = 400, REPLICAS = GS_SANITIZED ? 8 : 40 };
  gs_config config = gs_support_rnn(STEPS, UNITS, GS_IDENTITY, GS_INIT_NORMAL);
  config.init.std = 0.5;
  config.tied = false;
  config.input = 2;
  config.batch = 1;
  config.replicas = REPLICAS;
  gs_jacobian j = gs_support_jacobian_of(device, config);
  assert_int_equal(j.exponents, UNITS);
  for (int i = 0; i < UNITS; i++) {
    const double half = 0.5 * (UNITS - i);
    const double law = log(0.5) + 0.5 * (log(2) + gs_digamma(half));
    const double sd = 0.5 * sqrt(gs_trigamma(half) / (STEPS * (double)REPLICAS));
    assert_true(
        gs_support_near(mean_of(j.lyapunov + (ptrdiff_t)i * REPLICAS, REPLICAS), law, 5 * sd));
  }
  for (int64_t r = 0; r < REPLICAS; r++) /* the top exponent is the product's growth */
    assert_true(gs_support_near(j.lyapunov[r], j.log10_largest[r] * log(10) / STEPS, 5.0 / STEPS));
  gs_jacobian_clear(&j);
}

/* The sum of the exponents is the mean of ln |det J|: for tied W of known determinant. */
static void test_determinant(void **state) {
  (void)state;
  gs_config config = gs_support_rnn(50, 11, GS_IDENTITY, GS_INIT_ORTHOGONAL);
  config.init.gain = 1.25;
  gs_jacobian j = gs_support_jacobian_of(device, config);
  double sum = 0;
  for (int i = 0; i < 11; i++) sum += j.lyapunov[i];
  assert_true(gs_support_near(sum, 11 * log(1.25), 1e-5));
  gs_jacobian_clear(&j);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_products),
                                     cmocka_unit_test(test_graded_layer),
                                     cmocka_unit_test(test_smallest_by_solving),
                                     cmocka_unit_test(test_range),
                                     cmocka_unit_test(test_quarter_circle),
                                     cmocka_unit_test(test_chi),
                                     cmocka_unit_test(test_isometry),
                                     cmocka_unit_test(test_ginibre),
                                     cmocka_unit_test(test_determinant)};
  return cmocka_run_group_tests(tests, open_device, gs_support_close_device);
}
