/* Jacobians of networks against plain float64 arithmetic and against differences of the
 * network's own forward pass: every activation, every shape. Products and laws are in
 * test_jacobian_laws.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/lapack.h"
#include "device/device.h"
#include "support_jacobian.h"
#include "support_reference.h"

static gs_device *device;

static int open_device(void **state) {
  const int failed = gs_support_open_device(state);
  device = *state;
  return failed;
}

/* ---- singular values of plain matrices, row-major ---- */

typedef struct spectrum {
  int count;
  double mean, rms, largest, smallest;
} spectrum;

static spectrum spectrum_of(const double *matrix, int64_t rows, int64_t cols) {
  const int m = (int)cols, n = (int)rows, one = 1, length = 64 * (m + n) + 256;
  spectrum found = {.count = m < n ? m : n};
  double *copy = malloc((size_t)(rows * cols) * sizeof *copy);
  double *values = malloc((size_t)found.count * sizeof *values);
  double *work = malloc((size_t)length * sizeof *work);
  int *integers = malloc(8 * (size_t)found.count * sizeof *integers);
  int info = 1;
  assert_true(copy && values && work && integers);
  memcpy(copy, matrix, (size_t)(rows * cols) * sizeof *copy);
  dgesdd_("N", &m, &n, copy, &m, values, NULL, &one, NULL, &one, work, &length, integers, &info, 1);
  assert_int_equal(info, 0);
  for (int i = 0; i < found.count; i++) {
    found.mean += values[i] / found.count;
    found.rms = hypot(found.rms, values[i]); /* squares may leave float64's range */
  }
  found.rms /= sqrt(found.count);
  found.largest = values[0];
  found.smallest = values[found.count - 1];
  free(copy);
  free(values);
  free(work);
  free(integers);
  return found;
}

static void assert_product(const gs_jacobian *j, int64_t r, spectrum s, double tolerance) {
  const double allowed = tolerance * s.largest;
  assert_true(gs_support_near(pow(10, j->log10_mean[r]), s.mean, allowed));
  assert_true(gs_support_near(pow(10, j->log10_rms[r]), s.rms, allowed));
  assert_true(gs_support_near(pow(10, j->log10_largest[r]), s.largest, allowed));
  assert_true(gs_support_near(pow(10, j->log10_smallest[r]), s.smallest, allowed));
}

static void assert_layer(const gs_jacobian *j, int64_t point, int64_t r, spectrum s) {
  const int64_t entry = point * j->replicas + r;
  const double allowed = 1e-12 * s.largest;
  assert_true(gs_support_near(j->mean[entry], s.mean, allowed));
  assert_true(gs_support_near(j->rms[entry], s.rms, allowed));
  assert_true(gs_support_near(j->largest[entry], s.largest, allowed));
  assert_true(gs_support_near(j->smallest[entry], s.smallest, allowed));
}

/* ---- against plain loops ---- */

/* One layer of the first example: h (cols) becomes h (rows), and the product
 * (cols_0 columns) and this layer's Jacobian are formed. */
typedef struct plain {
  double *h, *layer, *product;
  int64_t units, columns;
} plain;

static void plain_layer(plain *p, gs_activation phi, const double *W, int64_t rows,
                        const double *add) {
  double *z = calloc((size_t)rows, sizeof *z);
  double *next = malloc((size_t)(rows * p->columns) * sizeof *next);
  assert_true(z && next);
  for (int64_t i = 0; i < rows; i++) {
    z[i] = add ? add[i] : 0;
    for (int64_t k = 0; k < p->units; k++) z[i] += W[i * p->units + k] * p->h[k];
    for (int64_t k = 0; k < p->units; k++)
      p->layer[i * p->units + k] = gs_reference_slope(phi, z[i]) * W[i * p->units + k];
  }
  gs_reference_gemm(false, false, rows, p->columns, p->units, p->layer, p->product, next);
  memcpy(p->product, next, (size_t)(rows * p->columns) * sizeof *next);
  for (int64_t i = 0; i < rows; i++) p->h[i] = gs_reference_activation(phi, z[i]);
  p->units = rows;
  free(z);
  free(next);
}

static plain plain_start(const double *h, int64_t units, int64_t max) {
  plain p = {.units = units, .columns = units};
  p.h = calloc((size_t)max, sizeof *p.h);
  p.layer = calloc((size_t)(max * max), sizeof *p.layer);
  p.product = calloc((size_t)(max * max), sizeof *p.product);
  assert_true(p.h && p.layer && p.product);
  if (h) memcpy(p.h, h, (size_t)units * sizeof *h);
  for (int64_t i = 0; i < units; i++) p.product[i * units + i] = 1;
  return p;
}

static void plain_end(plain *p) {
  free(p->h);
  free(p->layer);
  free(p->product);
}

static double *numbers_of(gs_network *network, gs_role role, int64_t index) {
  const gs_tensor tensor = gs_network_tensor(network, role, index);
  return tensor.data ? gs_support_download(device, &tensor) : NULL;
}

static void check_mlp_replica(gs_network *network, const gs_jacobian *j, int64_t r) {
  const gs_config *config = gs_network_config(network);
  double *x = numbers_of(network, GS_ROLE_INPUT, 0);
  int64_t max = 0;
  for (int64_t l = 0; l <= config->depth; l++)
    if (config->widths[l] > max) max = config->widths[l];
  plain p = plain_start(x + r * config->batch * config->widths[0], config->widths[0], max);
  for (int64_t l = 1; l <= config->depth; l++) {
    const int64_t rows = config->widths[l], cols = config->widths[l - 1];
    double *W = numbers_of(network, GS_ROLE_WEIGHT, l);
    double *b = numbers_of(network, GS_ROLE_BIAS, l);
    plain_layer(&p, l == config->depth ? config->output_activation : config->activation,
                W + r * rows * cols, rows, b ? b + r * rows : NULL);
    assert_int_equal(j->index[l - 1], l);
    assert_layer(j, l - 1, r, spectrum_of(p.layer, rows, cols));
    free(W);
    free(b);
  }
  assert_product(j, r, spectrum_of(p.product, p.units, p.columns), 1e-11);
  plain_end(&p);
  free(x);
}

static void check_rnn_replica(gs_network *network, const gs_jacobian *j, int64_t r) {
  const gs_config *config = gs_network_config(network);
  const int64_t n = config->hidden, inputs = config->input;
  double *x = numbers_of(network, GS_ROLE_INPUT, 0);
  double *U = numbers_of(network, GS_ROLE_INPUT_WEIGHT, 0);
  double *b = numbers_of(network, GS_ROLE_BIAS, 0);
  double *add = calloc((size_t)n, sizeof *add);
  assert_non_null(add);
  plain p = plain_start(NULL, n, n);
  for (int64_t t = 1; t <= config->seq_len; t++) {
    double *W = numbers_of(network, GS_ROLE_WEIGHT, config->tied ? 1 : t);
    const double *step = x + ((r * config->seq_len + t - 1) * config->batch) * inputs;
    gs_reference_gemm(false, false, n, 1, inputs, U + r * n * inputs, step, add);
    for (int64_t i = 0; b && i < n; i++) add[i] += b[r * n + i];
    plain_layer(&p, config->activation, W + r * n * n, n, add);
    assert_layer(j, t - 1, r, spectrum_of(p.layer, n, n));
    free(W);
  }
  assert_product(j, r, spectrum_of(p.product, n, n), 1e-11);
  plain_end(&p);
  free(x);
  free(U);
  free(b);
  free(add);
}

static void check_plain(gs_config config) {
  config.dtype = GS_F64;
  config.batch = 3;
  config.replicas = 3;
  gs_network *network = gs_support_network(device, &config, false);
  gs_jacobian j = gs_support_jacobian(network, 0);
  assert_int_equal(j.points, config.model == GS_MLP ? config.depth : config.seq_len);
  for (int64_t r = 0; r < config.replicas; r++) {
    if (config.model == GS_MLP)
      check_mlp_replica(network, &j, r);
    else
      check_rnn_replica(network, &j, r);
  }
  gs_jacobian_clear(&j);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

static void test_plain_mlp(void **state) {
  (void)state;
  const int64_t shapes[][4] = {{5, 7, 4, 6}, {9, 2, 8, 3}, {1, 1, 1, 1}, {4, 13, 11, 12}};
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      gs_config config = gs_support_mlp(3, 1, (gs_activation_kind)kind, GS_INIT_SCALED);
      gs_support_set_widths(&config, 3, shapes[s]);
      config.init.sigma_w2 = 1.5;
      config.bias_std = s % 2 == 0 ? 0.3 : 0;
      if (s == 3) config.output_activation = gs_support_activation(GS_SIGMOID);
      check_plain(config);
    }
  }
  /* tiny weights under biases, and large ones: exponents come and go */
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    for (int large = 0; large < 2; large++) {
      gs_config config = gs_support_mlp(5, 6, (gs_activation_kind)kind, GS_INIT_NORMAL);
      config.init.std = large ? 30 : 1e-20;
      config.bias_std = 1;
      config.seed = 7;
      check_plain(config);
    }
  }
}

static void test_plain_rnn(void **state) {
  (void)state;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    gs_config config = gs_support_rnn(6, 5, (gs_activation_kind)kind, GS_INIT_SCALED);
    config.input = kind % 2 == 0 ? 3 : 8;
    config.tied = kind % 3 > 0;
    config.bias_std = kind % 2 == 0 ? 0 : 0.2;
    check_plain(config);
  }
  gs_config diagonal = gs_support_rnn(12, 7, GS_RELU, GS_INIT_IDENTITY);
  diagonal.bias_std = 0.5;
  check_plain(diagonal);
}

/* ---- against differences of the network's own forward pass ---- */

/* dh/dx of the first example by central differences of two forward passes; x is the
 * mlp's input or that of the rnn's first step. */
static double *differences_of(gs_network *network, int64_t r, int64_t rows, int64_t cols) {
  const gs_config *config = gs_network_config(network);
  const gs_tensor input = gs_network_tensor(network, GS_ROLE_INPUT, 0);
  double *x = gs_support_download(device, &input);
  double *matrix = malloc((size_t)(rows * cols) * sizeof *matrix);
  double *ends[2];
  gs_error error = {0};
  const double step = 1e-5;
  assert_non_null(matrix);
  for (int64_t c = 0; c < cols; c++) {
    double *element = x + r * input.rows * input.cols + c;
    const double middle = *element;
    for (int side = 0; side < 2; side++) {
      *element = middle + (side ? step : -step);
      gs_support_upload(device, &input, x);
      assert_int_equal(device->ops->sync(device), GS_OK);
      gs_support_step(network, false);
      gs_support_ok(gs_network_forward(network, &error), &error);
      assert_int_equal(device->ops->sync(device), GS_OK);
      ends[side] = numbers_of(network, GS_ROLE_OUTPUT, 0);
    }
    *element = middle;
    for (int64_t i = 0; i < rows; i++) {
      const int64_t at = r * config->batch * rows + i;
      matrix[i * cols + c] = (ends[1][at] - ends[0][at]) / (2 * step);
    }
    free(ends[0]);
    free(ends[1]);
  }
  gs_support_upload(device, &input, x);
  free(x);
  return matrix;
}

static void test_differences(void **state) {
  (void)state;
  const int64_t widths[] = {5, 8, 7, 6};
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++) {
    gs_config config = gs_support_mlp(3, 1, (gs_activation_kind)kind, GS_INIT_LECUN_NORMAL);
    gs_support_set_widths(&config, 3, widths);
    config.dtype = GS_F64;
    config.range = GS_RANGE_NATIVE;
    config.batch = 2;
    config.replicas = 2;
    config.bias_std = 0.4;
    gs_network *network = gs_support_network(device, &config, false);
    gs_jacobian j = gs_support_jacobian(network, 0);
    for (int64_t r = 0; r < 2; r++) {
      double *matrix = differences_of(network, r, 6, 5);
      assert_product(&j, r, spectrum_of(matrix, 6, 5), 1e-7);
      free(matrix);
    }
    gs_jacobian_clear(&j);
    gs_network_destroy(network);
    gs_config_clear(&config);
  }
}

/* With U = W, the first input moves z_1 as h_0 would. */
static void test_differences_rnn(void **state) {
  (void)state;
  gs_config config = gs_support_rnn(7, 6, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.dtype = GS_F64;
  config.range = GS_RANGE_NATIVE;
  config.batch = 2;
  config.replicas = 2;
  gs_network *network = gs_support_network(device, &config, false);
  double *W = numbers_of(network, GS_ROLE_WEIGHT, 1);
  const gs_tensor U = gs_network_tensor(network, GS_ROLE_INPUT_WEIGHT, 0);
  gs_support_upload(device, &U, W);
  gs_jacobian j = gs_support_jacobian(network, 0);
  for (int64_t r = 0; r < 2; r++) {
    double *matrix = differences_of(network, r, 6, 6);
    assert_product(&j, r, spectrum_of(matrix, 6, 6), 1e-7);
    free(matrix);
  }
  gs_jacobian_clear(&j);
  gs_network_destroy(network);
  gs_config_clear(&config);
  free(W);
}

/* ---- rank ---- */

/* A bottleneck, dead layers and weights of zero take rank away. */
static void test_rank(void **state) {
  (void)state;
  const int64_t widths[] = {6, 3, 8, 7};
  gs_config config = gs_support_mlp(3, 1, GS_TANH, GS_INIT_XAVIER_NORMAL);
  gs_support_set_widths(&config, 3, widths);
  gs_jacobian j = gs_support_jacobian_of(device, config);
  assert_int_equal(j.exponents, 6);
  assert_true(isfinite(j.log10_largest[0]) && j.log10_smallest[0] == -INFINITY);
  for (int i = 0; i < 6; i++) assert_true(isfinite(j.lyapunov[i]) == (i < 3));
  for (int l = 0; l < 3; l++) assert_true(j.smallest[l] > 0);
  gs_jacobian_clear(&j);
  config = gs_support_mlp(4, 5, GS_TANH, GS_INIT_NORMAL);
  config.init.std = 0;
  j = gs_support_jacobian_of(device, config);
  assert_true(j.log10_rms[0] == -INFINITY && j.log10_largest[0] == -INFINITY);
  assert_true(j.largest[3] == 0 && j.smallest[3] == 0 && j.mean[3] == 0 && j.rms[3] == 0);
  assert_true(j.lyapunov[0] == -INFINITY);
  gs_jacobian_clear(&j);
  j = gs_support_jacobian_of(
      device, gs_support_mlp(60, 4, GS_RELU, GS_INIT_HE_NORMAL)); /* dies on the way */
  assert_true(j.log10_largest[0] == -INFINITY && j.log10_smallest[0] == -INFINITY);
  gs_jacobian_clear(&j);
}

/* Equal rows: J has rank one, and what rounding leaves of the others is no rank. Saturated
 * ones differ by tens of powers of ten. */
static void test_constant_weights(void **state) {
  (void)state;
  const gs_activation_kind kinds[] = {GS_IDENTITY, GS_TANH, GS_SIGMOID};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    for (int64_t depth = 1; depth <= 6; depth += 5) {
      gs_jacobian j =
          gs_support_jacobian_of(device, gs_support_mlp(depth, 33, kinds[k], GS_INIT_CONSTANT));
      assert_true(isfinite(j.log10_largest[0]) && j.log10_smallest[0] == -INFINITY);
      for (int i = 0; i < 33; i++) assert_true(isfinite(j.lyapunov[i]) == (i < 1));
      if (kinds[k] == GS_IDENTITY) { /* 33 for each layer */
        assert_true(gs_support_near(j.log10_largest[0], (double)depth * log10(33), 1e-12));
        /* of the first layer the QR method sees one column, sqrt(33) */
        const double layers = (double)depth;
        assert_true(gs_support_near(j.lyapunov[0], (layers - 0.5) / layers * log(33), 1e-12));
      }
      gs_jacobian_clear(&j);
    }
  }
}

/* ---- the same whichever way ---- */

static bool same(const double *a, const double *b, int64_t count) {
  return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

static void test_threads(void **state) {
  (void)state;
  gs_config config = gs_support_rnn(20, 70, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.batch = 2;
  config.replicas = 5;
  gs_jacobian two = gs_support_jacobian_of(device, config);
  gs_device *usual = device;
  device = gs_support_device(1);
  gs_jacobian one =
      gs_support_jacobian_of(device, gs_support_rnn(20, 70, GS_TANH, GS_INIT_XAVIER_NORMAL));
  gs_jacobian_clear(&one);
  config = gs_support_rnn(20, 70, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.batch = 2;
  config.replicas = 5;
  one = gs_support_jacobian_of(device, config);
  device->ops->destroy(device);
  device = usual;
  assert_true(same(one.mean, two.mean, 5 * 20) && same(one.smallest, two.smallest, 5 * 20));
  assert_true(same(one.lyapunov, two.lyapunov, 5 * 70));
  assert_true(same(one.log10_smallest, two.log10_smallest, 5));
  gs_jacobian_clear(&one);
  gs_jacobian_clear(&two);
}

static void test_dtypes(void **state) {
  (void)state;
  gs_jacobian j[2];
  for (int i = 0; i < 2; i++) {
    gs_config config = gs_support_mlp(30, 19, GS_TANH, GS_INIT_XAVIER_NORMAL);
    config.dtype = i == 0 ? GS_F64 : GS_F32;
    config.replicas = 2;
    j[i] = gs_support_jacobian_of(device, config);
  }
  for (int r = 0; r < 2; r++) {
    assert_true(gs_support_near(j[1].log10_rms[r], j[0].log10_rms[r], 1e-5));
    assert_true(gs_support_near(j[1].log10_largest[r], j[0].log10_largest[r], 1e-5));
    assert_true(gs_support_near(j[1].log10_smallest[r], j[0].log10_smallest[r], 1e-3));
    assert_true(gs_support_near(j[1].lyapunov[r], j[0].lyapunov[r], 1e-5));
    assert_true(gs_support_near(j[1].mean[58 + r], j[0].mean[58 + r], 1e-5));
  }
  gs_jacobian_clear(&j[0]);
  gs_jacobian_clear(&j[1]);
}

static void test_kept_points(void **state) {
  (void)state;
  gs_config config = gs_support_mlp(41, 6, GS_TANH, GS_INIT_XAVIER_NORMAL);
  config.replicas = 2;
  gs_network *network = gs_support_network(device, &config, false);
  gs_jacobian all = gs_support_jacobian(network, 0);
  gs_jacobian few = gs_support_jacobian(network, 5);
  assert_int_equal(all.points, 41);
  assert_int_equal(few.points, 5);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(few.index[i], 1 + 10 * i);
    assert_true(same(few.rms + 2 * (ptrdiff_t)i, all.rms + 20 * (ptrdiff_t)i, 2));
  }
  assert_true(same(few.log10_rms, all.log10_rms, 2));
  assert_true(same(few.lyapunov, all.lyapunov, 12));
  gs_jacobian_clear(&all);
  gs_jacobian_clear(&few);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain_mlp),
                                     cmocka_unit_test(test_plain_rnn),
                                     cmocka_unit_test(test_differences),
                                     cmocka_unit_test(test_differences_rnn),
                                     cmocka_unit_test(test_rank),
                                     cmocka_unit_test(test_threads),
                                     cmocka_unit_test(test_constant_weights),
                                     cmocka_unit_test(test_dtypes),
                                     cmocka_unit_test(test_kept_points)};
  return cmocka_run_group_tests(tests, open_device, gs_support_close_device);
}
