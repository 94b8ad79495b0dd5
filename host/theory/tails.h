/* How far logarithms of norms of few units are from normal. */
#ifndef GS_THEORY_TAILS_H
#define GS_THEORY_TAILS_H

#include <stdbool.h>
#include <stdint.h>

/* Third and fourth cumulants. */
typedef struct gs_tails {
  double third;
  double fourth;
} gs_tails;

/* Of the logarithm whose mean and variance gs_ratio_exact (ratio.h) gives: of chi^2_K or
 * a Beta variate, K = n or Binomial(n, 1/2) without 0. Zero beyond 2048 units. */
gs_tails gs_tails_of(int64_t n, bool half, int64_t larger);

/* third / variance^(3/2); 0 where there is no variance. */
double gs_tails_skew(gs_tails tails, double variance);

#endif
