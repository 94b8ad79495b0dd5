/* Pair moments.
 *
 * With orthonormal Hermite polynomials He_k / sqrt(k!), f = sum a_k He_k/sqrt(k!)
 * and g likewise, E f(x_a) g(x_b) = sum a_k b_k c^k (Mehler's formula). A jump in
 * f makes a_k^2 fall only like k^(-3/2); what is left of E f^2 after the last
 * coefficient is taken to do so:
 *   sum_{k>K} k^(-3/2) c^k / sum_{k>K} k^(-3/2) ~ e^-y - sqrt(pi y) erfc(sqrt y),
 *   y = -K ln c.
 * relu and leaky_relu: arc-cosine kernels (Cho & Saul 2009), with
 * phi' = a + (1 - a) theta. */
#include "theory/pair.h"

#include <math.h>
#include <stdlib.h>

#include "device/activation_f64.h"
#include "device/types.h"
#include "theory/quadrature.h"

enum { TERMS = 48, FUNCTIONS = 4 };
typedef enum function { H, D, H2, D2 } function;

struct gs_pair_table {
  gs_activation activation;
  gs_quadrature_rule rule;
  double log_q; /* of the coefficients; NaN: none yet */
  double a[FUNCTIONS][TERMS];
  double square[FUNCTIONS]; /* E f^2 */
  double product;           /* E phi^2 phi'^2 */
};

gs_status gs_pair_table_create(gs_activation activation, gs_pair_table **table, gs_error *error) {
  *table = calloc(1, sizeof **table);
  if (!*table) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the moments");
  (*table)->activation = activation;
  (*table)->log_q = NAN;
  gs_quadrature_rule_make(&(*table)->rule);
  return GS_OK;
}

void gs_pair_table_destroy(gs_pair_table *table) { free(table); }

/* ---- arc-cosine kernels ---- */

static gs_pair_moments homogeneous(double slope, double c) {
  const double b = slope > 1 ? 1 / slope : slope; /* ratios are the same for both */
  const double angle = acos(c);
  const double sine = sqrt(fmax(1 - c * c, 0));
  const double both = (M_PI - angle) / (2 * M_PI);            /* E theta theta */
  const double j1 = (sine + (M_PI - angle) * c) / (2 * M_PI); /* E z_a z_b theta theta */
  const double j2 = (3 * sine * c + (M_PI - angle) * (1 + 2 * c * c)) / (2 * M_PI);
  const double mixed = both + c * sine / (2 * M_PI); /* E z_a^2 theta theta */
  const double b2 = b * b;
  const double up = 1 - b2;
  const double mean = 0.5 * (1 + b2);
  return (gs_pair_moments){
      .hh = (b * c + (1 - b) * (1 - b) * j1) / mean,
      .dd = (b + (1 - b) * (1 - b) * both) / mean,
      .h2h2 = (b2 * (1 + 2 * c * c) + up * up * j2) / (mean * mean),
      .d2d2 = (b2 + up * up * both) / (mean * mean),
      .h2d2 = (b2 + up * up * mixed) / (mean * mean),
  };
}

/* ---- Hermite coefficients ---- */

static void add_point(gs_pair_table *table, double x, double s, double weight) {
  const gs_f64_slope v = gs_f64_activation(table->activation, s * x);
  const double values[FUNCTIONS] = {v.h, v.slope, v.h * v.h, v.slope * v.slope};
  double previous = 0;
  double hermite = 1;
  for (int k = 0; k < TERMS; k++) {
    for (int f = 0; f < FUNCTIONS; f++) table->a[f][k] += weight * hermite * values[f];
    const double next = (x * hermite - sqrt(k) * previous) / sqrt(k + 1.0);
    previous = hermite;
    hermite = next;
  }
  for (int f = 0; f < FUNCTIONS; f++) table->square[f] += weight * values[f] * values[f];
  table->product += weight * values[H2] * values[D2];
}

static void make_coefficients(gs_pair_table *table, double log_q) {
  const double density = 0.39894228040143267794; /* 1 / sqrt(2 pi) */
  const double s = exp(0.5 * log_q);
  const gs_panels panels = gs_panels_make(s, 64);
  for (int f = 0; f < FUNCTIONS; f++) {
    table->square[f] = 0;
    for (int k = 0; k < TERMS; k++) table->a[f][k] = 0;
  }
  table->product = 0;
  for (int p = panels.count - 1; p >= 0; p--) {
    const double half = 0.5 * (panels.edges[p + 1] - panels.edges[p]);
    for (int i = 0; i < GS_QUADRATURE_NODES; i++) {
      const double x = panels.edges[p] + half * (1 + table->rule.nodes[i]);
      const double weight = half * table->rule.weights[i] * density * exp(-0.5 * x * x);
      add_point(table, x, s, weight);
      add_point(table, -x, s, weight);
    }
  }
  table->log_q = log_q;
}

/* ---- sums ---- */

/* What a term beyond the last coefficient is multiplied with. */
static double tail_factor(double c) {
  if (c <= 0) return 0;
  if (c >= 1) return 1;
  const double y = -TERMS * log(c);
  return exp(-y) - sqrt(M_PI * y) * erfc(sqrt(y));
}

static double pair_sum(const gs_pair_table *table, function f, function g, double whole, double c,
                       double tail) {
  double sum = 0;
  double kept = 0;
  double power = 1;
  for (int k = 0; k < TERMS; k++) {
    const double product = table->a[f][k] * table->a[g][k];
    sum += product * power;
    kept += product;
    power *= c;
  }
  return (sum + (whole - kept) * tail) / whole;
}

gs_pair_moments gs_pair_table_at(gs_pair_table *table, double log_q, double c) {
  const double max_drift = 0.05;
  c = fmin(fmax(c, 0), 1);
  switch (table->activation.kind) {
  case GS_IDENTITY: return homogeneous(1, c);
  case GS_RELU: return homogeneous(0, c);
  case GS_LEAKY_RELU: return homogeneous(table->activation.slope, c);
  default: break;
  }
  log_q = fmin(fmax(log_q, GS_LOG_Q_MIN), GS_LOG_Q_MAX);
  if (!(fabs(log_q - table->log_q) <= max_drift)) make_coefficients(table, log_q);
  const double tail = tail_factor(c);
  const double V = table->square[H];
  const double m1 = table->square[D];
  const double *square = table->square;
  return (gs_pair_moments){
      .hh = pair_sum(table, H, H, V, c, tail),
      .dd = pair_sum(table, D, D, m1, c, tail),
      .h2h2 = pair_sum(table, H2, H2, square[H2], c, tail) * (square[H2] / (V * V)),
      .d2d2 = pair_sum(table, D2, D2, square[D2], c, tail) * (square[D2] / (m1 * m1)),
      .h2d2 = pair_sum(table, H2, D2, table->product, c, tail) * (table->product / (V * m1)),
  };
}
