/* Deltas in the wide limit, and how networks of finite width spread about it.
 *
 *   E|delta^l|^2 = chi_l E|delta^{l+1}|^2,  chi_l = s_{l+1} m1(q^l)
 *
 * (Schoenholz et al. 2017; with a loss at every step the loss's own part is
 * added.) Given q and delta^{l+1}, eps = W^T delta is normal in every unit, and
 * R_l = sum_i phi'(z_i)^2 eps_i^2 / |delta^{l+1}|^2 has the relative variance
 * (3 m2/m1^2 - 1)/n_l; orthogonal weights fix |eps|: less 2/N (THEORY section 2).
 *
 * Three more effects of the same order. (1) q^l itself varies between networks and
 * moves every chi above it. `reach` T_l = d ln|delta^l|^2 / d ln q^l follows from
 * T_l = d ln m1/d ln q + share gain_V T_{l+1}, and the noise b of |h^l|^2, which
 * correlates with that of R_l because both see the same z, enters as share T b.
 * (2) The squared norm over a batch is a sum of B squared norms that share W. For
 * examples a, b with Gram matrix G of deltas and W normal with variance v,
 *
 *   E eps_a^2 eps_b^2 = v^2 (G_aa G_bb + 2 G_ab^2)
 *   E[G_aa G_bb]' = v^2 (n(n-1) m1^2 A + n m22 (A + 2N)),       A = E G_aa G_bb
 *   E[G_ab^2]'    = v^2 (n(n-1) m11^2 N + n m22 (A + 2N)),      N = E G_ab^2
 *
 * with m22 = E phi'_a^2 phi'_b^2, m11 = E phi'_a phi'_b at the correlation of z:
 * a closed recursion for the covariance and for rho^2 = N/A. (3) W serves both
 * ways: W^T delta^{l+1} has along h^l the part (W h^l . delta^{l+1})/|h^l|^2, whose
 * square is not that of an independent W but 1 + D times it. With z = W h + rest
 * and W split along h and across,
 *
 *   E R_l = chi_l r_l,   r_l = 1 + D_{l+1} E phi^2 phi'^2/(V m1) / n_l,
 *   1 + D_l / share_l = (1 + 2 d ln m1/d ln q + gain_V^2 V/(q m1) D_{l+1}) / r_l
 *
 * (0 for relu and linear layers; for the nearly linear it adds up over layers;
 * where phi has a large mean, D may grow to n: then delta lies along h). (4) Steps of a
 * tied rnn share W as examples of a batch do: the noise of step s correlates with that
 * of every later step by the covariance `pair` of step s, for with new inputs at each
 * step z_s and z_t correlate by the c of the earlier. Steps with a W of their own share
 * b and U, and correlate by the biases' share of q. */
#include "theory/backward.h"

#include "net/model.h"

#include <math.h>

/* ---- the noise of one layer ---- */

typedef struct noise {
  gs_spread ratio;  /* of ln R at given q */
  double mean;      /* of ln R less ln chi, q's own spread included */
  gs_spread with_h; /* its covariance with ln |h|^2 */
  double steps;     /* rnn: ratio's covariance with that of a later step, */
  double steps_h;   /* and with that step's noise of ln |h|^2 */
} noise;

/* E |delta_a|^2 |delta_b|^2 over n units and over the product of their means: mean squared
 * cosine rho2 above, d2d2 of one unit. */
static double products_of(double n, int64_t orthogonal, double carry, double rho2, double d2d2) {
  const gs_haar haar = gs_haar_of(orthogonal, rho2);
  const double c2 = carry * carry; /* the loss's part of eps is normal */
  return (1 - 1 / n) * (1 + c2 * (haar.norms - 1)) +
         d2d2 * (1 + 2 * rho2) * (1 + c2 * (haar.same - 1)) / n;
}

/* At point i; orthogonal: the larger side of the weights that lead back to it
 * from above, 0 for normal ones and for the loss's gradient; carry: the share of
 * eps that they bring. */
static noise noise_at(gs_backward *at, int64_t i, int64_t orthogonal, double carry, double rho2) {
  const gs_config *config = at->chain->config;
  const gs_link *link = &at->chain->links[i];
  const gs_activation phi = gs_chain_activation(config, i);
  const double n = (double)gs_chain_units(config, i);
  const double g = link->m.gain_m1;
  const double from_above = orthogonal ? 2 * carry * carry / (double)orthogonal : 0;
  const int64_t below = gs_chain_orthogonal(config, i);
  const double fixed = below ? 2 * link->share * link->share / (double)below : 0;
  const double c2 = link->c * link->c + link->c_var;
  const double kurtosis = exp(link->m.log_m2 - 2 * link->m.log_m1);
  noise made = {0};
  const double own = fmax((3 * kurtosis - 1) / n - from_above - fixed * g * g, 0);
  gs_ratio_law law = gs_ratio_gamma(own);
  if (gs_chain_exact(config) && (phi.kind == GS_RELU || phi.kind == GS_IDENTITY)) {
    law = gs_ratio_recall(&at->memory, gs_chain_units(config, i), phi.kind == GS_RELU, orthogonal);
  }
  made.mean = law.mean + g * link->mean_q + 0.5 * link->curve_m1 * link->q.own +
              gs_chain_sphere(config, i, link->share, g, link->curve_m1);
  made.ratio.own = law.variance;
  made.ratio.skew = gs_ratio_skew(law);
  made.ratio.pair =
      products_of(n, orthogonal, carry, rho2, link->pair.d2d2) - 1 - fixed * g * g * c2;
  const double whole = products_of(n, orthogonal, carry, 1, kurtosis) - 1 - fixed * g * g;
  if (whole > 0) made.ratio.pair *= law.variance / whole; /* as correlated as these */
  made.with_h.own = (link->m.cross - 1) / n - fixed * g * link->m.gain_V;
  made.with_h.pair = (link->pair.h2d2 - 1) / n - fixed * g * link->m.gain_V * c2;
  made.steps = config->tied ? made.ratio.pair : (link->steps.d2d2 - 1) / n;
  made.steps_h = config->tied ? made.with_h.pair : (link->steps.h2d2 - 1) / n;
  if (own > at->largest_variance) at->largest_variance = own;
  return made;
}

static double next_rho2(const gs_link *link, double n, int64_t orthogonal, double rho2) {
  const double e = link->pair.d2d2 / n;
  const double r2 = link->pair.dd * link->pair.dd;
  const gs_haar haar = gs_haar_of(orthogonal, rho2);
  const double same = e * (1 + 2 * rho2) * haar.same;
  const double cosine = r2 * (1 - 1 / n) * haar.cosines + same;
  const double norms = (1 - 1 / n) * haar.norms + same;
  return fmin(fmax(cosine / norms, 0), 1);
}

static double next_alignment(const gs_link *link, double above, double grown) {
  if (!(link->share > 0)) return 0;
  const double far = 30; /* phi(0) is not 0 and q tiny: gain_V is like q, only rounding shows */
  const double g = link->m.gain_V;
  const double log_ratio = link->m.log_V - link->log_q - link->m.log_m1;
  const double carried = log_ratio < far ? g * g * exp(log_ratio) : 0;
  return link->share * ((1 + 2 * link->m.gain_m1 + carried * above) / grown - 1);
}

/* ---- the walk ---- */

/* ln of the mean square of the loss's gradient at h, times phi'^2, over m1. */
static double log_loss(const gs_config *config, const gs_link *link) {
  const bool mse = config->loss == GS_LOSS_MSE; /* E phi'^2 (phi - y)^2, y ~ N(0,1) */
  return mse ? gs_log_add(0, log(link->m.cross) + link->m.log_V) : 0;
}

static double log_elements(const gs_config *config, int64_t i) {
  return log((double)gs_chain_units(config, i)) + log((double)config->batch);
}

gs_backward gs_backward_start(const gs_chain *chain, gs_batch_law *law) {
  const int64_t i = chain->points - 1;
  const gs_config *config = chain->config;
  const gs_link *link = &chain->links[i];
  gs_backward at = {.chain = chain, .i = i, .log_chi = NAN, .law = law};
  at.log_delta = log_elements(config, i) + link->m.log_m1 + log_loss(config, link);
  const noise own = noise_at(&at, i, 0, 0, 0);
  at.norm = (gs_backward_state){link->m.gain_m1, own.ratio, own.mean, 0, 0, 0};
  at.carry = at.carried = 1;
  at.last = own.ratio;
  const bool saturated = config->output_activation.kind != config->activation.kind;
  if (!saturated) at.largest_variance = 0; /* the loss's layer has no ratio; the others tell */
  at.rho2 = next_rho2(link, (double)gs_chain_units(config, i), 0, 0);
  at.alignment = next_alignment(link, 0, 1);
  return at;
}

/* What steps that share weights have in common: the noise of this step (ratio, and
 * |h|^2 that weighs f) repeats in all steps above. */
static double repeated(const gs_backward_state *state, const gs_link *link, const noise *own,
                       double f) {
  const double sum = state->steps * own->steps +
                     (state->through + state->steps * f) * own->steps_h +
                     state->through * f * link->noise_steps;
  return fmax(2 * sum, 0); /* below 0 by the first order's error alone */
}

/* One state a point further back; carry: the share of eps that comes from above. */
static void move(gs_backward_state *state, const gs_link *above, const gs_link *link,
                 const noise *own, double carry, bool rnn) {
  const double T = state->reach;
  gs_spread *n = &state->noise;
  const double whole = n->own + T * T * above->q.own;
  const gs_log_sum sum = gs_log_sum_of(carry, state->mean, whole);
  const double f = sum.slope * above->slope * T;
  const double c2 = whole > 0 ? sum.variance / whole : sum.slope * sum.slope;
  state->moved = sum.slope * state->moved + sum.mean - carry * state->mean;
  state->mean = sum.mean + own->mean;
  n->own = c2 * (n->own + T * T * above->input.own) + own->ratio.own + f * f * link->noise_h.own +
           2 * f * own->with_h.own;
  n->pair = c2 * (n->pair + T * T * above->input.pair) + own->ratio.pair +
            f * f * link->noise_h.pair + 2 * f * own->with_h.pair;
  n->skew = c2 * sum.slope * n->skew + own->ratio.skew;
  n->repeats *= c2;
  state->reach = link->m.gain_m1 + f * link->m.gain_V;
  if (!rnn) return;
  state->steps *= sum.slope;
  state->through *= sum.slope;
  const double more = repeated(state, link, own, f);
  n->own += more;
  n->pair += more;
  n->repeats += more;
  state->steps += 1;
  state->through += f;
}

void gs_backward_step(gs_backward *at) {
  const gs_config *config = at->chain->config;
  const gs_link *above = &at->chain->links[at->i];
  const int64_t i = at->i - 1;
  const gs_link *link = &at->chain->links[i];
  const double log_s = gs_chain_log_s(config, i + 1);
  const int64_t orthogonal = gs_chain_orthogonal(config, i + 1);
  const double log_carried = at->log_delta + log_s;
  double log_eps = log_carried;
  if (config->loss_at == GS_LOSS_EVERY) {
    log_eps = gs_log_add(log_carried, log_elements(config, i) + log_loss(config, link));
  }
  const double carry = log_eps == -INFINITY ? 0 : exp(log_carried - log_eps);
  at->log_chi = log_s + link->m.log_m1;
  at->log_delta = log_eps + link->m.log_m1;
  const double rho2 = at->rho2 * carry * carry;
  noise own = noise_at(at, i, orthogonal, carry, rho2);
  const double n = (double)gs_chain_units(config, i);
  const double along = carry * at->alignment;
  const double grown = 1 + along * (link->m.cross - (orthogonal ? 1 : 0)) / n;
  own.mean += log(grown);
  at->alignment = next_alignment(link, along, grown);
  if (at->alignment > 0) at->aligned += log(grown);
  at->carry = carry;
  at->carried *= carry;
  at->sensitive = fmax(at->sensitive, at->ratio.reach * at->ratio.reach * above->q.own);
  const bool rnn = gs_model_is_recurrent(config->model);
  move(&at->norm, above, link, &own, carry, rnn);
  move(&at->ratio, above, link, &own, carry, rnn);
  at->rho2 = next_rho2(link, n, orthogonal, rho2);
  at->moved = fmax(at->moved, fmax(at->norm.moved, above->moved));
  at->i = i;
}

/* ---- what is read off ---- */

static gs_log_norm read_state(gs_backward *at, const gs_backward_state *state, double log_mean) {
  const gs_spread q = at->chain->links[at->i].q;
  const double T2 = state->reach * state->reach;
  const gs_spread spread = {state->noise.own + T2 * q.own, state->noise.pair + T2 * q.pair,
                            state->noise.skew, state->noise.repeats + T2 * q.repeats};
  return gs_batch_norm(at->law, log_mean, state->mean, spread);
}

gs_log_norm gs_backward_delta(gs_backward *at) { return read_state(at, &at->norm, at->log_delta); }

/* With a loss at every step, only a part of the last delta's own noise is in this
 * one and cancels. */
gs_log_norm gs_backward_ratio(gs_backward *at) {
  const double rest = 1 - at->carried;
  gs_backward_state ratio = at->ratio;
  ratio.noise.own += rest * rest * at->last.own;
  ratio.noise.pair += rest * rest * at->last.pair;
  return read_state(at, &ratio, 0);
}

/* The sum's cross terms have mean 0, and this relative variance: a gamma law, for of
 * many examples the sum is normal along each of few directions. */
static gs_log_norm with_cross_terms(gs_log_norm norm, double variance) {
  const gs_ratio_law law = gs_ratio_gamma(variance);
  norm.shift += law.mean;
  norm.variance += law.variance;
  return norm;
}

/* |sum_b delta_b|^2. */
gs_log_norm gs_backward_bias(gs_backward *at) {
  const double B = (double)at->chain->config->batch;
  return with_cross_terms(gs_backward_delta(at), 2 * (1 - 1 / B) * at->rho2);
}

/* |sum_b delta_b x_b^T|^2 = sum |delta_b|^2 |x_b|^2: n_x normal numbers make |x|^2, and q
 * of this point has a share of it. */
gs_log_norm gs_backward_input(gs_backward *at) {
  const gs_config *config = at->chain->config;
  const gs_link *link = &at->chain->links[at->i];
  const double n_x = (double)config->input;
  const gs_ratio_law x = gs_ratio_gamma(2 / n_x);
  const double T = at->norm.reach;
  const double f = 1 + T * sqrt(link->input.own * n_x / 2); /* of ln |x|^2 in all */
  const gs_spread spread = {at->norm.noise.own + T * T * (link->q.own - link->input.own) +
                                f * f * x.variance,
                            at->norm.noise.pair + T * T * link->q.pair,
                            at->norm.noise.skew + f * f * f * gs_ratio_skew(x),
                            at->norm.noise.repeats + T * T * link->q.repeats};
  return gs_batch_norm(at->law, at->log_delta + log(n_x), at->norm.mean + x.mean, spread);
}

/* |sum_b delta_b h_b^T|^2 = sum |delta_b|^2 |h_b|^2 and cross terms; the factors
 * correlate because delta depends on q, which h has made. */
gs_log_norm gs_backward_weight(gs_backward *at) {
  const gs_config *config = at->chain->config;
  const double B = (double)config->batch;
  const gs_link *link = &at->chain->links[at->i];
  const gs_link *below = at->i > 0 ? link - 1 : NULL;
  const bool rnn = gs_model_is_recurrent(config->model);
  const double n_x = rnn ? 0 : (double)gs_model_inputs(config);
  const double T = at->norm.reach;
  const double f = 1 + T * link->share;
  gs_spread h = {0};
  double mean_h = 0;
  double log_h = rnn ? -INFINITY : log(n_x); /* an rnn starts from h = 0 */
  double cosine2 = 0;
  gs_spread input = link->input;
  if (below) {
    log_h = log((double)gs_chain_units(config, at->i - 1)) + below->m.log_V;
    h = below->h;
    mean_h = below->mean_h;
    cosine2 = below->cosine2;
  } else if (n_x > 0) { /* x is the h of layer 0 */
    const gs_ratio_law x = gs_ratio_gamma(2 / n_x);
    h = (gs_spread){x.variance, 0, gs_ratio_skew(x), 0};
    mean_h = x.mean;
    cosine2 = 1 / n_x;
    input = (gs_spread){0};
  }
  const gs_spread spread = {at->norm.noise.own + f * f * h.own + T * T * input.own,
                            at->norm.noise.pair + f * f * h.pair + T * T * input.pair,
                            at->norm.noise.skew + f * f * f * h.skew,
                            at->norm.noise.repeats + f * f * h.repeats};
  const double mean = at->norm.mean + mean_h;
  const gs_log_norm norm = gs_batch_norm(at->law, at->log_delta + log_h, mean, spread);
  return with_cross_terms(norm, 2 * (1 - 1 / B) * at->rho2 * cosine2);
}
