/* The law of one layer's ratio at finite width: how far a typical network lies
 * below the mean, and how far networks spread. */
#ifndef GS_THEORY_RATIO_H
#define GS_THEORY_RATIO_H

#include <stdbool.h>
#include <stdint.h>

/* Mean and variance of ln(R / E R). */
typedef struct gs_ratio_law {
  double mean; /* <= 0 */
  double variance;
} gs_ratio_law;

/* psi(x) and psi'(x) for x > 0. */
double gs_digamma(double x);
double gs_trigamma(double x);

/* A gamma variate whose relative variance is `variance`: exact for a sum of n
 * squared normals (2/n), and the right mean to first order for every sum of many
 * independent parts. 0 gives 0. */
gs_ratio_law gs_ratio_gamma(double variance);

/* Exact for homogeneous layers and one example (Hanin & Nica 2020): R = v chi^2_K,
 * K = n units (half = false) or K ~ Binomial(n, 1/2), K >= 1 (half = true: relu).
 * larger = 0 for independent normal weights; for orthogonal ones the larger side
 * of the matrix, with R = gain^2 Beta(K/2, (larger - K)/2). Beyond 2048 units of
 * relu the terms of order 1/n^2 are left out. */
gs_ratio_law gs_ratio_exact(int64_t n, bool half, int64_t larger);

/* The same, remembering the last answer: layers mostly have one width. Zero it
 * to start. */
typedef struct gs_ratio_memory {
  int64_t n;
  bool half;
  int64_t larger;
  gs_ratio_law law;
} gs_ratio_memory;
gs_ratio_law gs_ratio_recall(gs_ratio_memory *memory, int64_t n, bool half, int64_t larger);

#endif
