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
#include "theory/ratio.h"

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

static void put(gs_theory_series *series, int64_t i, double log_square, gs_ratio_law law) {
  series->rms[i] = 0.5 * log_square / M_LN10;
  series->typical[i] = 0.5 * (log_square + law.mean) / M_LN10;
  series->sd[i] = 0.5 * sqrt(law.variance) / M_LN10;
}

static void put_decades(gs_theory *theory, double variance) {
  const gs_theory_series *delta = &theory->series[GS_DELTA];
  const int64_t last = theory->points - 1;
  const gs_ratio_law law = gs_ratio_gamma(variance);
  for (int64_t i = 0; i < last; i++) theory->log10_chi[i] = 2 * (delta->rms[i] - delta->rms[i + 1]);
  theory->decades_rms = delta->rms[0] - delta->rms[last];
  theory->decades_typical = theory->decades_rms + 0.5 * law.mean / M_LN10;
  theory->decades_sd = 0.5 * sqrt(variance) / M_LN10;
}

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

static bool mlp_theory(const gs_config *config, gs_theory *theory) {
  const double n = (double)config->widths[0];
  const double elements = n * (double)config->batch;
  const double log_gain = log(config->init.gain);
  const int64_t L = config->depth;
  double inner = 0;
  double outer = 0;
  if (has_bias(config) || !slope_of(config->activation, &inner)) return false;
  if (!slope_of(config->output_activation, &outer)) return false;
  for (int64_t i = 0; i < L; i++) { /* layer i + 1; 0 * -inf is avoided */
    const double before = i > 0 ? 2 * (double)i * inner : 0;
    const double here = i == L - 1 ? before + 2 * outer : 2 * (double)(i + 1) * inner;
    const double above = i < L - 1 ? 2 * (double)(L - 1 - i) * inner + 2 * outer : 2 * outer;
    const double grown = 2 * (double)(i + 1) * log_gain;
    theory->log10_q[i] = (grown + log_half(before)) / M_LN10;
    put(&theory->series[GS_ACTIVATION_H], i, log(elements) + grown + log_half(here),
        gs_ratio_gamma(log_half_noise(here) / elements));
    put(&theory->series[GS_DELTA], i,
        log(elements) + 2 * (double)(L - 1 - i) * log_gain + log_half(above),
        gs_ratio_gamma(log_half_noise(above) / elements));
  }
  const double all = (L > 1 ? 2 * (double)(L - 1) * inner : 0) + 2 * outer;
  const double up = exp(-log_half(all)) - exp(-log_half(2 * outer));
  const double down = exp(all - log_half(all)) - exp(2 * outer - log_half(2 * outer));
  put_decades(theory, 1.5 * (up * up + down * down) / elements);
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

static void relu_rnn(const gs_config *config, double log_input, gs_theory *theory) {
  const int64_t T = config->seq_len;
  const double elements = (double)config->hidden * (double)config->batch;
  const double log_first = log_central((double)T); /* of tau = 0; tau = T too */
  double squares = 0;
  double term = 1;
  double survive = 0;
  for (int64_t i = 0; i < T; i++) {
    const double t = (double)(i + 1);
    const double k = (double)i;
    const double m = (double)(T - i);
    const double before = i > 0 ? squares + 0.5 * k : 0; /* E h_{t-1}^2 / sigma^2 */
    squares += convolution(i + 1) / (2 * M_PI);
    survive += term;
    term *= (2 * k + 1) / (2 * k + 2) * (2 * m) / (2 * m - 1);
    const double log_share = log(survive) + log_first;
    theory->log10_q[i] = (log_input + log1p(before)) / M_LN10;
    put(&theory->series[GS_ACTIVATION_H], i, log(elements) + log_input + log(squares + 0.5 * t),
        (gs_ratio_law){NAN, NAN});
    put(&theory->series[GS_DELTA], i, log(elements) + log_share,
        gs_ratio_gamma((3 * exp(-log_share) - 1) / elements));
  }
  const double gone = exp(log_first);
  put_decades(theory, 3 * (1 / gone - 1 / (1 - gone)) / elements);
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
  put_decades(theory, 0);
}

bool gs_identity_theory(const gs_config *config, gs_theory *theory) {
  if (config->loss != GS_LOSS_LINEAR || config->loss_at != GS_LOSS_LAST) return false;
  if (config->model == GS_MLP) return mlp_theory(config, theory);
  const double variance = gs_init_variance(&config->input_init, config->input, config->hidden);
  const double log_input = log((double)config->input * variance);
  if (has_bias(config)) return false;
  if (config->activation.kind == GS_IDENTITY) {
    linear_rnn(config, log_input, theory);
    return true;
  }
  if (config->activation.kind != GS_RELU || config->init.gain != 1) return false;
  relu_rnn(config, log_input, theory);
  return true;
}
