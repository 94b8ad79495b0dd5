/* Configurations and networks for tests. */
#include "support_network.h"

#include <stdlib.h>
#include <string.h>

gs_activation gs_support_activation(gs_activation_kind kind) {
  return (gs_activation){kind, kind == GS_LEAKY_RELU ? GS_LEAKY_DEFAULT_SLOPE : 0};
}

gs_config gs_support_mlp(int64_t depth, int64_t width, gs_activation_kind activation,
                         gs_init_kind init) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_MLP, &config, &error), &error);
  gs_support_ok(gs_config_set_widths(&config, depth, width, &error), &error);
  config.activation = gs_support_activation(activation);
  config.output_activation = config.activation;
  config.init = gs_init_default(init);
  return config;
}

gs_config gs_support_rnn(int64_t seq_len, int64_t hidden, gs_activation_kind activation,
                         gs_init_kind init) {
  gs_config config;
  gs_error error = {0};
  gs_support_ok(gs_config_default(GS_RNN, &config, &error), &error);
  config.seq_len = seq_len;
  config.hidden = hidden;
  config.input = hidden;
  config.activation = gs_support_activation(activation);
  config.output_activation = config.activation;
  config.init = gs_init_default(init);
  return config;
}

void gs_support_set_widths(gs_config *config, int64_t depth, const int64_t *widths) {
  gs_error error = {0};
  gs_support_ok(gs_config_set_widths(config, depth, 1, &error), &error);
  memcpy(config->widths, widths, (size_t)(depth + 1) * sizeof *widths);
  config->width = 0;
}

gs_network *gs_support_network(gs_device *device, const gs_config *config, bool keep_gradients) {
  const gs_network_options options = {.keep_gradients = keep_gradients};
  gs_network *network = NULL;
  gs_error error = {0};
  gs_support_ok(gs_network_create(device, config, &options, &network, &error), &error);
  return network;
}

void gs_support_step(gs_network *network, bool with_statistics) {
  gs_error error = {0};
  gs_support_ok(gs_network_step(network, with_statistics, &error), &error);
}

gs_scaled *gs_support_loss(gs_network *network) {
  gs_error error = {0};
  gs_scaled *loss = calloc((size_t)gs_network_config(network)->replicas, sizeof *loss);
  assert_non_null(loss);
  gs_support_ok(gs_network_loss(network, loss, &error), &error);
  return loss;
}

gs_quantity_stats gs_support_stats(gs_network *network, gs_quantity quantity) {
  gs_error error = {0};
  gs_quantity_stats stats;
  gs_support_ok(gs_network_stats(network, quantity, &stats, &error), &error);
  return stats;
}

int64_t gs_support_matrices(const gs_config *config) {
  if (config->model == GS_MLP) return config->depth;
  return config->tied ? 1 : config->seq_len;
}

int gs_support_parameters(const gs_config *config,
                          gs_support_parameter list[GS_SUPPORT_MAX_PARAMETERS]) {
  const int64_t matrices = gs_support_matrices(config);
  const int64_t biases =
      gs_config_has_biases(config) ? (config->model == GS_MLP ? matrices : 1) : 0;
  int count = 0;
  assert_true(matrices + biases + 1 <= GS_SUPPORT_MAX_PARAMETERS);
  for (int64_t i = 1; i <= matrices; i++)
    list[count++] = (gs_support_parameter){GS_ROLE_WEIGHT, GS_ROLE_GRAD_WEIGHT, i};
  if (config->model == GS_RNN)
    list[count++] = (gs_support_parameter){GS_ROLE_INPUT_WEIGHT, GS_ROLE_GRAD_INPUT, 0};
  for (int64_t i = 1; i <= biases; i++)
    list[count++] = (gs_support_parameter){GS_ROLE_BIAS, GS_ROLE_GRAD_BIAS, i};
  return count;
}
