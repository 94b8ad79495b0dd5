/* He et al. 2015, section 2.2: Var[delta^l] = (n Var[w]/2) Var[delta^{l+1}] for
 * rectifiers (equations 9, 13), (1 + a^2)/2 in place of 1/2 for leaky ones (15). Exact in
 * the mean of squares over networks, at every width; a typical network lies below
 * (Hanin & Nica 2020), which is checked against the exact law. */
#include <math.h>
#include <stdio.h>

#include "claims/trial.h"

/* A mean of squares is made by few networks, and so is its error: for these to be steady
 * it takes many. */
enum { SEEDS = 4, NETWORKS = 256 /* of each */ };

static const double LOG10_2 = 0.30102999566398119521;

typedef struct rms_case {
  const char *sentence, *source;
  int64_t depth;
  gs_init_kind init;
  gs_quantity quantity;
  double expected; /* decades */
  const char *from;
} rms_case;

static gs_status check_rms(gs_claim_run *run, const rms_case *wanted, gs_error *error) {
  const bool backward = wanted->quantity == GS_DELTA;
  gs_config config;
  gs_trial trial;
  gs_check check = {.sentence = wanted->sentence,
                    .source = wanted->source,
                    .quantity = backward ? "log10 of the rms of |delta^1| over that of |delta^L|"
                                         : "log10 of the rms of |h^L| over that of |h^1|",
                    .expected = gs_expect_near(wanted->expected, 0, 0.15)};
  GS_TRY(gs_trial_mlp(run, wanted->depth, 128, GS_RELU, gs_init_default(wanted->init), &config,
                      error));
  config.replicas = NETWORKS;
  GS_TRY(gs_trial_run_seeds(run, &config, SEEDS, &trial, error));
  check.measured = gs_trial_rms_gap(&trial, wanted->quantity, backward ? 1 : GS_TRIAL_LAST,
                                    backward ? GS_TRIAL_LAST : 1);
  snprintf(check.from, sizeof check.from, "%s", wanted->from);
  return gs_trial_conclude(run, &trial, &check, error);
}

static gs_status root_mean_squares(gs_claim_run *run, gs_error *error) {
  static const char *const equation = "equations 9 and 13, and the figure of 30 layers";
  const rms_case cases[] = {
      {"With Xavier weights a rectifier network of 30 layers attenuates the gradient.", equation,
       30, GS_INIT_XAVIER_NORMAL, GS_DELTA, -14.5 * LOG10_2, "2^(-29/2)"},
      {"With variance 2/n it keeps it.", equation, 30, GS_INIT_HE_NORMAL, GS_DELTA, 0, "1"},
      {"A network of 22 layers attenuates it less.", "the figure of 22 layers", 22,
       GS_INIT_XAVIER_NORMAL, GS_DELTA, -10.5 * LOG10_2, "2^(-21/2)"},
      {"Activations shrink alike going forward.", equation, 30, GS_INIT_XAVIER_NORMAL,
       GS_ACTIVATION_H, -14.5 * LOG10_2, "2^(-29/2)"},
      {"With variance 2/n they keep their size.", equation, 30, GS_INIT_HE_NORMAL, GS_ACTIVATION_H,
       0, "1"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    GS_TRY(check_rms(run, &cases[i], error));
  }
  return GS_OK;
}

static gs_status one_network(gs_claim_run *run, gs_error *error) {
  const gs_decades_case typical = {
      .sentence = "One network shows this.",
      .source = "equation 13",
      .depth = 30,
      .width = 128,
      .activation = GS_RELU,
      .init = gs_init_default(GS_INIT_HE_NORMAL),
      .replicas = 256,
      .resolution = 0.1,
      .finding = GS_HOLDS_ONLY_WHEN,
      .remark = "depth is small beside width: the mean of squares is kept, a typical network "
                "loses 5 (L - 1)/(4 n ln 10) decades"};
  return gs_trial_check_decades(run, &typical, error);
}

static gs_status leaky(gs_claim_run *run, gs_error *error) {
  const double slope = 0.25;
  gs_init init = gs_init_default(GS_INIT_HE_NORMAL);
  gs_config config;
  gs_trial trial;
  gs_check check = {.sentence = "With slope a below zero the variance to take is 2/((1 + a^2) n).",
                    .source = "equation 15, with the paper's a = 0.25",
                    .quantity = "log10 of the rms of |delta^1| over that of |delta^L|",
                    .from = "1",
                    .expected = gs_expect_near(0, 0, 0.15)};
  init.slope = slope;
  GS_TRY(gs_trial_mlp(run, 30, 128, GS_LEAKY_RELU, init, &config, error));
  config.activation.slope = config.output_activation.slope = slope;
  config.replicas = NETWORKS;
  GS_TRY(gs_trial_run_seeds(run, &config, SEEDS, &trial, error));
  check.measured = gs_trial_rms_gap(&trial, GS_DELTA, 1, GS_TRIAL_LAST);
  return gs_trial_conclude(run, &trial, &check, error);
}

/* ---- VGG's model B with a standard deviation of 0.01 ---- */

enum { CONVOLUTIONS = 10 };

/* Filters of conv1..conv10 behind an input of as many channels as conv1. A 3 x 3 filter
 * counts as nine inputs, so 0.01 is 0.03 for the dense layers here. The paper compares
 * single elements: |delta| over the root of the width. */
static gs_status vgg(gs_claim_run *run, gs_error *error) {
  static const int64_t filters[CONVOLUTIONS + 1] = {64,  64,  64,  128, 128, 256,
                                                    256, 512, 512, 512, 512};
  const double sd = 0.03;
  gs_init init = gs_init_default(GS_INIT_NORMAL);
  gs_config config;
  gs_trial trial;
  gs_check check = {.sentence =
                        "Weights of standard deviation 0.01 diminish the gradient from conv10 to "
                        "conv2 of VGG's model B by 1.7 x 10^4.",
                    .source = "section 2.2, discussion of a standard deviation of 0.01",
                    .quantity = "log10 of the rms of an element of delta^1 over that of delta^10",
                    .from = "the paper: -log10(1.7 x 10^4), two digits"};
  init.std = sd;
  GS_TRY(gs_trial_mlp(run, CONVOLUTIONS, 64, GS_RELU, init, &config, error));
  gs_status status = gs_trial_widths(&config, filters, CONVOLUTIONS, error);
  if (status != GS_OK) {
    gs_config_clear(&config);
    return status;
  }
  config.replicas = 64;
  GS_TRY(gs_trial_run(run, &config, &trial, error));
  const double elements = 0.5 * log10((double)filters[CONVOLUTIONS] / (double)filters[1]);
  check.measured =
      gs_estimate_linear(gs_trial_rms_gap(&trial, GS_DELTA, 1, GS_TRIAL_LAST), 1, elements);
  check.expected = gs_expect_near(-log10(1.7e4), 0.02, 0.15); /* 1.7: 1.65 to 1.75 */
  snprintf(check.remark, sizeof check.remark,
           "dense layers of the same k^2 d Var[w]: k^2 = 9 is in the standard deviation, "
           "3 x 0.01");
  return gs_trial_conclude(run, &trial, &check, error);
}

gs_status gs_claim_he2015(gs_claim_run *run, gs_error *error) {
  GS_TRY(root_mean_squares(run, error));
  GS_TRY(one_network(run, error));
  GS_TRY(leaky(run, error));
  return vgg(run, error);
}
