/* Normalisations on the CPU (device.h has the equations; the backward pass is that of Ioffe &
 * Szegedy 2015, section 3, and of mean and square in general):
 *
 *   y = (x - mean)/S;   dx = (dy - mean(dy) - y mean(dy y))/S;   rms: without the means alone
 *
 * A task is a line: the units of one example, or one unit of all examples. It is read into
 * float64, where everything is done, and rounded once. */
#include <math.h>
#include <omp.h>

#include "device/cpu_internal.h"
#include "device/normalize_scale.h"

/* ---- lines ---- */

typedef struct line {
  int64_t replica, row, col; /* of its first element */
  int64_t length;
} line;

typedef struct lines {
  bool down;            /* each is a column */
  int64_t each, length; /* of a replica */
} lines;

static lines lines_of(gs_norm norm, const gs_tensor *x) {
  const bool down = norm == GS_NORM_BATCH;
  return (lines){down, down ? x->cols : x->rows, down ? x->rows : x->cols};
}

static line line_at(const lines *all, int64_t task) {
  const int64_t own = task % all->each;
  return (line){task / all->each, all->down ? 0 : own, all->down ? own : 0, all->length};
}

static void read_line(const gs_tensor *from, const line *at, bool down, double *to) {
  const void *first = gs_cpu_at(from, at->replica, at->row, at->col);
  const int64_t step = down ? from->ld : 1;
  if (from->dtype == GS_F64) {
    for (int64_t i = 0; i < at->length; i++) to[i] = ((const double *)first)[i * step];
  } else {
    for (int64_t i = 0; i < at->length; i++) to[i] = (double)((const float *)first)[i * step];
  }
}

/* Returns the largest ilogb of what was written. */
static int32_t write_line(const gs_tensor *to, const line *at, bool down, const double *from,
                          double factor) {
  void *first = gs_cpu_at(to, at->replica, at->row, at->col);
  const int64_t step = down ? to->ld : 1;
  double most = 0;
  for (int64_t i = 0; i < at->length; i++) {
    const double exact = from[i] * factor;
    const double x = to->dtype == GS_F64 ? exact : (double)(float)exact;
    if (to->dtype == GS_F64) ((double *)first)[i * step] = x;
    if (to->dtype != GS_F64) ((float *)first)[i * step] = (float)x;
    if (fabs(x) > most && isfinite(x)) most = fabs(x);
  }
  return most > 0 ? (int32_t)ilogb(most) : GS_PEAK_NONE;
}

/* Of a_i b_i, in chains of a fixed order; b NULL: of a_i. */
static double mean_of(const double *a, const double *b, int64_t n) {
  enum { CHAINS = 8 };
  double chains[CHAINS] = {0};
  double sum = 0;
  int64_t i = 0;
  for (; i + CHAINS <= n; i += CHAINS) {
    for (int k = 0; k < CHAINS; k++) chains[k] += b ? a[i + k] * b[i + k] : a[i + k];
  }
  for (int k = 0; i < n; i++, k++) chains[k] += b ? a[i] * b[i] : a[i];
  for (int k = 0; k < CHAINS; k++) sum += chains[k];
  return sum / (double)n;
}

/* x becomes x - mean (of rms: stays); returns rate. */
static double centre(gs_norm norm, const gs_normalize_scale *scale, double *x, int64_t n) {
  const double mean = norm == GS_NORM_RMS ? 0 : mean_of(x, NULL, n);
  for (int64_t i = 0; i < n; i++) x[i] -= mean;
  return gs_normalize_rate(scale, mean_of(x, x, n));
}

/* ---- passes ---- */

typedef struct normalize_pass {
  gs_norm norm;
  lines all;
  const gs_tensor *x, *dy, *out; /* dy NULL: forward */
  double *scratch;               /* of every thread two lines */
} normalize_pass;

static gs_normalize_scale scale_of(const normalize_pass *pass, int64_t replica) {
  const gs_scale x = gs_cpu_scale(pass->x, replica);
  const bool tracked = pass->out->scale != NULL;
  if (!pass->dy) return gs_normalize_forward_scale(x, tracked);
  return gs_normalize_backward_scale(x, gs_cpu_scale(pass->dy, replica), pass->out->dtype, tracked);
}

static void do_line(const normalize_pass *pass, const line *at, double *x, double *g) {
  const int64_t n = at->length;
  const gs_normalize_scale scale = scale_of(pass, at->replica);
  read_line(pass->x, at, pass->all.down, x);
  const double rate = centre(pass->norm, &scale, x, n);
  if (pass->dy) {
    read_line(pass->dy, at, pass->all.down, g);
    for (int64_t i = 0; i < n; i++) x[i] *= rate * scale.y; /* true y */
    const double of_mean = pass->norm == GS_NORM_RMS ? 0 : mean_of(g, NULL, n);
    const double of_square = mean_of(g, x, n);
    for (int64_t i = 0; i < n; i++) x[i] = g[i] - of_mean - x[i] * of_square;
  }
  const int32_t peak = write_line(pass->out, at, pass->all.down, x, rate * scale.factor);
  if (pass->out->scale) gs_cpu_raise_peak(&pass->out->scale[at->replica], peak);
}

static gs_status normalize(gs_device *device, normalize_pass *pass) {
  const gs_tensor *out = pass->out;
  const int team = gs_cpu_elements_team(device, out);
  const int64_t n = pass->all.length;
  gs_arena arena = gs_cpu_workspace(device);
  pass->scratch = gs_arena_take(&arena, (size_t)team * 2 * (size_t)n, sizeof *pass->scratch);
  if (!pass->scratch) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
  for (int64_t r = 0; out->scale && r < out->replicas; r++) {
    out->scale[r] = (gs_scale){scale_of(pass, r).exponent, GS_PEAK_NONE};
  }
#pragma omp parallel for num_threads(team) schedule(static)
  for (int64_t task = 0; task < out->replicas * pass->all.each; task++) {
    const line at = line_at(&pass->all, task);
    double *own = pass->scratch + (int64_t)omp_get_thread_num() * 2 * n;
    do_line(pass, &at, own, own + n);
  }
  return GS_OK;
}

gs_status gs_cpu_normalize_forward(gs_device *device, gs_norm norm, const gs_tensor *x,
                                   const gs_tensor *y) {
  normalize_pass pass = {norm, lines_of(norm, x), x, NULL, y, NULL};
  return normalize(device, &pass);
}

gs_status gs_cpu_normalize_backward(gs_device *device, gs_norm norm, const gs_tensor *x,
                                    const gs_tensor *dy, const gs_tensor *dx) {
  normalize_pass pass = {norm, lines_of(norm, x), x, dy, dx, NULL};
  return normalize(device, &pass);
}

size_t gs_cpu_normalize_workspace(const gs_workspace_need *need, int threads) {
  const int64_t longest = need->rows > need->columns ? need->rows : need->columns;
  gs_arena arena = gs_arena_counting();
  if (!need->normalized) return 0;
  gs_arena_take(&arena, (size_t)threads * 2 * (size_t)longest, sizeof(double));
  return arena.used;
}
