/* The operations, for models: each reads a value, and returns the one that it makes. */
#ifndef GS_NET_OPS_H
#define GS_NET_OPS_H

#include "net/tape.h"

/* Layer l: h = phi(x W^T + b), `units` of them. measured: h is what the layer is known by. */
gs_value gs_op_dense(gs_tape *tape, gs_value x, int64_t l, int64_t units, gs_activation phi,
                     bool measured);
/* Of layer l, beside the dense one: phi(x), its h; and x normalised, which may be its h, too. */
gs_value gs_op_activation(gs_tape *tape, gs_value x, int64_t l, gs_activation phi);
gs_value gs_op_norm(gs_tape *tape, gs_value x, int64_t l, gs_norm norm, bool measured);
/* phi(x + by branch), behind layer l. */
gs_value gs_op_sum(gs_tape *tape, gs_value x, gs_value branch, double by, int64_t l,
                   gs_activation phi, int64_t point);
/* x itself, as the point-th (from 1) of the values that are handed from block to block: it and
 * its gradient are measured, and it may have two readers. */
gs_value gs_op_stream(gs_tape *tape, gs_value x, int64_t l, int64_t point);
/* h_t = phi(W h_{t-1} + U x_t + b), from h_0 = 0 on: T + 1 steps. x: T steps. */
gs_value gs_op_recurrent(gs_tape *tape, gs_value x);
/* The loss of the network's output: the last operation. */
void gs_op_loss(gs_tape *tape, gs_value output);

#endif
