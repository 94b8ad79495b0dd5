/* Gauss-Legendre quadrature against the standard normal density. */
#ifndef GS_THEORY_QUADRATURE_H
#define GS_THEORY_QUADRATURE_H

enum { GS_QUADRATURE_NODES = 16, GS_QUADRATURE_MAX_PANELS = 96 };

/* Where the normal density is cut: what lies beyond is below 1e-17 of what is
 * integrated here. */
#define GS_QUADRATURE_END 9.0

/* The 16-point rule on [-1, 1]: exact for polynomials of degree 31. */
typedef struct gs_quadrature_rule {
  double nodes[GS_QUADRATURE_NODES];
  double weights[GS_QUADRATURE_NODES];
} gs_quadrature_rule;

/* By Newton's iteration on the Legendre polynomial; a few microseconds. */
void gs_quadrature_rule_make(gs_quadrature_rule *rule);

/* Ends of panels on [0, GS_QUADRATURE_END], ascending: edges[0] = 0. */
typedef struct gs_panels {
  double edges[GS_QUADRATURE_MAX_PANELS + 1];
  int count; /* of panels */
} gs_panels;

/* Panels for E f(s x), x ~ N(0,1), f smooth on either side of 0 with features of
 * size 1 near 0 (poles no nearer than 1), which become narrow where s is large.
 * far: beyond this |s x|, f is a polynomial to double precision; INFINITY when
 * it never is (f then varies on the scale of its argument). s > 0, at most 2^62. */
gs_panels gs_panels_make(double s, double far);

#endif
