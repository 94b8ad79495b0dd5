/* The operations, for models: each reads a value, and returns the one that it makes. */
#ifndef GS_NET_OPS_H
#define GS_NET_OPS_H

#include "net/tape.h"

/* Layer l: h = phi(x W^T + b), `units` of them. */
gs_value gs_op_dense(gs_tape *tape, gs_value x, int64_t l, int64_t units, gs_activation phi);
/* h_t = phi(W h_{t-1} + U x_t + b), from h_0 = 0 on: T + 1 steps. x: T steps. */
gs_value gs_op_recurrent(gs_tape *tape, gs_value x);
/* The loss of the network's output: the last operation. */
void gs_op_loss(gs_tape *tape, gs_value output);

#endif
