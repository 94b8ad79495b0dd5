/* Lu, Shin, Su & Karniadakis 2019: rectifier networks are born dead, constant and without a
 * gradient, with probability 1 - prod (1 - 2^-n_l), for weights and biases that are
 * symmetric about 0.
 *
 * Given a signal that is not zero every row of W^l, with its bias, may be turned without
 * changing the law, so that all n_l units are below zero for it in 2^-n_l of the networks;
 * and layers above do so independently (THEORY section 2). That is exact for one example.
 * A network that is dead for a whole batch is dead for its first, so that for a batch, and
 * for all inputs at once, it is an upper bound only. */
#include <math.h>
#include <stdio.h>

#include "claims/trial.h"
#include "measure/layers.h"

enum { NETWORKS = 4096 };

static const char *const SECTION = "on the probability to be born dead";

typedef struct dead_case {
  const char *sentence;
  int64_t depth, width;
  const int64_t *widths; /* n_0..n_depth, or NULL */
  gs_init_kind init;
  gs_activation_kind activation;
  double bias_std;
  int64_t batch, replicas;
  bool bound; /* the number is an upper one */
  gs_finding finding;
  const char *remark;
} dead_case;

static gs_status run_case(gs_claim_run *run, const dead_case *wanted, gs_trial *trial,
                          gs_error *error) {
  gs_config config;
  GS_TRY(gs_trial_mlp(run, wanted->depth, wanted->width, wanted->activation,
                      gs_init_default(wanted->init), &config, error));
  config.bias_std = wanted->bias_std;
  config.batch = wanted->batch;
  config.replicas = wanted->replicas;
  if (wanted->widths) {
    const gs_status status = gs_trial_widths(&config, wanted->widths, wanted->depth, error);
    if (status != GS_OK) {
      gs_config_clear(&config);
      return status;
    }
  }
  return gs_trial_run(run, &config, trial, error);
}

static double probability(const gs_config *config) {
  double log_alive = 0;
  for (int64_t l = 1; l <= config->depth; l++) {
    log_alive += log1p(-exp2(-(double)config->widths[l]));
  }
  return -expm1(log_alive);
}

static bool is_zero(const gs_trial *trial, gs_quantity quantity, int64_t layer, int64_t replica) {
  const gs_stats *stats = gs_trial_stats(trial, quantity, layer, replica);
  return stats->zero == stats->count;
}

static int64_t count_dead(const gs_trial *trial) {
  int64_t dead = 0;
  for (int64_t r = 0; r < trial->config.replicas; r++) dead += is_zero(trial, GS_DELTA, 1, r);
  return dead;
}

static gs_status check_share(gs_claim_run *run, const dead_case *wanted, gs_error *error) {
  gs_trial trial;
  gs_check check = {.sentence = wanted->sentence,
                    .source = wanted->bound ? "a reading of it" : SECTION,
                    .quantity = "share of networks whose delta_1 is zero",
                    .finding = wanted->finding};
  GS_TRY(run_case(run, wanted, &trial, error));
  const double expected = probability(&trial.config);
  check.measured = gs_estimate_share(count_dead(&trial), trial.config.replicas);
  check.expected =
      wanted->bound ? gs_expect_inside(0, expected) : gs_expect_near(expected, 0, 0.04);
  snprintf(check.from, sizeof check.from, "%s1 - prod (1 - 2^-n) = %.5g",
           wanted->bound ? "below " : "", expected);
  if (wanted->remark) snprintf(check.remark, sizeof check.remark, "%s", wanted->remark);
  return gs_trial_conclude(run, &trial, &check, error);
}

/* Expected counts so near 0 or all that chance does not reach another. */
static gs_status check_count(gs_claim_run *run, const dead_case *wanted, bool all,
                             gs_error *error) {
  gs_trial trial;
  gs_check check = {.sentence = wanted->sentence,
                    .source = SECTION,
                    .quantity = "networks whose delta_1 is zero",
                    .finding = wanted->finding};
  const double number = all ? (double)wanted->replicas : 0;
  GS_TRY(run_case(run, wanted, &trial, error));
  check.measured = gs_estimate_exact((double)count_dead(&trial));
  check.expected = gs_expect_near(number, 0, 0);
  if (wanted->activation == GS_RELU) {
    snprintf(check.from, sizeof check.from, "%s: 1 - (1 - 2^-n)^L is %s%.2g", all ? "all" : "none",
             all ? "1 - " : "", all ? 1 - probability(&trial.config) : probability(&trial.config));
  } else {
    snprintf(check.from, sizeof check.from, "none: its slope is nowhere 0");
  }
  return gs_trial_conclude(run, &trial, &check, error);
}

/* Born dead is without any gradient: dead networks with one, and living ones without. */
static gs_status check_gradients(gs_claim_run *run, const dead_case *wanted, gs_error *error) {
  gs_trial trial;
  int64_t odd = 0;
  gs_check check = {.sentence = wanted->sentence,
                    .source = SECTION,
                    .quantity = "dead networks with a gradient in any layer, living without",
                    .from = "a dead layer leaves no signal above and no delta below it: none",
                    .expected = gs_expect_near(0, 0, 0)};
  GS_TRY(run_case(run, wanted, &trial, error));
  const int64_t dead = count_dead(&trial);
  for (int64_t r = 0; r < trial.config.replicas; r++) {
    const bool is_dead = is_zero(&trial, GS_DELTA, 1, r);
    bool strange = is_zero(&trial, GS_ACTIVATION_H, GS_TRIAL_LAST, r) != is_dead;
    for (int64_t l = 1; l <= trial.config.depth; l++) {
      strange = strange || is_zero(&trial, GS_GRAD_WEIGHT, l, r) != is_dead;
    }
    odd += strange;
  }
  check.measured = gs_estimate_exact((double)odd);
  if (dead == 0 || dead == trial.config.replicas) check.measured = gs_estimate_exact(NAN);
  snprintf(check.remark, sizeof check.remark, "%lld of %lld are dead: no training moves them",
           (long long)dead, (long long)trial.config.replicas);
  return gs_trial_conclude(run, &trial, &check, error);
}

gs_status gs_claim_lu2019(gs_claim_run *run, gs_error *error) {
  static const int64_t widths[] = {7, 3, 6, 4, 5, 8, 3, 5, 4, 6, 5, 7, 4};
  const dead_case plain = {.sentence = "Rectifier networks are born dead with probability "
                                       "1 - (1 - 2^-n)^L.",
                           .depth = 20,
                           .width = 4,
                           .init = GS_INIT_HE_NORMAL,
                           .activation = GS_RELU,
                           .batch = 1,
                           .replicas = NETWORKS};
  dead_case cases[] = {plain, plain, plain, plain, plain, plain};
  dead_case gradients = plain, deep = plain, wide = plain, leaky = plain;
  cases[1].sentence = "Layers of unequal width: 1 - prod (1 - 2^-n_l).";
  cases[1].widths = widths;
  cases[1].depth = sizeof widths / sizeof *widths - 1;
  cases[2].sentence = "The scale of the weights does not matter: N(0,1).";
  cases[2].init = GS_INIT_NORMAL;
  cases[3].sentence = "Nor their law, if it is symmetric: orthogonal ones.";
  cases[3].init = GS_INIT_ORTHOGONAL;
  cases[4].sentence = "With biases as often.";
  cases[4].bias_std = 0.5;
  cases[4].remark = "the network is a constant then: biases above the dead layer are all it says";
  cases[5].sentence = "That is how often it is dead for every input.";
  cases[5].batch = 32;
  cases[5].bound = true;
  cases[5].finding = GS_HOLDS_ONLY_WHEN;
  cases[5].remark = "there is one input: for all of 32 examples, and for every input there is, "
                    "an upper bound, as the paper proves";
  gradients.sentence = "A network born dead has no gradient in any layer.";
  deep.sentence = "Every network of a given width is born dead if it is deep enough.";
  deep.depth = 500;
  deep.replicas = 512;
  wide.sentence = "Wide ones are not.";
  wide.width = 40;
  wide.replicas = 512;
  leaky.sentence = "Nor are those of leaky rectifiers.";
  leaky.activation = GS_LEAKY_RELU;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    GS_TRY(check_share(run, &cases[i], error));
  }
  GS_TRY(check_gradients(run, &gradients, error));
  GS_TRY(check_count(run, &deep, true, error));
  GS_TRY(check_count(run, &wide, false, error));
  return check_count(run, &leaky, false, error);
}
