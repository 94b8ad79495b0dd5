/* What the recurrent matrix alone says about an rnn's gradients: Pascanu et al.'s
 * bound, and the realised matrix's spectrum. */
#ifndef GS_THEORY_RECURRENT_H
#define GS_THEORY_RECURRENT_H

#include "net/network.h"

/* The largest |phi'|: 1 for tanh, 1/4 for sigmoid. */
double gs_activation_steepest(gs_activation activation);

/* Pascanu, Mikolov & Bengio 2013, section 2.1: |delta_t| <= (gamma lambda)^(T-t)
 * |delta_T| with gamma the largest |phi'| and lambda the largest singular value of
 * W; so gamma lambda < 1 suffices to vanish (with the loss at the last step). */
typedef struct gs_pascanu {
  double gamma;
  double singular;        /* lambda: wide limit 2 sigma_w; orthogonal, identity: gain; all
                           * weights c: n |c|, their one singular value that is not 0 */
  double spectral_radius; /* wide limit sigma_w (circular law); else the same as singular */
  bool vanishes;          /* gamma lambda < 1 */
} gs_pascanu;
gs_pascanu gs_pascanu_of(const gs_config *named);

/* Spectral radius (the largest modulus of an eigenvalue) and largest singular value
 * of a dense n x n matrix, rows of n. Errors: GS_ERR_MEMORY; GS_ERR_INTERNAL when
 * LAPACK does not converge or the matrix is not finite. */
typedef struct gs_spectrum {
  double radius;
  double singular;
} gs_spectrum;
gs_status gs_spectrum_of(const double *matrix, int64_t n, gs_spectrum *spectrum, gs_error *error);

/* The same of the recurrent matrix (untied: the first) that the configuration draws
 * for each of its R replicas, f32 or f64, made by the device. Errors: also
 * GS_ERR_DATA for an mlp. */
gs_status gs_spectra_realised(gs_device *device, const gs_config *config, gs_spectrum *spectra,
                              gs_error *error);

#endif
