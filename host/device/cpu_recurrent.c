/* The recurrent loops on the CPU. Rows of the batch never meet inside the loop,
 * so a task is a replica and a tile of rows, and runs all T steps by itself.
 * Only when a replica has several row tiles and its exponents are tracked do the
 * tiles wait for each other at every step, to agree on the peak. */
#include "device/cpu_internal.h"

typedef struct loop {
  const gs_recurrence *recurrence;
  const gs_tensor *projection, *saved, *h; /* forward; backward: saved, h */
  const gs_tensor *dh, *delta;             /* backward */
  int64_t dh_steps;
  int64_t batch;                     /* rows of one step */
  const unsigned char *w_transposed; /* forward, tied: [R][n][n]; else NULL */
  bool failed;
} loop;

typedef void (*loop_step)(loop *pass, gs_tile tile, int64_t t);

static const void *weights_at(const gs_recurrence *recurrence, int64_t replica, int64_t t) {
  const size_t bytes = gs_dtype_bytes(recurrence->w.dtype);
  return (const unsigned char *)gs_cpu_at(&recurrence->w, replica, 0, 0) +
         (size_t)((t - 1) * recurrence->w_step) * bytes;
}

static void note_failure(loop *pass, bool done) {
  if (!done) __atomic_store_n(&pass->failed, true, __ATOMIC_RELAXED);
}

static gs_scale *slot_at(const gs_tensor *sequence, int64_t block, int64_t replica) {
  return sequence->scale ? &sequence->scale[block * sequence->replicas + replica] : NULL;
}

static gs_scale scale_at(const gs_tensor *sequence, int64_t block, int64_t replica) {
  const gs_scale *slot = slot_at(sequence, block, replica);
  return slot ? gs_scale_input(*slot) : (gs_scale){0, GS_PEAK_NONE};
}

/* ---- one step, forward: h_t = phi(W h_{t-1} + p_t) ---- */

static bool forward_product(const loop *pass, gs_tile tile, int64_t t) {
  const gs_tensor *h = pass->h;
  const gs_tensor *w = &pass->recurrence->w;
  const int64_t n = h->cols;
  const void *before = gs_cpu_at(h, tile.replica, (t - 1) * pass->batch + tile.row, 0);
  void *now = gs_cpu_at(h, tile.replica, t * pass->batch + tile.row, 0);
  if (pass->w_transposed) {
    const size_t matrix_bytes = (size_t)(n * n) * gs_dtype_bytes(h->dtype);
    return gs_cpu_gemm_tile(h->dtype, false, false, tile.rows, n, n, before, h->ld,
                            pass->w_transposed + (size_t)tile.replica * matrix_bytes, n, 0, now,
                            h->ld);
  }
  return gs_cpu_gemm_tile(h->dtype, false, true, tile.rows, n, n, before, h->ld,
                          weights_at(pass->recurrence, tile.replica, t), w->ld, 0, now, h->ld);
}

static void forward_step(loop *pass, gs_tile tile, int64_t t) {
  const gs_tensor *h = pass->h;
  const int64_t r = tile.replica;
  const gs_cpu_rows *rows = gs_cpu_rows_of(h->dtype);
  const gs_scale before = scale_at(h, t - 1, r);
  gs_scale *slot = slot_at(h, t, r);
  const gs_activation phi = pass->recurrence->activation;
  const gs_activate_scale scale =
      gs_activate_scale_of(before, h->dtype, phi.kind, slot != NULL, true);
  const double of_product = gs_scale_factor(scale.factor);
  const double of_input = gs_scale_factor(scale.addend);
  int32_t peak = GS_PEAK_NONE;
  note_failure(pass, forward_product(pass, tile, t));
  if (slot && tile.row == 0) slot->exponent = scale.exponent;
  for (int64_t i = 0; i < tile.rows; i++) {
    const int64_t row = (t - 1) * pass->batch + tile.row + i;
    void *out = gs_cpu_at(h, r, pass->batch + row, 0);
    void *saved = pass->saved ? gs_cpu_at(pass->saved, r, row, 0) : NULL;
    rows->scale_add(out, of_product, gs_cpu_at(pass->projection, r, row, 0), of_input, h->cols);
    gs_cpu_activate(rows, phi, scale, out, saved, h->cols);
    if (slot) peak = gs_cpu_larger(peak, rows->peak(out, h->cols));
  }
  if (slot) gs_cpu_raise_peak(slot, peak);
}

/* ---- one step, backward: delta_t = phi'(z_t) (W_{t+1}^T delta_{t+1} + dh_t) ---- */

/* The loss gradient's block for step t, or -1 when the loss does not see it. */
static int64_t dh_block(const loop *pass, int64_t t) {
  if (pass->dh_steps > 1) return t - 1;
  return t == pass->recurrence->steps ? 0 : -1;
}

static gs_rescale backward_scale_of(const loop *pass, int64_t replica, int64_t t) {
  const int64_t block = dh_block(pass, t);
  const bool last = t == pass->recurrence->steps;
  gs_scale next = gs_scale_none();
  gs_scale dh = gs_scale_none();
  if (!last) next = scale_at(pass->delta, t, replica);
  if (block >= 0) dh = scale_at(pass->dh, block, replica);
  return gs_rescale_of(next, !last, dh, block >= 0, pass->delta->dtype, pass->delta->scale != NULL);
}

/* W_{t+1}^T delta_{t+1} into delta_t's place. */
static bool backward_product(const loop *pass, gs_tile tile, int64_t t) {
  const gs_tensor *delta = pass->delta;
  const int64_t r = tile.replica;
  const int64_t n = delta->cols;
  return gs_cpu_gemm_tile(delta->dtype, false, false, tile.rows, n, n,
                          gs_cpu_at(delta, r, t * pass->batch + tile.row, 0), delta->ld,
                          weights_at(pass->recurrence, r, t + 1), pass->recurrence->w.ld, 0,
                          gs_cpu_at(delta, r, (t - 1) * pass->batch + tile.row, 0), delta->ld);
}

static void backward_step(loop *pass, gs_tile tile, int64_t t) {
  const gs_tensor *delta = pass->delta;
  const int64_t r = tile.replica;
  const int64_t n = delta->cols;
  const bool last = t == pass->recurrence->steps;
  const int64_t block = dh_block(pass, t);
  const gs_rescale scale = backward_scale_of(pass, r, t);
  const gs_cpu_rows *rows = gs_cpu_rows_of(delta->dtype);
  gs_scale *slot = slot_at(delta, t - 1, r);
  int32_t peak = GS_PEAK_NONE;
  if (!last) note_failure(pass, backward_product(pass, tile, t));
  if (slot && tile.row == 0) slot->exponent = scale.exponent;
  for (int64_t i = 0; i < tile.rows; i++) {
    const int64_t row = (t - 1) * pass->batch + tile.row + i;
    void *out = gs_cpu_at(delta, r, row, 0);
    const void *dh =
        block < 0 ? NULL : gs_cpu_at(pass->dh, r, block * pass->batch + tile.row + i, 0);
    if (last) {
      rows->copy(out, dh, scale.addend, n);
    } else if (dh || scale.product != 1) {
      rows->scale_add(out, scale.product, dh, scale.addend, n);
    }
    rows->backward(pass->recurrence->activation, out,
                   pass->saved ? gs_cpu_at(pass->saved, r, row, 0) : NULL,
                   gs_cpu_at(pass->h, r, pass->batch + row, 0), n);
    if (slot) peak = gs_cpu_larger(peak, rows->peak(out, n));
  }
  if (slot) gs_cpu_raise_peak(slot, peak);
}

/* ---- the loops ---- */

static gs_status check_loop(gs_device *device, gs_loop how) {
  if (how != GS_LOOP_PERSISTENT) return GS_OK;
  return GS_FAIL(&device->error, GS_ERR_UNSUPPORTED, "the cpu backend has no persistent kernels");
}

static void empty_slots(const gs_tensor *sequence, int64_t first, int64_t blocks) {
  for (int64_t i = 0; sequence->scale && i < blocks * sequence->replicas; i++) {
    sequence->scale[first * sequence->replicas + i] = (gs_scale){0, GS_PEAK_NONE};
  }
}

/* Runs step for all tiles over t = first, first + by, ..., T times. */
static void run_loop(gs_device *device, loop *pass, loop_step step, bool tracked, int64_t first,
                     int64_t by) {
  const gs_tensor *w = &pass->recurrence->w;
  const int64_t steps = pass->recurrence->steps;
  const gs_tiling tiling = gs_cpu_row_tiling(pass->batch, w->rows, w->replicas);
  const double step_flops =
      2.0 * (double)(w->replicas * pass->batch) * (double)w->rows * (double)w->cols;
  if (tracked && tiling.row_tiles > 1) { /* which meet after every step */
    const int team = gs_cpu_team(device, w->dtype, step_flops, 0);
#pragma omp parallel num_threads(team)
    for (int64_t k = 0; k < steps; k++) {
#pragma omp for schedule(static)
      for (int64_t task = 0; task < tiling.tasks; task++) {
        step(pass, gs_cpu_tile(&tiling, task, pass->batch, w->rows), first + k * by);
      }
    }
  } else {
    const int team = gs_cpu_team(device, w->dtype, (double)steps * step_flops, 0);
#pragma omp parallel for num_threads(team) schedule(dynamic)
    for (int64_t task = 0; task < tiling.tasks; task++) {
      const gs_tile tile = gs_cpu_tile(&tiling, task, pass->batch, w->rows);
      for (int64_t k = 0; k < steps; k++) step(pass, tile, first + k * by);
    }
  }
}

size_t gs_cpu_recurrent_workspace(const gs_workspace_need *need, int threads) {
  (void)threads;
  gs_arena arena = gs_arena_counting();
  if (need->recurrent) {
    gs_arena_take(&arena, (size_t)need->replicas,
                  (size_t)need->weights * gs_dtype_bytes(need->dtype));
  }
  return arena.used;
}

/* Tied weights are read T times: a transposed copy pays at once. */
static gs_status transpose_weights(gs_device *device, loop *pass) {
  const gs_tensor *w = &pass->recurrence->w;
  const size_t bytes = gs_dtype_bytes(w->dtype);
  gs_arena arena = gs_cpu_workspace(device);
  unsigned char *copy = gs_arena_take(&arena, (size_t)(w->replicas * w->rows * w->cols), bytes);
  if (!copy) return GS_FAIL(&device->error, GS_ERR_INTERNAL, "workspace too small");
  const int team = gs_cpu_elements_team(device, w);
#pragma omp parallel for num_threads(team) schedule(static)
  for (int64_t r = 0; r < w->replicas; r++) {
    gs_cpu_transpose(w->dtype, gs_cpu_at(w, r, 0, 0), w->ld, w->rows, w->cols,
                     copy + (size_t)(r * w->rows * w->cols) * bytes, w->rows);
  }
  pass->w_transposed = copy;
  return GS_OK;
}

gs_status gs_cpu_recurrent_forward(gs_device *device, const gs_recurrence *recurrence,
                                   const gs_tensor *projection, const gs_tensor *saved,
                                   const gs_tensor *h) {
  loop pass = {.recurrence = recurrence,
               .projection = projection,
               .saved = saved,
               .h = h,
               .batch = projection->rows / recurrence->steps};
  GS_TRY(check_loop(device, recurrence->loop));
  if (recurrence->w_step == 0) GS_TRY(transpose_weights(device, &pass));
  empty_slots(h, 1, recurrence->steps);
  run_loop(device, &pass, forward_step, h->scale != NULL, 1, 1);
  return gs_cpu_products(device, pass.failed);
}

gs_status gs_cpu_recurrent_backward(gs_device *device, const gs_recurrence *recurrence,
                                    const gs_tensor *dh, int64_t dh_steps, const gs_tensor *saved,
                                    const gs_tensor *h, const gs_tensor *delta) {
  loop pass = {.recurrence = recurrence,
               .saved = saved,
               .h = h,
               .dh = dh,
               .delta = delta,
               .dh_steps = dh_steps,
               .batch = delta->rows / recurrence->steps};
  GS_TRY(check_loop(device, recurrence->loop));
  empty_slots(delta, 0, recurrence->steps);
  run_loop(device, &pass, backward_step, delta->scale != NULL, recurrence->steps, -1);
  return gs_cpu_products(device, pass.failed);
}
