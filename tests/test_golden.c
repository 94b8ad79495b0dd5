/* Networks of every kind against what PyTorch's autograd computed in float64
 * (tests/data/golden.txt): in f64 and f32, with extended and native range.
 *
 * Errors are relative to the largest magnitude of the tensor in its replica: in
 * the "values_" cases, one number per tensor and replica, to the number itself,
 * which holds derivatives to their accuracy where a unit saturates. */
#include "device/device.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct named_role {
  const char *name;
  gs_role role;
} named_role;

static const named_role given[] = {{"weight", GS_ROLE_WEIGHT},
                                   {"input_weight", GS_ROLE_INPUT_WEIGHT},
                                   {"bias", GS_ROLE_BIAS},
                                   {"input", GS_ROLE_INPUT},
                                   {"target", GS_ROLE_TARGET}};
static const named_role expected[] = {{"output", GS_ROLE_OUTPUT},
                                      {"grad_weight", GS_ROLE_GRAD_WEIGHT},
                                      {"grad_input", GS_ROLE_GRAD_INPUT},
                                      {"grad_bias", GS_ROLE_GRAD_BIAS}};
enum { GIVEN = sizeof given / sizeof *given, EXPECTED = sizeof expected / sizeof *expected };

typedef struct fixture {
  gs_golden *cases;
  int count;
  gs_device *device;
} fixture;

static const named_role *find_role(const named_role *roles, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(roles[i].name, name)) return &roles[i];
  return NULL;
}

/* The network's tensor for a golden one; they must agree in shape. */
static gs_tensor network_tensor(const gs_network *network, gs_role role,
                                const gs_golden_tensor *golden) {
  const bool tied_weight = golden->index == 0 && (role == GS_ROLE_WEIGHT || //
                                                  role == GS_ROLE_GRAD_WEIGHT);
  gs_tensor tensor = gs_network_tensor(network, role, tied_weight ? 1 : golden->index);
  if (!tensor.data || tensor.rows != golden->rows || tensor.cols != golden->cols ||
      tensor.replicas != golden->replicas)
    fail_msg("%s %d: the network's is %dx%dx%d, not %dx%dx%d", golden->role, (int)golden->index,
             (int)tensor.replicas, (int)tensor.rows, (int)tensor.cols, (int)golden->replicas,
             (int)golden->rows, (int)golden->cols);
  return tensor;
}

/* An error against the magnitude it is relative to: NaN counts as infinite, and
 * what should be all zero must be. */
static double ratio(double error, double magnitude) {
  if (isnan(error)) return INFINITY;
  if (magnitude > 0) return error / magnitude;
  return error > 0 ? INFINITY : 0;
}

/* Largest error over the replicas, each relative to its own largest magnitude. */
static double relative_error(const double *values, const gs_golden_tensor *golden) {
  const int64_t size = golden->rows * golden->cols;
  double worst = 0;
  for (int64_t r = 0; r < golden->replicas; r++) {
    double largest = 0;
    for (int64_t i = r * size; i < (r + 1) * size; i++)
      largest = fmax(largest, fabs(golden->values[i]));
    for (int64_t i = r * size; i < (r + 1) * size; i++)
      worst = fmax(worst, ratio(fabs(values[i] - golden->values[i]), largest));
  }
  return worst;
}

static double loss_error(gs_network *network, const gs_golden *golden) {
  const gs_golden_tensor *loss = gs_golden_find(golden, "loss", 0);
  const gs_golden_tensor *magnitude = gs_golden_find(golden, "loss_magnitude", 0);
  gs_scaled *values = calloc((size_t)loss->replicas, sizeof *values);
  gs_error error = {0};
  double worst = 0;
  assert_non_null(values);
  gs_support_ok(gs_network_loss(network, values, &error), &error);
  for (int64_t r = 0; r < loss->replicas; r++) {
    const double value = ldexp(values[r].value, (int)values[r].exponent);
    worst = fmax(worst, ratio(fabs(value - loss->values[r]), magnitude->values[r]));
  }
  free(values);
  return worst;
}

static gs_network *create_with_tensors(gs_device *device, const gs_golden *golden,
                                       const gs_config *config) {
  const gs_network_options options = {.keep_gradients = true};
  gs_network *network = NULL;
  gs_error error = {0};
  gs_support_ok(gs_network_create(device, config, &options, &network, &error), &error);
  for (int k = 0; k < golden->count; k++) {
    const gs_golden_tensor *tensor = &golden->tensors[k];
    const named_role *role = find_role(given, GIVEN, tensor->role);
    if (!role) continue;
    const gs_tensor to = network_tensor(network, role->role, tensor);
    gs_support_upload(device, &to, tensor->values);
  }
  return network;
}

/* Runs one case and counts the tensors whose error exceeds the tolerance. */
static int run_case(gs_device *device, const gs_golden *golden, gs_dtype dtype, gs_range range,
                    double tolerance) {
  gs_config config = golden->config; /* borrows the widths */
  gs_error error = {0};
  int failures = 0;
  config.dtype = dtype;
  config.range = range;
  gs_network *network = create_with_tensors(device, golden, &config);
  gs_support_ok(gs_network_step(network, false, &error), &error);
  for (int k = 0; k < golden->count; k++) {
    const gs_golden_tensor *tensor = &golden->tensors[k];
    const named_role *role = find_role(expected, EXPECTED, tensor->role);
    if (!role) continue;
    const gs_tensor from = network_tensor(network, role->role, tensor);
    double *values = gs_support_download(device, &from);
    const double relative = relative_error(values, tensor);
    free(values);
    if (!(relative <= tolerance)) {
      failures++;
      print_error("%s, %s %s: %s %d is off by %.3g\n", golden->name,
                  gs_name(&gs_dtype_names, dtype), gs_name(&gs_range_names, range), tensor->role,
                  (int)tensor->index, relative);
    }
  }
  const double loss = loss_error(network, golden);
  if (!(loss <= tolerance)) {
    failures++;
    print_error("%s, %s %s: the loss is off by %.3g\n", golden->name,
                gs_name(&gs_dtype_names, dtype), gs_name(&gs_range_names, range), loss);
  }
  gs_network_destroy(network);
  return failures;
}

static void run_all(void **state, gs_dtype dtype, gs_range range, double tolerance) {
  const fixture *all = *state;
  int failures = 0, run = 0;
  for (int i = 0; i < all->count; i++) {
    const gs_golden *golden = &all->cases[i];
    if (dtype == GS_F32 && range == GS_RANGE_NATIVE && !golden->native_f32) continue;
    failures += run_case(all->device, golden, dtype, range, tolerance);
    run++;
  }
  assert_true(run > 40);
  assert_int_equal(failures, 0);
}

static void test_f64_native(void **state) { run_all(state, GS_F64, GS_RANGE_NATIVE, 1e-12); }
static void test_f64_extended(void **state) { run_all(state, GS_F64, GS_RANGE_EXTENDED, 1e-12); }
static void test_f32_native(void **state) { run_all(state, GS_F32, GS_RANGE_NATIVE, 1e-5); }
static void test_f32_extended(void **state) { run_all(state, GS_F32, GS_RANGE_EXTENDED, 1e-5); }

/* A wrong number, a NaN and a missing sign must each be seen. */
static void test_comparison(void **state) {
  (void)state;
  double expected_values[4] = {1, -2, 1e-20, 0};
  const gs_golden_tensor golden = {
      .role = "output", .replicas = 2, .rows = 1, .cols = 2, .values = expected_values};
  double values[4] = {1, -2, 1e-20, 0};
  assert_true(relative_error(values, &golden) <= 0);
  values[1] = -2.5;
  assert_true(fabs(relative_error(values, &golden) - 0.25) < 1e-15);
  values[1] = NAN;
  assert_false(relative_error(values, &golden) <= 1e9);
  values[1] = -2;
  values[2] = -1e-20;
  assert_true(fabs(relative_error(values, &golden) - 2) < 1e-15);
  values[2] = 1e-20;
  values[3] = INFINITY;
  assert_false(relative_error(values, &golden) <= 1e9);
}

static int setup(void **state) {
  static fixture all;
  gs_golden_read(gs_support_path("tests/data/golden.txt"), &all.cases, &all.count);
  all.device = gs_support_device(0);
  *state = &all;
  return 0;
}

static int teardown(void **state) {
  fixture *all = *state;
  gs_golden_free(all->cases, all->count);
  all->device->ops->destroy(all->device);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_comparison),   cmocka_unit_test(test_f64_native),
      cmocka_unit_test(test_f64_extended), cmocka_unit_test(test_f32_native),
      cmocka_unit_test(test_f32_extended),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
