/* Matrix products on the CPU: tile shapes, the single-threaded tile GEMM
 * (oneDNN for f32, CBLAS for f64), and the strided-batched gemm operation. */
#include <cblas.h>
#include <oneapi/dnnl/dnnl.h>

#include "device/cpu_internal.h"

enum { WANTED_TASKS = 4, MIN_ROWS = 32, MIN_COLS = 64, NN_ROWS = 64 };

/* Tile shapes that keep the tile GEMM near its peak and still leave enough tiles
 * that a disturbed thread does not keep the others waiting (compare with
 * benchmarks --benchmark_filter=gemm). NT packs op(b) anew for every tile, so it
 * wants many rows; NN and TN wide ones. */
static void preferred_tile(gs_gemm_form form, int64_t *rows, int64_t *cols) {
  switch (form) {
  case GS_GEMM_NN:
    *rows = NN_ROWS;
    *cols = 512;
    return;
  case GS_GEMM_NT:
    *rows = 256;
    *cols = 128;
    return;
  case GS_GEMM_TN:
    *rows = 256;
    *cols = 512;
    return;
  case GS_GEMM_TT:
    *rows = 256;
    *cols = 256;
    return;
  }
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

gs_tiling gs_cpu_fixed_tiling(int64_t rows, int64_t cols, int64_t replicas, int64_t tile_rows,
                              int64_t tile_cols) {
  gs_tiling tiling = {.tile_rows = tile_rows, .tile_cols = tile_cols};
  tiling.row_tiles = ceil_div(rows, tile_rows);
  tiling.col_tiles = ceil_div(cols, tile_cols);
  tiling.tasks = tiling.row_tiles * tiling.col_tiles * replicas;
  return tiling;
}

int64_t gs_cpu_max_row_tiles(int64_t rows) {
  const int64_t full = ceil_div(rows, NN_ROWS);
  return full > 2 * WANTED_TASKS ? full : 2 * WANTED_TASKS;
}

gs_tiling gs_cpu_tiling(gs_gemm_form form, int64_t rows, int64_t cols, int64_t replicas) {
  int64_t tile_rows = 1;
  int64_t tile_cols = 1;
  preferred_tile(form, &tile_rows, &tile_cols);
  if (tile_rows > rows) tile_rows = rows;
  if (tile_cols > cols) tile_cols = cols;
  gs_tiling tiling = gs_cpu_fixed_tiling(rows, cols, replicas, tile_rows, tile_cols);
  while (tiling.tasks < WANTED_TASKS) {
    const bool can_halve_rows = tile_rows >= 2 * MIN_ROWS;
    const bool can_halve_cols = tile_cols >= 2 * MIN_COLS;
    if (!can_halve_rows && !can_halve_cols) break;
    if (can_halve_rows && (tile_rows * 4 >= tile_cols || !can_halve_cols)) {
      tile_rows = ceil_div(tile_rows, 2);
    } else {
      tile_cols = ceil_div(tile_cols, 2);
    }
    tiling = gs_cpu_fixed_tiling(rows, cols, replicas, tile_rows, tile_cols);
  }
  return tiling;
}

gs_tiling gs_cpu_row_tiling(int64_t rows, int64_t cols, int64_t replicas) {
  enum { MIN_LOOP_ROWS = 8 }; /* a loop over T steps outweighs the smaller tile */
  int64_t tile_rows = rows;
  gs_tiling tiling = gs_cpu_fixed_tiling(rows, cols, replicas, tile_rows, cols);
  while (tiling.tasks < WANTED_TASKS && tile_rows >= 2 * MIN_LOOP_ROWS) {
    tile_rows = ceil_div(tile_rows, 2);
    tiling = gs_cpu_fixed_tiling(rows, cols, replicas, tile_rows, cols);
  }
  return tiling;
}

gs_tile gs_cpu_tile(const gs_tiling *tiling, int64_t task, int64_t rows, int64_t cols) {
  const int64_t per_replica = tiling->row_tiles * tiling->col_tiles;
  const int64_t within = task % per_replica;
  gs_tile tile = {.replica = task / per_replica,
                  .row_tile = within / tiling->col_tiles,
                  .col_tile = within % tiling->col_tiles};
  tile.row = tile.row_tile * tiling->tile_rows;
  tile.col = tile.col_tile * tiling->tile_cols;
  tile.rows = rows - tile.row < tiling->tile_rows ? rows - tile.row : tiling->tile_rows;
  tile.cols = cols - tile.col < tiling->tile_cols ? cols - tile.col : tiling->tile_cols;
  return tile;
}

bool gs_cpu_gemm_tile(gs_dtype dtype, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                      const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c,
                      int64_t ldc) {
  if (dtype == GS_F64) {
    cblas_dgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                trans_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, 1.0, a, (int)lda, b,
                (int)ldb, beta, c, (int)ldc);
    return true;
  }
  return dnnl_sgemm(trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb,
                    (float)beta, c, ldc) == dnnl_success;
}

gs_status gs_cpu_gemm(gs_device *device, bool trans_a, const gs_tensor *a, bool trans_b,
                      const gs_tensor *b, const gs_tensor *c) {
  const gs_gemm_form form =
      trans_a ? (trans_b ? GS_GEMM_TT : GS_GEMM_TN) : (trans_b ? GS_GEMM_NT : GS_GEMM_NN);
  const gs_tiling tiling = gs_cpu_tiling(form, c->rows, c->cols, c->replicas);
  const int64_t inner = trans_a ? a->rows : a->cols;
  const int team = gs_cpu_product_team(device, c, inner);
  bool failed = false;
  for (int64_t r = 0; c->scale && r < c->replicas; r++) {
    c->scale[r] =
        (gs_scale){gs_cpu_scale(a, r).exponent + gs_cpu_scale(b, r).exponent, GS_PEAK_NONE};
  }
#pragma omp parallel for num_threads(team) schedule(dynamic) reduction(|| : failed)
  for (int64_t task = 0; task < tiling.tasks; task++) {
    const gs_tile tile = gs_cpu_tile(&tiling, task, c->rows, c->cols);
    const int64_t r = tile.replica;
    void *out = gs_cpu_at(c, r, tile.row, tile.col);
    const bool done = gs_cpu_gemm_tile(
        c->dtype, trans_a, trans_b, tile.rows, tile.cols, inner,
        trans_a ? gs_cpu_at(a, r, 0, tile.row) : gs_cpu_at(a, r, tile.row, 0), a->ld,
        trans_b ? gs_cpu_at(b, r, tile.col, 0) : gs_cpu_at(b, r, 0, tile.col), b->ld, 0, out,
        c->ld);
    failed = failed || !done;
    const int64_t shift = gs_cpu_scale(a, r).exponent + gs_cpu_scale(b, r).exponent;
    if (c->scale || shift == 0) continue;
    for (int64_t row = 0; row < tile.rows; row++) {
      gs_cpu_rows_of(c->dtype)->scale_add(gs_cpu_at(c, r, tile.row + row, tile.col),
                                          gs_scale_factor(shift), NULL, 0, tile.cols);
    }
  }
  return gs_cpu_products(device, failed);
}
