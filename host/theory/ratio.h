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

/* ln(e^a + e^b), also where one or both are -INFINITY. */
double gs_log_add(double a, double b);

/* How far the mean lies above a lognormal's of the same variance (batch.h). */
double gs_ratio_skew(gs_ratio_law law);

/* psi(x) and psi'(x) for x > 0. */
double gs_digamma(double x);
double gs_trigamma(double x);

/* A gamma variate whose relative variance is `variance`: exact for a sum of n
 * squared normals (2/n), and the right mean to first order for every sum of many
 * independent parts. 0 gives 0. */
gs_ratio_law gs_ratio_gamma(double variance);

/* Fourth moments of W's products with two unit vectors a, b of squared cosine c, over those
 * of independent normal numbers, W n rows of a Haar-orthogonal N x N matrix: of
 * (Wa)_i^2 (Wb)_i^2, over 1 + 2c; of (Wa)_i^2 (Wb)_j^2, i != j; of (Wa)_i (Wb)_i (Wa)_j (Wb)_j,
 * which is c for normal W. larger: N; 0 for normal W. */
typedef struct gs_haar {
  double same;
  double norms;
  double cosines;
} gs_haar;
gs_haar gs_haar_of(int64_t larger, double c);

/* E f(x), x ~ N(0,1), as sum of weight f(x): Gauss-Hermite, exact to degree 17. */
enum { GS_NORMAL_NODES = 9 };
typedef struct gs_normal_node {
  double x;
  double weight;
} gs_normal_node;
extern const gs_normal_node gs_normal_nodes[GS_NORMAL_NODES];

/* ln(1 - share + share e^X) of a normal X: mean, variance, and the mean of its
 * derivative, which is its covariance with X over X's variance (Stein). */
typedef struct gs_log_sum {
  double mean;
  double variance;
  double slope;
} gs_log_sum;
gs_log_sum gs_log_sum_of(double share, double mean, double variance);

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
