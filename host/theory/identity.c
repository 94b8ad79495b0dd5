/* Networks of identity weights, unit by unit.
 *
 * An mlp of W = g I keeps the sign of a unit: above zero h^l = g^l x, below it
 * a^l g^l x with the slopes a of its homogeneous activations (1: linear, 0: relu).
 *
 * An rnn of W = I and relu (Le et al. 2015) is a random walk that is held at zero:
 * h_t = max(0, h_{t-1} + u_t). Let a_k = C(2k, k)/4^k, the chance that the k
 * partial sums of a walk of symmetric, continuous steps are all positive (Sparre
 * Andersen 1953). Split by the last time tau < t at which the unit was at zero,
 * itself of probability a_tau (the reversed walk):
 *   P(z_t, ..., z_T > 0) = sum_{tau < t} a_tau a_{T - tau},
 * the discrete arc-sine law. h_t is distributed as the maximum of the walk, for
 * which Spitzer's identity gives
 *   E h_t^2 = sigma^2 (t/2 + 1/(2 pi) sum_{j+k <= t} (j k)^(-1/2)). */
#include "theory/identity.h"

#include <math.h>

#include "net/init.h"
#include "net/model.h"
#include "theory/ratio.h"
#include "theory/survival.h"
#include "theory/tails.h"

/* ln C(2k, k)/4^k = ln Gamma(k + 1/2) - ln Gamma(k + 1) - ln(pi)/2 */
static double log_central(double k) {
  if (k < 1e6) return lgamma(k + 0.5) - lgamma(k + 1) - 0.5 * log(M_PI);
  return -0.5 * log(M_PI * k) - 1 / (8 * k); /* differences of large numbers */
}

/* Adds the terms tau = 0..t-1: each follows from the one before. */
double gs_irnn_log_survival(int64_t t, int64_t T) {
  double term = 1;
  double sum = 1;
  for (int64_t tau = 1; tau < t; tau++) {
    const double k = (double)tau;
    const double m = (double)(T - tau + 1);
    term *= (2 * k - 1) / (2 * k) * (2 * m) / (2 * m - 1);
    sum += term;
  }
  return log(sum) + log_central((double)T);
}

/* Whether biases add to z; a framework's may be 0. */
static bool has_bias(const gs_config *config) {
  return gs_bias_log_variance(config, 1) > -INFINITY;
}

/* ---- writing ---- */

/* Of a squared norm, relative: beyond it mean and variance of its logarithm are more than
 * a gamma law's (compared with simulations, docs/THEORY.md). */
#define MAX_NOISE 0.15

static void put(gs_theory_series *series, int64_t i, double log_square, gs_ratio_law law) {
  series->rms[i] = 0.5 * log_square / M_LN10;
  series->typical[i] = 0.5 * (log_square + law.mean) / M_LN10;
  series->sd[i] = 0.5 * sqrt(law.variance) / M_LN10;
}

/* The law of decades: shift of the mean of ln of the squared ratio, and its variance. */
static void put_decades(gs_theory *theory, double shift, double variance) {
  const gs_theory_series *delta = &theory->series[GS_DELTA];
  const int64_t last = theory->points - 1;
  for (int64_t i = 0; i < last; i++) theory->log10_chi[i] = 2 * (delta->rms[i] - delta->rms[i + 1]);
  theory->decades_rms = delta->rms[0] - delta->rms[last];
  theory->decades_typical = theory->decades_rms + 0.5 * shift / M_LN10;
  theory->decades_sd = 0.5 * sqrt(variance) / M_LN10;
}

/* Skewness and kurtosis of a logarithm whose square has this relative variance: simulated
 * sums over survivors have -1.6 to -2.65 sqrt(noise), and 6 to 16 noise. */
static double skew_of(double noise) { return -2.6 * sqrt(noise); }
static double kurtosis_of(double noise) { return 16 * noise; }

/* ---- mlp ---- */

static bool slope_of(gs_activation phi, double *log_slope) {
  if (phi.kind == GS_IDENTITY) *log_slope = 0;
  if (phi.kind == GS_RELU) *log_slope = -INFINITY;
  if (phi.kind == GS_LEAKY_RELU) *log_slope = log(phi.slope);
  return phi.kind == GS_IDENTITY || phi.kind == GS_RELU || phi.kind == GS_LEAKY_RELU;
}

/* ln of (1 + e^x)/2: the mean over units above and below zero. */
static double log_half(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))) - log(2); }

/* n times the relative variance of sum w g^2 over units, w = 1 or e^x: g ~ N(0,1)
 * has E g^4 = 3. */
static double log_half_noise(double x) { return 3 * exp(log_half(2 * x) - 2 * log_half(x)) - 1; }

/* An mlp's elements are independent: n B of them, each with its x and its g. */
typedef struct part {
  double log_mean; /* of weights w, 1 above zero and e^x below */
  gs_ratio_law law;
  double dead;
  double skew;
} part;

/* Sum over elements of w g^2: chi-square where all weights are one, of a binomial number
 * of elements where half of them are zero; else a gamma law with its relative variance. */
static part part_of(double x, double elements) {
  const int64_t count = (int64_t)elements;
  const bool half = x == -INFINITY;
  part of = {.log_mean = log(elements) + log_half(x)};
  if (x == 0 || half) {
    of.law = gs_ratio_exact(count, half, 0);
    of.skew = gs_tails_skew(gs_tails_of(count, half, 0), of.law.variance);
    of.dead = half ? exp2(-elements) : 0;
  } else {
    of.law = gs_ratio_gamma(log_half_noise(x) / elements);
    of.skew = skew_of(log_half_noise(x) / elements);
  }
  return of;
}

/* What the mean square of the living has on that of all. */
static double log_living(double dead) { return dead > 1e-8 ? log1p(-dead) : 0; }

static void put_part(gs_theory_series *series, int64_t i, double log_gain, const part *of) {
  put(series, i, log_gain + of->log_mean, of->law);
  series->rms[i] -= 0.5 * log_living(of->dead) / M_LN10;
  series->dead[i] = of->dead;
  series->skew[i] = of->skew;
}

/* delta of the first layer has the weights of `all`, that of the last those of `outer`. */
static void mlp_decades(gs_theory *theory, double all, double outer, double elements) {
  const double up = exp(-log_half(all)) - exp(-log_half(outer));
  const double down = exp(all - log_half(all)) - exp(outer - log_half(outer));
  if (all == outer) { /* element by element */
    put_decades(theory, 0, 0);
  } else if (all == -INFINITY && outer == 0) { /* Beta(K/2, (N - K)/2) */
    const gs_ratio_law law = gs_ratio_exact((int64_t)elements, true, (int64_t)elements);
    const gs_tails tails = gs_tails_of((int64_t)elements, true, (int64_t)elements);
    put_decades(theory, law.mean + log_living(exp2(-elements)), law.variance);
    theory->decades_skew = gs_tails_skew(tails, law.variance);
    if (law.variance > 1e-12) {
      theory->decades_kurtosis = tails.fourth / (law.variance * law.variance);
    }
  } else {
    const gs_ratio_law first = part_of(all, elements).law;
    const gs_ratio_law last = part_of(outer, elements).law;
    put_decades(theory, first.mean - last.mean, 1.5 * (up * up + down * down) / elements);
  }
  theory->decades_dead = theory->series[GS_DELTA].dead[0];
}

static bool mlp_theory(const gs_config *config, gs_theory *theory) {
  const double elements = (double)config->widths[0] * (double)config->batch;
  const double log_gain = log(config->init.gain);
  const int64_t L = config->depth;
  double inner = 0;
  double outer = 0;
  double noise = 0; /* the largest relative variance that is not exact */
  if (has_bias(config) || !slope_of(config->activation, &inner)) return false;
  if (!slope_of(config->output_activation, &outer)) return false;
  for (int64_t i = 0; i < L; i++) { /* layer i + 1; 0 * -inf is avoided */
    const double before = i > 0 ? 2 * (double)i * inner : 0;
    const double here = i == L - 1 ? before + 2 * outer : 2 * (double)(i + 1) * inner;
    const double above = i < L - 1 ? 2 * (double)(L - 1 - i) * inner + 2 * outer : 2 * outer;
    const part h = part_of(here, elements);
    const part delta = part_of(above, elements);
    theory->log10_q[i] = (2 * (double)(i + 1) * log_gain + log_half(before)) / M_LN10;
    put_part(&theory->series[GS_ACTIVATION_H], i, 2 * (double)(i + 1) * log_gain, &h);
    put_part(&theory->series[GS_DELTA], i, 2 * (double)(L - 1 - i) * log_gain, &delta);
    if (isfinite(here) && here != 0) noise = fmax(noise, log_half_noise(here) / elements);
    if (isfinite(above) && above != 0) noise = fmax(noise, log_half_noise(above) / elements);
  }
  const double all = (L > 1 ? 2 * (double)(L - 1) * inner : 0) + 2 * outer;
  mlp_decades(theory, all, 2 * outer, elements);
  theory->reasons[GS_REASON_SHARE] = noise > 0;
  theory->reasons[GS_REASON_FEW] = noise > MAX_NOISE / 3; /* a ratio of two such sums */
  return true;
}

/* ---- rnn ---- */

/* sum_{j+k=m} (j k)^(-1/2), j, k >= 1: an endpoint expansion with zeta(1/2),
 * zeta(-1/2), zeta(-3/2) for large m (Euler-Maclaurin with algebraic ends). */
static double convolution(int64_t m) {
  const double x = (double)m;
  if (m > 64) {
    return M_PI - 2 * 1.4603545088095868 / sqrt(x) - 0.2078862249773546 / (x * sqrt(x)) -
           0.75 * 0.0254852018898330 / (x * x * sqrt(x));
  }
  double sum = 0;
  for (int64_t j = 1; j < m; j++) sum += 1 / sqrt((double)j * (double)(m - j));
  return sum;
}

/* The squared norm over units and a batch: examples are independent, units of one example
 * share its inputs. */
typedef struct survivors {
  const gs_config *config;
  int64_t inputs;  /* directions that the rows of U span; 0: they are orthogonal */
  double at_share; /* the excess is remembered */
  double excess;
} survivors;

static survivors survivors_of(const gs_config *config) {
  const gs_init_kind kind = config->input_init.kind;
  const bool rows =
      kind == GS_INIT_IDENTITY || (kind == GS_INIT_ORTHOGONAL && config->hidden <= config->input);
  return (survivors){.config = config, .inputs = rows ? 0 : config->input};
}

/* Var/E^2 of the number of survivors of one example. */
static double count_noise(survivors *of, double share) {
  const double n = (double)of->config->hidden;
  if (of->inputs > 0 && n > 1 && !(fabs(log(share / of->at_share)) < 0.01)) {
    of->excess = gs_survival_excess(share, of->inputs);
    of->at_share = share;
  }
  return (1 / share - 1) / n + (1 - 1 / n) * of->excess;
}

/* Of sum g^2 over the survivors of all examples: E g^4 - 1 = 2. */
static double square_noise(survivors *of, double share) {
  const double n = (double)of->config->hidden;
  return (2 / (share * n) + count_noise(of, share)) / (double)of->config->batch;
}

/* No unit survives in any example: for one example at most 1 - (E N)^2/E N^2, N its
 * survivors (Paley & Zygmund), and below a few units, whose U differ much between
 * networks, 1 - share, for the first unit is one of them. */
static double no_survivor(survivors *of, double share) {
  const double noise = count_noise(of, share);
  const double one = of->config->hidden < 8 ? 1 - share : noise / (1 + noise);
  return pow(one, (double)of->config->batch);
}

/* ln of the first delta's square less ln of the last's, whose survivors the first's are
 * some of. */
static void put_survivors(survivors *of, double gone, gs_theory *theory) {
  const double last = 1 - gone;
  const double n = (double)of->config->hidden;
  const double B = (double)of->config->batch;
  const double noise_first = square_noise(of, gone);
  const double noise_last = square_noise(of, last);
  double both = (2 / last + 1 / last - 1) / (n * B);
  if (of->inputs > 0) both += (1 - 1 / n) * gs_survival_excess_last(last, of->inputs) / B;
  const gs_ratio_law first = gs_ratio_gamma(noise_first);
  theory->decades_skew = skew_of(noise_first);
  theory->decades_kurtosis = kurtosis_of(noise_first);
  put_decades(theory, first.mean - gs_ratio_gamma(noise_last).mean,
              fmax(first.variance + noise_last - 2 * both, 0));
}

static void relu_rnn(const gs_config *config, double log_input, gs_theory *theory) {
  const int64_t T = config->seq_len;
  const double elements = (double)config->hidden * (double)config->batch;
  const double log_first = log_central((double)T); /* of tau = 0; tau = T too */
  survivors units = survivors_of(config);
  double squares = 0;
  double term = 1;
  double survive = 0;
  theory->dead_law = GS_DEAD_AT_MOST;
  for (int64_t i = 0; i < T; i++) {
    const double t = (double)(i + 1);
    const double k = (double)i;
    const double m = (double)(T - i);
    const double before = i > 0 ? squares + 0.5 * k : 0; /* E h_{t-1}^2 / sigma^2 */
    squares += convolution(i + 1) / (2 * M_PI);
    survive += term;
    term *= (2 * k + 1) / (2 * k + 2) * (2 * m) / (2 * m - 1);
    const double log_share = log(survive) + log_first;
    const double share = fmin(exp(log_share), 1);
    theory->log10_q[i] = (log_input + log1p(before)) / M_LN10;
    put(&theory->series[GS_ACTIVATION_H], i, log(elements) + log_input + log(squares + 0.5 * t),
        (gs_ratio_law){NAN, NAN});
    put(&theory->series[GS_DELTA], i, log(elements) + log_share,
        gs_ratio_gamma(square_noise(&units, share)));
    theory->series[GS_DELTA].skew[i] = skew_of(square_noise(&units, share));
    theory->series[GS_DELTA].dead[i] = no_survivor(&units, share);
  }
  theory->decades_dead = theory->series[GS_DELTA].dead[0];
  put_decades(theory, 0, 0);
  if (T > 1) put_survivors(&units, exp(log_first), theory);
  theory->reasons[GS_REASON_SHARE] = true;
  theory->reasons[GS_REASON_FEW] = !(square_noise(&units, exp(log_first)) <= MAX_NOISE);
}

static void linear_rnn(const gs_config *config, double log_input, gs_theory *theory) {
  const int64_t T = config->seq_len;
  const double elements = (double)config->hidden * (double)config->batch;
  const double g2 = config->init.gain * config->init.gain;
  const gs_ratio_law law = gs_ratio_gamma(2 / elements);
  double log_sum = 0; /* ln of 1 + g^2 + ... */
  for (int64_t i = 0; i < T; i++) {
    if (i > 0) log_sum = fmax(log(g2) + log_sum, 0) + log1p(exp(-fabs(log(g2) + log_sum)));
    theory->log10_q[i] = (log_input + log_sum) / M_LN10;
    put(&theory->series[GS_ACTIVATION_H], i, log(elements) + log_input + log_sum,
        (gs_ratio_law){NAN, NAN});
    put(&theory->series[GS_DELTA], i, log(elements) + (double)(T - 1 - i) * log(g2), law);
  }
  put_decades(theory, 0, 0);
}

bool gs_identity_theory(const gs_config *config, gs_theory *theory) {
  if (config->loss != GS_LOSS_LINEAR || config->loss_at != GS_LOSS_LAST) return false;
  if (!gs_model_is_recurrent(config->model)) return mlp_theory(config, theory);
  const double variance = gs_init_variance(&config->input_init, config->input, config->hidden);
  const double log_input = log((double)config->input * variance);
  if (!(variance > 0)) return false;
  if (has_bias(config)) return false;
  if (config->activation.kind == GS_IDENTITY) {
    linear_rnn(config, log_input, theory);
    return true;
  }
  if (config->activation.kind != GS_RELU || config->init.gain != 1) return false;
  relu_rnn(config, log_input, theory);
  return true;
}
