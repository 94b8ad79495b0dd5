/* What theory predicts for a configuration without running it: how activations,
 * deltas and gradients go with layers or time steps, and how far the prediction
 * can be trusted (THEORY).
 *
 * rms: the square root of the mean of the squared norm over networks, in the wide
 * limit. typical: ten to the mean of log10 of the norm, which is what one network
 * shows; sd: the standard deviation of log10 of the norm between networks. Both to
 * leading order in 1/n. */
#ifndef GS_THEORY_THEORY_H
#define GS_THEORY_THEORY_H

#include "base/names.h"
#include "net/network.h"

/* Where a prediction holds. X(constant, JSON name) */
#define GS_VALIDITY_LIST(X)                                                                        \
  X(GS_VALIDITY_EXACT, "exact")           /* at every width: exact.h, identity.h */                \
  X(GS_VALIDITY_WIDE, "wide limit")       /* to leading order in 1/n */                            \
  X(GS_VALIDITY_OUTSIDE, "outside reach") /* for the reasons given, and without a number */

typedef enum gs_validity { GS_VALIDITY_LIST(GS_ROW_VALUE) GS_VALIDITY_COUNT } gs_validity;

/* Why a prediction is not to be trusted, or only in part.
 * X(constant, JSON name, outside reach?, message) */
#define GS_REASON_LIST(X)                                                                          \
  X(GS_REASON_LOSS, "correlated_loss", true,                                                       \
    "the gradient of the mse loss depends on the network: offsets of up to 0.5 log10 L decades")   \
  X(GS_REASON_TIED_LINEAR, "tied_linear", true,                                                    \
    "a tied and nearly linear rnn follows its own spectral radius after about sqrt(n) steps")      \
  X(GS_REASON_TIED_MIXED, "tied_mixed", true,                                                      \
    "tied weights and a loss at every step: some networks explode while others vanish")            \
  X(GS_REASON_HEAVY_TAILS, "heavy_tails", true,                                                    \
    "few units carry the gradient (kappa/n over 1/2): means are made by rare networks")            \
  X(GS_REASON_ALIGNED, "aligned", true,                                                            \
    "delta aligns with the activations, whose common mode outlives chi (phi with a large mean)")   \
  X(GS_REASON_SENSITIVE, "sensitive", true,                                                        \
    "q, which varies between networks and examples, decides chi of all layers above")              \
  X(GS_REASON_NARROW, "narrow", true,                                                              \
    "layers or inputs of fewer than 16 units: terms beyond 1/n count, relu layers die")            \
  X(GS_REASON_GROWING, "growing", true,                                                            \
    "orders in 1/n that grow with depth or steps move a norm by more than half a decade")          \
  X(GS_REASON_SCATTERED, "scattered", true,                                                        \
    "networks differ by over a quarter of what twice the weights' variance would change")          \
  X(GS_REASON_RANGE, "weights_range", true,                                                        \
    "weights, biases or a slope are too large or small for products of this dtype")                \
  X(GS_REASON_DYING, "dying", true,                                                                \
    "relu units are silent for an example of the batch in more than 2 % of the networks")          \
  X(GS_REASON_FEW, "few_survivors", true,                                                          \
    "few independent units survive to the first step: logarithms have no normal law")              \
  X(GS_REASON_IDENTITY, "identity_weights", true,                                                  \
    "identity weights are not random: only special cases are known")                               \
  X(GS_REASON_CONSTANT, "constant_weights", true,                                                  \
    "weights that are all one value are not random: every layer has rank one, or is dead")         \
  X(GS_REASON_SHARE, "surviving_share", false,                                                     \
    "the mean share of surviving units is exact, mean and sd of its logarithm to first order")     \
  X(GS_REASON_TIED, "tied_spread", false,                                                          \
    "tied weights: what repeats from step to step is counted to first order, in sd alone")         \
  X(GS_REASON_BATCH, "batch_spread", false,                                                        \
    "examples of the batch drift apart: sd is mostly good to 20 %, at worst to a factor of two")   \
  X(GS_REASON_MODEL, "no_theory", true, "of this model no theory is known")

typedef enum gs_reason {
#define GS_REASON_ENUM(constant, name, outside, message) constant,
  GS_REASON_LIST(GS_REASON_ENUM)
#undef GS_REASON_ENUM
      GS_REASON_COUNT
} gs_reason;

/* How well the shares of dead networks are known (atoms.h). X(constant, JSON name) */
#define GS_DEAD_LAW_LIST(X) X(GS_DEAD_EXACT, "exact") X(GS_DEAD_AT_MOST, "at most")

typedef enum gs_dead_law { GS_DEAD_LAW_LIST(GS_ROW_VALUE) GS_DEAD_LAW_COUNT } gs_dead_law;

/* log10 of the Frobenius norm over batch and units, or of a whole gradient, by
 * layer or step (grad_weight of a tied rnn and biases' and inputs' of any rnn: one
 * point). -INFINITY for a norm that is zero, NaN for what is not predicted. */
typedef struct gs_theory_series {
  int64_t points; /* 0: the network does not have it */
  double *rms;
  double *typical;
  double *sd;
  double *dead; /* share of networks whose norm is zero; the others make the three above */
  double *skew; /* of the logarithm, where the law is exact; else 0 */
} gs_theory_series;

typedef struct gs_theory {
  int64_t points;    /* L, or T */
  double *log10_q;   /* variance of z, [points] */
  double *log10_chi; /* of E|delta^l|^2 / E|delta^{l+1}|^2, [points]; the last is NaN */
  gs_theory_series series[GS_QUANTITY_COUNT];
  double decades_rms; /* log10 |delta^1|/|delta^L| as the README defines it */
  double decades_typical;
  double decades_sd;
  double decades_skew; /* skewness and excess kurtosis, where the law is exact; else 0 */
  double decades_kurtosis;
  double decades_dead; /* share of networks whose first delta is zero */
  gs_dead_law dead_law;
  double depth_scale; /* xi = 1/|ln chi| at the deep end, in layers, for squared norms */
  gs_validity validity;
  bool reasons[GS_REASON_COUNT];
  const char *no_theory; /* what the model has that no theory here has (net/model.h), or NULL */
} gs_theory;

/* The prediction for a checked configuration (gs_config_check). Milliseconds for
 * 10,000 layers. Native range and number formats are not modelled: norms are
 * those of extended range. The caller clears *theory. Errors: GS_ERR_MEMORY. */
gs_status gs_theory_of(const gs_config *named, gs_theory *theory, gs_error *error);

/* Frees what it owns and zeroes it. Accepts NULL. */
void gs_theory_clear(gs_theory *theory);

extern const gs_names gs_validity_names;
extern const gs_names gs_dead_law_names;
extern const gs_names gs_reason_names;
const char *gs_reason_message(gs_reason reason);
/* The same, of what this model in particular lacks a theory for. */
const char *gs_theory_message(const gs_theory *theory, gs_reason reason);
bool gs_reason_outside(gs_reason reason);

#endif
