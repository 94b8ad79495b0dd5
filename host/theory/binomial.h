/* Whether a count of networks is what chance makes of an expected share. */
#ifndef GS_THEORY_BINOMIAL_H
#define GS_THEORY_BINOMIAL_H

#include <stdint.h>

/* P(X >= count) and P(X <= count) for X ~ Binomial(n, p), 0 <= count <= n. */
double gs_binomial_upper(int64_t count, int64_t n, double p);
double gs_binomial_lower(int64_t count, int64_t n, double p);

/* The probability of a count as far from the expected one: twice the smaller tail, at
 * most 1 (Fisher's doubling, which errs on the side of no alarm). */
double gs_binomial_two_sided(int64_t count, int64_t n, double p);

#endif
