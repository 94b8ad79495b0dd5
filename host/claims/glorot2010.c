/* Glorot & Bengio 2010, section 4.2: tanh networks of five hidden layers of 1000 units,
 * with the "standard" U(-1/sqrt(n), 1/sqrt(n)) of variance 1/(3n) and the "normalised"
 * one of variance 2/(n_in + n_out). Their gradients are of a classifier's loss over
 * images; here the loss's gradient at the last layer is N(0,1), and so are the inputs. */
#include <math.h>
#include <stdio.h>

#include "claims/setup.h"
#include "claims/trial.h"

enum { LAYERS = 6, UNITS = 1000, NETWORKS = 8 };

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
  gs_setup_words(&trial->config, NULL, NULL, check.setup, sizeof check.setup);
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

gs_status gs_claim_glorot2010(gs_claim_run *run, gs_error *error) {
  GS_TRY(standard(run, error));
  return normalised(run, error);
}
