/* The shares of dead networks.
 *
 * Rows of W (with their bias) are symmetric about 0 and can be turned one by one, whether
 * they are independent or orthogonal. So, given a signal h^{l-1} that is not zero, each
 * z_i^l of one example is above zero in half of the networks, independently: a layer of
 * n relu units is silent in exactly 2^-n of them. Then h^l = 0 and phi' = 0:
 *
 *   without biases  nothing comes to life again: h^k = 0 for k >= l, and delta^k = 0 for
 *                   every k but an output layer's whose phi'(0) is not 0:
 *                     P(delta^k = 0) = 1 - prod over all relu layers (1 - 2^-n)
 *                     P(h^k = 0)     = 1 - prod over relu layers up to k
 *   with biases     the next layer has its b: P(h^k = 0) = 2^-n_k, and
 *                     P(delta^k = 0) = 1 - prod over relu layers from k on
 *
 * delta = 0 for other reasons has probability zero: it is a polynomial of the weights
 * that is not the zero polynomial. A gradient delta h^T is dead with either factor.
 *
 * A batch is dead with its last example: these are upper limits then. So they are for
 * activations that in the number format are flat far below zero, where they act as relu
 * does (gelu, silu, softplus; elu and selu in phi' alone). In an rnn W or U and b
 * return at each step, which then are not independent: T steps have at most T times one
 * step's share, and simulated steps of tied weights up to n/4 times 2^-n (orthogonal W,
 * n = 4..8). */
#include "theory/atoms.h"

#include <math.h>

#include "device/activation_scale.h"
#include "net/init.h"
#include "net/model.h"
#include "theory/chain.h"

typedef enum death { LIVES, FLAT, SILENT } death; /* FLAT: 0 only as far as formats go */

static death death_of(gs_activation phi) {
  switch (phi.kind) {
  case GS_RELU: return SILENT;
  case GS_LEAKY_RELU: return phi.slope == 0 ? SILENT : LIVES;
  case GS_ELU:
  case GS_SELU:
  case GS_GELU:
  case GS_SILU:
  case GS_SOFTPLUS: return FLAT;
  case GS_IDENTITY:
  case GS_SIGMOID:
  case GS_TANH:
  case GS_SOFTSIGN:
  case GS_ACTIVATION_COUNT: break;
  }
  return LIVES;
}

/* ln of the share of networks in which layer i passes something on. */
static double log_alive(const gs_config *config, int64_t i) {
  if (death_of(gs_chain_activation(config, i)) == LIVES) return 0;
  return log1p(-exp2(-(double)gs_chain_units(config, i)));
}

static double dead_of(double log_alive_of) { return fabs(expm1(log_alive_of)); }

/* ---- mlp ---- */

static double log_alive_mlp(const gs_config *config) {
  double sum = 0;
  for (int64_t i = 0; i < config->depth; i++) sum += log_alive(config, i);
  return sum;
}

static void without_biases(const gs_config *config, gs_theory *theory) {
  const int64_t last = config->depth - 1;
  const double all = log_alive_mlp(config);
  const bool hidden_zero = gs_activation_homogeneous(config->output_activation.kind) ||
                           config->output_activation.kind == GS_TANH ||
                           config->output_activation.kind == GS_SOFTSIGN;
  double below = 0;
  for (int64_t i = 0; i <= last; i++) {
    const double own = log_alive(config, i);
    const double through = i < last || hidden_zero ? below + own : own;
    const bool reads_zero = i < last || own < 0;
    theory->series[GS_ACTIVATION_H].dead[i] = dead_of(through);
    theory->series[GS_DELTA].dead[i] = reads_zero ? dead_of(all) : 0;
    theory->series[GS_GRAD_WEIGHT].dead[i] = dead_of(all);
    below += own;
  }
}

static void with_biases(const gs_config *config, gs_theory *theory) {
  double above = 0;
  for (int64_t i = config->depth - 1; i >= 0; i--) {
    above += log_alive(config, i);
    theory->series[GS_ACTIVATION_H].dead[i] = dead_of(log_alive(config, i));
    theory->series[GS_DELTA].dead[i] = dead_of(above);
    theory->series[GS_GRAD_BIAS].dead[i] = dead_of(above);
    theory->series[GS_GRAD_WEIGHT].dead[i] =
        dead_of(above + (i > 0 ? log_alive(config, i - 1) : 0));
  }
}

/* ---- rnn ---- */

static double one_step(const gs_config *config) {
  const double n = (double)config->hidden;
  if (death_of(config->activation) == LIVES) return 0;
  return fmin(exp2(-n) * (config->tied ? fmax(n / 4, 1) : 1), 0.5);
}

static void rnn(const gs_config *config, gs_theory *theory) {
  const double log_step = log1p(-one_step(config));
  const double all = dead_of((double)config->seq_len * log_step);
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    for (int64_t i = 0; i < theory->series[q].points; i++) theory->series[q].dead[i] = all;
  }
  theory->dead_law = all > 0 ? GS_DEAD_AT_MOST : GS_DEAD_EXACT;
}

/* ---- both ---- */

double gs_dying_share(const gs_config *config) {
  if (!gs_model_is_recurrent(config->model)) return dead_of(log_alive_mlp(config));
  return dead_of((double)config->seq_len * log1p(-one_step(config)));
}

static bool known_exactly(const gs_config *config) {
  return config->batch == 1 && death_of(config->activation) != FLAT &&
         death_of(config->output_activation) != FLAT;
}

void gs_atoms_fill(const gs_config *config, gs_theory *theory) {
  if (gs_model_is_recurrent(config->model)) {
    rnn(config, theory);
  } else {
    if (gs_config_has_biases(config)) {
      with_biases(config, theory);
    } else {
      without_biases(config, theory);
    }
    const bool none = log_alive_mlp(config) == 0;
    theory->dead_law = none || known_exactly(config) ? GS_DEAD_EXACT : GS_DEAD_AT_MOST;
  }
  theory->decades_dead = theory->series[GS_DELTA].dead[0];
}
