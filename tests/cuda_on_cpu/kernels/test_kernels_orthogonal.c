/* The kernels of orthogonal matrices against base/orthogonal.h, bit for bit: the float32
 * results, and the float64 numbers that they come from. */
#include "support_kernels.h"

#include <stdlib.h>

#include "base/orthogonal.h"
#include "cuda_on_cpu_control.h"

enum { ID = (int)0x80000003 };
static const uint64_t SEED = 0xfedcba9876543210;

/* ---- orthogonal matrices ---- */

/* Copies the scratch to `after` unless that is NULL. */
static cudaError_t make_orthogonal(const gs_kernel_tensor *device, const gs_fill *fill,
                                   size_t bytes, double *after) {
  gs_scratch scratch = {.bytes = bytes};
  gs_kernel_run(cudaMalloc(&scratch.data, bytes));
  const cudaError_t status =
      gs_launch_orthogonal(gs_kernel_queue(), &device->tensor, fill, scratch);
  gs_kernel_run(cudaDeviceSynchronize());
  if (after) gs_kernel_run(cudaMemcpy(after, scratch.data, bytes, cudaMemcpyDeviceToHost));
  gs_kernel_run(cudaFree(scratch.data));
  return status;
}

/* What float32 would hide: reflectors, their factors, R's signs and the last tile of Q of
 * one replica in float64, where kernels/orthogonal.cu and base/orthogonal.c leave them.
 * Returns the doubles of a replica's scratch. */
static int64_t check_factors(const double *device, const double *host, int64_t m, int64_t n) {
  enum { TILE = 32, ROWS = 16 };
  const int64_t rows = (m + ROWS - 1) / ROWS * ROWS, tiles = (n + TILE - 1) / TILE;
  const double *beta = device + 2 * tiles * rows * TILE, *sign = beta + tiles * TILE;
  const double *host_beta = host + n * m, *host_sign = host_beta + n, *host_q = host_sign + n;
  for (int64_t k = 0; k < n; k++) {
    const double *v = device + k / TILE * rows * TILE + k % TILE;
    for (int64_t i = k; i < m; i++) assert_true(v[i * TILE] == host[k * m + i]);
    assert_true(beta[k] == host_beta[k]);
    assert_true(sign[k] == host_sign[k]);
  }
  const double *q = device + (2 * tiles - 1) * rows * TILE;
  for (int64_t i = 0; i < m; i++) {
    for (int64_t c = 0; c < n - (tiles - 1) * TILE; c++) {
      assert_true(q[i * TILE + c] == host_q[i * TILE + c]);
    }
  }
  return 2 * tiles * (rows * TILE + TILE);
}

static void check_orthogonal(gs_kernel_layout layout, gs_dtype dtype, double gain, int at_once) {
  const gs_fill fill = {GS_FILL_ORTHOGONAL, gain, SEED, (uint32_t)ID};
  const int64_t longest = layout.rows > layout.cols ? layout.rows : layout.cols;
  const int64_t total = layout.rows * layout.cols;
  gs_kernel_tensor device = gs_kernel_create(layout, dtype);
  const size_t bytes = gs_orthogonal_bytes(total, longest, at_once);
  double *scratch = malloc(bytes);
  float *values = malloc((size_t)total * sizeof *values);
  double *workspace =
      malloc(gs_random_orthogonal_workspace(layout.rows, layout.cols) * sizeof *workspace);
  assert_non_null(scratch);
  assert_non_null(values);
  assert_non_null(workspace);
  gs_kernel_run(make_orthogonal(&device, &fill, bytes, scratch));
  const bool all =
      gs_kernel_matrices(&device.tensor) <= at_once; /* their factors are still there */
  int64_t at = 0;
  for (int64_t r = 0; r < gs_kernel_matrices(&device.tensor); r++) {
    gs_random_orthogonal(values, layout.rows, layout.cols, gain, fill.seed, fill.tensor_id,
                         (uint32_t)r, workspace);
    gs_kernel_expect(&device, r, values);
    if (all) at += check_factors(scratch + at, workspace, longest, total / longest);
  }
  gs_kernel_check(&device);
  free(workspace);
  free(values);
  free(scratch);
  gs_kernel_destroy(&device);
}

static void test_orthogonal(void **state) {
  (void)state;
  static const gs_kernel_layout cases[] = {
      {1, 1, 0, 0, 5, false, 0},    {1, 5, 0, 0, 2, false, 0},   {5, 1, 3, 0, 2, false, 0},
      {33, 37, 0, 0, 3, false, 0},  {37, 33, 0, 2, 3, false, 1}, {32, 32, 0, 0, 2, true, 0},
      {100, 70, 0, 0, 1, false, 0}, {66, 97, 2, 1, 2, false, 0}, {16, 31, 0, 0, 3, false, 0},
      {65, 17, 0, 0, 2, false, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    check_orthogonal(cases[i], GS_F32, 1.1, 1); /* not a float32 */
    check_orthogonal(cases[i], GS_F32, -0.25, 3);
  }
  for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) {
    check_orthogonal(cases[8], (gs_dtype)dtype, 1, 3);
  }
}

/* One replica's bytes, then as many as there are up to a bound; too few are refused. */
static void test_orthogonal_bytes(void **state) {
  (void)state;
  const size_t one = gs_orthogonal_bytes(64 * 64, 64, 1);
  assert_true(one >= 2 * 64 * 64 * sizeof(double));
  assert_true(gs_orthogonal_bytes(64 * 64, 64, 7) == 7 * one);
  assert_true(gs_orthogonal_bytes(64 * 64, 64, 1 << 20) == (size_t)256 << 20);
  const size_t large = gs_orthogonal_bytes(INT64_C(1) << 32, 1 << 16, 1);
  assert_true(large > (size_t)1 << 36);
  assert_true(gs_orthogonal_bytes(INT64_C(1) << 32, 1 << 16, 9) == large);
  const gs_fill fill = {GS_FILL_ORTHOGONAL, 1, 1, 1};
  gs_kernel_tensor device = gs_kernel_create((gs_kernel_layout){64, 64, 0, 0, 1, false, 0}, GS_F32);
  assert_int_equal(make_orthogonal(&device, &fill, 2 * 64 * 64 * sizeof(double), NULL),
                   cudaErrorInvalidValue);
  gs_kernel_destroy(&device);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orthogonal),
      cmocka_unit_test(test_orthogonal_bytes),
  };
  int failed = 0;
  for (int order = 0; order < 3; order++) { /* of threads */
    gs_sim_set_order(order);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
  }
  return failed != 0;
}
