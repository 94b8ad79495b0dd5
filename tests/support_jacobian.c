/* See support_jacobian.h. */
#include "support_jacobian.h"

#include <math.h>

bool gs_support_near(double value, double expected, double tolerance) {
  if (fabs(value - expected) <= tolerance) return true;
  print_message("%.12g, expected %.12g +- %.3g\n", value, expected, tolerance);
  return false;
}

gs_jacobian gs_support_jacobian(gs_network *network, int64_t max_points) {
  gs_error error = {0};
  gs_jacobian jacobian;
  gs_support_ok(gs_jacobian_of(network, max_points, &jacobian, &error), &error);
  return jacobian;
}

gs_jacobian gs_support_jacobian_of(gs_device *device, gs_config config) {
  gs_network *network = gs_support_network(device, &config, false);
  const gs_jacobian jacobian = gs_support_jacobian(network, 64);
  gs_network_destroy(network);
  gs_config_clear(&config);
  return jacobian;
}
