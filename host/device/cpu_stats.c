/* The statistics operation on the CPU.
 *
 * A unit is one job's tensor at one step and replica, cut into parts of at most
 * PART elements (whole rows). Threads share out the parts of all units; the parts
 * of a unit are then added in their order. Parts depend on shapes alone, so
 * results do not depend on the number of threads. */
#include <math.h>
#include <string.h>

#include "device/cpu_internal.h"
#include "device/cpu_stats_accumulate.h"

enum {
  PART = 1 << 16,
  MAX_WORKS = 8 /* jobs handled in one parallel region */
};

typedef struct unit {
  const gs_stats_job *job;
  gs_tensor tensor; /* of the unit's step */
  int64_t step, replica;
} unit;

static int64_t part_rows(const gs_tensor *tensor) {
  const int64_t rows = PART / tensor->cols;
  return rows > 0 ? (rows < tensor->rows ? rows : tensor->rows) : 1;
}

static int64_t parts_of(const gs_tensor *tensor) {
  const int64_t rows = part_rows(tensor);
  return (tensor->rows + rows - 1) / rows;
}

static unit unit_of(const gs_stats_job *job, int64_t index) {
  unit u = {
      .job = job, .step = index / job->tensor.replicas, .replica = index % job->tensor.replicas};
  u.tensor = gs_tensor_step(&job->tensor, job->steps, u.step);
  return u;
}

static int64_t output_index(const unit *u) { return u->step * u->tensor.replicas + u->replica; }

static uint32_t *output_histogram(const unit *u) {
  const int bins = gs_dtype_exponent_bins(u->tensor.dtype);
  return u->job->histogram ? u->job->histogram + output_index(u) * bins : NULL;
}

/* ---- one part ---- */

typedef struct row_range {
  int64_t first, count;
} row_range;

static row_range part_range(const unit *u, int64_t part) {
  const int64_t rows = part_rows(&u->tensor);
  const int64_t first = part * rows;
  return (row_range){first, u->tensor.rows - first < rows ? u->tensor.rows - first : rows};
}

/* f64 squares leave the range at 2^+-512: shift by the largest magnitude first,
 * but by no more than a factor that float64 holds. */
static int prescale_of(const unit *u, row_range range) {
  const int32_t min = -1000;
  if (u->tensor.dtype != GS_F64) return 0;
  int32_t max = GS_PEAK_NONE;
  for (int64_t i = 0; i < range.count; i++) {
    const int32_t peak =
        gs_cpu_rows_f64.peak(gs_cpu_at(&u->tensor, u->replica, range.first + i, 0), u->tensor.cols);
    if (peak > max) max = peak;
  }
  if (max == GS_PEAK_NONE || (max <= 400 && max >= -400)) return 0;
  return max < min ? min : max;
}

/* Columns that are not zero in every row of the range. */
static void mark_alive(const unit *u, row_range range, uint8_t *alive) {
  const int64_t n = u->tensor.cols;
  memset(alive, 0, (size_t)n);
  for (int64_t row = range.first; row < range.first + range.count; row++) {
    const void *x = gs_cpu_at(&u->tensor, u->replica, row, 0);
    if (u->tensor.dtype == GS_F64) {
      for (int64_t i = 0; i < n; i++) alive[i] |= !(((const double *)x)[i] == 0);
    } else {
      for (int64_t i = 0; i < n; i++) alive[i] |= !(((const float *)x)[i] == 0);
    }
  }
}

/* Scratch of a part: its sums, its histogram, and a byte for each column. */
typedef struct part_scratch {
  gs_stats_sums *sums;
  uint32_t *histogram;
  uint8_t *alive;
} part_scratch;

static size_t part_bytes(gs_dtype dtype, int64_t cols) {
  const size_t bytes = sizeof(gs_stats_sums) +
                       (size_t)gs_dtype_exponent_bins(dtype) * sizeof(uint32_t) + (size_t)cols;
  return (bytes + 63) / 64 * 64;
}

static part_scratch part_at(const unit *u, unsigned char *base, int64_t part) {
  const size_t bytes = part_bytes(u->tensor.dtype, u->tensor.cols);
  part_scratch scratch = {.sums = (void *)(base + (size_t)part * bytes)};
  scratch.histogram = (void *)(scratch.sums + 1);
  scratch.alive = (void *)(scratch.histogram + gs_dtype_exponent_bins(u->tensor.dtype));
  return scratch;
}

static gs_stats_options options_of(const unit *u, uint32_t *histogram) {
  const gs_stats_job *job = u->job;
  const int32_t exponent = gs_cpu_scale(&u->tensor, u->replica).exponent;
  const bool f64 = u->tensor.dtype == GS_F64;
  return (gs_stats_options){.saturation = job->saturation,
                            .low = f64 ? gs_scale_bound(job->saturation_low, exponent)
                                       : gs_scale_bound_f32(job->saturation_low, exponent),
                            .high = f64 ? gs_scale_bound(job->saturation_high, exponent)
                                        : gs_scale_bound_f32(job->saturation_high, exponent),
                            .histogram = job->histogram ? histogram : NULL};
}

static void do_part(const unit *u, int64_t part, part_scratch scratch) {
  const gs_tensor *tensor = &u->tensor;
  const row_range range = part_range(u, part);
  const gs_stats_options options = options_of(u, scratch.histogram);
  const size_t bins = (size_t)gs_dtype_exponent_bins(tensor->dtype);
  const bool flat = tensor->ld == tensor->cols;
  const int64_t runs = flat ? 1 : range.count;
  const int64_t length = flat ? range.count * tensor->cols : tensor->cols;
  gs_stats_sums_start(scratch.sums, prescale_of(u, range));
  if (options.histogram) memset(options.histogram, 0, bins * sizeof *options.histogram);
  for (int64_t i = 0; i < runs; i++) {
    const void *x = gs_cpu_at(tensor, u->replica, range.first + i, 0);
    if (tensor->dtype == GS_F64) {
      gs_stats_accumulate_f64(scratch.sums, x, length, &options);
    } else {
      gs_stats_accumulate_f32(scratch.sums, x, length, &options);
    }
  }
  if (u->job->dead) mark_alive(u, range, scratch.alive);
}

/* ---- one unit ---- */

static void write_stats(const unit *u, const gs_stats_sums *sums, int64_t dead) {
  const int64_t exponent = gs_cpu_scale(&u->tensor, u->replica).exponent;
  double sum = 0;
  double sum_sq = 0;
  for (int k = 0; k < GS_STATS_LANES; k++) {
    sum += sums->sum[k];
    sum_sq += sums->sum_sq[k];
  }
  u->job->stats[output_index(u)] = (gs_stats){
      .count = u->tensor.rows * u->tensor.cols,
      .nan = sums->nan,
      .inf = sums->inf,
      .zero = sums->zero,
      .subnormal = sums->subnormal,
      .saturated = sums->saturated,
      .dead = dead,
      .sum = gs_scaled_canonical(sum, exponent + sums->prescale),
      .sum_sq = gs_scaled_canonical(sum_sq, 2 * (exponent + sums->prescale)),
      .min_abs = sums->max_abs > 0 ? sums->min_abs : 0,
      .max_abs = sums->max_abs,
      .exponent = exponent,
  };
}

/* Adds the other parts to the first, and writes the result. */
static void finish_unit(const unit *u, unsigned char *base) {
  const int64_t parts = parts_of(&u->tensor);
  const int bins = gs_dtype_exponent_bins(u->tensor.dtype);
  const part_scratch total = part_at(u, base, 0);
  uint32_t *histogram = output_histogram(u);
  for (int64_t part = 1; part < parts; part++) {
    const part_scratch more = part_at(u, base, part);
    gs_stats_sums_merge(total.sums, more.sums);
    for (int i = 0; histogram && i < bins; i++) total.histogram[i] += more.histogram[i];
    for (int64_t i = 0; u->job->dead && i < u->tensor.cols; i++) total.alive[i] |= more.alive[i];
  }
  if (histogram) memcpy(histogram, total.histogram, (size_t)bins * sizeof *histogram);
  int64_t dead = 0;
  for (int64_t i = 0; u->job->dead && i < u->tensor.cols; i++) dead += !total.alive[i];
  write_stats(u, total.sums, dead);
}

/* ---- batches of units ---- */

/* Units first..first + units - 1 of a job, with scratch for all their parts. */
typedef struct work {
  const gs_stats_job *job;
  int64_t first, units;
  int64_t parts; /* of each unit */
  unsigned char *scratch;
  size_t unit_bytes;
} work;

size_t gs_cpu_stats_workspace(const gs_workspace_need *need, int threads) {
  (void)threads;
  /* A few of the largest tensors at once. Rows do not divide evenly into parts:
   * at worst a part holds half of PART. */
  const int64_t parts = 4 * (2 * (need->elements / PART) + 2);
  gs_arena arena = gs_arena_counting();
  gs_arena_take(&arena, (size_t)parts, part_bytes(need->dtype, need->columns));
  return arena.used;
}

/* As many of a job's units, from `first` on, as the arena has room for. */
static work take_work(gs_arena *arena, const gs_stats_job *job, int64_t first) {
  const gs_tensor step = gs_tensor_step(&job->tensor, job->steps, 0);
  work taken = {.job = job, .first = first, .parts = parts_of(&step)};
  taken.unit_bytes = (size_t)taken.parts * part_bytes(step.dtype, step.cols);
  const int64_t left = job->steps * job->tensor.replicas - first;
  const size_t room = arena->capacity - arena->used;
  const size_t max = room > GS_ARENA_ALIGNMENT ? (room - GS_ARENA_ALIGNMENT) / taken.unit_bytes : 0;
  taken.units = max < (size_t)left ? (int64_t)max : left;
  if (taken.units > 0) {
    taken.scratch = gs_arena_take(arena, (size_t)taken.units, taken.unit_bytes);
  }
  return taken;
}

/* The work that task `index` belongs to, when each unit counts `parts` tasks or,
 * with whole_units, one; *within is the task's place in it. */
static const work *find_work(const work *works, int64_t index, bool whole_units, int64_t *within) {
  for (;; works++) {
    const int64_t tasks = works->units * (whole_units ? 1 : works->parts);
    if (index < tasks) break;
    index -= tasks;
  }
  *within = index;
  return works;
}

static void run_works(gs_device *device, const work *works, int count) {
  int64_t units = 0;
  int64_t parts = 0;
  double elements = 0;
  for (int i = 0; i < count; i++) {
    const gs_tensor *tensor = &works[i].job->tensor;
    units += works[i].units;
    parts += works[i].units * works[i].parts;
    elements += (double)works[i].units * (double)tensor->rows * (double)tensor->cols /
                (double)works[i].job->steps;
  }
  const int team = gs_cpu_team(device, GS_F32, 0, elements);
#pragma omp parallel num_threads(team)
  {
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < parts; task++) {
      int64_t within;
      const work *w = find_work(works, task, false, &within);
      const unit u = unit_of(w->job, w->first + within / w->parts);
      unsigned char *base = w->scratch + (size_t)(within / w->parts) * w->unit_bytes;
      do_part(&u, within % w->parts, part_at(&u, base, within % w->parts));
    }
#pragma omp for schedule(static)
    for (int64_t task = 0; task < units; task++) {
      int64_t within;
      const work *w = find_work(works, task, true, &within);
      const unit u = unit_of(w->job, w->first + within);
      finish_unit(&u, w->scratch + (size_t)within * w->unit_bytes);
    }
  }
}

gs_status gs_cpu_stats(gs_device *device, const gs_stats_job *jobs, int64_t count) {
  int64_t job = 0;
  int64_t done = 0; /* units of jobs[job] */
  while (job < count) {
    work works[MAX_WORKS];
    int taken = 0;
    gs_arena arena = gs_cpu_workspace(device);
    while (job < count && taken < MAX_WORKS) {
      works[taken] = take_work(&arena, &jobs[job], done);
      if (works[taken].units == 0) break;
      done += works[taken++].units;
      if (done < jobs[job].steps * jobs[job].tensor.replicas) break;
      job++;
      done = 0;
    }
    if (taken == 0) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
    run_works(device, works, taken);
  }
  return GS_OK;
}
