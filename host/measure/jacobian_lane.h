/* One replica of a network on the way through its layers or steps. jacobian.c fetches
 * the numbers; nothing here touches the device, so that threads may share the work. */
#ifndef GS_MEASURE_JACOBIAN_LANE_H
#define GS_MEASURE_JACOBIAN_LANE_H

#include "measure/example.h"
#include "measure/jacobian.h"
#include "measure/product.h"

typedef struct gs_lane {
  const gs_config *config;
  int64_t replica;
  /* the current layer's, in float64 and without padding: to be filled from outside */
  double *W;
  double *bias;  /* read where the network has biases */
  double *U;     /* rnn: n x n_x */
  double *input; /* mlp: x, before the first layer; rnn: x_t */
  /* its own */
  gs_example example;
  gs_product *chain, *single;
  double *projection, *values;
  bool finite;      /* so is the product, so far */
  gs_status status; /* of the last gs_lane_layer that a thread ran */
  gs_error error;
} gs_lane;

/* For layers of at most `max` units. Errors: GS_ERR_MEMORY; a lane that could not be
 * created is cleared like another. */
gs_status gs_lane_create(const gs_config *config, int max, gs_lane *lane, gs_error *error);
void gs_lane_clear(gs_lane *lane);

/* Before the first layer of a replica; an mlp's input is there. */
void gs_lane_start(gs_lane *lane, int64_t replica);
/* Layer or step l. point: the entry of *out where its singular values go, or -1.
 * What is not finite is NaN there. Errors: GS_ERR_INTERNAL, GS_ERR_MEMORY. */
gs_status gs_lane_layer(gs_lane *lane, int64_t l, int64_t point, gs_jacobian *out, gs_error *error);
/* After the last of `layers`: the product's numbers. Errors: GS_ERR_INTERNAL. */
gs_status gs_lane_finish(gs_lane *lane, int64_t layers, gs_jacobian *out, gs_error *error);

#endif
