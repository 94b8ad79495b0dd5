/* Gauss-Legendre rules and panels.
 *
 * E f(s x) has two scales: 1 (the normal density) and 1/s (f). Plain
 * Gauss-Hermite sees only the first and fails for saturating f at large s. Here
 * the half line is cut where either scale asks for it: every 1.5 for the density,
 * and at s x = 1, 2, 4, ... for f, whose distance to its poles grows with s x.
 * On each panel the 16-point rule converges like rho^-32 with rho > 4 (Trefethen
 * 2008, "Is Gauss quadrature better than Clenshaw-Curtis?", theorem 4.5). */
#include "theory/quadrature.h"

#include <math.h>

/* P_n(x) and P_n'(x) by the three-term recurrence. */
static double legendre(double x, double *slope) {
  const int n = GS_QUADRATURE_NODES;
  double previous = 1;
  double value = x;
  for (int k = 2; k <= n; k++) {
    const double next = ((2 * k - 1) * x * value - (k - 1) * previous) / k;
    previous = value;
    value = next;
  }
  *slope = n * (x * value - previous) / (x * x - 1);
  return value;
}

void gs_quadrature_rule_make(gs_quadrature_rule *rule) {
  const int n = GS_QUADRATURE_NODES;
  for (int i = 0; i < n / 2; i++) {
    double slope = 1;
    double x = cos(M_PI * (i + 0.75) / (n + 0.5));
    for (int step = 0; step < 6; step++) x -= legendre(x, &slope) / slope;
    (void)legendre(x, &slope);
    const double weight = 2 / ((1 - x * x) * slope * slope);
    rule->nodes[i] = -x;
    rule->nodes[n - 1 - i] = x;
    rule->weights[i] = rule->weights[n - 1 - i] = weight;
  }
}

gs_panels gs_panels_make(double s, double far) {
  const double step = 1.5; /* GS_QUADRATURE_END is a multiple */
  gs_panels panels = {.count = 0};
  double feature = 1 / s;
  double density = step;
  while (panels.edges[panels.count] < GS_QUADRATURE_END) {
    const double at = panels.edges[panels.count];
    while (density <= at * (1 + 1e-9)) density += step;
    while (feature <= at * (1 + 1e-9)) feature *= 2;
    /* past `far` only the density's scale is left */
    const double wanted = s * at >= far ? INFINITY : feature;
    panels.edges[++panels.count] = fmin(wanted, density);
  }
  return panels;
}
