/* Short ways to the Jacobians of networks, for their two test programs. */
#ifndef GS_TESTS_SUPPORT_JACOBIAN_H
#define GS_TESTS_SUPPORT_JACOBIAN_H

#include "measure/jacobian.h"
#include "support_network.h"

/* Whether value is within the tolerance; says so where it is not. NaN is not. */
bool gs_support_near(double value, double expected, double tolerance);

/* Every layer up to max_points of them. The caller clears it. */
gs_jacobian gs_support_jacobian(gs_network *network, int64_t max_points);

/* Makes the network, takes its Jacobians (64 layers at most) and clears both it and the
 * config. */
gs_jacobian gs_support_jacobian_of(gs_device *device, gs_config config);

#endif
