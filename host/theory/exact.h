/* Exact laws: mlps of relu and linear layers with normal or orthogonal weights, no
 * biases, one example, at every width from one unit on. */
#ifndef GS_THEORY_EXACT_H
#define GS_THEORY_EXACT_H

#include "theory/theory.h"

/* Whether they hold for the configuration. */
bool gs_exact_holds(const gs_config *config);

/* Replaces rms, typical value and sd of decades and of all norms, which are right to first
 * order in 1/n, by the exact ones over living networks. Errors: GS_ERR_MEMORY. */
gs_status gs_exact_theory(const gs_config *config, gs_theory *theory, gs_error *error);

#endif
