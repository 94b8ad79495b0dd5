/* Two walks held at zero, whose steps have the correlation rho, both stay positive with
 *
 *   P(both)/share^2 = (1 + (2/pi) asin rho) (1/(2 share))^(2 e),  e = 1 - pi/(2 arccos(-rho))
 *
 * The first factor is exact for one step (Sheppard's orthant); the exponent is that of
 * Brownian motion in a wedge of the angle arccos(-rho) (Spitzer 1958); rho = 0 gives 1
 * and rho = 1 gives 1/share, both exactly. Simulated walks of 3 to 600 steps agree to
 * 3 % for rho from -0.2 to 0.8 and to 10 % at -0.5 (tests/irnn_simulation.py). Shares above
 * a half are those of the complement: cov(1 - a, 1 - b) = cov(a, b). */
#include "theory/survival.h"

#include <math.h>

static double ratio(double share, double rho) {
  const double angle = acos(-rho);
  const double first = 1 + 2 / M_PI * asin(rho);
  if (!(angle > 1e-6) || !(first > 0)) return 0; /* opposite walks never survive together */
  return first * exp2(-2 * (1 - M_PI / (2 * angle)) * log2(2 * share));
}

/* Over the angle of two random directions, of density sin^(n - 2): 64 midpoints where it
 * is not negligible. */
static double over_directions(double share, int64_t inputs) {
  enum { NODES = 64 };
  const double n = (double)inputs;
  const double half = fmin(M_PI / 2, 8 / sqrt(n));
  double sum = 0;
  double weights = 0;
  if (inputs == 1) return 0.5 * ratio(share, 1);
  for (int i = 0; i < NODES; i++) {
    const double from_right_angle = half * ((2 * i + 1) / (double)NODES - 1);
    const double weight = pow(cos(from_right_angle), n - 2);
    sum += weight * ratio(share, sin(from_right_angle));
    weights += weight;
  }
  return sum / weights;
}

double gs_survival_excess(double share, int64_t inputs) {
  if (share <= 0.5) return over_directions(share, inputs) - 1;
  const double other = 1 - share;
  if (!(other > 0)) return 0;
  return (over_directions(other, inputs) - 1) * (other / share) * (other / share);
}

/* With one input j goes up with i or is held at zero while i rises; with more, being at
 * zero at the last step hardly knows of i. */
double gs_survival_excess_last(double share, int64_t inputs) {
  return inputs == 1 ? 0.5 / share - 1 : 0;
}
