/* Short ways to configurations and networks, for tests of whole networks. */
#ifndef GS_TESTS_SUPPORT_NETWORK_H
#define GS_TESTS_SUPPORT_NETWORK_H

#include "support.h"

/* Default configurations with the sizes, activation and initialisation given
 * (an mlp's output activation too); the caller clears them. */
gs_config gs_support_mlp(int64_t depth, int64_t width, gs_activation_kind activation,
                         gs_init_kind init);
gs_config gs_support_rnn(int64_t seq_len, int64_t hidden, gs_activation_kind activation,
                         gs_init_kind init);
/* Gives an mlp `depth` layers of the widths n_0..n_depth. */
void gs_support_set_widths(gs_config *config, int64_t depth, const int64_t *widths);
/* An activation's name with its default parameters. */
gs_activation gs_support_activation(gs_activation_kind kind);

/* Creates a network, or fails the test. The caller destroys it. */
gs_network *gs_support_network(gs_device *device, const gs_config *config, bool keep_gradients);
/* One step, with or without statistics. */
void gs_support_step(gs_network *network, bool with_statistics);
/* The loss of each replica, canonical. Malloc'd. */
gs_scaled *gs_support_loss(gs_network *network);
/* The caller clears it. */
gs_quantity_stats gs_support_stats(gs_network *network, gs_quantity quantity);

/* Layers (mlp) or matrices W (rnn: 1 or, untied, T) of a network. */
int64_t gs_support_matrices(const gs_config *config);

/* Every parameter of a network with the role of its gradient. */
enum { GS_SUPPORT_MAX_PARAMETERS = 1024 };
typedef struct gs_support_parameter {
  gs_role role, gradient;
  int64_t index;
} gs_support_parameter;
int gs_support_parameters(const gs_config *config,
                          gs_support_parameter list[GS_SUPPORT_MAX_PARAMETERS]);

#endif
