/* Which is faster. See speed.h. */
#include "compare/speed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "claims/statistics.h"
#include "measure/sample.h"

const gs_names gs_speed_names = {"speed", GS_NAMES(GS_SPEED_LIST(GS_ROW_NAME)), NULL};

gs_speed_policy gs_speed_defaults(void) {
  return (gs_speed_policy){.threshold = 0.02, .margin = 0.04, .alpha = 0.05};
}

/* What has to be shown to end in green, or in red by all cells together, is shown with ten
 * and a hundred times the certainty of a mark (docs/COMPARE.md has the rates). */
static const double MARGIN_SHARE = 0.1;
static const double GLOBAL_SHARE = 0.01;
/* A shift of all cells matters from a quarter of what matters in one. */
static const double GLOBAL_THRESHOLD = 0.25;

/* ---- one ratio ---- */

/* A trimmed mean and what its variance is made of. */
typedef struct trimmed {
  double mean;
  double variance; /* of the mean: (n - 1) s_w^2 / (h (h - 1)) */
  double kept;     /* h */
} trimmed;

static trimmed trim(double *values, int64_t count) {
  const int64_t cut = count / 5;
  const int64_t kept = count - 2 * cut;
  double sum = 0;
  double all = 0; /* winsorised: what is cut counts as its nearest neighbour */
  double squares = 0;
  gs_sort(values, (size_t)count);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i < cut ? cut : i >= count - cut ? count - cut - 1 : i;
    if (at == i) sum += values[i];
    all += values[at];
  }
  const double mean = all / (double)count;
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = i < cut ? cut : i >= count - cut ? count - cut - 1 : i;
    squares += (values[at] - mean) * (values[at] - mean);
  }
  const double h = (double)kept;
  return (trimmed){sum / h, squares / (h * (h - 1)), h};
}

gs_ratio gs_ratio_of(double *base, int64_t base_count, double *other, int64_t other_count) {
  if (base_count < 2 || other_count < 2) return (gs_ratio){NAN, NAN, NAN};
  const trimmed a = trim(base, base_count);
  const trimmed b = trim(other, other_count);
  const double variance = a.variance + b.variance;
  const double squares =
      a.variance * a.variance / (a.kept - 1) + b.variance * b.variance / (b.kept - 1);
  const double freedom = squares > 0 ? variance * variance / squares : a.kept + b.kept - 2;
  return (gs_ratio){b.mean - a.mean, sqrt(variance), freedom};
}

double gs_student_cdf(double t, double freedom) {
  const double tail = 0.5 * gs_beta_share(freedom / 2, 0.5, freedom / (freedom + t * t));
  return t > 0 ? 1 - tail : tail;
}

/* P(T > t), which does not cancel. */
static double student_tail(double t, double freedom) { return gs_student_cdf(-t, freedom); }

double gs_ratio_above(const gs_ratio *ratio, double limit) {
  if (isnan(ratio->log_ratio)) return 1;
  const double distance = ratio->log_ratio - limit;
  if (!(ratio->error > 0)) return distance > 0 ? 0 : 1;
  return student_tail(distance / ratio->error, ratio->freedom);
}

double gs_ratio_below(const gs_ratio *ratio, double limit) {
  const gs_ratio mirrored = {-ratio->log_ratio, ratio->error, ratio->freedom};
  return gs_ratio_above(&mirrored, -limit);
}

void gs_ratio_interval(const gs_ratio *ratio, double confidence, double *low, double *high) {
  *low = *high = NAN;
  if (isnan(ratio->log_ratio)) return;
  const double t = gs_student_quantile(0.5 + confidence / 2, ratio->freedom);
  *low = exp(ratio->log_ratio - t * ratio->error);
  *high = exp(ratio->log_ratio + t * ratio->error);
}

/* ---- many ---- */

typedef struct ranked {
  double p;
  int64_t index;
} ranked;

static int by_p(const void *a, const void *b) {
  const ranked *x = a;
  const ranked *y = b;
  if (x->p != y->p) return x->p > y->p ? 1 : -1;
  return (x->index > y->index) - (x->index < y->index);
}

static ranked *rank(const double *p, int64_t count) {
  ranked *list = malloc((size_t)(count + 1) * sizeof *list);
  if (!list) return NULL;
  for (int64_t i = 0; i < count; i++) list[i] = (ranked){p[i], i};
  qsort(list, (size_t)count, sizeof *list, by_p);
  return list;
}

/* The first `fallen` of the list. */
static void mark(const ranked *list, int64_t count, int64_t fallen, bool *falls) {
  for (int64_t i = 0; i < count; i++) falls[list[i].index] = i < fallen;
}

gs_status gs_holm(const double *p, int64_t count, double alpha, bool *falls, gs_error *error) {
  ranked *list = rank(p, count);
  int64_t fallen = 0;
  if (!list) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %lld cells", (long long)count);
  while (fallen < count && list[fallen].p <= alpha / (double)(count - fallen)) fallen++;
  mark(list, count, fallen, falls);
  free(list);
  return GS_OK;
}

gs_status gs_benjamini_hochberg(const double *p, int64_t count, double alpha, bool *falls,
                                gs_error *error) {
  ranked *list = rank(p, count);
  int64_t fallen = count;
  if (!list) return GS_FAIL(error, GS_ERR_MEMORY, "no memory for %lld cells", (long long)count);
  while (fallen > 0 && !(list[fallen - 1].p <= alpha * (double)fallen / (double)count)) fallen--;
  mark(list, count, fallen, falls);
  free(list);
  return GS_OK;
}

double gs_sign_test(int64_t positive, int64_t count) {
  if (positive <= 0) return 1;
  return gs_beta_share((double)positive, (double)(count - positive + 1), 0.5);
}

/* ---- the cells ---- */

static double middle_ns(const double *sorted, int64_t count) {
  return count > 0 ? exp(gs_quantile(sorted, (size_t)count, 0.5)) : (double)NAN;
}

static gs_cell_speed measure(gs_speed_times *times, const gs_speed_policy *policy) {
  const double slow = log1p(policy->threshold);
  gs_cell_speed s = {.word = GS_SPEED_NOT_TIMED};
  gs_sort(times->base, (size_t)times->base_count);
  gs_sort(times->other, (size_t)times->other_count);
  s.base_ns = middle_ns(times->base, times->base_count);
  s.other_ns = middle_ns(times->other, times->other_count);
  s.ratio = gs_ratio_of(times->base, times->base_count, times->other, times->other_count);
  gs_ratio_interval(&s.ratio, 0.95, &s.low, &s.high);
  s.p_slower = gs_ratio_above(&s.ratio, slow);
  s.p_faster = gs_ratio_below(&s.ratio, -slow);
  s.p_different = fmax(gs_ratio_below(&s.ratio, slow), gs_ratio_above(&s.ratio, -slow));
  s.p_margin = gs_ratio_below(&s.ratio, log1p(policy->margin));
  const bool timed = times->busy || (times->base_count > 0 && times->other_count > 0);
  if (timed) s.word = GS_SPEED_UNDECIDED;
  return s;
}

/* Whether a cell has all units that any cell has: busy rounds are left out cell by cell. */
static bool is_full(const gs_speed_times *times, int64_t base_max, int64_t other_max) {
  return times->base_count == base_max && times->other_count == other_max;
}

/* The mean over cells of each unit, of the cells that have all units, if half of them do. */
static gs_status shift_of(const gs_speed_times *times, int64_t count, gs_ratio *shift,
                          gs_error *error) {
  int64_t base_max = 0;
  int64_t other_max = 0;
  int64_t full = 0;
  *shift = (gs_ratio){NAN, NAN, NAN};
  for (int64_t i = 0; i < count; i++) {
    if (times[i].base_count > base_max) base_max = times[i].base_count;
    if (times[i].other_count > other_max) other_max = times[i].other_count;
  }
  for (int64_t i = 0; i < count; i++) full += is_full(&times[i], base_max, other_max);
  if (base_max == 0 || other_max == 0 || 2 * full < count) return GS_OK;
  double *base = calloc((size_t)base_max, sizeof *base);
  double *other = calloc((size_t)other_max, sizeof *other);
  for (int64_t i = 0; base && other && i < count; i++) {
    if (!is_full(&times[i], base_max, other_max)) continue;
    for (int64_t k = 0; k < base_max; k++) base[k] += times[i].base[k] / (double)full;
    for (int64_t k = 0; k < other_max; k++) other[k] += times[i].other[k] / (double)full;
  }
  const bool made = base && other;
  if (made) *shift = gs_ratio_of(base, base_max, other, other_max);
  free(base);
  free(other);
  return made ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the shift of all cells");
}

static void judge_global(const gs_cell_speed *cells, int64_t count, const gs_speed_policy *policy,
                         gs_global_speed *global) {
  const double alpha = GLOBAL_SHARE * policy->alpha;
  const double min = log1p(GLOBAL_THRESHOLD * policy->threshold);
  for (int64_t i = 0; i < count; i++) {
    if (cells[i].word == GS_SPEED_NOT_TIMED) continue;
    global->cells++;
    global->slower += cells[i].ratio.log_ratio > 0;
    global->faster += cells[i].ratio.log_ratio < 0;
  }
  const int64_t signs = global->slower + global->faster;
  global->p_slower = gs_sign_test(global->slower, signs);
  global->p_faster = gs_sign_test(global->faster, signs);
  global->word = GS_SPEED_UNDECIDED;
  if (global->p_slower <= alpha && gs_ratio_above(&global->shift, min) <= policy->alpha) {
    global->word = GS_SPEED_SLOWER;
  }
  if (global->p_faster <= alpha && gs_ratio_below(&global->shift, -min) <= policy->alpha) {
    global->word = GS_SPEED_FASTER;
  }
}

/* The table's marks. */
static gs_status word_cells(gs_cell_speed *cells, int64_t count, const double *slower,
                            const double *faster, const gs_speed_policy *policy, bool *falls,
                            gs_error *error) {
  for (int64_t i = 0; i < count; i++) {
    if (cells[i].word != GS_SPEED_NOT_TIMED && cells[i].p_different <= policy->alpha) {
      cells[i].word = GS_SPEED_SAME;
    }
  }
  GS_TRY(gs_benjamini_hochberg(faster, count, policy->alpha, falls, error));
  for (int64_t i = 0; i < count; i++) {
    if (falls[i]) cells[i].word = GS_SPEED_FASTER;
  }
  GS_TRY(gs_benjamini_hochberg(slower, count, policy->alpha, falls, error));
  for (int64_t i = 0; i < count; i++) {
    if (falls[i]) cells[i].word = GS_SPEED_SLOWER;
  }
  GS_TRY(gs_holm(slower, count, policy->alpha, falls, error));
  for (int64_t i = 0; i < count; i++) cells[i].red = falls[i];
  return GS_OK;
}

static gs_speed_word judge_all(const gs_cell_speed *cells, int64_t count,
                               const gs_global_speed *global, const gs_speed_policy *policy) {
  bool red = global->word == GS_SPEED_SLOWER;
  bool open = false;
  bool faster = global->word == GS_SPEED_FASTER;
  for (int64_t i = 0; i < count; i++) {
    if (cells[i].word == GS_SPEED_NOT_TIMED) continue;
    red = red || cells[i].red;
    faster = faster || cells[i].word == GS_SPEED_FASTER;
    open = open || cells[i].word == GS_SPEED_SLOWER ||
           !(cells[i].p_margin <= MARGIN_SHARE * policy->alpha);
  }
  if (global->cells == 0) return GS_SPEED_NOT_TIMED;
  if (red) return GS_SPEED_SLOWER;
  if (open) return GS_SPEED_UNDECIDED;
  return faster ? GS_SPEED_FASTER : GS_SPEED_SAME;
}

gs_status gs_speed_judge(gs_speed_times *times, int64_t count, const gs_speed_policy *policy,
                         gs_cell_speed *cells, gs_global_speed *global, gs_speed_word *overall,
                         gs_error *error) {
  double *p = calloc((size_t)(2 * count + 1), sizeof *p);
  bool *falls = malloc((size_t)(count + 1) * sizeof *falls);
  gs_status status = p && falls ? GS_OK : GS_FAIL(error, GS_ERR_MEMORY, "no memory for the cells");
  memset(global, 0, sizeof *global);
  if (status == GS_OK) status = shift_of(times, count, &global->shift, error);
  for (int64_t i = 0; status == GS_OK && i < count; i++) {
    cells[i] = measure(&times[i], policy);
    p[i] = cells[i].p_slower;
    p[count + i] = cells[i].p_faster;
  }
  if (status == GS_OK) status = word_cells(cells, count, p, p + count, policy, falls, error);
  if (status == GS_OK) {
    judge_global(cells, count, policy, global);
    *overall = judge_all(cells, count, global, policy);
  }
  free(p);
  free(falls);
  return status;
}
