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
  snprintf(check.remark, sizeof check.remark, "%s", remark);
  return gs_trial_conclude(run, &trial, &check, error);
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

/* Decades over widths, measured and in theory, and where lines through both cross 0;
 * *rms_turn is where theory's root mean square does. */
static gs_status turn_over_widths(gs_claim_run *run, gs_check *check, double *rms_turn,
                                  gs_error *error) {
  static const int64_t widths[WIDTHS] = {88, 104, 120, 136, 152};
  double x[WIDTHS];
  double theory[WIDTHS];
  double rms[WIDTHS];
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
    rms[i] = trial.theory.decades_rms;
    gs_trial_gaps(&trial, GS_DELTA, 1, GS_TRIAL_LAST, measured + (ptrdiff_t)i * WIDTH_REPLICAS);
    gs_setup_command(&trial.config, "width", "88,104,120,136,152", check->setup,
                     sizeof check->setup);
    gs_trial_clear(&trial);
  }
  const double root = gs_estimate_crossing(x, theory, WIDTHS, 1).value;
  const double rms_root = gs_estimate_crossing(x, rms, WIDTHS, 1).value;
  *rms_turn = rms_root * rms_root;
  const gs_estimate at = gs_estimate_crossing(x, measured, WIDTHS, WIDTH_REPLICAS);
  check->expected = gs_expect_near(root * root, 2, 6);
  check->measured = (gs_estimate){at.value * at.value, 2 * at.value * at.error, at.freedom,
                                  at.low * at.low, at.high * at.high};
  return GS_OK;
}

static gs_status turning_point(gs_claim_run *run, gs_error *error) {
  gs_check check = {.sentence = "Sigmoid networks with N(0,1) weights vanish.",
                    .source = CHAPTER_5,
                    .quantity = "width at which the mean of decades passes 0",
                    .from = "theory, typical decades at the same widths",
                    .finding = GS_HOLDS_ONLY_WHEN};
  double rms_turn;
  GS_TRY(turn_over_widths(run, &check, &rms_turn, error));
  snprintf(check.remark, sizeof check.remark,
           "layers have fewer than %.0f units (60 layers, one example; the mean of squares over "
           "networks turns at %.0f): units saturate, but chi = n E sigmoid'^2 grows as 0.094 "
           "sqrt(n). Such a net is "
           "unstable either way",
           check.measured.value, rms_turn);
  return gs_claim_add(run, &check, error);
}

static gs_status sigmoid_normal(gs_claim_run *run, gs_error *error) {
  gs_decades_case narrow = {.sentence = "Sigmoid networks with N(0,1) weights vanish: 32 units.",
                            .source = CHAPTER_5,
                            .depth = 100,
                            .width = 32,
                            .activation = GS_SIGMOID,
                            .init = gs_init_default(GS_INIT_NORMAL),
                            .replicas = 128,
                            .low = -INFINITY,
                            .high = -1,
                            .finding = GS_HOLDS};
  gs_decades_case wide = narrow;
  wide.sentence = "Sigmoid networks with N(0,1) weights vanish: 256 units.";
  wide.width = 256;
  wide.replicas = 24;
  wide.low = 1;
  wide.high = INFINITY;
  wide.finding = GS_HOLDS_NOT;
  wide.remark = "they explode";
  GS_TRY(gs_trial_check_decades(run, &narrow, error));
  GS_TRY(gs_trial_check_decades(run, &wide, error));
  return turning_point(run, error);
}

/* ---- rates ---- */

/* A hundred layers of 128 units: decades a layer as theory has them. */
static gs_decades_case rate_of(const char *sentence, const char *source,
                               gs_activation_kind activation, gs_init_kind init, double allowance) {
  return (gs_decades_case){.sentence = sentence,
                           .source = source,
                           .depth = 100,
                           .width = 128,
                           .activation = activation,
                           .init = gs_init_default(init),
                           .replicas = 64,
                           .per_layer = true,
                           .allowance = allowance,
                           .resolution = 0.01};
}

static gs_status check_all(gs_claim_run *run, const gs_decades_case *cases, size_t count,
                           gs_error *error) {
  for (size_t i = 0; i < count; i++) GS_TRY(gs_trial_check_decades(run, &cases[i], error));
  return GS_OK;
}

static gs_status rates(gs_claim_run *run, gs_error *error) {
  gs_decades_case stable =
      rate_of("ReLU networks with He weights are stable.", CS231N, GS_RELU, GS_INIT_HE_NORMAL, 0);
  stable.per_layer = false;
  stable.low = -1;
  stable.high = 1;
  stable.finding = GS_HOLDS_ONLY_WHEN;
  stable.remark = "depth is below about 1.8 widths: the mean square over networks stays 1, but one "
                  "network loses 5 L/(4 n ln 10) decades";
  gs_decades_case deep = stable;
  deep.sentence = "ReLU networks with He weights are stable: 1000 layers of 32 units.";
  deep.depth = 1000;
  deep.replicas = 128;
  deep.width = 32;
  deep.low = deep.high = 0; /* theory's */
  deep.resolution = 2;
  deep.finding = GS_HOLDS_NOT;
  deep.remark = "they vanish: depth is 31 widths";
  const gs_decades_case cases[] = {
      rate_of("Sigmoid networks vanish with Xavier weights, too.", CHAPTER_5, GS_SIGMOID,
              GS_INIT_XAVIER_NORMAL, 0.001),
      rate_of("Sigmoid networks vanish with He weights, too.", CHAPTER_5, GS_SIGMOID,
              GS_INIT_HE_NORMAL, 0.001),
      rate_of("ReLU networks with N(0,1) weights explode, by sqrt(n/2) a layer.", D2L, GS_RELU,
              GS_INIT_NORMAL, 0),
      stable, deep};
  return check_all(run, cases, sizeof cases / sizeof *cases, error);
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
  gs_setup_command(&trial.config, NULL, NULL, check->setup, sizeof check->setup);
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

/* 128 driven tanh units: decades a step as theory has them. */
static gs_decades_case driven(const char *sentence, int64_t steps, double sigma_w2) {
  gs_decades_case made = rate_of(sentence, SECTION_10_7, GS_TANH, GS_INIT_SCALED, 0.003);
  made.model = GS_RNN;
  made.depth = steps;
  made.init.sigma_w2 = sigma_w2;
  return made;
}

static gs_status recurrent(gs_claim_run *run, gs_error *error) {
  gs_decades_case linear =
      driven("Long recurrent networks vanish or explode: linear, orthogonal.", 1000, 1);
  linear.activation = GS_IDENTITY;
  linear.init = gs_init_default(GS_INIT_ORTHOGONAL);
  linear.replicas = 16;
  linear.per_layer = false;
  linear.low = -0.001;
  linear.high = 0.001;
  linear.finding = GS_HOLDS_NOT;
  linear.remark = "an orthogonal W and linear units keep the norm to rounding, however long";
  const gs_decades_case cases[] = {driven("Long recurrent networks vanish: 100 steps.", 100, 1),
                                   driven("Long recurrent networks vanish: 1000 steps.", 1000, 1),
                                   driven("Long recurrent networks explode: 100 steps.", 100, 8),
                                   driven("Long recurrent networks explode: 1000 steps.", 1000, 8),
                                   linear};
  return check_all(run, cases, sizeof cases / sizeof *cases, error);
}

gs_status gs_claim_textbook(gs_claim_run *run, gs_error *error) {
  GS_TRY(saturation(run, error));
  GS_TRY(sigmoid_normal(run, error));
  GS_TRY(rates(run, error));
  GS_TRY(unequal_layers(run, error));
  GS_TRY(only_delta(run, error));
  return recurrent(run, error);
}
