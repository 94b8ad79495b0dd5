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
  gs_layer_forward layer;
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
  return gs_activate_scale_of(gs_cpu_scale(pass->layer.x, replica), pass->layer.h->dtype,
                              pass->layer.activation.kind, pass->layer.h->scale != NULL,
                              pass->layer.b != NULL);
}

static void forward_pointwise(const forward_pass *pass, gs_tile tile) {
  const gs_tensor *h = pass->layer.h;
  const int64_t r = tile.replica;
  const gs_cpu_rows *rows = gs_cpu_rows_of(h->dtype);
  const gs_activate_scale scale = forward_scale(pass, r);
  const double of_product = gs_scale_factor(scale.factor);
  const double of_bias = gs_scale_factor(scale.addend);
  const void *bias = pass->layer.b ? gs_cpu_at(pass->layer.b, r, 0, tile.col) : NULL;
  int32_t peak = GS_PEAK_NONE;
  for (int64_t i = 0; i < tile.rows; i++) {
    void *row = gs_cpu_at(h, r, tile.row + i, tile.col);
    void *saved =
        pass->layer.saved ? gs_cpu_at(pass->layer.saved, r, tile.row + i, tile.col) : NULL;
    if (bias || of_product != 1) rows->scale_add(row, of_product, bias, of_bias, tile.cols);
    gs_cpu_activate(rows, pass->layer.activation, scale, row, saved, tile.cols);
    if (h->scale) peak = gs_cpu_larger(peak, rows->peak(row, tile.cols));
  }
  if (h->scale) gs_cpu_raise_peak(&h->scale[r], peak);
}

/* One tile; strip: W transposed, of just the tile's columns, or NULL. */
static bool forward_tile(const forward_pass *pass, gs_tile tile, const void *strip) {
  const gs_tensor *h = pass->layer.h;
  const gs_tensor *w = pass->layer.w;
  const int64_t r = tile.replica;
  if (!gs_cpu_gemm_tile(h->dtype, false, !strip, tile.rows, tile.cols, w->cols,
                        gs_cpu_at(pass->layer.x, r, tile.row, 0), pass->layer.x->ld,
                        strip ? strip : gs_cpu_at(w, r, tile.col, 0), strip ? tile.cols : w->ld, 0,
                        gs_cpu_at(h, r, tile.row, tile.col), h->ld)) {
    return false;
  }
  forward_pointwise(pass, tile);
  return true;
}

static bool forward_strip(const forward_pass *pass, gs_tile tile, void *strip) {
  const gs_tensor *w = pass->layer.w;
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
  const int64_t row_tiles = need->recurrent ? 0 : gs_cpu_max_row_tiles(need->rows);
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

gs_status gs_cpu_layer_forward(gs_device *device, const gs_layer_forward *layer) {
  const gs_tensor *w = layer->w;
  const gs_tensor *h = layer->h;
  const int team = gs_cpu_product_team(device, h, w->cols);
  forward_pass pass = {*layer, NULL, strip_bytes(w->cols, w->dtype)};
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
  gs_layer_backward layer;
  unsigned char *partial; /* [R][row_tiles][cols] column sums, when row_tiles > 1 */
} backward_pass;

static gs_rescale backward_scale(const backward_pass *pass, int64_t replica) {
  const gs_layer_backward *layer = &pass->layer;
  gs_scale product = gs_scale_none();
  gs_scale addend = gs_scale_none();
  if (layer->delta_next) product = gs_scale_input(gs_cpu_scale(layer->delta_next, replica));
  if (layer->dh) addend = gs_scale_input(gs_cpu_scale(layer->dh, replica));
  return gs_rescale_of(product, layer->delta_next != NULL, addend, layer->dh != NULL,
                       layer->delta->dtype, layer->delta->scale != NULL);
}

/* Where a tile's column sums go: straight into db, or among the partial sums. */
static void *sums_of(const backward_pass *pass, const gs_tiling *tiling, gs_tile tile) {
  if (!pass->layer.db) return NULL;
  if (tiling->row_tiles == 1) return gs_cpu_at(pass->layer.db, tile.replica, 0, tile.col);
  const int64_t element =
      (tile.replica * tiling->row_tiles + tile.row_tile) * pass->layer.delta->cols + tile.col;
  return pass->partial + (size_t)element * gs_dtype_bytes(pass->layer.delta->dtype);
}

/* One addend is scaled after phi', two before, so that they can be added. */
static void backward_pointwise(const backward_pass *pass, gs_tile tile, void *sums) {
  const gs_layer_backward *layer = &pass->layer;
  const gs_tensor *delta = layer->delta;
  const gs_tensor *dh = layer->dh;
  const int64_t r = tile.replica;
  const gs_cpu_rows *rows = gs_cpu_rows_of(delta->dtype);
  const gs_rescale scale = backward_scale(pass, r);
  const bool both = layer->delta_next && dh;
  const double alone = dh ? scale.addend : scale.product; /* where there is one addend only */
  int32_t peak = GS_PEAK_NONE;
  for (int64_t row = tile.row; row < tile.row + tile.rows; row++) {
    void *out = gs_cpu_at(delta, r, row, tile.col);
    const void *given = dh ? gs_cpu_at(dh, r, row, tile.col) : NULL;
    if (both) {
      rows->scale_add(out, scale.product, given, scale.addend, tile.cols);
    } else if (given && given != out) {
      rows->copy(out, given, 1, tile.cols);
    }
    rows->backward(layer->activation, out,
                   layer->saved ? gs_cpu_at(layer->saved, r, row, tile.col) : NULL,
                   gs_cpu_at(layer->h, r, row, tile.col), tile.cols);
    if (!both && alone != 1) rows->scale_add(out, alone, NULL, 0, tile.cols);
    if (delta->scale) peak = gs_cpu_larger(peak, rows->peak(out, tile.cols));
    if (sums) rows->add_to(sums, out, tile.cols);
  }
  if (delta->scale) gs_cpu_raise_peak(&delta->scale[r], peak);
}

static bool backward_tile(const backward_pass *pass, const gs_tiling *tiling, gs_tile tile) {
  const gs_tensor *delta = pass->layer.delta;
  const gs_tensor *source = pass->layer.delta_next;
  const gs_tensor *w = pass->layer.w_next;
  const int64_t r = tile.replica;
  if (source &&
      !gs_cpu_gemm_tile(delta->dtype, false, false, tile.rows, tile.cols, w->rows,
                        gs_cpu_at(source, r, tile.row, 0), source->ld, gs_cpu_at(w, r, 0, tile.col),
                        w->ld, 0, gs_cpu_at(delta, r, tile.row, tile.col), delta->ld)) {
    return false;
  }
  void *sums = sums_of(pass, tiling, tile);
  if (sums) memset(sums, 0, (size_t)tile.cols * gs_dtype_bytes(delta->dtype));
  backward_pointwise(pass, tile, sums);
  return true;
}

/* db = partial sums added in the order of their row tiles. */
static void combine_sums(const backward_pass *pass, const gs_tiling *tiling, int64_t replica) {
  const gs_tensor *db = pass->layer.db;
  const size_t row_bytes = (size_t)db->cols * gs_dtype_bytes(db->dtype);
  const unsigned char *partial = pass->partial + (size_t)(replica * tiling->row_tiles) * row_bytes;
  void *sum = gs_cpu_at(db, replica, 0, 0);
  memcpy(sum, partial, row_bytes);
  for (int64_t t = 1; t < tiling->row_tiles; t++) {
    gs_cpu_rows_of(db->dtype)->add_to(sum, partial + (size_t)t * row_bytes, db->cols);
  }
}

gs_status gs_cpu_layer_backward(gs_device *device, const gs_layer_backward *layer) {
  backward_pass pass = {*layer, NULL};
  const gs_tensor *delta = layer->delta;
  const gs_tensor *db = layer->db;
  const gs_tiling tiling = gs_cpu_tiling(GS_GEMM_NN, delta->rows, delta->cols, delta->replicas);
  bool failed = false;
  for (int64_t r = 0; r < delta->replicas; r++) {
    const int32_t exponent = backward_scale(&pass, r).exponent;
    open_slot(delta, r, exponent);
    open_slot(db, r, exponent);
  }
  if (db && tiling.row_tiles > 1) {
    gs_arena arena = gs_cpu_workspace(device);
    pass.partial = gs_arena_take(&arena, (size_t)(delta->replicas * tiling.row_tiles * delta->cols),
                                 gs_dtype_bytes(delta->dtype));
    if (!pass.partial) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
  }
  const int team = layer->w_next ? gs_cpu_product_team(device, delta, layer->w_next->rows)
                                 : gs_cpu_elements_team(device, delta);
#pragma omp parallel num_threads(team) reduction(|| : failed)
  {
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tiling.tasks; task++) {
      const gs_tile tile = gs_cpu_tile(&tiling, task, delta->rows, delta->cols);
      failed = !backward_tile(&pass, &tiling, tile) || failed;
    }
    if (pass.partial) {
#pragma omp for schedule(static)
      for (int64_t r = 0; r < delta->replicas; r++) combine_sums(&pass, &tiling, r);
    }
  }
  return gs_cpu_products(device, failed);
}
