/* Identity weights: not random, so nothing of the wide-limit maps applies; what is
 * known exactly instead. */
#ifndef GS_THEORY_IDENTITY_H
#define GS_THEORY_IDENTITY_H

#include "theory/theory.h"

/* The share of units whose pre-activations z_t, ..., z_T are all positive, in an
 * rnn with W = I, relu, h_0 = 0 and no bias: that of non-zero elements of delta_t
 * with the loss at T. t = 1: C(2T, T)/4^T. Returns ln of it. 1 <= t <= T. */
double gs_irnn_log_survival(int64_t t, int64_t T);

/* Fills log10_q, log10_chi, activation, delta and decades of a theory whose arrays
 * hold NaN, as far as they are known: mlps of homogeneous activations without
 * biases, linear rnns without biases, relu rnns without biases and with gain 1,
 * all with the loss at the last step. Returns false where nothing is known. */
bool gs_identity_theory(const gs_config *config, gs_theory *theory);

#endif
