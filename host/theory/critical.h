/* Where gradients neither vanish nor explode: the fixed point of the length map and
 * the weight variance at which chi is 1 there (Poole et al. 2016; Schoenholz et al.
 * 2017). For layers of equal width, or steps of an rnn whose inputs count as biases:
 * q = sigma_w^2 V(q) + sigma_b^2,  chi = sigma_w^2 m1(q). */
#ifndef GS_THEORY_CRITICAL_H
#define GS_THEORY_CRITICAL_H

#include <stdbool.h>

#include "theory/moments.h"

typedef struct gs_fixed_point {
  double log_q; /* -INFINITY: activations die out; INFINITY: they grow without end */
  double chi;
} gs_fixed_point;

/* The fixed point that a pass from large q settles at. */
gs_fixed_point gs_fixed_point_of(gs_activation activation, double sigma_w2, double sigma_b2);

typedef struct gs_critical {
  double sigma_w2;
  double log_q; /* of the fixed point there; NaN for relu and its like: any q is one */
} gs_critical;

/* The smallest sigma_w^2 with chi = 1, to 1e-10; false when chi stays on one side
 * of 1 for every sigma_w^2. */
bool gs_critical_of(gs_activation activation, double sigma_b2, gs_critical *critical);

#endif
