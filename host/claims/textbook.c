/* The statements of introductory texts about gradients, one by one.
 *
 * What should be measured is theory's (THEORY sections 1 to 5), so that a statement that
 * is true only in part is told where it ends. */
#include <math.h>
#include <stdio.h>

#include "claims/setup.h"
#include "claims/trial.h"

static const double LOG_99 = 4.59511985013459; /* sigmoid(z) = 0.99 there */

static const char *const CHAPTER_3 = "Nielsen 2015, chapter 3, weight initialization";
static const char *const CHAPTER_5 = "Nielsen 2015, chapter 5";
static const char *const SECTION_10_7 = "Goodfellow et al. 2016, section 10.7";
static const char *const CS231N = "CS231n course notes, Neural networks 2, weight initialization";
static const char *const D2L =
    "Zhang et al., Dive into deep learning, Numerical stability and initialization";

/* ---- saturation ---- */

/* Shares of units within 1 % of 0 or 1, over all layers, by replica; and as theory has
 * it: P(|z| > ln 99), z ~ N(0, q). */
static double saturated_shares(const gs_trial *trial, double *shares) {
  const int64_t layers = trial->theory.points;
  double expected = 0;
  for (int64_t r = 0; r < trial->config.replicas; r++) {
    int64_t saturated = 0;
    int64_t count = 0;
    for (int64_t l = 1; l <= layers; l++) {
      const gs_stats *stats = gs_trial_stats(trial, GS_ACTIVATION_H, l, r);
      saturated += stats->saturated;
      count += stats->count;
    }
    shares[r] = (double)saturated / (double)count;
  }
  for (int64_t i = 0; i < layers; i++) {
    const double deviation = pow(10, 0.5 * trial->theory.log10_q[i]);
    expected += 2 * gs_normal_cdf(-LOG_99 / deviation) / (double)layers;
  }
  return expected;
}

static gs_status saturation_at(gs_claim_run *run, int64_t width, gs_finding finding,
                               const char *remark, gs_error *error) {
  gs_config config;
  gs_trial trial;
  gs_check check = {.sentence = "With N(0,1) weights sigmoid units saturate.",
                    .source = CHAPTER_3,
                    .quantity = "share of units within 0.01 of 0 or 1, mean over networks",
                    .from = "theory: P(|z| > ln 99), z ~ N(0, q)",
                    .finding = finding};
  GS_TRY(gs_trial_mlp(run, 10, width, GS_SIGMOID, gs_init_default(GS_INIT_NORMAL), &config, error));
  config.replicas = width < 64 ? 128 : 16;
  GS_TRY(gs_trial_run(run, &config, &trial, error));
  const double expected = saturated_shares(&trial, trial.scratch);
  check.expected = gs_expect_near(expected, 0.01, 0.05);
  check.measured = gs_estimate_mean(trial.scratch, trial.config.replicas);
  gs_setup_words(&trial.config, NULL, NULL, check.setup, sizeof check.setup);
  snprintf(check.remark, sizeof check.remark, "%s", remark);
  gs_trial_clear(&trial);
  return gs_claim_add(run, &check, error);
}

static gs_status saturation(gs_claim_run *run, gs_error *error) {
  GS_TRY(saturation_at(run, 16, GS_HOLDS_ONLY_WHEN,
                       "layers are wide: z's standard deviation is between sqrt(n/4) and "
                       "sqrt(n/2), and a unit is within 0.01 from |z| = ln 99 = 4.6 on",
                       error));
  GS_TRY(saturation_at(run, 128, GS_HOLDS, "", error));
  return saturation_at(run, 1024, GS_HOLDS, "", error);
}

/* ---- the width at which N(0,1) turns from vanishing to exploding ---- */

enum { WIDTHS = 5, WIDTH_REPLICAS = 128 };

/* Decades over widths, measured and in theory, and where lines through both cross 0. */
static gs_status turn_over_widths(gs_claim_run *run, gs_check *check, gs_error *error) {
  static const int64_t widths[WIDTHS] = {88, 104, 120, 136, 152};
  double x[WIDTHS];
  double theory[WIDTHS];
  double measured[WIDTHS * WIDTH_REPLICAS];
  for (int i = 0; i < WIDTHS; i++) {
    gs_config config;
    gs_trial trial;
    GS_TRY(gs_trial_mlp(run, 60, widths[i], GS_SIGMOID, gs_init_default(GS_INIT_NORMAL), &config,
                        error));
    config.replicas = WIDTH_REPLICAS;
    GS_TRY(gs_trial_run(run, &config, &trial, error));
    x[i] = sqrt((double)widths[i]); /* chi is nearly linear in it */
    theory[i] = trial.theory.decades_typical;
    gs_trial_gaps(&trial, GS_DELTA, 1, GS_TRIAL_LAST, measured + (ptrdiff_t)i * WIDTH_REPLICAS);
    gs_setup_words(&trial.config, "width", "88,104,120,136,152", check->setup, sizeof check->setup);
    gs_trial_clear(&trial);
  }
  const double root = gs_estimate_crossing(x, theory, WIDTHS, 1).value;
  const gs_estimate at = gs_estimate_crossing(x, measured, WIDTHS, WIDTH_REPLICAS);
  check->expected = gs_expect_near(root * root, 2, 6);
  check->measured = gs_estimate_normal(at.value * at.value, 2 * at.value * at.error);
  return GS_OK;
}

static gs_status turning_point(gs_claim_run *run, gs_error *error) {
  gs_check check = {.sentence = "Sigmoid networks with N(0,1) weights vanish.",
                    .source = CHAPTER_5,
                    .quantity = "width at which the mean of decades passes 0",
                    .from = "theory, typical decades at the same widths",
                    .finding = GS_HOLDS_ONLY_WHEN};
  GS_TRY(turn_over_widths(run, &check, error));
  snprintf(check.remark, sizeof check.remark,
           "layers have fewer than %.0f units (the mean of squares over networks turns at 103): "
           "units saturate, but chi = n E sigmoid'^2 grows as 0.094 sqrt(n). Such a net is "
           "unstable either way",
           check.measured.value);
  return gs_claim_add(run, &check, error);
}

static gs_status sigmoid_normal(gs_claim_run *run, gs_error *error) {
  const gs_init normal = gs_init_default(GS_INIT_NORMAL);
  const gs_decades_case cases[] = {
      {.sentence = "Sigmoid networks with N(0,1) weights vanish: 32 units.",
       .source = CHAPTER_5,
       .depth = 100,
       .width = 32,
       .activation = GS_SIGMOID,
       .init = normal,
       .replicas = 128,
       .low = -INFINITY,
       .high = -1,
       .finding = GS_HOLDS},
      {.sentence = "Sigmoid networks with N(0,1) weights vanish: 256 units.",
       .source = CHAPTER_5,
       .depth = 100,
       .width = 256,
       .activation = GS_SIGMOID,
       .init = normal,
       .replicas = 24,
       .low = 1,
       .high = INFINITY,
       .finding = GS_HOLDS_NOT,
       .remark = "they explode"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    GS_TRY(gs_trial_check_decades(run, &cases[i], error));
  }
  return turning_point(run, error);
}

/* ---- rates ---- */

static gs_status rates(gs_claim_run *run, gs_error *error) {
  const gs_init xavier = gs_init_default(GS_INIT_XAVIER_NORMAL);
  const gs_init he = gs_init_default(GS_INIT_HE_NORMAL);
  const gs_init normal = gs_init_default(GS_INIT_NORMAL);
  const gs_decades_case cases[] = {
      {.sentence = "Sigmoid networks vanish with Xavier weights, too.",
       .source = CHAPTER_5,
       .depth = 100,
       .width = 128,
       .activation = GS_SIGMOID,
       .init = xavier,
       .replicas = 64,
       .per_layer = true,
       .allowance = 0.001,
       .resolution = 0.01},
      {.sentence = "Sigmoid networks vanish with He weights, too.",
       .source = CHAPTER_5,
       .depth = 100,
       .width = 128,
       .activation = GS_SIGMOID,
       .init = he,
       .replicas = 64,
       .per_layer = true,
       .allowance = 0.001,
       .resolution = 0.01},
      {.sentence = "ReLU networks with N(0,1) weights explode, by sqrt(n/2) a layer.",
       .source = D2L,
       .depth = 100,
       .width = 128,
       .activation = GS_RELU,
       .init = normal,
       .replicas = 64,
       .per_layer = true,
       .resolution = 0.01},
      {.sentence = "ReLU networks with He weights are stable.",
       .source = CS231N,
       .depth = 100,
       .width = 128,
       .activation = GS_RELU,
       .init = he,
       .replicas = 64,
       .low = -1,
       .high = 1,
       .finding = GS_HOLDS_ONLY_WHEN,
       .remark = "depth is below about 1.8 widths: the mean square over networks stays 1, but one "
                 "network loses 5 L/(4 n ln 10) decades"},
      {.sentence = "ReLU networks with He weights are stable: 1000 layers of 32 units.",
       .source = CS231N,
       .depth = 1000,
       .width = 32,
       .activation = GS_RELU,
       .init = he,
       .replicas = 64,
       .resolution = 2,
       .finding = GS_HOLDS_NOT,
       .remark = "they vanish: depth is 31 widths"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    GS_TRY(gs_trial_check_decades(run, &cases[i], error));
  }
  return GS_OK;
}

/* ---- gradients of weights ---- */

static gs_status weight_gradients(gs_claim_run *run, gs_activation_kind activation, gs_init init,
                                  int64_t depth, gs_check *check, gs_error *error) {
  gs_config config;
  gs_trial trial;
  GS_TRY(gs_trial_mlp(run, depth, 128, activation, init, &config, error));
  config.replicas = 64;
  GS_TRY(gs_trial_run(run, &config, &trial, error));
  check->measured = gs_trial_gap(&trial, GS_GRAD_WEIGHT, 1, GS_TRIAL_LAST);
  check->expected =
      gs_expect_near(gs_trial_typical(&trial, GS_GRAD_WEIGHT, 1, GS_TRIAL_LAST), 0.02, 0.25);
  snprintf(check->from, sizeof check->from, "theory, a typical network");
  gs_setup_words(&trial.config, NULL, NULL, check->setup, sizeof check->setup);
  gs_trial_clear(&trial);
  return GS_OK;
}

static gs_status unequal_layers(gs_claim_run *run, gs_error *error) {
  gs_check check = {.sentence = "Different layers receive gradients of widely different size.",
                    .source = CHAPTER_5,
                    .quantity =
                        "decades from the last layer's |dW| to the first's, mean over networks"};
  GS_TRY(
      weight_gradients(run, GS_SIGMOID, gs_init_default(GS_INIT_XAVIER_NORMAL), 10, &check, error));
  snprintf(check.remark, sizeof check.remark,
           "the last of 10 layers gets a gradient %.2g times as large as the first's",
           pow(10, -check.measured.value));
  return gs_claim_add(run, &check, error);
}

static gs_status only_delta(gs_claim_run *run, gs_error *error) {
  const gs_init xavier = gs_init_default(GS_INIT_XAVIER_NORMAL);
  const gs_decades_case vanishing = {.sentence = "ReLU networks with Xavier weights vanish.",
                                     .source = CS231N,
                                     .depth = 100,
                                     .width = 128,
                                     .activation = GS_RELU,
                                     .init = xavier,
                                     .replicas = 64,
                                     .resolution = 0.5};
  gs_check check = {.sentence = "Weight gradients of the layers show it.",
                    .source = "the customary plot of weight gradients by layer",
                    .quantity =
                        "decades from the last layer's |dW| to the first's, mean over networks",
                    .finding = GS_HOLDS_NOT};
  GS_TRY(gs_trial_check_decades(run, &vanishing, error));
  GS_TRY(weight_gradients(run, GS_RELU, xavier, 100, &check, error));
  check.expected = gs_expect_inside(-1, 1);
  snprintf(check.from, sizeof check.from, "THEORY section 3: of order 1 for any weight scale");
  snprintf(check.remark, sizeof check.remark,
           "|dW^l| = |delta^l| |h^(l-1)|, and h vanishes forward as delta does backward: only "
           "delta shows a ReLU network vanishing");
  return gs_claim_add(run, &check, error);
}

/* ---- recurrent networks ---- */

static gs_status recurrent(gs_claim_run *run, gs_error *error) {
  gs_init orthogonal = gs_init_default(GS_INIT_ORTHOGONAL);
  const gs_init small = gs_trial_scaled(1);
  const gs_init large = gs_trial_scaled(8);
  const char *const vanish = "Long recurrent networks vanish: 1000 steps.";
  const char *const explode = "Long recurrent networks explode: 1000 steps.";
  const gs_decades_case cases[] = {
      {.sentence = "Long recurrent networks vanish: 100 steps.",
       .source = SECTION_10_7,
       .model = GS_RNN,
       .depth = 100,
       .width = 128,
       .activation = GS_TANH,
       .init = small,
       .replicas = 64,
       .per_layer = true,
       .allowance = 0.003,
       .resolution = 0.01},
      {.sentence = vanish,
       .source = SECTION_10_7,
       .model = GS_RNN,
       .depth = 1000,
       .width = 128,
       .activation = GS_TANH,
       .init = small,
       .replicas = 64,
       .per_layer = true,
       .allowance = 0.003,
       .resolution = 0.01},
      {.sentence = "Long recurrent networks explode: 100 steps.",
       .source = SECTION_10_7,
       .model = GS_RNN,
       .depth = 100,
       .width = 128,
       .activation = GS_TANH,
       .init = large,
       .replicas = 64,
       .per_layer = true,
       .allowance = 0.003,
       .resolution = 0.01},
      {.sentence = explode,
       .source = SECTION_10_7,
       .model = GS_RNN,
       .depth = 1000,
       .width = 128,
       .activation = GS_TANH,
       .init = large,
       .replicas = 64,
       .per_layer = true,
       .allowance = 0.003,
       .resolution = 0.01},
      {.sentence = "Long recurrent networks vanish or explode: linear, orthogonal.",
       .source = SECTION_10_7,
       .model = GS_RNN,
       .depth = 1000,
       .width = 128,
       .activation = GS_IDENTITY,
       .init = orthogonal,
       .replicas = 16,
       .low = -0.001,
       .high = 0.001,
       .finding = GS_HOLDS_NOT,
       .remark = "an orthogonal W and linear units keep the norm to rounding, however long"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    GS_TRY(gs_trial_check_decades(run, &cases[i], error));
  }
  return GS_OK;
}

gs_status gs_claim_textbook(gs_claim_run *run, gs_error *error) {
  GS_TRY(saturation(run, error));
  GS_TRY(sigmoid_normal(run, error));
  GS_TRY(rates(run, error));
  GS_TRY(unequal_layers(run, error));
  GS_TRY(only_delta(run, error));
  return recurrent(run, error);
}
