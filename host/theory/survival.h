/* How units of a relu rnn of identity weights survive together. */
#ifndef GS_THEORY_SURVIVAL_H
#define GS_THEORY_SURVIVAL_H

#include <stdint.h>

/* Two units i, j of one example, each of which survives with probability `share`, see the
 * same inputs through rows of U whose cosine is that of two random directions in
 * `inputs` dimensions: E P(both)/share^2 - 1 over U. */
double gs_survival_excess(double share, int64_t inputs);

/* The same of "i survives from the first step to the last" and "j is above zero at the
 * last", which has the probability `share`. */
double gs_survival_excess_last(double share, int64_t inputs);

#endif
