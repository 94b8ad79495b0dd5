/* The backward pass against finite differences of the forward pass and loss, in
 * f64: every activation, both losses, both models, odd sizes, with extended and
 * native range.
 *
 * Every parameter tensor is moved along a random direction and along single
 * entries, in all replicas at once (each has a loss of its own). The five-point
 * formula's error falls with the fourth power of the step, so a step of 1e-3
 * serves smooth activations. Beside a kink the step is small, the signs of all
 * pre-activations are watched (gs_reference_sides), and a network in which a step changes
 * one makes place for the next seed's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_network.h"
#include "support_reference.h"

static const double TOLERANCE = 1e-6;
/* What the losses' rounding leaves in their differences depends on the order in which a
 * backend adds; the CPU's leaves less. */
static double tolerance(void) { return gs_support_cuda() ? 2 * TOLERANCE : TOLERANCE; }
enum { PROBES = 5, MAX_SEEDS = 100, MAX_REPLICAS = 2, CROSSED = -1 };

/* ---- derivatives ---- */

/* Returns gs_reference_sides of the moved network. */
static uint64_t losses_at(gs_network *network, const gs_tensor *parameter, const double *values,
                          const double *direction, double step, double *losses) {
  const size_t size = (size_t)(parameter->replicas * parameter->rows * parameter->cols);
  double *moved = malloc(size * sizeof *moved);
  assert_non_null(moved);
  for (size_t i = 0; i < size; i++) moved[i] = values[i] + step * direction[i];
  gs_support_upload(gs_group_device, parameter, moved);
  gs_support_step(network, false);
  gs_scaled *loss = gs_support_loss(network);
  for (int64_t r = 0; r < parameter->replicas; r++)
    losses[r] = ldexp(loss[r].value, (int)loss[r].exponent);
  free(loss);
  free(moved);
  return gs_reference_sides(network);
}

/* d loss / d step of each replica at step 0, from four losses; restores the
 * parameter. Returns false when a step crosses a kink. */
static bool derivative_along(gs_network *network, const gs_tensor *parameter, const double *values,
                             const double *direction, double step, double *derivative) {
  const uint64_t sides = gs_reference_sides(network);
  double losses[5][MAX_REPLICAS]; /* at -2, -1, 0, 1, 2 steps; 0 is not asked for */
  bool smooth = true;
  for (int i = 0; i < 5; i++) {
    if (i == 2) continue;
    smooth = sides == losses_at(network, parameter, values, direction, (i - 2) * step, losses[i]) &&
             smooth;
  }
  for (int64_t r = 0; r < parameter->replicas; r++)
    derivative[r] =
        (8 * (losses[3][r] - losses[1][r]) - (losses[4][r] - losses[0][r])) / (12 * step);
  gs_support_upload(gs_group_device, parameter, values);
  return smooth;
}

/* Probe 0: a random direction of length 1 in each replica; the others: one
 * entry, from the first to the last. */
static void choose_direction(int probe, int64_t replicas, int64_t size, double *direction) {
  uint64_t state = 17;
  memset(direction, 0, (size_t)(replicas * size) * sizeof *direction);
  for (int64_t r = 0; r < replicas; r++, direction += size) {
    if (probe > 0) {
      direction[(probe - 1) * (size - 1) / (PROBES - 2)] = 1;
      continue;
    }
    double square = 0;
    for (int64_t i = 0; i < size; i++) {
      direction[i] = gs_reference_random(&state);
      square += direction[i] * direction[i];
    }
    for (int64_t i = 0; i < size; i++) direction[i] /= sqrt(square);
  }
}

static double largest_of(const double *values, int64_t size) {
  double largest = 0;
  for (int64_t i = 0; i < size; i++) largest = fmax(largest, fabs(values[i]));
  return largest;
}

/* The worst difference, over probes and replicas, between the derivatives that
 * `gradient` ([R][rows][cols]) predicts and the measured ones, relative to the
 * larger of the two; CROSSED when a step crosses a kink. */
static double gradient_error(gs_network *network, const gs_tensor *parameter,
                             const double *gradient) {
  const int64_t size = parameter->rows * parameter->cols;
  double *values = gs_support_download(gs_group_device, parameter);
  double *direction = calloc((size_t)(parameter->replicas * size), sizeof *direction);
  assert_non_null(direction);
  const double step =
      (gs_reference_sides(network) ? 1e-4 : 1e-3) * largest_of(values, parameter->replicas * size);
  double worst = 0;
  for (int probe = 0; probe < PROBES && worst >= 0; probe++) {
    double measured[MAX_REPLICAS];
    choose_direction(probe, parameter->replicas, size, direction);
    const bool smooth = derivative_along(network, parameter, values, direction, step, measured);
    for (int64_t r = 0; r < parameter->replicas; r++) {
      double predicted = 0;
      for (int64_t i = r * size; i < (r + 1) * size; i++) predicted += gradient[i] * direction[i];
      worst = fmax(worst, gs_reference_difference(measured[r], predicted));
    }
    if (!smooth) worst = CROSSED;
  }
  free(direction);
  free(values);
  return worst;
}

/* ---- networks ---- */

/* Does the loss depend on the first layer at all, in every replica? */
static bool alive(gs_network *network) {
  const gs_config *config = gs_network_config(network);
  const bool mlp = config->model == GS_MLP;
  gs_support_step(network, false);
  const gs_tensor gradient =
      gs_network_tensor(network, mlp ? GS_ROLE_GRAD_WEIGHT : GS_ROLE_GRAD_INPUT, mlp ? 1 : 0);
  const int64_t size = gradient.rows * gradient.cols;
  double *values = gs_support_download(gs_group_device, &gradient);
  bool all = true;
  for (int64_t r = 0; r < gradient.replicas; r++)
    all = all && largest_of(values + r * size, size) > 0;
  free(values);
  return all;
}

static void report(const gs_config *config, gs_support_parameter parameter, double error) {
  print_error("%s %s/%s, loss %s %s, tied %d, %s: parameter %d of role %d is off by %.3g\n",
              gs_name(&gs_model_names, config->model),
              gs_name(&gs_activation_names, config->activation.kind),
              gs_name(&gs_activation_names, config->output_activation.kind),
              gs_name(&gs_loss_names, config->loss), gs_name(&gs_loss_at_names, config->loss_at),
              config->tied, gs_name(&gs_range_names, config->range), (int)parameter.index,
              (int)parameter.role, error);
}

/* How many of the network's gradients are wrong, or CROSSED. */
static int check_parameters(gs_network *network) {
  gs_support_parameter parameters[GS_SUPPORT_MAX_PARAMETERS];
  const int count = gs_support_parameters(gs_network_config(network), parameters);
  int failures = 0;
  for (int i = 0; i < count && failures >= 0; i++) {
    const gs_tensor parameter = gs_network_tensor(network, parameters[i].role, parameters[i].index);
    const gs_tensor from = gs_network_tensor(network, parameters[i].gradient, parameters[i].index);
    gs_support_step(network, false);
    double *gradient = gs_support_download(gs_group_device, &from);
    const double error = gradient_error(network, &parameter, gradient);
    free(gradient);
    if (error <= tolerance() && !(error < 0)) continue;
    failures = error < 0 ? CROSSED : failures + 1;
    if (failures > 0) report(gs_network_config(network), parameters[i], error);
  }
  return failures;
}

/* The network of the first seed that is alive and stays on its side of all
 * kinks. */
static int check_network(gs_config *config) {
  int failures = CROSSED;
  for (config->seed = 1; failures == CROSSED; config->seed++) {
    if (config->seed > MAX_SEEDS) fail_msg("every network crosses a kink");
    gs_network *network = gs_support_network(gs_group_device, config, true);
    if (alive(network)) failures = check_parameters(network);
    gs_network_destroy(network);
  }
  return failures;
}

/* Both losses, both ranges. The slope of leaky_relu is one that leaves single
 * entries of a gradient above the rounding of the losses. */
static int check_both(gs_config *config) {
  int failures = 0;
  config->activation.slope = config->output_activation.slope = 0.2;
  config->dtype = GS_F64;
  config->replicas = 2;
  config->stats = GS_STATS_OFF;
  for (int range = GS_RANGE_EXTENDED; range <= GS_RANGE_NATIVE; range++)
    for (int loss = GS_LOSS_LINEAR; loss <= GS_LOSS_MSE; loss++) {
      config->range = (gs_range)range;
      config->loss = (gs_loss)loss;
      failures += check_network(config);
    }
  return failures;
}

static void test_mlp(void **state) {
  static const struct {
    int64_t depth, batch, widths[4];
  } shapes[] = {{3, 3, {33, 37, 5, 7}}, {2, 2, {37, 33, 1}}, {2, 67, {1, 5, 37}}};
  (void)state;
  int failures = 0;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      if (!gs_support_takes(4)) continue;
      gs_config config = gs_support_mlp(1, 1, (gs_activation_kind)kind, GS_INIT_LECUN_NORMAL);
      /* another activation at the output than inside, each in its turn */
      config.output_activation =
          gs_support_activation((gs_activation_kind)((kind + 3) % GS_ACTIVATION_COUNT));
      gs_support_set_widths(&config, shapes[s].depth, shapes[s].widths);
      config.batch = shapes[s].batch;
      config.bias_std = 0.5;
      failures += check_both(&config);
      gs_config_clear(&config);
    }
  assert_int_equal(failures, 0);
}

static void test_rnn(void **state) {
  static const struct {
    int64_t hidden, input, seq_len, batch;
  } shapes[] = {{33, 37, 3, 2}, {5, 1, 5, 3}, {1, 33, 4, 17}};
  (void)state;
  int failures = 0;
  for (int kind = 0; kind < GS_ACTIVATION_COUNT; kind++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
      for (int variant = 0; variant < 4; variant++) {
        if (!gs_support_takes(13)) continue;
        gs_config config = gs_support_rnn(shapes[s].seq_len, shapes[s].hidden,
                                          (gs_activation_kind)kind, GS_INIT_LECUN_NORMAL);
        config.input = shapes[s].input;
        config.batch = shapes[s].batch;
        config.bias_std = 0.5;
        config.tied = variant % 2 == 0;
        config.loss_at = variant < 2 ? GS_LOSS_LAST : GS_LOSS_EVERY;
        failures += check_both(&config);
        gs_config_clear(&config);
      }
  assert_int_equal(failures, 0);
}

/* Norms and residual connections, in every place that they can have. */
static void test_blocks(void **state) {
  static const struct {
    gs_norm norm;
    gs_norm_at at;
    gs_residual residual;
    gs_residual_activation where;
    int64_t block; /* 0: no residual connections */
  } forms[] = {
      {GS_NORM_LAYER, GS_NORM_AT_Z, GS_RESIDUAL_NONE, GS_RESIDUAL_INNER, 0},
      {GS_NORM_LAYER, GS_NORM_AT_H, GS_RESIDUAL_NONE, GS_RESIDUAL_INNER, 0},
      {GS_NORM_RMS, GS_NORM_AT_Z, GS_RESIDUAL_NONE, GS_RESIDUAL_INNER, 0},
      {GS_NORM_RMS, GS_NORM_AT_H, GS_RESIDUAL_NONE, GS_RESIDUAL_INNER, 0},
      {GS_NORM_BATCH, GS_NORM_AT_Z, GS_RESIDUAL_NONE, GS_RESIDUAL_INNER, 0},
      {GS_NORM_BATCH, GS_NORM_AT_H, GS_RESIDUAL_NONE, GS_RESIDUAL_INNER, 0},
      {GS_NORM_NONE, GS_NORM_AT_Z, GS_RESIDUAL_PLAIN, GS_RESIDUAL_INNER, 1},
      {GS_NORM_NONE, GS_NORM_AT_Z, GS_RESIDUAL_PLAIN, GS_RESIDUAL_INNER, 2},
      {GS_NORM_NONE, GS_NORM_AT_Z, GS_RESIDUAL_SCALED, GS_RESIDUAL_PRE, 2},
      {GS_NORM_NONE, GS_NORM_AT_Z, GS_RESIDUAL_SCALED, GS_RESIDUAL_POST, 2},
      {GS_NORM_LAYER, GS_NORM_AT_Z, GS_RESIDUAL_PLAIN, GS_RESIDUAL_POST, 2},
      {GS_NORM_BATCH, GS_NORM_AT_Z, GS_RESIDUAL_PLAIN, GS_RESIDUAL_PRE, 1},
      {GS_NORM_RMS, GS_NORM_AT_H, GS_RESIDUAL_PLAIN, GS_RESIDUAL_INNER, 2},
      {GS_NORM_LAYER, GS_NORM_AT_H, GS_RESIDUAL_SCALED, GS_RESIDUAL_PRE, 2},
      {GS_NORM_LAYER, GS_NORM_AT_BRANCH, GS_RESIDUAL_PLAIN, GS_RESIDUAL_INNER, 2},
      {GS_NORM_RMS, GS_NORM_AT_BRANCH, GS_RESIDUAL_PLAIN, GS_RESIDUAL_PRE, 4},
      {GS_NORM_LAYER, GS_NORM_AT_STREAM, GS_RESIDUAL_SCALED, GS_RESIDUAL_INNER, 2},
      {GS_NORM_BATCH, GS_NORM_AT_STREAM, GS_RESIDUAL_PLAIN, GS_RESIDUAL_POST, 2},
  };
  static const int64_t widths[3][5] = {{5, 9, 33, 7, 3}, {7, 7, 7, 7, 7}, {5, 33, 5, 9, 5}};
  static const gs_activation_kind smooth[] = {GS_TANH, GS_SIGMOID, GS_GELU, GS_SOFTPLUS, GS_SILU};
  (void)state;
  int failures = 0;
  for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
    if (!gs_support_takes(18)) continue;
    gs_config config = gs_support_mlp(1, 1, smooth[f % 5], GS_INIT_LECUN_NORMAL);
    gs_support_set_widths(&config, 4, widths[forms[f].block > 2 ? 2 : forms[f].block]);
    config.norm = forms[f].norm;
    config.norm_at = forms[f].at;
    config.residual = forms[f].residual;
    config.residual_scale = 0.3;
    config.residual_activation = forms[f].where;
    config.block = forms[f].block > 0 ? forms[f].block : GS_USUAL_BLOCK;
    config.branch_init = config.init;
    config.batch = 7;
    /* a bias before a batch's mean is taken off has no gradient */
    config.bias_std = forms[f].norm == GS_NORM_BATCH ? 0 : 0.5;
    failures += check_both(&config);
    gs_config_clear(&config);
  }
  assert_int_equal(failures, 0);
}

/* Far outside the window within which nothing is scaled: the gradients' true
 * values are still the derivatives. */
static void test_scaled(void **state) {
  (void)state;
  int failures = 0;
  for (int leaky = 0; leaky <= 1; leaky++)
    for (int sign = -1; sign <= 1; sign += 2) {
      gs_config config = gs_support_mlp(7, 33, leaky ? GS_LEAKY_RELU : GS_IDENTITY, GS_INIT_NORMAL);
      config.init.std = pow(10, 30 * sign);
      config.batch = 3;
      config.dtype = GS_F64;
      config.replicas = 2;
      gs_network *network = gs_support_network(gs_group_device, &config, true);
      gs_support_step(network, true);
      gs_quantity_stats stats = gs_support_stats(network, GS_GRAD_WEIGHT);
      assert_true(stats.stats[0].exponent != 0);
      gs_quantity_stats_clear(&stats);
      gs_network_destroy(network);
      failures += check_network(&config);
      gs_config_clear(&config);
    }
  assert_int_equal(failures, 0);
}

/* ---- the check itself ---- */

/* What must not pass: the transposed dW of a square W (what W in place of W^T
 * leaves behind is of the same norm), a sign, a factor, a NaN, one wrong entry. */
static void test_finds_wrong_gradients(void **state) {
  (void)state;
  const int64_t n = 33;
  gs_config config = gs_support_rnn(4, n, GS_TANH, GS_INIT_LECUN_NORMAL);
  config.dtype = GS_F64;
  config.batch = 3;
  gs_network *network = gs_support_network(gs_group_device, &config, true);
  gs_support_step(network, false);
  const gs_tensor parameter = gs_network_tensor(network, GS_ROLE_WEIGHT, 1);
  const gs_tensor from = gs_network_tensor(network, GS_ROLE_GRAD_WEIGHT, 1);
  double *right = gs_support_download(gs_group_device, &from);
  double *wrong = malloc((size_t)(n * n) * sizeof *wrong);
  assert_non_null(wrong);
  assert_true(gradient_error(network, &parameter, right) <= TOLERANCE);
  for (int64_t i = 0; i < n * n; i++) wrong[i] = right[i % n * n + i / n];
  assert_true(gradient_error(network, &parameter, wrong) > 0.01);
  for (int64_t i = 0; i < n * n; i++) wrong[i] = right[i] * (1 + 2e-6);
  assert_true(gradient_error(network, &parameter, wrong) > TOLERANCE);
  for (int64_t i = 0; i < n * n; i++) wrong[i] = -right[i];
  assert_true(gradient_error(network, &parameter, wrong) > 1);
  memcpy(wrong, right, (size_t)(n * n) * sizeof *wrong);
  wrong[n * n / 2 + 1] += 1e-3 * largest_of(right, n * n);
  assert_true(gradient_error(network, &parameter, wrong) > TOLERANCE);
  wrong[5] = NAN;
  assert_false(gradient_error(network, &parameter, wrong) <= 1e9);
  free(wrong);
  free(right);
  gs_network_destroy(network);
  gs_config_clear(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finds_wrong_gradients),
      cmocka_unit_test(test_mlp),
      cmocka_unit_test(test_rnn),
      cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_scaled),
  };
  return cmocka_run_group_tests(tests, gs_support_open_device_alone, gs_support_close_device);
}
