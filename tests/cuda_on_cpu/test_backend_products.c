/* Which of cuBLASLt's algorithms the backend takes, and what it asks for: by products on a
 * simulated GPU that lets one algorithm after the other be the fastest (GRADSWEEP_SIM_FAST)
 * and counts what ran. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_on_cpu_control.h"
#include "device/device.h"
#include "net/config.h"
#include "support.h"

/* The numbers of algorithms.h here. */
enum { FIRST = 0, SAME_BITS = 1, HALVES = 2, WITH_WORKSPACE = 4, EIGHTS = 5, NARROW = 6 };

static void set_number(const char *name, int64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)number);
  setenv(name, text, 1);
}

/* ---- products ---- */

/* m x n results, each a sum of k terms, `replicas` times. */
typedef struct product_case {
  gs_dtype dtype;
  int64_t m, n, k;
  bool trans_a, trans_b;
  int64_t replicas;
} product_case;

/* A device with a workspace, and three tensors. */
typedef struct bench {
  gs_device *device;
  void *workspace;
  gs_tensor a, b, c;
} bench;

static gs_tensor tensor_of(gs_device *device, const product_case *p, int64_t rows, int64_t cols,
                           uint32_t stream) {
  gs_tensor tensor = {.rows = rows,
                      .cols = cols,
                      .ld = cols + 1,
                      .stride = rows * (cols + 1),
                      .replicas = p->replicas,
                      .dtype = p->dtype};
  const gs_fill normal = {GS_FILL_NORMAL, 1, 1, stream};
  const size_t bytes = (size_t)(p->replicas * tensor.stride) * gs_dtype_bytes(p->dtype);
  gs_support_ok(device->ops->alloc(device, bytes, &tensor.data), &device->error);
  gs_support_ok(device->ops->fill(device, &tensor, &normal), &device->error);
  return tensor;
}

static bench open_bench(const product_case *p) {
  const gs_workspace_need need = {.rows = 64,
                                  .columns = 64,
                                  .weights = 64,
                                  .elements = 64,
                                  .replicas = p->replicas,
                                  .steps = 1,
                                  .dtype = p->dtype};
  bench b = {.device = gs_support_device(1)};
  const gs_device_ops *ops = b.device->ops;
  const size_t bytes = ops->workspace_bytes(b.device, &need);
  gs_support_ok(ops->alloc(b.device, bytes, &b.workspace), &b.device->error);
  gs_support_ok(ops->set_workspace(b.device, b.workspace, &need), &b.device->error);
  b.a = tensor_of(b.device, p, p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, 1);
  b.b = tensor_of(b.device, p, p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n, 2);
  b.c = tensor_of(b.device, p, p->m, p->n, 3);
  return b;
}

static void close_bench(bench *b) {
  const gs_device_ops *ops = b->device->ops;
  ops->set_workspace(b->device, NULL, NULL);
  ops->free(b->device, b->workspace);
  ops->free(b->device, b->a.data);
  ops->free(b->device, b->b.data);
  ops->free(b->device, b->c.data);
  ops->destroy(b->device);
}

static gs_status multiply(const bench *b, const product_case *p) {
  return b->device->ops->gemm(b->device, p->trans_a, &b->a, p->trans_b, &b->b, &b->c);
}

static gs_sim_counts counts_now(void) {
  gs_sim_counts counts;
  gs_sim_get_counts(&counts);
  return counts;
}

/* The result's values, malloc'd, and which algorithm the second product took, once the
 * first had chosen. */
static double *result_of(const product_case *p, int fastest, int *taken) {
  set_number("GRADSWEEP_SIM_FAST", fastest);
  bench b = open_bench(p);
  gs_support_ok(multiply(&b, p), &b.device->error);
  const gs_sim_counts before = counts_now();
  gs_support_ok(multiply(&b, p), &b.device->error);
  const gs_sim_counts after = counts_now();
  *taken = -1;
  for (int i = 0; i < GS_SIM_ALGORITHMS; i++) {
    if (after.matmuls_by[i] > before.matmuls_by[i]) *taken = i;
  }
  double *values = gs_support_download(b.device, &b.c);
  close_bench(&b);
  return values;
}

/* ---- orders of addition ---- */

/* Whether this algorithm adds k terms in the order of the first. */
static bool same_order(int algorithm, int64_t k) {
  if (algorithm == HALVES) return k <= 3;
  if (algorithm == EIGHTS) return k <= 9;
  return algorithm == FIRST || algorithm == SAME_BITS || algorithm == WITH_WORKSPACE;
}

static int check_orders(const product_case *p) {
  static const int others[] = {SAME_BITS, HALVES, WITH_WORKSPACE, EIGHTS};
  const size_t bytes = (size_t)(p->m * p->n * p->replicas) * sizeof(double);
  int taken = -1;
  int faults = 0;
  double *wanted = result_of(p, FIRST, &taken);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    double *values = result_of(p, others[i], &taken);
    const bool right = same_order(others[i], p->k) ? taken == others[i] : same_order(taken, p->k);
    if (!right || memcmp(values, wanted, bytes) != 0) {
      faults++;
      print_error("%s, %d x %d x %d: algorithm %d is fastest, %d is taken%s\n",
                  gs_name(&gs_dtype_names, p->dtype), (int)p->m, (int)p->n, (int)p->k, others[i],
                  taken, memcmp(values, wanted, bytes) != 0 ? ", other bits" : "");
    }
    free(values);
  }
  free(wanted);
  return faults;
}

/* The fastest is taken if and only if it adds in the order of the first. */
static void other_orders_are_refused(void **state) {
  static const int64_t sizes[][3] = {{9, 9, 1},   {33, 9, 4},   {17, 16, 9},
                                     {35, 9, 10}, {33, 16, 17}, {65, 33, 70}};
  int faults = 0;
  (void)state;
  for (int dtype = 0; dtype < GS_DTYPE_COUNT; dtype++) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      const product_case p = {(gs_dtype)dtype, sizes[s][0], sizes[s][1],       sizes[s][2],
                              s % 2 == 1,      s % 4 > 1,   1 + (int64_t)s % 3};
      faults += check_orders(&p);
    }
  }
  unsetenv("GRADSWEEP_SIM_FAST");
  assert_int_equal(faults, 0);
}

/* Also not in the trials: nothing was asked for that adds in 16 bits. */
static void sums_are_in_f32(void **state) {
  (void)state;
  for (int dtype = GS_BF16; dtype <= GS_F16; dtype++) {
    const product_case p = {(gs_dtype)dtype, 5, 7, 300, false, true, 2};
    const gs_sim_counts before = counts_now();
    int taken = -1;
    free(result_of(&p, NARROW, &taken));
    assert_int_equal(counts_now().matmuls_by[NARROW], before.matmuls_by[NARROW]);
  }
  unsetenv("GRADSWEEP_SIM_FAST");
}

/* ---- what the library has not ---- */

static void no_algorithm_is_unsupported(void **state) {
  const product_case p = {GS_F32, 3, 4, 13, false, false, 2};
  (void)state;
  bench b = open_bench(&p);
  set_number("GRADSWEEP_SIM_NO_PRODUCT", p.k);
  assert_int_equal(multiply(&b, &p), GS_ERR_UNSUPPORTED);
  assert_non_null(strstr(b.device->error.message, "no algorithm for a product of 3 x 4 x 13"));
  assert_false(b.device->lost);
  unsetenv("GRADSWEEP_SIM_NO_PRODUCT");
  gs_support_ok(multiply(&b, &p), &b.device->error);
  close_bench(&b);
}

/* ---- large batches ---- */

enum { MANY = 7 * 10001 }; /* products; cuBLASLt takes 65,535 */

static void assert_products(const bench *b, const gs_tensor *c, int64_t terms) {
  double *x = gs_support_download(b->device, &b->a);
  double *y = gs_support_download(b->device, &b->b);
  double *z = gs_support_download(b->device, c);
  for (int64_t i = 0; i < c->replicas; i++) {
    double sum = 0;
    for (int64_t k = 0; k < terms; k++) sum += x[i * terms + k] * y[i * terms + k];
    if (!(fabs(z[i] - sum) <= 1e-5)) fail_msg("product %d: %g, not %g", (int)i, z[i], sum);
  }
  free(z);
  free(y);
  free(x);
}

static void batches_are_cut(void **state) {
  const product_case p = {GS_F32, 1, 1, 2, false, true, MANY};
  (void)state;
  bench b = open_bench(&p);
  gs_support_ok(multiply(&b, &p), &b.device->error);
  assert_products(&b, &b.c, p.k);
  close_bench(&b);
}

/* Layers one behind the other in memory are one batch: here more than 65,535. */
static void windows_of_gradients_are_cut(void **state) {
  enum { LAYERS = 7 };
  const product_case p = {GS_F32, 1, 1, 2, true, false, MANY};
  gs_gradient_job jobs[LAYERS];
  (void)state;
  bench b = open_bench(&p);
  for (int64_t layer = 0; layer < LAYERS; layer++) {
    gs_gradient_job *job = memset(&jobs[layer], 0, sizeof *jobs);
    gs_tensor *const parts[] = {&job->delta, &job->x, &job->dW};
    job->delta = b.a;
    job->x = b.b;
    job->dW = b.c;
    job->steps = 1;
    for (int i = 0; i < 3; i++) {
      gs_tensor *part = parts[i];
      part->replicas = MANY / LAYERS; /* exactly */
      part->data = (char *)part->data + (size_t)(layer * part->replicas * part->stride) * 4;
    }
  }
  const gs_sim_counts before = counts_now();
  gs_support_ok(b.device->ops->weight_gradients(b.device, jobs, LAYERS), &b.device->error);
  gs_support_ok(b.device->ops->weight_gradients(b.device, jobs, LAYERS), &b.device->error);
  assert_products(&b, &b.c, p.k);
  assert_true(counts_now().matmuls - before.matmuls < 50 * LAYERS); /* batches they were */
  close_bench(&b);
}

int main(void) {
  setenv("GRADSWEEP_TEST_BACKEND", "cuda", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(other_orders_are_refused),     cmocka_unit_test(sums_are_in_f32),
      cmocka_unit_test(no_algorithm_is_unsupported),  cmocka_unit_test(batches_are_cut),
      cmocka_unit_test(windows_of_gradients_are_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
