/* From a configuration to its prediction: one walk forward (chain.c), one back
 * (backward.c), and what is read off on the way. */
#include "theory/theory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/types.h"
#include "net/init.h"
#include "net/model.h"
#include "theory/atoms.h"
#include "theory/backward.h"
#include "theory/exact.h"
#include "theory/identity.h"
#include "theory/rotation.h"
#include "theory/shared.h"

/* ---- names ---- */

#define REASON_NAME(constant, name, outside, message) name,
#define REASON_ENTRY(constant, name, outside, message) {message, outside},

const gs_names gs_validity_names = {"validity", GS_NAMES(GS_VALIDITY_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_dead_law_names = {"dead_law", GS_NAMES(GS_DEAD_LAW_LIST(GS_ROW_NAME)), NULL};
const gs_names gs_reason_names = {"reason", GS_NAMES(GS_REASON_LIST(REASON_NAME)), NULL};

static const struct {
  const char *message;
  bool outside;
} reasons[] = {GS_REASON_LIST(REASON_ENTRY)};

const char *gs_reason_message(gs_reason reason) { return reasons[reason].message; }
bool gs_reason_outside(gs_reason reason) { return reasons[reason].outside; }

const char *gs_theory_message(const gs_theory *theory, gs_reason reason) {
  const bool model = reason == GS_REASON_MODEL && theory->no_theory;
  return model ? theory->no_theory : gs_reason_message(reason);
}

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
  series->dead = calloc((size_t)points, sizeof *series->dead);
  series->skew = calloc((size_t)points, sizeof *series->skew);
  if (series->rms && series->typical && series->sd && series->dead && series->skew) return GS_OK;
  return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
}

static gs_status make_arrays(const gs_config *config, gs_theory *theory, gs_error *error) {
  const bool recurrent = gs_model_is_recurrent(config->model);
  const int64_t points = gs_model_points(config);
  const int64_t matrices = recurrent && config->tied ? 1 : points;
  const int64_t streams = gs_model_stream_points(config);
  const int64_t counts[GS_QUANTITY_COUNT] = {
      [GS_ACTIVATION_H] = points,
      [GS_DELTA] = points,
      [GS_GRAD_WEIGHT] = matrices,
      [GS_GRAD_BIAS] = gs_config_has_biases(config) ? (recurrent ? 1 : points) : 0,
      [GS_GRAD_INPUT] = recurrent ? 1 : 0,
      [GS_STREAM] = streams,
      [GS_GRAD_STREAM] = streams};
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
    free(theory->series[q].dead);
    free(theory->series[q].skew);
  }
  *theory = (gs_theory){0};
}

/* ---- reading off ---- */

/* ln of the mean square: the wide limit's, with the terms of order 1/n where these carry
 * the typical network above it, for E log <= log E. */
static double log_rms(gs_log_norm norm) {
  return norm.log_mean + (norm.shift > 0 ? fmax(norm.raised, norm.shift) : 0);
}

static void put(gs_theory_series *series, int64_t i, gs_log_norm norm) {
  series->rms[i] = 0.5 * log_rms(norm) / M_LN10;
  series->typical[i] = 0.5 * (norm.log_mean + norm.shift) / M_LN10;
  series->sd[i] = norm.log_mean == -INFINITY ? 0 : 0.5 * sqrt(norm.variance) / M_LN10;
}

static void put_activation(const gs_chain *chain, gs_batch_law *law, int64_t i, gs_theory *theory) {
  const gs_config *config = chain->config;
  const gs_link *link = &chain->links[i];
  const double elements = log((double)gs_chain_units(config, i)) + log((double)config->batch);
  const gs_log_norm norm = gs_batch_norm(law, elements + link->m.log_V, link->mean_h, link->h);
  theory->log10_q[i] = link->log_q / M_LN10;
  put(&theory->series[GS_ACTIVATION_H], i, norm);
}

enum { SHARED_W, SHARED_U, SHARED_B, SHARED_COUNT };

typedef struct reading {
  gs_theory *theory;
  gs_shared_sum shared[SHARED_COUNT]; /* rnn */
  double *carries;                    /* [T] */
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
  if (!gs_model_is_recurrent(config->model)) {
    if (gs_config_has_biases(config)) put(&theory->series[GS_GRAD_BIAS], i, gs_backward_bias(at));
    return;
  }
  into->carries[i] = at->carry;
  const gs_log_norm norms[] = {weight, gs_backward_input(at), gs_backward_bias(at)};
  for (int s = 0; s < SHARED_COUNT; s++) {
    gs_shared_add(&into->shared[s], i, norms[s], log_rms(norms[s]));
  }
}

static void read_shared(const gs_config *config, const reading *from) {
  gs_theory *theory = from->theory;
  const gs_quantity quantities[] = {GS_GRAD_WEIGHT, GS_GRAD_INPUT, GS_GRAD_BIAS};
  const bool wanted[] = {config->tied, true, gs_config_has_biases(config)};
  for (int s = 0; s < SHARED_COUNT; s++) {
    if (!wanted[s]) continue;
    put(&theory->series[quantities[s]], 0, gs_shared_norm(&from->shared[s], from->carries));
  }
}

/* ---- domain of validity ---- */

static int64_t narrowest(const gs_config *config) {
  int64_t min = gs_model_units(config, 1);
  if (gs_model_is_recurrent(config->model)) return min; /* its steps are alike */
  for (int64_t l = 2; l <= gs_model_points(config); l++) {
    const int64_t units = gs_model_units(config, l);
    if (units < min) min = units;
  }
  return min;
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

/* How far from 1 a standard deviation may be that arithmetic of this dtype multiplies by:
 * the exponent of 2 (README, extended range). Random numbers are scaled in float32. */
static double max_exponent(gs_dtype dtype) {
  return dtype == GS_F64 ? 115 : dtype == GS_F16 ? 9 : 47;
}

static bool beyond(double log_square, double max) {
  return isfinite(log_square) && fabs(log_square) > 2 * M_LN2 * max;
}

/* Whether weights, as elements and as what a product multiplies z by, biases or the slope
 * leave what the dtype can hold. None at all is a number like others. */
static bool out_of_range(const gs_config *config) {
  const double max = max_exponent(config->dtype);
  const double drawn = 115;
  const bool rnn = gs_model_is_recurrent(config->model);
  const bool identity = config->init.kind == GS_INIT_IDENTITY;
  for (int64_t i = 0; i < (rnn ? 1 : gs_model_points(config)); i++) { /* an rnn's steps are alike */
    const double log_gain = 2 * log(fabs(config->init.gain));
    const double log_s = identity ? log_gain : gs_chain_log_s(config, i);
    const double log_units = identity ? 0 : log((double)gs_chain_fan_in(config, i));
    if (beyond(log_s, max) || beyond(log_s - log_units, drawn)) return true;
    if (beyond(gs_bias_log_variance(config, i + 1), drawn)) return true;
  }
  if (rnn && beyond(gs_chain_log_input(config), max)) return true;
  return config->activation.kind == GS_LEAKY_RELU && config->activation.slope > exp2(max);
}

/* A prediction says something about a cell where its sd is below a quarter of what twice the
 * weights' variance would change in the norm of delta, 0.5 log10 2 a layer; 2 decades in
 * short ones. */
static bool says_something(const gs_theory *theory) {
  const double max = fmax(2, 0.25 * 0.5 * log10(2) * (double)(theory->points - 1));
  if (!(theory->decades_sd <= max)) return false;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    for (int64_t i = 0; i < theory->series[q].points; i++) {
      if (!(theory->series[q].sd[i] <= max)) return false;
    }
  }
  return true;
}

static void judge(const gs_chain *chain, const gs_backward *end, gs_theory *theory) {
  const gs_config *config = chain->config;
  const double heavy = 0.5;
  const double apart = 1;
  const double aligned = 1;
  const double sensitive = config->batch > 1 ? 0.7 : 2; /* a batch's sum sees the tails */
  const int64_t narrow = 16;
  const int64_t few = 8; /* relu units of a batch, whose examples die one by one */
  const double dying = 0.02;
  const bool exact_laws = gs_chain_exact(config) && gs_bias_log_variance(config, 1) == -INFINITY &&
                          homogeneous_exactly(config->activation) &&
                          homogeneous_exactly(config->output_activation);
  const bool tied = gs_model_is_recurrent(config->model) && config->tied && chain->points > 1;
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
  why[GS_REASON_NARROW] = exact_laws
                              ? config->batch > 1 && dies && narrowest(config) < few
                              : narrowest(config) < narrow || gs_model_inputs(config) < narrow;
  why[GS_REASON_GROWING] = !(end->moved <= M_LN10);
  why[GS_REASON_SCATTERED] = !exact_laws && !says_something(theory);
  why[GS_REASON_RANGE] = out_of_range(config);
  why[GS_REASON_BATCH] = config->batch > 1 && !(spread.own - spread.pair <= apart);
  why[GS_REASON_DYING] = config->batch > 1 && !(gs_dying_share(config) <= dying);
  theory->validity = exact_laws && config->batch == 1 ? GS_VALIDITY_EXACT : GS_VALIDITY_WIDE;
  for (int r = 0; r < GS_REASON_COUNT; r++) {
    if (why[r] && gs_reason_outside((gs_reason)r)) theory->validity = GS_VALIDITY_OUTSIDE;
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
  gs_log_norm ratio = gs_backward_ratio(&at);
  const double *typical = theory->series[GS_DELTA].typical;
  theory->decades_typical = typical[0] - typical[theory->points - 1];
  ratio.log_mean = at.log_delta - log_last;
  ratio.shift = 2 * M_LN10 * theory->decades_typical - ratio.log_mean;
  theory->decades_rms = 0.5 * log_rms(ratio) / M_LN10;
  theory->decades_sd = ratio.log_mean == -INFINITY ? 0 : 0.5 * sqrt(ratio.variance) / M_LN10;
  const int64_t deep = chain->points - 2;
  theory->depth_scale = deep < 0 ? NAN : 1 / fabs(theory->log10_chi[deep] * M_LN10);
  if (gs_model_is_recurrent(chain->config->model)) read_shared(chain->config, into);
  judge(chain, &at, theory);
}

static gs_status random_theory(const gs_config *config, gs_theory *theory, gs_error *error) {
  gs_chain chain;
  gs_batch_law law;
  reading into = {.theory = theory};
  const int64_t T = gs_model_is_recurrent(config->model) ? theory->points : 0;
  gs_shared_term *terms = calloc((size_t)(SHARED_COUNT * T + 1), sizeof *terms);
  into.carries = calloc((size_t)(T + 1), sizeof *into.carries);
  gs_status status = gs_chain_make(config, &chain, error);
  if (status == GS_OK && (!terms || !into.carries)) {
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
  }
  for (int s = 0; status == GS_OK && s < SHARED_COUNT; s++) {
    into.shared[s] = gs_shared_start(terms + s * T, T);
  }
  if (status == GS_OK) {
    gs_batch_law_start(&law, config->batch);
    for (int64_t i = 0; i < chain.points; i++) put_activation(&chain, &law, i, theory);
    walk_back(&chain, &law, &into);
    if (gs_rotation_holds(config)) {
      gs_rotation_theory(config, theory);
      memset(theory->reasons, 0, sizeof theory->reasons);
      theory->reasons[GS_REASON_RANGE] = out_of_range(config);
      /* delta is exact, the law of |h| to order 1/n */
      theory->validity = theory->reasons[GS_REASON_RANGE] ? GS_VALIDITY_OUTSIDE : GS_VALIDITY_WIDE;
    }
  }
  gs_chain_clear(&chain);
  free(terms);
  free(into.carries);
  return status;
}

/* What theory does not claim it does not say; q and chi are the wide limit's own. */
static void withhold(gs_theory *theory) {
  theory->decades_rms = theory->decades_typical = theory->decades_sd = NAN;
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_theory_series *series = &theory->series[q];
    for (int64_t i = 0; i < series->points; i++) {
      series->rms[i] = series->typical[i] = series->sd[i] = NAN;
    }
  }
}

static void identity_theory(const gs_config *config, gs_theory *theory) {
  theory->decades_rms = theory->decades_typical = theory->decades_sd = NAN;
  const bool known = gs_identity_theory(config, theory);
  const int64_t deep = theory->points - 2;
  theory->depth_scale = deep < 0 ? NAN : 1 / fabs(theory->log10_chi[deep] * M_LN10);
  theory->reasons[GS_REASON_IDENTITY] = !known;
  theory->reasons[GS_REASON_RANGE] = out_of_range(config);
  const bool holds = known && !theory->reasons[GS_REASON_FEW] && !theory->reasons[GS_REASON_RANGE];
  theory->validity = holds ? GS_VALIDITY_EXACT : GS_VALIDITY_OUTSIDE;
}

/* Of a model whose equations are none that is known here. */
static void no_theory(const gs_config *config, gs_theory *theory) {
  theory->no_theory = gs_model_no_theory(config);
  theory->reasons[GS_REASON_MODEL] = true;
  theory->validity = GS_VALIDITY_OUTSIDE;
  theory->depth_scale = NAN;
}

static bool flat_at_zero(gs_activation phi) {
  return phi.kind == GS_RELU || (phi.kind == GS_LEAKY_RELU && phi.slope == 0);
}

/* Zero weights (an rnn's U) without biases, so that every z is 0: the wide limit has such
 * networks right, but for a slope at 0 that is 0 itself. */
static bool is_silent(const gs_config *config) {
  const bool rnn = gs_model_is_recurrent(config->model);
  const gs_init *first = rnn ? &config->input_init : &config->init;
  return gs_init_is_zero(first) && gs_bias_log_variance(config, 1) == -INFINITY &&
         (flat_at_zero(config->activation) || flat_at_zero(config->output_activation) ||
          config->init.kind == GS_INIT_IDENTITY);
}

static bool is_constant(const gs_config *config) {
  const bool rnn = gs_model_is_recurrent(config->model);
  return gs_init_is_constant(&config->init) || (rnn && gs_init_is_constant(&config->input_init)) ||
         is_silent(config);
}

/* How many networks are dead is not said: at most all of them. */
static void constant_theory(gs_theory *theory) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    for (int64_t i = 0; i < theory->series[q].points; i++) theory->series[q].dead[i] = 1;
  }
  theory->decades_dead = 1;
  theory->dead_law = GS_DEAD_AT_MOST;
  theory->reasons[GS_REASON_CONSTANT] = true;
  theory->validity = GS_VALIDITY_OUTSIDE;
  theory->depth_scale = NAN;
}

gs_status gs_theory_of(const gs_config *named, gs_theory *theory, gs_error *error) {
  const gs_config plain = gs_config_plain(named);
  const gs_config *config = &plain;
  *theory = (gs_theory){0};
  gs_status status = make_arrays(config, theory, error);
  if (status == GS_OK && gs_model_no_theory(config)) {
    no_theory(config, theory);
  } else if (status == GS_OK && is_constant(config)) {
    constant_theory(theory);
  } else if (status == GS_OK && config->init.kind == GS_INIT_IDENTITY) {
    identity_theory(config, theory);
  } else if (status == GS_OK) {
    status = random_theory(config, theory, error);
    gs_atoms_fill(config, theory);
    if (status == GS_OK && gs_exact_holds(config)) status = gs_exact_theory(config, theory, error);
  }
  if (status == GS_OK && theory->validity == GS_VALIDITY_OUTSIDE) withhold(theory);
  if (status != GS_OK) gs_theory_clear(theory);
  return status;
}
