/* From a configuration to its prediction: one walk forward (chain.c), one back
 * (backward.c), and what is read off on the way. */
#include "theory/theory.h"

#include <math.h>
#include <stdlib.h>

#include "device/device.h"
#include "net/init.h"
#include "theory/backward.h"
#include "theory/identity.h"

/* ---- names ---- */

const char *gs_reach_name(gs_reach reach) {
  static const char *const names[] = {"exact", "wide limit", "outside reach"};
  return names[reach];
}

static const struct {
  const char *name;
  const char *words;
  bool outside;
} reasons[] = {
#define GS_REASON_ENTRY(constant, name, outside, words) {name, words, outside},
    GS_REASON_LIST(GS_REASON_ENTRY)
#undef GS_REASON_ENTRY
};

const char *gs_reason_name(gs_reason reason) { return reasons[reason].name; }
const char *gs_reason_words(gs_reason reason) { return reasons[reason].words; }
bool gs_reason_outside(gs_reason reason) { return reasons[reason].outside; }

/* ---- arrays ---- */

static double *nans(int64_t count) {
  double *values = malloc((size_t)count * sizeof *values);
  for (int64_t i = 0; values && i < count; i++) values[i] = NAN;
  return values;
}

static gs_status make_series(gs_theory_series *series, int64_t points, gs_error *error) {
  series->points = points;
  if (points == 0) return GS_OK;
  series->rms = nans(points);
  series->typical = nans(points);
  series->sd = nans(points);
  if (series->rms && series->typical && series->sd) return GS_OK;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
}

static gs_status make_arrays(const gs_config *config, gs_theory *theory, gs_error *error) {
  const bool mlp = config->model == GS_MLP;
  const int64_t points = mlp ? config->depth : config->seq_len;
  const int64_t matrices = mlp || !config->tied ? points : 1;
  const int64_t counts[GS_QUANTITY_COUNT] = {
      [GS_ACTIVATION_H] = points,
      [GS_DELTA] = points,
      [GS_GRAD_WEIGHT] = matrices,
      [GS_GRAD_BIAS] = gs_config_has_biases(config) ? (mlp ? points : 1) : 0,
      [GS_GRAD_INPUT] = mlp ? 0 : 1};
  theory->points = points;
  theory->log10_q = nans(points);
  theory->log10_chi = nans(points);
  if (!theory->log10_q || !theory->log10_chi) {
    return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
  }
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    GS_TRY(make_series(&theory->series[q], counts[q], error));
  }
  return GS_OK;
}

void gs_theory_clear(gs_theory *theory) {
  if (!theory) return;
  free(theory->log10_q);
  free(theory->log10_chi);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    free(theory->series[q].rms);
    free(theory->series[q].typical);
    free(theory->series[q].sd);
  }
  *theory = (gs_theory){0};
}

/* ---- reading off ---- */

static void put(gs_theory_series *series, int64_t i, gs_log_norm norm) {
  series->rms[i] = 0.5 * norm.log_mean / M_LN10;
  series->typical[i] = 0.5 * (norm.log_mean + norm.shift) / M_LN10;
  series->sd[i] = 0.5 * sqrt(norm.variance) / M_LN10;
}

static void put_activation(const gs_chain *chain, gs_batch_law *law, int64_t i, gs_theory *theory) {
  const gs_config *config = chain->config;
  const gs_link *link = &chain->links[i];
  const double elements = log((double)gs_chain_units(config, i)) + log((double)config->batch);
  const gs_log_norm norm = gs_batch_norm(law, elements + link->m.log_V, link->mean_h, link->h);
  theory->log10_q[i] = link->log_q / M_LN10;
  put(&theory->series[GS_ACTIVATION_H], i, norm);
}

/* The gradient of weights that all steps share: squared norms add, for deltas of
 * different steps are uncorrelated in the wide limit. The logarithms X_t of the
 * terms correlate: X_t holds `carry` times the noise of X_{t+1}. */
typedef struct shared_sum {
  double log_sum;
  double log_typical_sum;
  double *log_terms; /* [T], typical */
  double *variances; /* [T], of ln of each term */
} shared_sum;

/* Var sum w_t X_t, with the covariance of X_t and the part of the sum behind it. What
 * the terms vary apart from each other averages out, and ln of the sum is that much
 * nearer to ln of its mean: by half of it, to first order. */
static gs_log_norm sum_up(const shared_sum *sum, const double *carries, int64_t T) {
  double with_rest = 0;
  double variance = 0;
  double apart = 0;
  if (sum->log_typical_sum == -INFINITY) return (gs_log_norm){sum->log_sum, 0, 0};
  for (int64_t i = T - 1; i >= 0; i--) {
    const double weight = exp(sum->log_terms[i] - sum->log_typical_sum);
    const double own = weight * sum->variances[i];
    with_rest *= carries[i];
    variance += weight * (own + 2 * with_rest);
    with_rest += own;
    apart += own;
  }
  const double averaged = 0.5 * fmax(apart - variance, 0);
  return (gs_log_norm){sum->log_sum, sum->log_typical_sum + averaged - sum->log_sum, variance};
}

static void add_term(shared_sum *sum, int64_t i, gs_log_norm norm) {
  sum->log_terms[i] = norm.log_mean + norm.shift;
  sum->variances[i] = norm.variance;
  sum->log_sum = gs_log_add(sum->log_sum, norm.log_mean);
  sum->log_typical_sum = gs_log_add(sum->log_typical_sum, sum->log_terms[i]);
}

enum { SHARED_W, SHARED_U, SHARED_B, SHARED_COUNT };

typedef struct reading {
  gs_theory *theory;
  shared_sum shared[SHARED_COUNT]; /* rnn */
  double *carries;                 /* [T] */
} reading;

static void read_point(gs_backward *at, reading *into) {
  gs_theory *theory = into->theory;
  const gs_config *config = at->chain->config;
  const gs_log_norm delta = gs_backward_delta(at);
  const gs_log_norm weight = gs_backward_weight(at);
  const int64_t i = at->i;
  theory->log10_chi[i] = at->log_chi / M_LN10;
  put(&theory->series[GS_DELTA], i, delta);
  if (theory->series[GS_GRAD_WEIGHT].points == theory->points) {
    put(&theory->series[GS_GRAD_WEIGHT], i, weight);
  }
  if (config->model == GS_MLP) {
    if (gs_config_has_biases(config)) put(&theory->series[GS_GRAD_BIAS], i, gs_backward_bias(at));
    return;
  }
  into->carries[i] = at->carry;
  add_term(&into->shared[SHARED_W], i, weight);
  add_term(&into->shared[SHARED_U], i, gs_backward_input(at));
  add_term(&into->shared[SHARED_B], i, gs_backward_bias(at));
}

static void read_shared(const gs_config *config, const reading *from) {
  gs_theory *theory = from->theory;
  const int64_t T = theory->points;
  if (theory->series[GS_GRAD_WEIGHT].points == 1 && config->tied) {
    put(&theory->series[GS_GRAD_WEIGHT], 0, sum_up(&from->shared[SHARED_W], from->carries, T));
  }
  put(&theory->series[GS_GRAD_INPUT], 0, sum_up(&from->shared[SHARED_U], from->carries, T));
  if (gs_config_has_biases(config)) {
    put(&theory->series[GS_GRAD_BIAS], 0, sum_up(&from->shared[SHARED_B], from->carries, T));
  }
}

/* ---- how far it reaches ---- */

static int64_t narrowest(const gs_config *config) {
  if (config->model == GS_RNN) return config->hidden;
  int64_t least = config->widths[1];
  for (int64_t l = 2; l <= config->depth; l++) {
    if (config->widths[l] < least) least = config->widths[l];
  }
  return least;
}

static int64_t inputs_of(const gs_config *config) {
  return config->model == GS_RNN ? config->input : config->widths[0];
}

static bool homogeneous_exactly(gs_activation phi) {
  return phi.kind == GS_RELU || phi.kind == GS_IDENTITY;
}

/* Whether a network's own part of chi, which W repeats at every step, may turn its sign. */
static bool mixes(const gs_chain *chain) {
  const gs_link *deep = &chain->links[chain->points - 1];
  const double log_chi = gs_chain_log_s(chain->config, chain->points - 1) + deep->m.log_m1;
  const double own = sqrt(fmax(deep->pair.d2d2 - 1, 0) / (double)chain->config->hidden);
  return !(fabs(log_chi) > 3 * own);
}

static void judge(const gs_chain *chain, const gs_backward *end, gs_theory *theory) {
  const gs_config *config = chain->config;
  const double heavy = 0.5;
  const double apart = 1;
  const double aligned = 1;
  const double sensitive = config->batch > 1 ? 0.7 : 2; /* a batch's sum sees the tails */
  const int64_t narrow = 16;
  const int64_t dying = 8; /* a relu layer of n units is dead in 2^-n of all networks */
  const bool exact_laws = gs_chain_exact(config) && homogeneous_exactly(config->activation) &&
                          homogeneous_exactly(config->output_activation);
  const bool tied = config->model == GS_RNN && config->tied && chain->points > 1;
  /* what of delta's square each step makes anew; where it is little, delta turns to
   * W's own directions before it is forgotten, for these take sqrt(n) steps to show */
  const double fresh = 1 - chain->links[chain->points - 1].pair.dd;
  const double T = (double)chain->points;
  const double n = (double)config->hidden;
  const gs_spread spread = end->ratio.noise;
  bool *why = theory->reasons;
  why[GS_REASON_LOSS] = config->loss == GS_LOSS_MSE;
  why[GS_REASON_TIED] = tied;
  why[GS_REASON_TIED_LINEAR] =
      tied && T * T > n && !(fresh * fresh * n > 1) && config->init.kind != GS_INIT_ORTHOGONAL;
  why[GS_REASON_TIED_MIXED] = tied && config->loss_at == GS_LOSS_EVERY && mixes(chain);
  why[GS_REASON_HEAVY_TAILS] = !exact_laws && !(end->largest_variance <= heavy);
  why[GS_REASON_ALIGNED] = !(end->aligned <= aligned);
  why[GS_REASON_SENSITIVE] = !(end->sensitive <= sensitive);
  const bool dies = config->activation.kind == GS_RELU || config->output_activation.kind == GS_RELU;
  why[GS_REASON_NARROW] = exact_laws ? dies && narrowest(config) < dying
                                     : narrowest(config) < narrow || inputs_of(config) < narrow;
  why[GS_REASON_BATCH] = config->batch > 1 && !(spread.own - spread.pair <= apart);
  theory->reach = exact_laws && config->batch == 1 ? GS_REACH_EXACT : GS_REACH_WIDE;
  for (int r = 0; r < GS_REASON_COUNT; r++) {
    if (why[r] && gs_reason_outside((gs_reason)r)) theory->reach = GS_REACH_OUTSIDE;
  }
}

/* ---- the whole ---- */

static void walk_back(const gs_chain *chain, gs_batch_law *law, reading *into) {
  gs_theory *theory = into->theory;
  gs_backward at = gs_backward_start(chain, law);
  read_point(&at, into);
  const double log_last = at.log_delta;
  while (at.i > 0) {
    gs_backward_step(&at);
    read_point(&at, into);
  }
  theory->decades_rms = 0.5 * (at.log_delta - log_last) / M_LN10;
  const double *typical = theory->series[GS_DELTA].typical;
  theory->decades_typical = typical[0] - typical[theory->points - 1];
  theory->decades_sd = 0.5 * sqrt(gs_backward_ratio_variance(&at)) / M_LN10;
  const int64_t deep = chain->points - 2;
  theory->depth_scale = deep < 0 ? NAN : 1 / fabs(theory->log10_chi[deep] * M_LN10);
  judge(chain, &at, theory);
}

static gs_status random_theory(const gs_config *config, gs_theory *theory, gs_error *error) {
  gs_chain chain;
  gs_batch_law law;
  reading into = {.theory = theory};
  const int64_t T = config->model == GS_RNN ? theory->points : 0;
  double *scratch = malloc((size_t)((2 * SHARED_COUNT + 1) * T + 1) * sizeof *scratch);
  gs_status status = gs_chain_make(config, &chain, error);
  if (status == GS_OK && !scratch) {
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
  }
  for (int s = 0; scratch && s < SHARED_COUNT; s++) {
    into.shared[s] =
        (shared_sum){-INFINITY, -INFINITY, scratch + 2 * s * T, scratch + (2 * s + 1) * T};
  }
  if (scratch) into.carries = scratch + 2 * SHARED_COUNT * T;
  if (status == GS_OK) {
    gs_batch_law_start(&law, config->batch);
    for (int64_t i = 0; i < chain.points; i++) put_activation(&chain, &law, i, theory);
    walk_back(&chain, &law, &into);
    if (config->model == GS_RNN) read_shared(config, &into);
  }
  gs_chain_clear(&chain);
  free(scratch);
  return status;
}

static void identity_theory(const gs_config *config, gs_theory *theory) {
  theory->decades_rms = theory->decades_typical = theory->decades_sd = NAN;
  const bool known = gs_identity_theory(config, theory);
  const int64_t deep = theory->points - 2;
  theory->depth_scale = deep < 0 ? NAN : 1 / fabs(theory->log10_chi[deep] * M_LN10);
  theory->reasons[GS_REASON_IDENTITY] = !known;
  theory->reach = known ? GS_REACH_EXACT : GS_REACH_OUTSIDE;
}

gs_status gs_theory_of(const gs_config *named, gs_theory *theory, gs_error *error) {
  const gs_config plain = gs_config_plain(named);
  const gs_config *config = &plain;
  *theory = (gs_theory){0};
  gs_status status = make_arrays(config, theory, error);
  if (status == GS_OK && config->init.kind == GS_INIT_IDENTITY) {
    identity_theory(config, theory);
  } else if (status == GS_OK) {
    status = random_theory(config, theory, error);
  }
  if (status != GS_OK) gs_theory_clear(theory);
  return status;
}
