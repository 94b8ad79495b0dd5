/* Moments as Chebyshev interpolants in ln q.
 *
 * The moments are analytic in ln q for |Im ln q| < pi (a pole of phi at z = i y
 * meets the real line at q = -(y/x)^2). On a cell of two octaves, half-width
 * ln 2, that is an ellipse with rho = 9: 16 points leave 9^-16 = 5e-16. */
#include <math.h>
#include <stdlib.h>

#include "device/activation_scale.h"
#include "theory/moments.h"

enum {
  POINTS = 16,
  FIELDS = sizeof(gs_moments) / sizeof(double),
  MIN_OCTAVE = -128,
  MAX_OCTAVE = 124,
  CELL_OCTAVES = 2,
  CELLS = (MAX_OCTAVE - MIN_OCTAVE) / CELL_OCTAVES
};

/* Chebyshev coefficients, [degree][field]. */
typedef struct cell {
  double c[POINTS][FIELDS];
} cell;

struct gs_moment_table {
  gs_activation activation;
  cell *cells[CELLS]; /* NULL: not asked for yet */
  gs_moments ends[2]; /* at GS_LOG_Q_MIN and GS_LOG_Q_MAX; log_V NaN: not asked for yet */
  double last_log_q;  /* a forward pass that has settled asks for one q */
  gs_moments last;
  bool lacked;
};

gs_status gs_moment_table_create(gs_activation activation, gs_moment_table **table,
                                 gs_error *error) {
  *table = calloc(1, sizeof **table);
  if (!*table) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for the moments");
  (*table)->activation = activation;
  (*table)->last_log_q = (*table)->ends[0].log_V = (*table)->ends[1].log_V = NAN;
  return GS_OK;
}

bool gs_moment_table_lacked(const gs_moment_table *table) { return table->lacked; }

void gs_moment_table_destroy(gs_moment_table *table) {
  if (!table) return;
  for (int i = 0; i < CELLS; i++) free(table->cells[i]);
  free(table);
}

static double cell_middle(int index) {
  return (MIN_OCTAVE + CELL_OCTAVES * (index + 0.5)) * GS_LOG_2;
}

static void fields_of(const gs_moments *m, double values[FIELDS]) {
  const double all[FIELDS] = {m->log_V, m->log_m1, m->log_m2, m->h4,
                              m->cross, m->gain_V, m->gain_m1};
  for (int f = 0; f < FIELDS; f++) values[f] = all[f];
}

/* Interpolates at the zeros of T_16: c_j = 2/16 sum_k f(x_k) cos(j theta_k). */
static cell *make_cell(gs_activation activation, int index) {
  const double half = 0.5 * CELL_OCTAVES * GS_LOG_2;
  cell *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  for (int k = 0; k < POINTS; k++) {
    const double theta = M_PI * (k + 0.5) / POINTS;
    const gs_moments m = gs_moments_at(activation, cell_middle(index) + half * cos(theta));
    double values[FIELDS];
    fields_of(&m, values);
    for (int j = 0; j < POINTS; j++) {
      const double factor = (j ? 2.0 : 1.0) / POINTS * cos(j * theta);
      for (int f = 0; f < FIELDS; f++) made->c[j][f] += factor * values[f];
    }
  }
  return made;
}

/* Clenshaw's recurrence at x in [-1, 1], all fields side by side. */
static gs_moments evaluate(const cell *at, double x) {
  double b1[FIELDS] = {0};
  double b2[FIELDS] = {0};
  for (int j = POINTS - 1; j >= 1; j--) {
    for (int f = 0; f < FIELDS; f++) {
      const double b = at->c[j][f] + 2 * x * b1[f] - b2[f];
      b2[f] = b1[f];
      b1[f] = b;
    }
  }
  double v[FIELDS];
  for (int f = 0; f < FIELDS; f++) v[f] = at->c[0][f] + x * b1[f] - b2[f];
  return (gs_moments){v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
}

static gs_moments outside(gs_moment_table *table, double log_q) {
  const bool above = log_q > GS_LOG_Q_MIN;
  gs_moments *end = &table->ends[above];
  if (isnan(end->log_V)) {
    *end = gs_moments_at(table->activation, above ? GS_LOG_Q_MAX : GS_LOG_Q_MIN);
  }
  return gs_moments_extrapolate(table->activation, log_q, end);
}

static gs_moments look_up(gs_moment_table *table, double log_q) {
  const gs_activation activation = table->activation;
  if (gs_activation_homogeneous(activation.kind) || isnan(log_q)) {
    return gs_moments_at(activation, log_q);
  }
  if (!(log_q >= GS_LOG_Q_MIN && log_q < GS_LOG_Q_MAX)) return outside(table, log_q);
  const double octaves = fmax(log_q / GS_LOG_2 - MIN_OCTAVE, 0);
  const int index = (int)octaves / CELL_OCTAVES < CELLS ? (int)octaves / CELL_OCTAVES : CELLS - 1;
  cell **at = &table->cells[index];
  if (!*at) *at = make_cell(activation, index);
  if (!*at) {
    table->lacked = true;
    return gs_moments_at(activation, log_q);
  }
  return evaluate(*at, (log_q - cell_middle(index)) / (0.5 * CELL_OCTAVES * GS_LOG_2));
}

gs_moments gs_moment_table_at(gs_moment_table *table, double log_q) {
  if (log_q != table->last_log_q) {
    table->last = look_up(table, log_q);
    table->last_log_q = log_q;
  }
  return table->last;
}
