/* Glorot & Bengio 2010, section 4.2: tanh networks of five hidden layers of 1000 units,
 * with the "standard" U(-1/sqrt(n), 1/sqrt(n)) of variance 1/(3n) and the "normalised"
 * one of variance 2/(n_in + n_out). Their gradients are of a classifier's loss over
 * images; here the loss's gradient at the last layer is N(0,1), and so are the inputs.
 *
 * The mean singular value of a layer's Jacobian is that of its weights where tanh is
 * linear: with n^2 independent entries of variance s/n, sqrt(s) 8/(3 pi) (the mean of the
 * quarter circle law): 0.849 for s = 1, 0.490 for s = 1/3. It hardly depends on the width:
 * 192 units do. */
#include <math.h>
#include <stdio.h>

#include "claims/setup.h"
#include "claims/trial.h"
#include "measure/jacobian.h"
#include "theory/moments.h"

enum { LAYERS = 6, UNITS = 1000, NETWORKS = 8, JACOBIANS = 32 };

static const double LINEAR = 8 / (3 * M_PI); /* mean singular value, s = 1 */

static gs_status check_gap(gs_claim_run *run, const gs_trial *trial, const char *sentence,
                           const char *source, gs_quantity quantity, gs_finding finding,
                           const char *remark, gs_error *error) {
  gs_check check = {.sentence = sentence,
                    .source = source,
                    .quantity = quantity == GS_DELTA
                                    ? "decades from the last layer's |delta| to the first's"
                                    : "decades from the last layer's |dW| to the first's",
                    .from = "theory, a typical network",
                    .finding = finding};
  check.measured = gs_trial_gap(trial, quantity, 1, GS_TRIAL_LAST);
  check.expected = gs_expect_near(gs_trial_typical(trial, quantity, 1, GS_TRIAL_LAST), 0.01, 0.15);
  gs_setup_command(&trial->config, NULL, NULL, check.setup, sizeof check.setup);
  snprintf(check.remark, sizeof check.remark, "%s", remark);
  return gs_claim_add(run, &check, error);
}

static gs_status run_trial(gs_claim_run *run, gs_init_kind init, gs_trial *trial, gs_error *error) {
  gs_config config;
  GS_TRY(gs_trial_mlp(run, LAYERS, UNITS, GS_TANH, gs_init_default(init), &config, error));
  config.batch = 10; /* the paper's */
  config.replicas = NETWORKS;
  return gs_trial_run(run, &config, trial, error);
}

static gs_status standard(gs_claim_run *run, gs_error *error) {
  gs_trial trial;
  GS_TRY(run_trial(run, GS_INIT_TORCH_DEFAULT, &trial, error));
  gs_status status =
      check_gap(run, &trial, "With standard weights the back-propagated gradient shrinks.",
                "section 4.2.2 and figure 7", GS_DELTA, GS_HOLDS, "", error);
  if (status == GS_OK) {
    status = check_gap(run, &trial, "Yet the gradients of the weights are level over the layers.",
                       "section 4.2.2 and figure 8", GS_GRAD_WEIGHT, GS_HOLDS,
                       "activations shrink going forward as gradients do going back", error);
  }
  gs_trial_clear(&trial);
  return status;
}

static gs_status normalised(gs_claim_run *run, gs_error *error) {
  gs_trial trial;
  GS_TRY(run_trial(run, GS_INIT_XAVIER_UNIFORM, &trial, error));
  gs_status status = check_gap(
      run, &trial, "Normalised weights keep the back-propagated gradient level.",
      "section 4.2.2 and figure 7", GS_DELTA, GS_HOLDS_ONLY_WHEN,
      "beside standard weights: tanh's slope below 1 still costs delta a power of the depth",
      error);
  if (status == GS_OK) {
    status =
        check_gap(run, &trial, "And the gradients of the weights.", "section 4.2.2 and figure 8",
                  GS_GRAD_WEIGHT, GS_HOLDS_ONLY_WHEN, "there are few layers", error);
  }
  gs_trial_clear(&trial);
  return status;
}

/* ---- singular values ---- */

typedef struct layers {
  int64_t depth, first, last; /* the mean is over layers first..last */
} layers;

/* Each network's mean singular value. means: [config->replicas]. */
static gs_status mean_singular(gs_claim_run *run, const gs_config *config, layers over,
                               double *means, gs_error *error) {
  gs_network *network = NULL;
  gs_jacobian jacobian;
  GS_TRY(gs_network_create(run->device, config, NULL, &network, error));
  const gs_status status = gs_jacobian_of(network, over.depth, &jacobian, error);
  gs_network_destroy(network);
  if (status != GS_OK) return status;
  for (int64_t r = 0; r < jacobian.replicas; r++) {
    means[r] = 0;
    for (int64_t l = over.first; l <= over.last; l++) {
      means[r] += jacobian.mean[(l - 1) * jacobian.replicas + r];
    }
    means[r] /= (double)(over.last - over.first + 1);
  }
  gs_jacobian_clear(&jacobian);
  return GS_OK;
}

static gs_status check_singular(gs_claim_run *run, gs_init_kind init, layers over, gs_check *check,
                                gs_error *error) {
  enum { WIDTH = 192 };
  double means[JACOBIANS];
  gs_config config;
  GS_TRY(gs_trial_mlp(run, over.depth, WIDTH, GS_TANH, gs_init_default(init), &config, error));
  config.replicas = JACOBIANS;
  config.jacobian = true;
  gs_setup_command(&config, NULL, NULL, check->setup, sizeof check->setup);
  const gs_status status = mean_singular(run, &config, over, means, error);
  gs_config_clear(&config);
  if (status != GS_OK) return status;
  check->measured = gs_estimate_mean(means, JACOBIANS);
  return gs_claim_add(run, check, error);
}

static gs_status singular_values(gs_claim_run *run, gs_error *error) {
  const gs_moments m = gs_moments_at((gs_activation){.kind = GS_TANH}, 0);
  const char *const section = "section 4.2.2";
  const char *const quantity = "mean singular value of a layer's Jacobian, mean over networks";
  gs_check standard = {.sentence = "With standard weights the mean singular value drops to 0.5.",
                       .source = section,
                       .quantity = quantity,
                       .from = "the paper: 0.5; where tanh is linear: 0.490",
                       .expected = gs_expect_inside(0.45, 0.55),
                       .remark = "layers 3 to 6 of 6"};
  gs_check normalised_deep = {
      .sentence = "With normalised weights it is around 0.8.",
      .source = section,
      .quantity = quantity,
      .from = "the paper: around 0.8; where tanh is linear: 0.849",
      .expected = gs_expect_inside(0.75, 0.85),
      .finding = GS_HOLDS_ONLY_WHEN,
      .remark =
          "z is small: from layer 5 on for inputs of variance 1 (Var z is about 1/(2 l)); layers 5 "
          "to 30 of 30"};
  gs_check normalised_first = {.sentence =
                                   "With normalised weights it is around 0.8: the first layer.",
                               .source = section,
                               .quantity = quantity,
                               .from = "above 0; below 8/(3 pi) times the rms of tanh' for N(0,1)",
                               .expected = gs_expect_inside(0, LINEAR * exp(0.5 * m.log_m1)),
                               .finding = GS_HOLDS_NOT,
                               .remark = "inputs of variance 1 are far into tanh's bend"};
  GS_TRY(check_singular(run, GS_INIT_TORCH_DEFAULT, (layers){6, 3, 6}, &standard, error));
  GS_TRY(check_singular(run, GS_INIT_XAVIER_UNIFORM, (layers){30, 5, 30}, &normalised_deep, error));
  return check_singular(run, GS_INIT_XAVIER_UNIFORM, (layers){6, 1, 1}, &normalised_first, error);
}

gs_status gs_claim_glorot2010(gs_claim_run *run, gs_error *error) {
  GS_TRY(standard(run, error));
  GS_TRY(normalised(run, error));
  return singular_values(run, error);
}
