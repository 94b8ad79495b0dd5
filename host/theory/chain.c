/* The forward pass in the wide limit and its spread at finite width.
 *
 * Given q, |h|^2 = sum_i phi(z_i)^2 over n units whose z are independent (rows of
 * W are): relative variance (E phi^4 / V^2 - 1)/n. It moves the next q by its
 * share, and that moves the next |h|^2 by d ln V/d ln q. Orthogonal weights fix
 * |z|^2, which takes 2 (d ln V/d ln q)^2 / N away (regression on |z|^2). Means are
 * carried to the same order: E f(x) = f(E x) + f''/2 Var x for every f on the way.
 * Of two examples, or steps of a tied rnn, the cosine of h varies too. */
#include "theory/chain.h"

#include <math.h>
#include <stdlib.h>

#include "device/types.h"
#include "net/init.h"
#include "net/model.h"
#include "theory/ratio.h"

/* ---- the network as a chain ---- */

int64_t gs_chain_units(const gs_config *config, int64_t i) { return gs_model_units(config, i + 1); }

gs_activation gs_chain_activation(const gs_config *config, int64_t i) {
  return gs_model_activation(config, i + 1);
}

int64_t gs_chain_fan_in(const gs_config *config, int64_t i) { return gs_model_units(config, i); }

/* ln of fan_in Var(W_ij); squares of a huge std or gain are never formed. */
static double log_scale(const gs_init *init, int64_t in, int64_t out) {
  gs_init unit = *init;
  unit.std = unit.gain = unit.a = 1;
  return log((double)in * gs_init_variance(&unit, in, out)) + gs_init_log_square(init);
}

double gs_chain_log_s(const gs_config *config, int64_t i) {
  return log_scale(&config->init, gs_chain_fan_in(config, i), gs_chain_units(config, i));
}

double gs_chain_log_input(const gs_config *config) {
  return log_scale(&config->input_init, config->input, config->hidden);
}

int64_t gs_chain_orthogonal(const gs_config *config, int64_t i) {
  const int64_t in = gs_chain_fan_in(config, i);
  const int64_t out = gs_chain_units(config, i);
  if (config->init.kind != GS_INIT_ORTHOGONAL) return 0;
  return in > out ? in : out;
}

/* E_normal f = E over radii of E_sphere f, so E_sphere f = E f - (q^2/N) (E f)''. */
double gs_chain_sphere(const gs_config *config, int64_t i, double share, double gain,
                       double curve) {
  const int64_t larger = gs_chain_orthogonal(config, i);
  return larger ? -share * share * (curve + gain * gain - gain) / (double)larger : 0;
}

bool gs_chain_exact(const gs_config *config) {
  switch (config->init.kind) {
  case GS_INIT_NORMAL:
  case GS_INIT_SCALED:
  case GS_INIT_HE_NORMAL:
  case GS_INIT_XAVIER_NORMAL:
  case GS_INIT_LECUN_NORMAL:
  case GS_INIT_ORTHOGONAL: return !gs_model_is_recurrent(config->model);
  default: return false;
  }
}

/* ---- one step ---- */

typedef struct walk {
  const gs_config *config;
  bool recurrent;
  gs_moment_table *moments[2]; /* of the activation and of the output activation */
  gs_pair_table *pairs[2];
  gs_ratio_memory memory;
  double log_bias;  /* ln sigma_b^2 at the point at hand */
  double log_input; /* ln sigma_u^2 (rnn) */
} walk;

/* How much of what W does to |z|^2 shows in |h|^2. */
static double acting(const gs_link *link) {
  const double part = link->share * link->m.gain_V;
  return part * part;
}

/* E |h_a|^2 |h_b|^2 over n units and over the product of their means, at mean squared
 * cosine c2 of z, given h2h2 of one unit. */
static double products_of(const gs_config *config, int64_t i, const gs_link *link, double c2,
                          double h2h2) {
  const double n = (double)gs_chain_units(config, i);
  const gs_haar haar = gs_haar_of(gs_chain_orthogonal(config, i), c2);
  const double norms = 1 + acting(link) * (haar.norms - 1);
  const double same = 1 + acting(link) * (haar.same - 1);
  return (1 - 1 / n) * norms + same * h2h2 / n;
}

/* Mean square of the cosine of two examples' h: N/A with N = E (h_a . h_b)^2, A = E |h_a|^2
 * |h_b|^2 over n units, given the mean square of z's cosine, of which `handed` =
 * d hh/d c passes what varies. Exact for linear layers; at most 1. */
static double cosine2_of(const gs_config *config, int64_t i, const gs_link *link) {
  const double n = (double)gs_chain_units(config, i);
  const double log_ratio = link->log_q + link->m.log_m1 - link->m.log_V;
  const double handed = link->pair.dd * exp(fmin(log_ratio, 0)); /* at most 1 */
  const double h2 = handed * handed;
  const double c2 = link->c * link->c + link->c_var;
  const gs_haar haar = gs_haar_of(gs_chain_orthogonal(config, i), c2);
  const double square = link->pair.hh * link->pair.hh + h2 * link->c_var +
                        h2 * link->share * link->share * (haar.cosines - c2);
  const double norms = products_of(config, i, link, c2, link->pair.h2h2);
  /* of these both from one unit, or from two */
  const double two = (1 - 1 / n) * (1 + acting(link) * (haar.norms - 1));
  const double cosines = square * (1 - 1 / n) + norms - two;
  return fmin(fmax(cosines / norms, link->pair.hh * link->pair.hh), 1);
}

/* A correlation that varies by c_var: E f(z_a) g(z_b) is larger by half its second
 * derivative, which for squares f = phi^2 is that of 2 (d ln E f/d ln q)^2 c^2. */
static gs_pair_moments widened(const gs_link *link, gs_pair_moments pair, double c_var) {
  const double v = 2 * c_var;
  pair.h2h2 += v * link->m.gain_V * link->m.gain_V;
  pair.d2d2 += v * link->m.gain_m1 * link->m.gain_m1;
  pair.h2d2 += v * link->m.gain_V * link->m.gain_m1;
  return pair;
}

/* Two steps that share W are like two examples. Where every step has a W of its own, z
 * still shares b, and U's rows, whose lengths differ. */
static gs_pair_moments between_steps(const walk *w, const gs_link *link) {
  const gs_config *config = w->config;
  if (config->tied || link->log_q == -INFINITY) return link->pair;
  const double input = exp(w->log_input - link->log_q);
  const double c = exp(w->log_bias - link->log_q);
  return widened(link, gs_pair_table_at(w->pairs[0], link->log_q, c),
                 input * input / (double)config->input);
}

/* q, its share from below and the correlation of examples. `below` is NULL for
 * the first point. */
static void enter(const walk *w, int64_t i, const gs_link *below, gs_link *link) {
  const bool mlp = !w->recurrent;
  double log_signal = mlp ? gs_chain_log_s(w->config, i) : -INFINITY;
  double correlation = 0; /* of what comes from below: inputs are independent */
  if (below) {
    log_signal = gs_chain_log_s(w->config, i) + below->m.log_V;
    correlation = below->pair.hh;
  }
  const double log_new = mlp ? -INFINITY : w->log_input;
  link->log_q = gs_log_add(gs_log_add(log_signal, log_new), w->log_bias);
  const bool zero = link->log_q == -INFINITY;
  link->share = zero ? 0 : exp(log_signal - link->log_q);
  link->c = zero ? 0 : link->share * correlation + exp(w->log_bias - link->log_q);
  const double new_share = zero ? 0 : mlp ? (below ? 0 : link->share) : exp(log_new - link->log_q);
  const gs_spread before = below ? below->h : (gs_spread){0};
  const double mean = below ? below->mean_h : 0;
  const gs_log_sum sum = gs_log_sum_of(link->share, mean, before.own);
  link->mean_q = below ? sum.mean : 0;
  link->moved = below ? sum.slope * below->moved + sum.mean - link->share * mean : 0;
  link->slope = below ? sum.slope : link->share;
  const double inputs = (double)gs_model_inputs(w->config);
  const double f2 = link->share * link->share;
  const double scatter = below ? below->cosine2 - correlation * correlation : 0;
  link->c_var = new_share * new_share / inputs + f2 * scatter;
  const gs_ratio_law x = gs_ratio_gamma(2 / inputs); /* of |x|^2, x ~ N(0,1) */
  const double new2 = new_share * new_share;
  link->input = (gs_spread){new2 * x.variance, 0, new2 * new_share * gs_ratio_skew(x), 0};
  link->mean_q += link->input.skew - 0.5 * link->input.own;
  const double passed = sum.slope * sum.slope;
  link->q = (gs_spread){sum.variance + link->input.own, passed * before.pair,
                        f2 * link->share * before.skew + link->input.skew, passed * before.repeats};
}

/* Spread and mean of ln |h|^2. */
static void leave(walk *w, int64_t i, const gs_link *below, gs_link *link) {
  const gs_config *config = w->config;
  const double n = (double)gs_chain_units(config, i);
  const gs_activation phi = gs_chain_activation(config, i);
  const int64_t larger = gs_chain_orthogonal(config, i);
  const double fixed = larger ? 2 * link->share * link->share / (double)larger : 0;
  const double g2 = link->m.gain_V * link->m.gain_V;
  const double own = fmax((link->m.h4 - 1) / n - fixed * g2, 0);
  gs_ratio_law law = gs_ratio_gamma(own);
  if (gs_chain_exact(config) && w->log_bias == -INFINITY &&
      (phi.kind == GS_RELU || phi.kind == GS_IDENTITY)) {
    law = gs_ratio_recall(&w->memory, gs_chain_units(config, i), phi.kind == GS_RELU, larger);
  }
  const double c2 = link->c * link->c + link->c_var;
  link->cosine2 = cosine2_of(config, i, link);
  const double first = products_of(config, i, link, c2, link->pair.h2h2) - 1;
  const double whole = products_of(config, i, link, 1, link->m.h4) - 1; /* of one with itself */
  const double pair = whole > 0 ? first * law.variance / whole : first;
  link->noise_h = (gs_spread){law.variance, pair, gs_ratio_skew(law), 0};
  double again = 0; /* in an rnn the noise of |h|^2 repeats from step to step */
  if (w->recurrent) {
    const double carried = below ? link->m.gain_V * link->slope * below->repeated : 0;
    again = fmax(2 * carried, 0);
    link->noise_steps = config->tied ? pair : (link->steps.h2h2 - 1) / n;
    link->repeated = carried + link->noise_steps;
  }
  link->h = (gs_spread){g2 * link->q.own + law.variance + again, g2 * link->q.pair + pair + again,
                        g2 * link->m.gain_V * link->q.skew + link->noise_h.skew,
                        g2 * link->q.repeats + again};
  link->moved *= link->m.gain_V;
  link->mean_h = link->m.gain_V * link->mean_q + 0.5 * link->curve_V * link->q.own + law.mean +
                 gs_chain_sphere(config, i, link->share, link->m.gain_V, link->curve_V);
}

/* Moments and curvatures, which are those of the layer below where q is. */
static void look_up(gs_moment_table *table, const gs_link *below, gs_link *link) {
  const double h = 0.02; /* central differences: errors of h^2 in terms of order 1/n */
  if (below && below->log_q == link->log_q) {
    link->curve_V = below->curve_V;
    link->curve_m1 = below->curve_m1;
  } else {
    const gs_moments less = gs_moment_table_at(table, link->log_q - h);
    const gs_moments more = gs_moment_table_at(table, link->log_q + h);
    link->curve_V = (more.gain_V - less.gain_V) / (2 * h);
    link->curve_m1 = (more.gain_m1 - less.gain_m1) / (2 * h);
  }
  link->m = gs_moment_table_at(table, link->log_q);
}

/* Biases that are not normal. z of excess kurtosis k has E f(z) = E f + k q^2/24 E f^(4) of a
 * normal z (the first term of its Edgeworth series), and E f^(4) = 4 (E f)'': the curvature
 * in q by which an orthogonal W acts (gs_chain_sphere). Fourth moments are taken to change
 * as where phi is linear, where E z_a^2 z_b^2 has k q^2 more. */
static void add_kurtosis(const walk *w, gs_link *link) {
  const double share = exp(w->log_bias - link->log_q);
  const double k = gs_bias_excess_kurtosis(w->config) * share * share;
  const double g = link->m.gain_V;
  const double g1 = link->m.gain_m1;
  if (k == 0 || link->log_q == -INFINITY) return;
  link->m.log_V += k / 6 * (link->curve_V + g * g - g);
  link->m.log_m1 += k / 6 * (link->curve_m1 + g1 * g1 - g1);
  link->m.h4 *= 1 + k / 3 * g * g;
  link->pair.h2h2 *= 1 + k / (1 + 2 * link->c * link->c) * g * g;
}

static void step(walk *w, int64_t i, const gs_link *below, gs_link *link) {
  const int table = !w->recurrent && i == gs_model_points(w->config) - 1;
  w->log_bias = gs_bias_log_variance(w->config, i + 1);
  enter(w, i, below, link);
  look_up(w->moments[table], table ? NULL : below, link);
  if (w->config->batch > 1 || w->recurrent) {
    link->pair = gs_pair_table_at(w->pairs[table], link->log_q, link->c);
    link->pair = widened(link, link->pair, link->c_var);
  } else {
    link->pair = (gs_pair_moments){1, 1, 1, 1, 1};
  }
  add_kurtosis(w, link);
  if (w->recurrent) link->steps = between_steps(w, link);
  leave(w, i, below, link);
}

/* ---- the walk ---- */

static void walk_end(walk *w) {
  for (int i = 0; i < 2; i++) {
    gs_moment_table_destroy(w->moments[i]);
    gs_pair_table_destroy(w->pairs[i]);
  }
}

static gs_status walk_begin(const gs_config *config, walk *w, gs_error *error) {
  const int64_t points = gs_model_points(config);
  *w = (walk){.config = config, .recurrent = gs_model_is_recurrent(config->model)};
  for (int i = 0; i < 2; i++) {
    const gs_activation phi = i ? gs_model_activation(config, points) : config->activation;
    GS_TRY(gs_moment_table_create(phi, &w->moments[i], error));
    GS_TRY(gs_pair_table_create(phi, &w->pairs[i], error));
  }
  if (w->recurrent) w->log_input = gs_chain_log_input(config);
  return GS_OK;
}

gs_status gs_chain_make(const gs_config *config, gs_chain *chain, gs_error *error) {
  walk w;
  *chain = (gs_chain){.config = config, .points = gs_model_points(config)};
  gs_status status = walk_begin(config, &w, error);
  if (status == GS_OK) {
    chain->links = calloc((size_t)chain->points, sizeof *chain->links);
    if (!chain->links) status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the theory");
  }
  for (int64_t i = 0; status == GS_OK && i < chain->points; i++) {
    step(&w, i, i ? &chain->links[i - 1] : NULL, &chain->links[i]);
  }
  for (int t = 0; status == GS_OK && t < 2; t++) {
    if (!gs_moment_table_lacked(w.moments[t])) continue;
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for the moments");
  }
  walk_end(&w);
  return status;
}

void gs_chain_clear(gs_chain *chain) {
  if (!chain) return;
  free(chain->links);
  *chain = (gs_chain){0};
}
