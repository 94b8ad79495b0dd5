/* Dense layers on the CPU. Each task makes one tile of the output: the GEMM
 * writes its product straight into the output tensor, and the pointwise part
 * (shift, bias, activation or derivative, bias gradient, peak) follows while
 * the tile is in cache. */
#include <omp.h>
#include <string.h>

#include "device/cpu_internal.h"

static void open_slot(const gs_tensor *out, int64_t replica, int32_t exponent) {
  if (out && out->scale) out->scale[replica] = (gs_scale){exponent, GS_PEAK_NONE};
}

/* ---- forward ---- */

typedef struct forward_pass {
  const gs_tensor *x, *w, *b, *saved, *h;
  gs_activation activation;
  unsigned char *scratch; /* of every thread, for packed strips; NULL: none is used */
  size_t scratch_bytes;   /* of one thread */
} forward_pass;

/* With many rows the product is faster on a transposed copy of W: an NT product
 * packs W anew for each tile. A task then makes a strip of columns: it transposes
 * the strip's part of W into its thread's scratch, where it stays in the
 * second-level cache, and multiplies it by the rows, a block at a time. */
enum { STRIP_COLS = 128, STRIP_ROWS = 512, BLOCK_ROWS = 128 };

static bool forward_packs(int64_t rows, int64_t n_in, int64_t n_out) {
  return rows >= BLOCK_ROWS && n_in >= 2 * STRIP_COLS && n_out >= 2 * STRIP_COLS;
}

static gs_activate_scale forward_scale(const forward_pass *pass, int64_t replica) {
  return gs_activate_scale_of(gs_cpu_scale(pass->x, replica), pass->h->dtype, pass->activation.kind,
                              pass->h->scale != NULL, pass->b != NULL);
}

static void forward_pointwise(const forward_pass *pass, gs_tile tile) {
  const gs_tensor *h = pass->h;
  const int64_t r = tile.replica;
  const gs_cpu_rows *rows = gs_cpu_rows_of(h->dtype);
  const gs_activate_scale scale = forward_scale(pass, r);
  const double of_product = gs_scale_factor(scale.factor);
  const double of_bias = gs_scale_factor(scale.addend);
  const void *bias = pass->b ? gs_cpu_at(pass->b, r, 0, tile.col) : NULL;
  int32_t peak = GS_PEAK_NONE;
  for (int64_t i = 0; i < tile.rows; i++) {
    void *row = gs_cpu_at(h, r, tile.row + i, tile.col);
    void *saved = pass->saved ? gs_cpu_at(pass->saved, r, tile.row + i, tile.col) : NULL;
    if (bias || of_product != 1) rows->scale_add(row, of_product, bias, of_bias, tile.cols);
    gs_cpu_activate(rows, pass->activation, scale, row, saved, tile.cols);
    if (h->scale) peak = gs_cpu_larger(peak, rows->peak(row, tile.cols));
  }
  if (h->scale) gs_cpu_raise_peak(&h->scale[r], peak);
}

/* One tile; strip: W transposed, of just the tile's columns, or NULL. */
static bool forward_tile(const forward_pass *pass, gs_tile tile, const void *strip) {
  const gs_tensor *h = pass->h;
  const gs_tensor *w = pass->w;
  const int64_t r = tile.replica;
  if (!gs_cpu_gemm_tile(h->dtype, false, !strip, tile.rows, tile.cols, w->cols,
                        gs_cpu_at(pass->x, r, tile.row, 0), pass->x->ld,
                        strip ? strip : gs_cpu_at(w, r, tile.col, 0), strip ? tile.cols : w->ld, 0,
                        gs_cpu_at(h, r, tile.row, tile.col), h->ld)) {
    return false;
  }
  forward_pointwise(pass, tile);
  return true;
}

static bool forward_strip(const forward_pass *pass, gs_tile tile, void *strip) {
  const gs_tensor *w = pass->w;
  gs_cpu_transpose(w->dtype, gs_cpu_at(w, tile.replica, tile.col, 0), w->ld, tile.cols, w->cols,
                   strip, tile.cols);
  bool done = true;
  gs_tile block = tile;
  for (int64_t row = 0; row < tile.rows; row += BLOCK_ROWS) {
    block.row = tile.row + row;
    block.rows = tile.rows - row < BLOCK_ROWS ? tile.rows - row : BLOCK_ROWS;
    done = forward_tile(pass, block, strip) && done;
  }
  return done;
}

static size_t strip_bytes(int64_t n_in, gs_dtype dtype) {
  gs_arena arena = gs_arena_counting();
  gs_arena_take(&arena, (size_t)n_in * STRIP_COLS, gs_dtype_bytes(dtype));
  return arena.used;
}

/* Strips (forward) or column sums per row tile (backward): never both at once,
 * but the sum of the two is simpler and hardly larger. A packed W has at least
 * 2 STRIP_COLS rows, which bounds its columns. */
size_t gs_cpu_dense_workspace(const gs_workspace_need *need, int threads) {
  gs_arena arena = gs_arena_counting();
  const size_t bytes = gs_dtype_bytes(need->dtype);
  const int64_t row_tiles = need->recurrent ? 0 : gs_cpu_most_row_tiles(need->rows);
  const int64_t by_weights = need->weights / (2 * STRIP_COLS);
  const int64_t n_in = need->columns < by_weights ? need->columns : by_weights;
  if (forward_packs(need->rows, n_in, need->columns)) {
    gs_arena_take(&arena, (size_t)threads, strip_bytes(n_in, need->dtype));
  }
  gs_arena_take(&arena, (size_t)(need->replicas * row_tiles), (size_t)need->columns * bytes);
  return arena.used;
}

static bool forward_task(const forward_pass *pass, gs_tile tile) {
  if (!pass->scratch) return forward_tile(pass, tile, NULL);
  return forward_strip(pass, tile,
                       pass->scratch + (size_t)omp_get_thread_num() * pass->scratch_bytes);
}

gs_status gs_cpu_dense_forward(gs_device *device, const gs_tensor *x, const gs_tensor *w,
                               const gs_tensor *b, gs_activation activation, const gs_tensor *saved,
                               const gs_tensor *h) {
  const int team = gs_cpu_product_team(device, h, w->cols);
  forward_pass pass = {x, w, b, saved, h, activation, NULL, strip_bytes(w->cols, w->dtype)};
  gs_tiling tiling = gs_cpu_tiling(GS_GEMM_NT, h->rows, h->cols, h->replicas);
  if (forward_packs(h->rows, w->cols, w->rows)) {
    gs_arena arena = gs_cpu_workspace(device);
    pass.scratch = gs_arena_take(&arena, (size_t)team, pass.scratch_bytes);
    if (!pass.scratch) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
    tiling = gs_cpu_fixed_tiling(h->rows, h->cols, h->replicas, STRIP_ROWS, STRIP_COLS);
  }
  bool failed = false;
  for (int64_t r = 0; r < h->replicas; r++) open_slot(h, r, forward_scale(&pass, r).exponent);
#pragma omp parallel for num_threads(team) schedule(dynamic) reduction(|| : failed)
  for (int64_t task = 0; task < tiling.tasks; task++) {
    failed = !forward_task(&pass, gs_cpu_tile(&tiling, task, h->rows, h->cols)) || failed;
  }
  return gs_cpu_products(device, failed);
}

/* ---- backward ---- */

typedef struct backward_pass {
  const gs_tensor *source; /* dh, or delta of the layer above */
  const gs_tensor *w;      /* the layer above's weights; NULL: source is dh */
  const gs_tensor *saved, *h, *delta, *db;
  gs_activation activation;
  unsigned char *partial; /* [R][row_tiles][cols] column sums, when row_tiles > 1 */
} backward_pass;

/* Where a tile's column sums go: straight into db, or among the partial sums. */
static void *sums_of(const backward_pass *pass, const gs_tiling *tiling, gs_tile tile) {
  if (!pass->db) return NULL;
  if (tiling->row_tiles == 1) return gs_cpu_at(pass->db, tile.replica, 0, tile.col);
  const int64_t element =
      (tile.replica * tiling->row_tiles + tile.row_tile) * pass->delta->cols + tile.col;
  return pass->partial + (size_t)element * gs_dtype_bytes(pass->delta->dtype);
}

static void backward_pointwise(const backward_pass *pass, gs_tile tile, void *sums) {
  const gs_tensor *delta = pass->delta;
  const gs_tensor *source = pass->source;
  const int64_t r = tile.replica;
  const gs_cpu_rows *rows = gs_cpu_rows_of(delta->dtype);
  const gs_rescale scale =
      gs_rescale_of(gs_cpu_scale(source, r), delta->dtype, delta->scale != NULL);
  int32_t peak = GS_PEAK_NONE;
  for (int64_t row = tile.row; row < tile.row + tile.rows; row++) {
    void *out = gs_cpu_at(delta, r, row, tile.col);
    if (!pass->w && source->data != delta->data) {
      rows->copy(out, gs_cpu_at(source, r, row, tile.col), 1, tile.cols);
    }
    rows->backward(pass->activation, out,
                   pass->saved ? gs_cpu_at(pass->saved, r, row, tile.col) : NULL,
                   gs_cpu_at(pass->h, r, row, tile.col), tile.cols);
    if (scale.product != 1) rows->scale_add(out, scale.product, NULL, 0, tile.cols);
    if (delta->scale) peak = gs_cpu_larger(peak, rows->peak(out, tile.cols));
    if (sums) rows->add_to(sums, out, tile.cols);
  }
  if (delta->scale) gs_cpu_raise_peak(&delta->scale[r], peak);
}

static bool backward_tile(const backward_pass *pass, const gs_tiling *tiling, gs_tile tile) {
  const gs_tensor *delta = pass->delta;
  const gs_tensor *source = pass->source;
  const int64_t r = tile.replica;
  if (pass->w && !gs_cpu_gemm_tile(delta->dtype, false, false, tile.rows, tile.cols, pass->w->rows,
                                   gs_cpu_at(source, r, tile.row, 0), source->ld,
                                   gs_cpu_at(pass->w, r, 0, tile.col), pass->w->ld, 0,
                                   gs_cpu_at(delta, r, tile.row, tile.col), delta->ld)) {
    return false;
  }
  void *sums = sums_of(pass, tiling, tile);
  if (sums) memset(sums, 0, (size_t)tile.cols * gs_dtype_bytes(delta->dtype));
  backward_pointwise(pass, tile, sums);
  return true;
}

/* db = partial sums added in the order of their row tiles. */
static void combine_sums(const backward_pass *pass, const gs_tiling *tiling, int64_t replica) {
  const gs_tensor *db = pass->db;
  const size_t row_bytes = (size_t)db->cols * gs_dtype_bytes(db->dtype);
  const unsigned char *partial = pass->partial + (size_t)(replica * tiling->row_tiles) * row_bytes;
  void *sum = gs_cpu_at(db, replica, 0, 0);
  memcpy(sum, partial, row_bytes);
  for (int64_t t = 1; t < tiling->row_tiles; t++) {
    gs_cpu_rows_of(db->dtype)->add_to(sum, partial + (size_t)t * row_bytes, db->cols);
  }
}

static gs_status backward_run(gs_device *device, backward_pass *pass) {
  const gs_tensor *delta = pass->delta;
  const gs_tiling tiling = gs_cpu_tiling(GS_GEMM_NN, delta->rows, delta->cols, delta->replicas);
  bool failed = false;
  for (int64_t r = 0; r < delta->replicas; r++) {
    const gs_scale source = gs_cpu_scale(pass->source, r);
    const int32_t exponent = gs_rescale_of(source, delta->dtype, delta->scale != NULL).exponent;
    open_slot(delta, r, exponent);
    open_slot(pass->db, r, exponent);
  }
  if (pass->db && tiling.row_tiles > 1) {
    gs_arena arena = gs_cpu_workspace(device);
    pass->partial =
        gs_arena_take(&arena, (size_t)(delta->replicas * tiling.row_tiles * delta->cols),
                      gs_dtype_bytes(delta->dtype));
    if (!pass->partial) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
  }
  const int team = pass->w ? gs_cpu_product_team(device, delta, pass->w->rows)
                           : gs_cpu_elements_team(device, delta);
#pragma omp parallel num_threads(team) reduction(|| : failed)
  {
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tiling.tasks; task++) {
      const gs_tile tile = gs_cpu_tile(&tiling, task, delta->rows, delta->cols);
      failed = !backward_tile(pass, &tiling, tile) || failed;
    }
    if (pass->partial) {
#pragma omp for schedule(static)
      for (int64_t r = 0; r < delta->replicas; r++) combine_sums(pass, &tiling, r);
    }
  }
  return gs_cpu_products(device, failed);
}

gs_status gs_cpu_activation_backward(gs_device *device, const gs_tensor *dh,
                                     gs_activation activation, const gs_tensor *saved,
                                     const gs_tensor *h, const gs_tensor *delta,
                                     const gs_tensor *db) {
  backward_pass pass = {dh, NULL, saved, h, delta, db, activation, NULL};
  return backward_run(device, &pass);
}

gs_status gs_cpu_dense_backward(gs_device *device, const gs_tensor *delta_next,
                                const gs_tensor *w_next, gs_activation activation,
                                const gs_tensor *saved, const gs_tensor *h, const gs_tensor *delta,
                                const gs_tensor *db) {
  backward_pass pass = {delta_next, w_next, saved, h, delta, db, activation, NULL};
  return backward_run(device, &pass);
}
