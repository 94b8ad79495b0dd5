/* Dynamical isometry: Saxe, McClelland & Ganguli 2014, whose deep linear networks keep
 * all singular values of dh^L/dh^0 near 1 with orthogonal weights and lose them with
 * Gaussian ones; Pennington, Schoenholz & Ganguli 2017, who ask which nonlinear
 * networks can. With Gaussian W of variance 1/n a linear network's Lyapunov exponents
 * are, at every depth, lambda_i = (ln 2 + psi((n - i + 1)/2) - ln n)/2 (Newman 1986),
 * so that largest and smallest singular value part by L (lambda_1 - lambda_n). */
#include <math.h>
#include <stdio.h>

#include "claims/setup.h"
#include "claims/trial.h"
#include "measure/jacobian.h"
#include "theory/ratio.h"

enum { UNITS = 64, LAYERS = 100, NETWORKS = 32 };

/* Jacobians of NETWORKS networks; writes the check's set-up. The caller clears them. */
static gs_status jacobians(gs_claim_run *run, gs_activation_kind activation, gs_init init,
                           gs_jacobian *jacobian, gs_check *check, gs_error *error) {
  gs_config config;
  gs_network *network = NULL;
  GS_TRY(gs_trial_mlp(run, LAYERS, UNITS, activation, init, &config, error));
  config.replicas = NETWORKS;
  config.jacobian = true;
  gs_setup_command(&config, NULL, NULL, check->setup, sizeof check->setup);
  gs_status status = gs_network_create(run->device, &config, NULL, &network, error);
  gs_config_clear(&config);
  if (status != GS_OK) return status;
  status = gs_jacobian_of(network, 1, jacobian, error);
  gs_network_destroy(network);
  return status;
}

/* The largest |log10| of any singular value of any network. */
static double furthest(const gs_jacobian *jacobian) {
  double max = 0;
  for (int r = 0; r < NETWORKS; r++) {
    const double ends = fmax(fabs(jacobian->log10_largest[r]), fabs(jacobian->log10_smallest[r]));
    if (!(ends <= max)) max = ends;
  }
  return max;
}

/* Decades between largest and smallest, mean over networks. */
static gs_estimate spread(const gs_jacobian *jacobian) {
  double decades[NETWORKS];
  for (int r = 0; r < NETWORKS; r++) {
    decades[r] = jacobian->log10_largest[r] - jacobian->log10_smallest[r];
  }
  return gs_estimate_mean(decades, NETWORKS);
}

static double newman(int i) {
  return 0.5 * (log(2) + gs_digamma(0.5 * (UNITS - i + 1)) - log(UNITS));
}

/* ---- linear networks ---- */

static gs_status orthogonal_linear(gs_claim_run *run, gs_error *error) {
  gs_jacobian jacobian;
  gs_check check = {.sentence = "With orthogonal weights deep linear networks keep every singular "
                                "value at 1.",
                    .source = "Saxe et al. 2014, on orthogonal initial conditions",
                    .quantity = "most |log10| of any singular value of dh^L/dh^0",
                    .from = "1e-7 a layer: weights are float32",
                    .expected = gs_expect_inside(0, 1e-5)};
  GS_TRY(
      jacobians(run, GS_IDENTITY, gs_init_default(GS_INIT_ORTHOGONAL), &jacobian, &check, error));
  check.measured = gs_estimate_exact(furthest(&jacobian));
  gs_jacobian_clear(&jacobian);
  return gs_claim_add(run, &check, error);
}

/* The mean exponent and the smallest; sorting, which moves the crowded large ones up,
 * leaves both alone. */
static gs_status gaussian_exponents(gs_claim_run *run, const gs_jacobian *jacobian,
                                    const char *setup, gs_error *error) {
  double sums[NETWORKS] = {0};
  double expected = 0;
  for (int i = 0; i < UNITS; i++) {
    expected += newman(i + 1) / UNITS;
    for (int r = 0; r < NETWORKS; r++) sums[r] += jacobian->lyapunov[i * NETWORKS + r] / UNITS;
  }
  const struct {
    const char *sentence, *quantity;
    const double *values;
    double expected;
  } cases[] = {
      {"Their Lyapunov exponents are those of Gaussian matrices: the mean, ln |det J| per unit.",
       "mean exponent in nats per layer, mean over networks", sums, expected},
      {"And the smallest.", "smallest exponent in nats per layer, mean over networks",
       jacobian->lyapunov + (UNITS - 1) * (int64_t)NETWORKS, newman(UNITS)}};
  for (int k = 0; k < 2; k++) {
    gs_check check = {.sentence = cases[k].sentence,
                      .source = "Newman 1986, The distribution of Lyapunov exponents",
                      .quantity = cases[k].quantity,
                      .from = "(ln 2 + psi((n - i + 1)/2) - ln n)/2, exact at every depth"};
    check.measured = gs_estimate_mean(cases[k].values, NETWORKS);
    check.expected = gs_expect_near(cases[k].expected, 0, 0.3);
    snprintf(check.setup, sizeof check.setup, "%s", setup);
    GS_TRY(gs_claim_add(run, &check, error));
  }
  return GS_OK;
}

static gs_status gaussian_linear(gs_claim_run *run, gs_error *error) {
  gs_jacobian jacobian;
  gs_check check = {.sentence = "With Gaussian weights of the same scale they spread without end.",
                    .source = "Saxe et al. 2014, on random Gaussian initial conditions",
                    .quantity = "decades from the smallest singular value to the largest, mean",
                    .from = "L (lambda_1 - lambda_n) of Gaussian matrices"};
  GS_TRY(jacobians(run, GS_IDENTITY, gs_trial_scaled(1), &jacobian, &check, error));
  check.measured = spread(&jacobian);
  check.expected =
      gs_expect_near(LAYERS * (newman(1) - newman(UNITS)) / M_LN10, 4, 10); /* of sqrt L */
  snprintf(check.remark, sizeof check.remark,
           "their root mean square stays near 1 all the while: a typical gradient is kept, some "
           "directions are lost");
  gs_status status = gs_claim_add(run, &check, error);
  if (status == GS_OK) status = gaussian_exponents(run, &jacobian, check.setup, error);
  gs_jacobian_clear(&jacobian);
  return status;
}

/* ---- nonlinear ones ---- */

static gs_status tanh_networks(gs_claim_run *run, gs_error *error) {
  const gs_init inits[] = {gs_init_default(GS_INIT_ORTHOGONAL), gs_trial_scaled(1)};
  gs_jacobian jacobian;
  gs_check check = {.sentence = "tanh networks with orthogonal weights can come close.",
                    .source = "Pennington et al. 2017, Resurrecting the sigmoid",
                    .quantity = "decades from the smallest singular value to the largest, mean",
                    .from = "the statement: a tenth of a Gaussian network's",
                    .finding = GS_HOLDS_ONLY_WHEN};
  GS_TRY(jacobians(run, GS_TANH, inits[1], &jacobian, &check, error));
  const double gaussian = spread(&jacobian).value;
  gs_jacobian_clear(&jacobian);
  GS_TRY(jacobians(run, GS_TANH, inits[0], &jacobian, &check, error));
  check.measured = spread(&jacobian);
  gs_jacobian_clear(&jacobian);
  check.expected = gs_expect_inside(0, 0.1 * gaussian);
  snprintf(check.remark, sizeof check.remark,
           "z is small: with inputs of variance 1 the first layers still bend; Gaussian weights "
           "spread over %.0f decades",
           gaussian);
  return gs_claim_add(run, &check, error);
}

static gs_status relu_networks(gs_claim_run *run, gs_error *error) {
  gs_init init = gs_init_default(GS_INIT_ORTHOGONAL);
  gs_jacobian jacobian;
  int64_t singular = 0;
  gs_check check = {.sentence = "Rectifier networks cannot, whatever the weights.",
                    .source = "Pennington et al. 2017, Resurrecting the sigmoid",
                    .quantity = "share of networks whose dh^L/dh^0 has a singular value of 0",
                    .from = "half of the units pass nothing on",
                    .expected = gs_expect_inside(1, 1),
                    .remark = "orthogonal weights of gain sqrt 2 (chi = 1)"};
  init.gain = M_SQRT2;
  GS_TRY(jacobians(run, GS_RELU, init, &jacobian, &check, error));
  for (int r = 0; r < NETWORKS; r++) singular += jacobian.log10_smallest[r] == -INFINITY;
  gs_jacobian_clear(&jacobian);
  check.measured = gs_estimate_exact((double)singular / NETWORKS);
  return gs_claim_add(run, &check, error);
}

gs_status gs_claim_saxe2014(gs_claim_run *run, gs_error *error) {
  GS_TRY(orthogonal_linear(run, error));
  GS_TRY(gaussian_linear(run, error));
  GS_TRY(tanh_networks(run, error));
  return relu_networks(run, error);
}
