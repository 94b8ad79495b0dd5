/* Random orthogonal matrices: orthonormal to float32's last digit, the QR of the
 * stream's own normals, Haar-distributed, and the same bits everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/orthogonal.h"
#include "base/random.h"

static float *draw(int64_t rows, int64_t cols, double gain, uint64_t seed, uint32_t replica) {
  float *out = malloc((size_t)(rows * cols) * sizeof *out);
  double *workspace = malloc(gs_random_orthogonal_workspace(rows, cols) * sizeof *workspace);
  assert_non_null(out);
  assert_non_null(workspace);
  gs_random_orthogonal(out, rows, cols, gain, seed, 4, replica, workspace);
  free(workspace);
  return out;
}

/* Element (i, j) of the matrix or, for a wide one, of its transpose. */
static double tall(const float *a, int64_t rows, int64_t cols, int64_t i, int64_t j) {
  return (double)(rows < cols ? a[j * cols + i] : a[i * cols + j]);
}

static const int64_t sizes[][2] = {{1, 1},   {1, 5},   {5, 1},   {2, 2},   {33, 37},
                                   {37, 33}, {32, 32}, {64, 64}, {31, 65}, {100, 3}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void test_orthonormal(void **state) {
  (void)state;
  static const double gains[] = {1.0, 1.5, -0.25};
  for (int k = 0; k < SIZES * 3; k++) {
    const int64_t rows = sizes[k / 3][0];
    const int64_t cols = sizes[k / 3][1];
    const int64_t m = rows < cols ? cols : rows;
    const int64_t n = rows < cols ? rows : cols;
    const double gain = gains[k % 3];
    float *q = draw(rows, cols, gain, 1, 0);
    for (int64_t a = 0; a < n; a++) {
      for (int64_t b = 0; b < n; b++) {
        double dot = 0;
        for (int64_t i = 0; i < m; i++)
          dot += tall(q, rows, cols, i, a) * tall(q, rows, cols, i, b);
        const double expected = a == b ? gain * gain : 0;
        assert_false(!(fabs(dot - expected) <= 1e-6 * gain * gain));
      }
    }
    free(q);
  }
}

/* R = Q^T A is upper triangular with a positive diagonal, A being the normals of
 * the same stream: together with Q^T Q = I that is the whole definition. */
static void test_is_qr_of_the_stream(void **state) {
  (void)state;
  for (int k = 0; k < SIZES; k++) {
    const int64_t rows = sizes[k][0];
    const int64_t cols = sizes[k][1];
    const int64_t m = rows < cols ? cols : rows;
    const int64_t n = rows < cols ? rows : cols;
    float *q = draw(rows, cols, 1.0, 1, 0);
    float *a = malloc((size_t)(rows * cols) * sizeof *a);
    assert_non_null(a);
    gs_random_normal(a, 0, (size_t)(rows * cols), 1, 4, 0);
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j <= i; j++) {
        double r = 0;
        for (int64_t l = 0; l < m; l++) r += tall(q, rows, cols, l, i) * tall(a, rows, cols, l, j);
        if (i == j) assert_true(r > 0);
        if (i != j) assert_false(!(fabs(r) <= 2e-6));
      }
    }
    free(a);
    free(q);
  }
}

static void test_golden(void **state) {
  (void)state;
  static const struct {
    int64_t rows;
    int64_t cols;
    uint64_t hash;
  } golden[] = {
      {37, 33, 0x668c854adc4ed7ff}, {33, 37, 0x91721a0520ca5876}, {100, 70, 0x713880a9fa98f7e4}};
  for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
    const int64_t rows = golden[i].rows;
    const int64_t cols = golden[i].cols;
    float *q = draw(rows, cols, 1.5, 99, 2);
    assert_true(gs_hash_floats(q, 0, (size_t)(rows * cols), 4) == golden[i].hash);
    free(q);
  }
}

/* Haar on O(n): E q = 0, E q^2 = 1/n, E q^4 = 3 / (n (n + 2)) for each element;
 * trace with mean 0 and variance 1; det +1 and -1 alike (seen for n = 1, where
 * q is a fair sign). Limits: four and a half standard errors over the draws. */
static void test_haar(void **state) {
  (void)state;
  enum { N = 7, DRAWS = 20000 };
  double mean[N * N] = {0};
  double square[N * N] = {0};
  double trace_sum = 0;
  double trace_square = 0;
  double sign_sum = 0;
  double workspace[N * N + 2 * N + 32 * N];
  assert_true(gs_random_orthogonal_workspace(N, N) <= sizeof workspace / sizeof *workspace);
  for (uint32_t draw_index = 0; draw_index < DRAWS; draw_index++) {
    float q[N * N];
    float sign;
    double trace = 0;
    gs_random_orthogonal(q, N, N, 1.0, 123, 4, draw_index, workspace);
    for (int i = 0; i < N * N; i++) {
      const double x = (double)q[i];
      mean[i] += x / DRAWS;
      square[i] += x * x / DRAWS;
      if (i % (N + 1) == 0) trace += x;
    }
    trace_sum += trace;
    trace_square += trace * trace;
    gs_random_orthogonal(&sign, 1, 1, 1.0, 123, 5, draw_index, workspace);
    assert_true(fabsf(sign) == 1.0f);
    sign_sum += (double)sign;
  }
  const double variance = 1.0 / N;
  const double variance_of_square = 3.0 / (N * (N + 2)) - variance * variance;
  for (int i = 0; i < N * N; i++) {
    assert_false(!(fabs(mean[i]) <= 4.5 * sqrt(variance / DRAWS)));
    assert_false(!(fabs(square[i] - variance) <= 4.5 * sqrt(variance_of_square / DRAWS)));
  }
  /* The trace's fourth moment is 3, as a normal's, for n >= 4. */
  assert_false(!(fabs(trace_sum) <= 4.5 * sqrt(DRAWS)));
  assert_false(!(fabs(trace_square - DRAWS) <= 4.5 * sqrt(2.0 * DRAWS)));
  assert_false(!(fabs(sign_sum) <= 4.5 * sqrt(DRAWS)));
}

/* Replicas and seeds draw different matrices. */
static void test_streams_differ(void **state) {
  (void)state;
  float *a = draw(9, 9, 1.0, 1, 0);
  float *b = draw(9, 9, 1.0, 1, 1);
  float *c = draw(9, 9, 1.0, 2, 0);
  float *again = draw(9, 9, 1.0, 1, 0);
  assert_memory_equal(a, again, 81 * sizeof *a);
  assert_memory_not_equal(a, b, 81 * sizeof *a);
  assert_memory_not_equal(a, c, 81 * sizeof *a);
  free(a);
  free(b);
  free(c);
  free(again);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orthonormal),    cmocka_unit_test(test_is_qr_of_the_stream),
      cmocka_unit_test(test_golden),         cmocka_unit_test(test_haar),
      cmocka_unit_test(test_streams_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
