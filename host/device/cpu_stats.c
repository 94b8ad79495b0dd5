/* The statistics operation on the CPU.
 *
 * A unit is one job's tensor at one step and replica. Units of one part (at most
 * PART elements) are shared out among the threads; larger ones are cut into
 * parts, whose results are added in the order of the parts. Parts depend on
 * shapes alone, so results do not depend on the number of threads. */
#include <math.h>
#include <string.h>

#include "device/cpu_internal.h"
#include "device/cpu_stats_accumulate.h"

enum { PART = 1 << 16 };

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

/* f64 squares leave the range at 2^+-512: shift by the largest magnitude first,
 * but by no more than a factor that float64 holds. */
static int prescale_of(const unit *u) {
  const int32_t least = -1000;
  if (u->tensor.dtype != GS_F64) return 0;
  int32_t most = GS_PEAK_NONE;
  for (int64_t row = 0; row < u->tensor.rows; row++) {
    const int32_t peak =
        gs_cpu_rows_f64.peak(gs_cpu_at(&u->tensor, u->replica, row, 0), u->tensor.cols);
    if (peak > most) most = peak;
  }
  if (most == GS_PEAK_NONE || (most <= 400 && most >= -400)) return 0;
  return most < least ? least : most;
}

static void accumulate_rows(const unit *u, int64_t first, int64_t rows, uint32_t *histogram,
                            gs_stats_sums *sums) {
  const gs_tensor *tensor = &u->tensor;
  const gs_stats_options options = {u->job->saturation, u->job->saturation_low,
                                    u->job->saturation_high, histogram};
  const bool flat = tensor->ld == tensor->cols;
  const int64_t runs = flat ? 1 : rows;
  const int64_t length = flat ? rows * tensor->cols : tensor->cols;
  for (int64_t i = 0; i < runs; i++) {
    const void *x = gs_cpu_at(tensor, u->replica, first + i, 0);
    if (tensor->dtype == GS_F64) {
      gs_stats_accumulate_f64(sums, x, length, &options);
    } else {
      gs_stats_accumulate_f32(sums, x, length, &options);
    }
  }
}

/* Columns that are zero in every row. Blocks of columns keep the loop unit-stride. */
static int64_t dead_columns(const unit *u) {
  enum { COLS = 256 };
  uint32_t alive[COLS];
  int64_t dead = 0;
  for (int64_t col = 0; col < u->tensor.cols; col += COLS) {
    const int64_t n = u->tensor.cols - col < COLS ? u->tensor.cols - col : COLS;
    memset(alive, 0, sizeof alive);
    for (int64_t row = 0; row < u->tensor.rows; row++) {
      const void *x = gs_cpu_at(&u->tensor, u->replica, row, col);
      if (u->tensor.dtype == GS_F64) {
        for (int64_t i = 0; i < n; i++) alive[i] |= !(((const double *)x)[i] == 0);
      } else {
        for (int64_t i = 0; i < n; i++) alive[i] |= !(((const float *)x)[i] == 0);
      }
    }
    for (int64_t i = 0; i < n; i++) dead += !alive[i];
  }
  return dead;
}

static void finish(const unit *u, const gs_stats_sums *sums) {
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
      .dead = u->job->dead ? dead_columns(u) : 0,
      .sum = gs_scaled_canonical(sum, exponent + sums->prescale),
      .sum_sq = gs_scaled_canonical(sum_sq, 2 * (exponent + sums->prescale)),
      .min_abs = sums->max_abs > 0 ? sums->min_abs : 0,
      .max_abs = sums->max_abs,
      .exponent = exponent,
  };
}

static uint32_t *output_histogram(const unit *u) {
  const int bins = gs_dtype_exponent_bins(u->tensor.dtype);
  return u->job->histogram ? u->job->histogram + output_index(u) * bins : NULL;
}

static void small_unit(const unit *u) {
  gs_stats_sums sums;
  uint32_t *histogram = output_histogram(u);
  if (histogram) {
    memset(histogram, 0, (size_t)gs_dtype_exponent_bins(u->tensor.dtype) * sizeof *histogram);
  }
  gs_stats_sums_start(&sums, prescale_of(u));
  accumulate_rows(u, 0, u->tensor.rows, histogram, &sums);
  finish(u, &sums);
}

/* Scratch of one part: its sums and its histogram. */
static size_t part_bytes(gs_dtype dtype) {
  const size_t bytes =
      sizeof(gs_stats_sums) + (size_t)gs_dtype_exponent_bins(dtype) * sizeof(uint32_t);
  return (bytes + 63) / 64 * 64;
}

size_t gs_cpu_stats_workspace(const gs_workspace_need *need, int threads) {
  (void)threads;
  /* Rows do not divide evenly into parts: at worst a part holds half of PART. */
  const int64_t parts = 2 * (need->elements / PART) + 2;
  gs_arena arena = gs_arena_counting();
  gs_arena_take(&arena, (size_t)parts, part_bytes(need->dtype));
  return arena.used;
}

static void large_unit(gs_cpu_device *cpu, const unit *u, unsigned char *scratch) {
  const int64_t rows = part_rows(&u->tensor);
  const int64_t parts = parts_of(&u->tensor);
  const int bins = gs_dtype_exponent_bins(u->tensor.dtype);
  const size_t stride = part_bytes(u->tensor.dtype);
  const int prescale = prescale_of(u);
  uint32_t *histogram = output_histogram(u);
#pragma omp parallel for num_threads(cpu->threads) schedule(dynamic)
  for (int64_t part = 0; part < parts; part++) {
    gs_stats_sums *sums = (gs_stats_sums *)(void *)(scratch + (size_t)part * stride);
    uint32_t *counts = (uint32_t *)(void *)(sums + 1);
    const int64_t first = part * rows;
    const int64_t left = u->tensor.rows - first;
    gs_stats_sums_start(sums, prescale);
    memset(counts, 0, (size_t)bins * sizeof *counts);
    accumulate_rows(u, first, left < rows ? left : rows, histogram ? counts : NULL, sums);
  }
  gs_stats_sums total;
  gs_stats_sums_start(&total, prescale);
  if (histogram) memset(histogram, 0, (size_t)bins * sizeof *histogram);
  for (int64_t part = 0; part < parts; part++) {
    const gs_stats_sums *sums = (const void *)(scratch + (size_t)part * stride);
    const uint32_t *counts = (const void *)(sums + 1);
    gs_stats_sums_merge(&total, sums);
    for (int i = 0; histogram && i < bins; i++) histogram[i] += counts[i];
  }
  finish(u, &total);
}

/* Units of all jobs in a row: which job does unit `index` belong to? */
static unit find_unit(const gs_stats_job *jobs, int64_t index) {
  while (index >= jobs->steps * jobs->tensor.replicas) {
    index -= jobs->steps * jobs->tensor.replicas;
    jobs++;
  }
  return unit_of(jobs, index);
}

gs_status gs_cpu_stats(gs_device *device, const gs_stats_job *jobs, int64_t count) {
  gs_cpu_device *cpu = gs_cpu(device);
  int64_t units = 0;
  for (int64_t j = 0; j < count; j++) {
    units += jobs[j].steps * jobs[j].tensor.replicas;
    const gs_tensor first = gs_tensor_step(&jobs[j].tensor, jobs[j].steps, 0);
    if ((size_t)parts_of(&first) * part_bytes(first.dtype) > cpu->workspace_bytes) {
      return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
    }
  }
#pragma omp parallel for num_threads(cpu->threads) schedule(dynamic)
  for (int64_t index = 0; index < units; index++) {
    const unit u = find_unit(jobs, index);
    if (parts_of(&u.tensor) == 1) small_unit(&u);
  }
  for (int64_t j = 0; j < count; j++) {
    const gs_tensor first = gs_tensor_step(&jobs[j].tensor, jobs[j].steps, 0);
    if (parts_of(&first) == 1) continue;
    for (int64_t i = 0; i < jobs[j].steps * jobs[j].tensor.replicas; i++) {
      const unit u = unit_of(&jobs[j], i);
      large_unit(cpu, &u, cpu->workspace);
    }
  }
  return GS_OK;
}
