/* The simple (Elman) recurrent network: one recurrent operation (op_recurrent.c). */
#include "net/model.h"
#include "net/ops.h"

void gs_rnn_build(gs_tape *tape) {
  const gs_config *config = tape->config;
  const gs_value x = gs_tape_input(tape, config->seq_len * config->batch, config->input);
  gs_op_loss(tape, gs_op_recurrent(tape, x));
}
