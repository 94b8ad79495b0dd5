/* Singular values of a network's Jacobians, and its Lyapunov spectrum, in float64 on
 * the host from the weights and the first example that the device holds:
 *
 *   J^l = dh^l/dh^{l-1} = diag(phi'(z^l)) W^l        l = 1..L; an rnn's steps: l = t
 *   P = J^L ... J^1 = dh^L/dh^0                      an rnn: dh_T/dh_0
 *
 * (Saxe et al. 2014, Pennington et al. 2017: dynamical isometry is all singular values
 * of P near 1; Glorot & Bengio 2010 report the mean singular value of J^l.)
 *
 * A matrix of n x m has min(n, m) singular values. P's are logarithms: 10,000 layers
 * reach 10^-6000. The spectrum is the QR method's (Benettin et al. 1980):
 * J^l Q_{l-1} = Q_l R_l, Q_0 = 1, lambda_i = (1/L) sum over l of ln |R_l,ii|, from the
 * first layer or step on: nothing is left out for a transient. */
#ifndef GS_MEASURE_JACOBIAN_H
#define GS_MEASURE_JACOBIAN_H

#include "net/network.h"

/* All arrays owned; [a][R] has the replicas next to each other. NaN: of a matrix that is
 * not finite, and of a product with such a factor. */
typedef struct gs_jacobian {
  int64_t replicas;
  /* of J^l at the kept layers or steps */
  int64_t points;
  int64_t *index;   /* [points] 1..L or 1..T, ascending */
  double *mean;     /* [points][R] of the singular values */
  double *rms;      /* [points][R] root mean square: |J|_F / sqrt(min(n, m)) */
  double *largest;  /* [points][R] */
  double *smallest; /* [points][R] 0 when J has not full rank (a dead relu unit) */
  /* of P: log10; -inf for 0 */
  double *log10_mean;     /* [R] */
  double *log10_rms;      /* [R] */
  double *log10_largest;  /* [R] */
  double *log10_smallest; /* [R] */
  /* nats per layer or step, descending in each replica; -inf past P's rank */
  int64_t exponents; /* min(n_0, n_L); rnn: n */
  double *lyapunov;  /* [exponents][R] */
} gs_jacobian;

/* For the first example of the batch and every replica. It reads weights, biases and
 * inputs, and computes its own forward pass: no pass need have run. Singular values of
 * single layers at no more than max_points of them. Memory: 12 n^2 float64 per thread,
 * n the widest layer; time: about 7 n^3 operations a layer and replica, and as much
 * again where the layer is kept.
 * The same bits for every number of threads. Not for f16 and bf16 (gs_config_check).
 * Errors: GS_ERR_MEMORY, GS_ERR_DEVICE, GS_ERR_UNSUPPORTED (dtype, or more than
 * GS_JACOBIAN_MAX_WIDTH units), GS_ERR_INTERNAL (LAPACK). On failure *out is empty. */
gs_status gs_jacobian_of(gs_network *network, int64_t max_points, gs_jacobian *out,
                         gs_error *error);
void gs_jacobian_clear(gs_jacobian *jacobian);

#endif
