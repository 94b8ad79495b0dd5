/* Atoms: norms that are exactly zero, because units of relu and its kin are silent
 * below zero (Lu, Shin, Su & Karniadakis 2019, "Dying ReLU and initialization"). */
#ifndef GS_THEORY_ATOMS_H
#define GS_THEORY_ATOMS_H

#include "theory/theory.h"

/* Share of networks of one example in which some hidden or output layer (some step) has
 * no unit above zero; of a batch's examples each dies with it. 0 for activations
 * that pass something everywhere. */
double gs_dying_share(const gs_config *config);

/* Fills `dead` of every series and of decades, and how well it is known, for random
 * weights. A norm that is zero in every network for another reason is not counted. */
void gs_atoms_fill(const gs_config *config, gs_theory *theory);

#endif
