/* Weight and bias gradients on the CPU: dW = sum over rows of delta^T x.
 *
 * For a sequence the sum runs over T steps whose exponents may differ. Then the
 * rows of delta are shifted, on their way into the product, to one exponent per
 * replica: steps far below it round to zero, as they would beside the large ones. */
#include <omp.h>
#include <string.h>

#include "device/cpu_internal.h"

enum {
  CHUNK_ROWS = 256, /* rows of delta shifted at a time: stays in the second-level cache */
  SUM_COLS = 64     /* columns per task of a bias gradient */
};

typedef struct gradient_pass {
  const gs_tensor *delta, *x, *dW;
  int64_t step_rows;
} gradient_pass;

/* A slot of a tensor, or of the ones that x NULL stands for. */
static gs_scale slot_of(const gs_tensor *tensor, int64_t slot) {
  return tensor && tensor->scale ? tensor->scale[slot] : gs_scale_none();
}

/* The exponent of step t's product delta_t^T x_t; x NULL stands for ones. */
static int32_t step_exponent(const gs_tensor *delta, const gs_tensor *x, int64_t replica,
                             int64_t t) {
  const int64_t slot = t * delta->replicas + replica;
  return gs_product_exponent(slot_of(delta, slot), slot_of(x, slot));
}

static gs_sum_scale sum_scale_of(const gs_tensor *sum, const gs_tensor *delta, const gs_tensor *x,
                                 int64_t replica, int64_t steps) {
  int32_t min = GS_EXPONENT_EMPTY;
  int32_t max = GS_EXPONENT_EMPTY;
  for (int64_t t = 0; t < steps; t++) {
    const int32_t exponent = step_exponent(delta, x, replica, t);
    if (exponent == GS_EXPONENT_EMPTY) continue;
    if (min == GS_EXPONENT_EMPTY || exponent < min) min = exponent;
    if (exponent > max) max = exponent;
  }
  return gs_sum_scale_of(min, max, sum->scale != NULL, delta->dtype);
}

static void write_slots(const gs_tensor *sum, const gs_tensor *delta, const gs_tensor *x,
                        int64_t steps) {
  for (int64_t r = 0; sum->scale && r < sum->replicas; r++) {
    sum->scale[r] = (gs_scale){sum_scale_of(sum, delta, x, r, steps).exponent, GS_PEAK_NONE};
  }
}

/* One tile of dW when the steps' exponents differ: delta's rows pass through
 * `scratch` (CHUNK_ROWS x tile.rows), shifted. */
static bool shifted_tile(const gradient_pass *pass, gs_tile tile, int32_t exponent,
                         unsigned char *scratch) {
  const gs_tensor *delta = pass->delta;
  const int64_t r = tile.replica;
  const size_t bytes = gs_dtype_bytes(delta->dtype);
  bool done = true;
  for (int64_t first = 0; first < delta->rows; first += CHUNK_ROWS) {
    const int64_t rows = delta->rows - first < CHUNK_ROWS ? delta->rows - first : CHUNK_ROWS;
    for (int64_t i = 0; i < rows; i++) {
      const int64_t t = (first + i) / pass->step_rows;
      unsigned char *row = scratch + (size_t)(i * tile.rows) * bytes;
      memcpy(row, gs_cpu_at(delta, r, first + i, tile.row), (size_t)tile.rows * bytes);
      gs_cpu_rows_of(delta->dtype)
          ->scale_add(row, gs_step_factor(step_exponent(delta, pass->x, r, t), exponent), NULL, 0,
                      tile.rows);
    }
    done =
        gs_cpu_gemm_tile(delta->dtype, true, false, tile.rows, tile.cols, rows, scratch, tile.rows,
                         gs_cpu_at(pass->x, r, first, tile.col), pass->x->ld, first ? 1 : 0,
                         gs_cpu_at(pass->dW, r, tile.row, tile.col), pass->dW->ld) &&
        done;
  }
  return done;
}

/* One tile of dW when nothing is shifted. A sequence is cut as in shifted_tile:
 * its partial sums, and so its digits, must not depend on what was shifted. */
static bool plain_tile(const gradient_pass *pass, gs_tile tile) {
  const gs_tensor *delta = pass->delta;
  const int64_t r = tile.replica;
  const int64_t max = pass->step_rows == delta->rows ? delta->rows : CHUNK_ROWS;
  bool done = true;
  for (int64_t first = 0; first < delta->rows; first += max) {
    const int64_t rows = delta->rows - first < max ? delta->rows - first : max;
    done = gs_cpu_gemm_tile(delta->dtype, true, false, tile.rows, tile.cols, rows,
                            gs_cpu_at(delta, r, first, tile.row), delta->ld,
                            gs_cpu_at(pass->x, r, first, tile.col), pass->x->ld, first ? 1 : 0,
                            gs_cpu_at(pass->dW, r, tile.row, tile.col), pass->dW->ld) &&
           done;
  }
  return done;
}

/* db = sum over rows of delta, for one replica and a strip of columns. */
static void bias_strip(const gs_tensor *delta, int64_t steps, const gs_tensor *db, int64_t replica,
                       int64_t col, unsigned char *scratch) {
  const gs_cpu_rows *rows = gs_cpu_rows_of(delta->dtype);
  const int64_t cols = delta->cols - col < SUM_COLS ? delta->cols - col : SUM_COLS;
  const size_t row_bytes = (size_t)cols * gs_dtype_bytes(delta->dtype);
  const int64_t step_rows = delta->rows / steps;
  const gs_sum_scale scale = sum_scale_of(db, delta, NULL, replica, steps);
  void *sum = gs_cpu_at(db, replica, 0, col);
  memset(sum, 0, row_bytes);
  for (int64_t i = 0; i < delta->rows; i++) {
    const void *row = gs_cpu_at(delta, replica, i, col);
    if (!scale.plain) {
      const int32_t own = step_exponent(delta, NULL, replica, i / step_rows);
      rows->copy(scratch, row, gs_step_factor(own, scale.exponent), cols);
      row = scratch;
    }
    rows->add_to(sum, row, cols);
  }
}

static void bias_gradient(gs_device *device, const gs_tensor *delta, int64_t steps,
                          const gs_tensor *db, unsigned char *scratch, size_t scratch_bytes) {
  const int64_t strips = (delta->cols + SUM_COLS - 1) / SUM_COLS;
  const int64_t tasks = strips * delta->replicas;
  const int team = gs_cpu_elements_team(device, delta);
#pragma omp parallel for num_threads(team) schedule(static)
  for (int64_t task = 0; task < tasks; task++) {
    bias_strip(delta, steps, db, task / strips, task % strips * SUM_COLS,
               scratch + (size_t)omp_get_thread_num() * scratch_bytes);
  }
  write_slots(db, delta, NULL, steps);
}

/* Scratch of one thread: a chunk of the widest tile. */
static size_t scratch_bytes_of(int64_t columns, gs_dtype dtype) {
  gs_arena arena = gs_arena_counting();
  const gs_tiling tiling = gs_cpu_tiling(GS_GEMM_TN, columns, 1, 64); /* enough not to be cut */
  const int64_t cols = tiling.tile_rows > SUM_COLS ? tiling.tile_rows : SUM_COLS;
  gs_arena_take(&arena, (size_t)(CHUNK_ROWS * cols), gs_dtype_bytes(dtype));
  return arena.used;
}

size_t gs_cpu_gradient_workspace(const gs_workspace_need *need, int threads) {
  return (size_t)threads * scratch_bytes_of(need->columns, need->dtype);
}

static gs_status weight_gradient(gs_device *device, const gs_gradient_job *job) {
  gs_cpu_device *cpu = gs_cpu(device);
  const gs_tensor *delta = &job->delta;
  const gs_tensor *x = &job->x;
  const gs_tensor *dW = &job->dW;
  const gradient_pass pass = {delta, x, dW, delta->rows / job->steps};
  const size_t scratch_bytes = scratch_bytes_of(delta->cols, delta->dtype);
  gs_arena arena = gs_cpu_workspace(device);
  unsigned char *scratch = gs_arena_take(&arena, (size_t)cpu->threads, scratch_bytes);
  if (!scratch) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
  const gs_tiling tiling = gs_cpu_tiling(GS_GEMM_TN, dW->rows, dW->cols, dW->replicas);
  const int team = gs_cpu_product_team(device, dW, delta->rows);
  bool failed = false;
#pragma omp parallel for num_threads(team) schedule(dynamic) reduction(|| : failed)
  for (int64_t task = 0; task < tiling.tasks; task++) {
    const gs_tile tile = gs_cpu_tile(&tiling, task, dW->rows, dW->cols);
    const gs_sum_scale scale = sum_scale_of(dW, delta, x, tile.replica, job->steps);
    const bool done = scale.plain
                          ? plain_tile(&pass, tile)
                          : shifted_tile(&pass, tile, scale.exponent,
                                         scratch + (size_t)omp_get_thread_num() * scratch_bytes);
    failed = failed || !done;
  }
  write_slots(dW, delta, x, job->steps);
  if (job->has_db) bias_gradient(device, delta, job->steps, &job->db, scratch, scratch_bytes);
  return gs_cpu_products(device, failed);
}

gs_status gs_cpu_weight_gradients(gs_device *device, const gs_gradient_job *jobs, int64_t count) {
  for (int64_t i = 0; i < count; i++) GS_TRY(weight_gradient(device, &jobs[i]));
  return GS_OK;
}
