/* Dense layers on the CPU. Each task makes one tile of the output: the GEMM
 * writes its product straight into the output tensor, and the pointwise part
 * (shift, bias, activation or derivative, bias gradient, peak) follows while
 * the tile is in cache. */
#include <string.h>

#include "device/cpu_internal.h"

/* How a replica's product becomes its output: digits are multiplied by
 * `product`, an addend's by `addend` (2^ powers), and the output has `exponent`. */
typedef struct rescale {
  int32_t exponent;
  double product;
  double addend;
} rescale;

/* in: the scale of the tensor that went into the product; tracked: the output
 * has a slot; joined: an unscaled addend (exponent 0) is added. */
static rescale rescale_of(gs_scale in, gs_dtype dtype, bool tracked, bool joined) {
  int32_t out = 0;
  in = gs_scale_input(in);
  if (tracked) {
    out = in.exponent + gs_scale_shift(in.peak, dtype);
    if (joined) out = gs_scale_join(out, 0);
  }
  return (rescale){out, gs_scale_factor((int64_t)in.exponent - out), gs_scale_factor(-out)};
}

static void open_slots(const gs_tensor *out, const gs_tensor *in, bool joined) {
  for (int64_t r = 0; out->scale && r < out->replicas; r++) {
    const rescale scale = rescale_of(gs_cpu_scale(in, r), out->dtype, true, joined);
    out->scale[r] = (gs_scale){scale.exponent, GS_PEAK_NONE};
  }
}

/* ---- forward ---- */

typedef struct forward_pass {
  const gs_tensor *x, *w, *b, *saved, *h;
  gs_activation activation;
  const void *w_transposed; /* n_in x packed_ld(n_out) of the replica at hand, or NULL */
} forward_pass;

/* Leading dimension of the transposed copy: off the powers of two, whose columns
 * would share a few lines of the caches. */
static int64_t packed_ld(int64_t n_out) { return n_out + 16; }

static bool forward_tile(const forward_pass *pass, gs_tile tile) {
  const gs_tensor *h = pass->h;
  const gs_tensor *w = pass->w;
  const int64_t r = tile.replica;
  const size_t bytes = gs_dtype_bytes(h->dtype);
  const bool packed = pass->w_transposed != NULL;
  const void *right = packed ? (const unsigned char *)pass->w_transposed + (size_t)tile.col * bytes
                             : gs_cpu_at(w, r, tile.col, 0);
  if (!gs_cpu_gemm_tile(h->dtype, false, !packed, tile.rows, tile.cols, w->cols,
                        gs_cpu_at(pass->x, r, tile.row, 0), pass->x->ld, right,
                        packed ? packed_ld(w->rows) : w->ld, 0, gs_cpu_at(h, r, tile.row, tile.col),
                        h->ld)) {
    return false;
  }
  const gs_cpu_rows *rows = gs_cpu_rows_of(h->dtype);
  const rescale scale =
      rescale_of(gs_cpu_scale(pass->x, r), h->dtype, h->scale != NULL, pass->b != NULL);
  const void *bias = pass->b ? gs_cpu_at(pass->b, r, 0, tile.col) : NULL;
  for (int64_t i = 0; i < tile.rows; i++) {
    void *row = gs_cpu_at(h, r, tile.row + i, tile.col);
    void *saved = pass->saved ? gs_cpu_at(pass->saved, r, tile.row + i, tile.col) : NULL;
    if (bias || scale.product != 1) {
      rows->scale_add(row, scale.product, bias, scale.addend, tile.cols);
    }
    rows->activate(pass->activation, row, saved, tile.cols);
    if (h->scale) gs_cpu_raise_peak(&h->scale[r], rows->peak(row, tile.cols));
  }
  return true;
}

/* With many rows the product is faster on a transposed copy of W, made once per
 * replica: NT packs W again for each tile. */
static bool forward_packs(int64_t rows, int64_t n_in, int64_t n_out) {
  return rows >= 128 && n_in >= 256 && n_out >= 256;
}

/* W transposed (forward) or column sums per row tile (backward): never both at
 * once, but the sum of the two is simpler and hardly larger. */
size_t gs_cpu_dense_workspace(const gs_workspace_need *need, int threads) {
  (void)threads;
  gs_arena arena = gs_arena_counting();
  const size_t bytes = gs_dtype_bytes(need->dtype);
  const int64_t row_tiles = need->recurrent ? 0 : gs_cpu_most_row_tiles(need->rows);
  const int64_t packed = need->weights + need->columns * packed_ld(0);
  gs_arena_take(&arena, (size_t)packed, bytes);
  gs_arena_take(&arena, (size_t)(need->replicas * row_tiles), (size_t)need->columns * bytes);
  return arena.used;
}

static bool forward_packed(gs_cpu_device *cpu, forward_pass *pass, void *scratch) {
  const gs_tensor *w = pass->w;
  const gs_tensor *h = pass->h;
  const gs_tiling tiling = gs_cpu_tiling(GS_GEMM_NN, h->rows, h->cols, 1);
  enum { STRIP = 64 };
  const size_t bytes = gs_dtype_bytes(w->dtype);
  bool failed = false;
  pass->w_transposed = scratch;
  for (int64_t r = 0; r < h->replicas; r++) {
#pragma omp parallel num_threads(cpu->threads) reduction(|| : failed)
    {
#pragma omp for schedule(static)
      for (int64_t row = 0; row < w->rows; row += STRIP) {
        const int64_t rows = w->rows - row < STRIP ? w->rows - row : STRIP;
        gs_cpu_transpose(w->dtype, gs_cpu_at(w, r, row, 0), w->ld, rows, w->cols,
                         (unsigned char *)scratch + (size_t)row * bytes, packed_ld(w->rows));
      }
#pragma omp for schedule(dynamic)
      for (int64_t task = 0; task < tiling.tasks; task++) {
        gs_tile tile = gs_cpu_tile(&tiling, task, h->rows, h->cols);
        tile.replica = r;
        failed = !forward_tile(pass, tile) || failed;
      }
    }
  }
  return !failed;
}

gs_status gs_cpu_dense_forward(gs_device *device, const gs_tensor *x, const gs_tensor *w,
                               const gs_tensor *b, gs_activation activation, const gs_tensor *saved,
                               const gs_tensor *h) {
  forward_pass pass = {x, w, b, saved, h, activation, NULL};
  bool failed = false;
  open_slots(h, x, b != NULL);
  if (forward_packs(h->rows, w->cols, w->rows)) {
    gs_arena arena = gs_cpu_workspace(device);
    void *scratch =
        gs_arena_take(&arena, (size_t)(packed_ld(w->rows) * w->cols), gs_dtype_bytes(w->dtype));
    if (!scratch) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
    failed = !forward_packed(gs_cpu(device), &pass, scratch);
  } else {
    const gs_tiling tiling = gs_cpu_tiling(GS_GEMM_NT, h->rows, h->cols, h->replicas);
#pragma omp parallel for num_threads(gs_cpu(device)->threads) schedule(dynamic)                    \
    reduction(||                                                                                   \
              : failed)
    for (int64_t task = 0; task < tiling.tasks; task++) {
      failed = !forward_tile(&pass, gs_cpu_tile(&tiling, task, h->rows, h->cols)) || failed;
    }
  }
  return failed ? GS_FAIL(&device->error, GS_ERR_DEVICE, "oneDNN refused a matrix product") : GS_OK;
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

static bool backward_tile(const backward_pass *pass, const gs_tiling *tiling, gs_tile tile) {
  const gs_tensor *delta = pass->delta;
  const gs_tensor *source = pass->source;
  const int64_t r = tile.replica;
  const gs_cpu_rows *rows = gs_cpu_rows_of(delta->dtype);
  if (pass->w && !gs_cpu_gemm_tile(delta->dtype, false, false, tile.rows, tile.cols, pass->w->rows,
                                   gs_cpu_at(source, r, tile.row, 0), source->ld,
                                   gs_cpu_at(pass->w, r, 0, tile.col), pass->w->ld, 0,
                                   gs_cpu_at(delta, r, tile.row, tile.col), delta->ld)) {
    return false;
  }
  const rescale scale =
      rescale_of(gs_cpu_scale(source, r), delta->dtype, delta->scale != NULL, false);
  void *sums = sums_of(pass, tiling, tile);
  if (sums) memset(sums, 0, (size_t)tile.cols * gs_dtype_bytes(delta->dtype));
  for (int64_t i = 0; i < tile.rows; i++) {
    const int64_t row = tile.row + i;
    void *out = gs_cpu_at(delta, r, row, tile.col);
    if (!pass->w && source->data != delta->data) {
      rows->copy(out, gs_cpu_at(source, r, row, tile.col), 1, tile.cols);
    }
    rows->backward(pass->activation, out,
                   pass->saved ? gs_cpu_at(pass->saved, r, row, tile.col) : NULL,
                   gs_cpu_at(pass->h, r, row, tile.col), tile.cols);
    if (scale.product != 1) rows->scale_add(out, scale.product, NULL, 0, tile.cols);
    if (delta->scale) gs_cpu_raise_peak(&delta->scale[r], rows->peak(out, tile.cols));
    if (sums) rows->add_to(sums, out, tile.cols);
  }
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
  open_slots(delta, pass->source, false);
  if (pass->db && pass->db->scale) {
    for (int64_t r = 0; r < delta->replicas; r++) {
      pass->db->scale[r] = (gs_scale){gs_cpu_scale(delta, r).exponent, GS_PEAK_NONE};
    }
  }
  if (pass->db && tiling.row_tiles > 1) {
    gs_arena arena = gs_cpu_workspace(device);
    pass->partial =
        gs_arena_take(&arena, (size_t)(delta->replicas * tiling.row_tiles * delta->cols),
                      gs_dtype_bytes(delta->dtype));
    if (!pass->partial) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
  }
#pragma omp parallel num_threads(gs_cpu(device)->threads) reduction(|| : failed)
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
  return failed ? GS_FAIL(&device->error, GS_ERR_DEVICE, "oneDNN refused a matrix product") : GS_OK;
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
