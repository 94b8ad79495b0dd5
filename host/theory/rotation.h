/* A tied rnn of orthogonal weights and no activation: W turns h and delta and keeps what
 * it was given, so orders in 1/n that would grow with the steps are known in full. */
#ifndef GS_THEORY_ROTATION_H
#define GS_THEORY_ROTATION_H

#include "theory/theory.h"

/* Whether the configuration is one: also no biases, the linear loss, hidden >= 4. */
bool gs_rotation_holds(const gs_config *config);

/* Overwrites the first-order prediction of such a configuration, whose arrays are made:
 * activation, delta, grad_input_weight and decades; grad_weight becomes NaN where its
 * steps' parts correlate (T above 0.7 hidden). */
void gs_rotation_theory(const gs_config *config, gs_theory *theory);

#endif
