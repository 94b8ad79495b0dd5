/* h_t = W h_{t-1} + U x_t with W = g Q, Q of Haar measure, x normal.
 *
 * Given W and U, h_t is normal with the covariance sum_{k<t} g^2k Q^k A Q^-k, A = U U^T.
 * With G = sum g^2k, H = sum g^4k, and sigma_u^2 = n_x Var(U_ij):
 *   E |h_t|^2 = B n sigma_u^2 G,   relative variance (2/B) (a + (H/G^2) b) + c
 * a + b = tr A^2/tr^2 A is what k = 0 has; a, its mean over k of tr Q^k A Q^-k A, is the
 * mean of |u* A u|^2 over the complex eigenvectors u of Q; c is the variance of tr A:
 *   U normal               a = (1 + 1/n_x)/n                          b = 1/n_x   c = 2/(n n_x)
 *   orthogonal, n <= n_x   a = 1/n                                    b = 0       c = 0
 *   orthogonal, n > n_x    a = (1 + (n - n_x)/(n_x (n + 1)))/n        a + b = 1/n_x
 * At t = 1 the first is the law of chi^2_n chi^2_{n_x} exactly.
 *
 * delta_t is g^(T-t) turned, |delta_t| exactly that times |delta_T|, chi^2 with n B degrees
 * of freedom. With a loss at every step delta_t = g Q^T delta_{t+1} + fresh is normal, too:
 *   D_T = 1, D_t = g^2 D_{t+1} + (1 or 0);   |delta_t|^2 = D_t chi^2_{nB},
 * and what it shares with delta_T is g^2(T-t)/D_t of it.
 *
 * |sum_t delta_t x_t^T|^2 has the mean n_x n B sum D_t. Its columns are normal with the
 * covariance C = sum delta delta^T: relative variance 2 tr C^2 / (n_x tr^2 C), where two
 * steps' deltas of one example have the mean squared cosine 2/(n + 2), of two 1/n; and
 * that of tr C = sum |delta_t|^2. Derived; checked against networks of 2 to 24 units in
 * float64 (docs/THEORY.md). */
#include "theory/rotation.h"

#include <math.h>

#include "net/init.h"
#include "net/model.h"
#include "theory/ratio.h"

bool gs_rotation_holds(const gs_config *config) {
  return gs_model_is_recurrent(config->model) && config->tied &&
         config->init.kind == GS_INIT_ORTHOGONAL && config->init.gain != 0 &&
         config->activation.kind == GS_IDENTITY && gs_bias_log_variance(config, 1) == -INFINITY &&
         config->loss == GS_LOSS_LINEAR && config->hidden >= 4;
}

/* Of the product of independent gamma variates of mean 1, with these relative variances. */
static gs_ratio_law product(const double variances[3]) {
  gs_ratio_law law = {0, 0};
  for (int i = 0; i < 3; i++) {
    const gs_ratio_law one = gs_ratio_gamma(fmax(variances[i], 0));
    law.mean += one.mean;
    law.variance += one.variance;
  }
  return law;
}

static void put(gs_theory_series *series, int64_t i, double log_square, gs_ratio_law law) {
  series->rms[i] = 0.5 * log_square / M_LN10;
  series->typical[i] = 0.5 * (log_square + law.mean) / M_LN10;
  series->sd[i] = 0.5 * sqrt(law.variance) / M_LN10;
}

/* Of the inputs' covariance A: the formulas above. */
typedef struct covariance {
  double a, b, c;
} covariance;

static covariance covariance_of(const gs_config *config) {
  const double n = (double)config->hidden;
  const double n_x = (double)config->input;
  const gs_init_kind kind = config->input_init.kind;
  if (kind != GS_INIT_ORTHOGONAL && kind != GS_INIT_IDENTITY) {
    return (covariance){(1 + 1 / n_x) / n, 1 / n_x, 2 / (n * n_x)};
  }
  const double a = (1 + fmax(n - n_x, 0) / (n_x * (n + 1))) / n;
  return (covariance){a, 1 / fmin(n, n_x) - a, 0};
}

/* u = H/G^2 */
static gs_ratio_law activation_law(double n, double B, covariance A, double u) {
  const double units = 2 / (n * B);
  const double inputs = 2 * u * A.b / B;
  const double whole = 2 / B * (A.a + u * A.b) + A.c;
  return product((double[]){units, inputs, (1 + whole) / ((1 + units) * (1 + inputs)) - 1});
}

static void forward(const gs_config *config, double log_g2, gs_theory *theory) {
  const double n = (double)config->hidden;
  const double n_x = (double)config->input;
  const double B = (double)config->batch;
  const double variance = gs_init_variance(&config->input_init, config->input, config->hidden);
  const double log_input = log(n_x) + log(variance);
  const covariance A = covariance_of(config);
  double log_G = 0;
  double log_H = 0;
  for (int64_t i = 0; i < theory->points; i++) {
    if (i > 0) log_G = gs_log_add(0, log_g2 + log_G);
    if (i > 0) log_H = gs_log_add(0, 2 * log_g2 + log_H);
    theory->log10_q[i] = (log_input + log_G) / M_LN10;
    put(&theory->series[GS_ACTIVATION_H], i, log(n * B) + log_input + log_G,
        activation_law(n, B, A, exp(log_H - 2 * log_G)));
  }
}

/* Of |sum delta x^T|^2: `norms`, the relative variance of sum |delta_t|^2; u = sum D^2 over
 * the square of sum D. */
static gs_ratio_law input_law(double n, double n_x, double B, double norms, double u) {
  const double along = (u + (1 - u) * 2 / (n + 2)) / B + (1 - 1 / B) / n;
  return product((double[]){norms, 2 * along / n_x, 0});
}

static void backward(const gs_config *config, double log_g2, gs_theory *theory) {
  const double n = (double)config->hidden;
  const double n_x = (double)config->input;
  const double B = (double)config->batch;
  const double fresh = config->loss_at == GS_LOSS_EVERY ? 0 : -INFINITY;
  const int64_t last = theory->points - 1;
  const gs_ratio_law law = gs_ratio_gamma(2 / (n * B));
  double log_D = 0;
  double log_sum = -INFINITY;     /* of D_t */
  double log_squares = -INFINITY; /* of D_t^2 */
  double log_later = -INFINITY;   /* of g^2(s-t) D_s^2 over s > t */
  double log_pairs = -INFINITY;   /* of these over t */
  for (int64_t i = last; i >= 0; i--) {
    if (i < last) {
      log_later = log_g2 + gs_log_add(log_later, 2 * log_D);
      log_D = gs_log_add(log_g2 + log_D, fresh);
      theory->log10_chi[i] = log_g2 / M_LN10;
    }
    log_sum = gs_log_add(log_sum, log_D);
    log_squares = gs_log_add(log_squares, 2 * log_D);
    log_pairs = gs_log_add(log_pairs, log_later);
    put(&theory->series[GS_DELTA], i, log(n * B) + log_D, law);
  }
  const double shared = exp((double)last * log_g2 - log_D);
  theory->decades_rms = theory->decades_typical = 0.5 * log_D / M_LN10;
  theory->decades_sd = 0.5 * sqrt(fmax(2 * law.variance * (1 - shared), 0)) / M_LN10;
  const double all = gs_log_add(log_squares, log(2) + log_pairs);
  put(&theory->series[GS_GRAD_INPUT], 0, log(n_x * n * B) + log_sum,
      input_law(n, n_x, B, 2 / (n * B) * exp(all - 2 * log_sum), exp(log_squares - 2 * log_sum)));
}

void gs_rotation_theory(const gs_config *config, gs_theory *theory) {
  const double log_g2 = 2 * log(fabs(config->init.gain));
  gs_theory_series *weight = &theory->series[GS_GRAD_WEIGHT];
  forward(config, log_g2, theory);
  backward(config, log_g2, theory);
  if ((double)config->seq_len <= 0.7 * (double)config->hidden) return;
  weight->rms[0] = weight->typical[0] = weight->sd[0] = NAN;
}
