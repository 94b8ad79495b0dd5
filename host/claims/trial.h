/* Networks run for a claim: what they showed, beside what theory predicts for them. */
#ifndef GS_CLAIMS_TRIAL_H
#define GS_CLAIMS_TRIAL_H

#include "claims/claims.h"
#include "net/network.h"
#include "theory/theory.h"

/* Configurations with the run's seed, one example, statistics of norms. The caller sets
 * what else differs, and clears them or hands them to gs_trial_run. Errors:
 * GS_ERR_MEMORY. */
gs_status gs_trial_mlp(const gs_claim_run *run, int64_t depth, int64_t width,
                       gs_activation_kind activation, gs_init init, gs_config *config,
                       gs_error *error);
/* With as many inputs as units. */
gs_status gs_trial_rnn(const gs_claim_run *run, int64_t steps, int64_t units,
                       gs_activation_kind activation, gs_init init, gs_config *config,
                       gs_error *error);
/* Unequal widths n_0..n_depth. */
gs_status gs_trial_widths(gs_config *config, const int64_t *widths, int64_t depth, gs_error *error);
gs_init gs_trial_scaled(double sigma_w2);

typedef struct gs_trial {
  gs_config config; /* replicas: of all seeds together */
  int seeds;        /* consecutive ones, from config.seed on */
  gs_quantity_stats stats[GS_QUANTITY_COUNT];
  gs_theory theory;
  double *scratch; /* [3][R] */
} gs_trial;

/* One step of the networks with statistics. Takes the configuration, also when it fails;
 * *trial is then empty. Errors: of network and theory. */
gs_status gs_trial_run(const gs_claim_run *run, gs_config *config, gs_trial *trial,
                       gs_error *error);
/* The same with so many consecutive seeds, one after the other: for more networks than
 * memory should hold at once. */
gs_status gs_trial_run_seeds(const gs_claim_run *run, gs_config *config, int seeds, gs_trial *trial,
                             gs_error *error);
void gs_trial_clear(gs_trial *trial);
/* gs_setup_command of the trial, all its seeds included. */
void gs_trial_command(const gs_trial *trial, const char *axis, const char *values,
                      char text[GS_CHECK_SETUP_BYTES]);
/* Writes the check's set-up, clears the trial and adds the check. */
gs_status gs_trial_conclude(gs_claim_run *run, gs_trial *trial, gs_check *check, gs_error *error);

/* Layers or steps count from 1; GS_TRIAL_LAST is the last. */
enum { GS_TRIAL_LAST = -1 };
const gs_stats *gs_trial_stats(const gs_trial *trial, gs_quantity quantity, int64_t point,
                               int64_t replica);
/* log10 of the norm at `from` less that at `to`: each replica's, their mean, and of root
 * mean squares over replicas. */
void gs_trial_gaps(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to,
                   double *gaps);
gs_estimate gs_trial_gap(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to);
gs_estimate gs_trial_rms_gap(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to);
/* What theory says of the same: of a typical network, and in root mean square. */
double gs_trial_typical(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to);
double gs_trial_rms(const gs_trial *trial, gs_quantity quantity, int64_t from, int64_t to);

/* A check of decades (delta, first layer or step over last) by one row of a table: the
 * networks, and whether their mean is to be theory's typical value or in a range. */
typedef struct gs_decades_case {
  const char *sentence, *source;
  gs_model model;
  int64_t depth, width; /* rnn: steps, units */
  gs_activation_kind activation;
  gs_init init;
  int64_t replicas;
  bool per_layer;
  double low, high; /* a range, if low < high; else theory, with ... */
  double allowance, resolution;
  gs_finding finding;
  const char *remark;
} gs_decades_case;
gs_status gs_trial_check_decades(gs_claim_run *run, const gs_decades_case *wanted, gs_error *error);

#endif
