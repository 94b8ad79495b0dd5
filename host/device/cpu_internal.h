/* What the CPU backend's files share. Nothing outside host/device/cpu_*.c
 * includes this.
 *
 * How the backend works: every operation is cut into tasks (a replica and a
 * tile of its output) whose shapes depend on the operation's shapes alone,
 * never on the number of threads. Threads take tasks in any order; each task
 * calls a single-threaded GEMM and does the pointwise part on the tile while it
 * is in cache. So results do not depend on the number of threads. */
#ifndef GS_DEVICE_CPU_INTERNAL_H
#define GS_DEVICE_CPU_INTERNAL_H

#include "base/arena.h"
#include "base/cgroup.h"
#include "device/activation_scale.h"
#include "device/device.h"

typedef struct gs_cpu_device {
  gs_device base; /* first: a gs_device * is a gs_cpu_device * */
  int threads;
  int largest_team; /* that an operation has used since set_workspace */
  bool whole_teams; /* every operation uses all threads, however small */
  char name[128];   /* the processor's */
  gs_cgroups *groups;
  void *workspace;
  size_t workspace_bytes;
} gs_cpu_device;

static inline gs_cpu_device *gs_cpu(gs_device *device) { return (gs_cpu_device *)device; }

/* The workspace as a fresh arena; operations run one after another, so each may
 * use all of it. */
static inline gs_arena gs_cpu_workspace(gs_device *device) {
  return gs_arena_over(gs_cpu(device)->workspace, gs_cpu(device)->workspace_bytes);
}

/* The status of an operation whose tasks noted whether a product failed. */
static inline gs_status gs_cpu_products(gs_device *device, bool failed) {
  return failed ? GS_FAIL(&device->error, GS_ERR_DEVICE, "oneDNN refused a matrix product") : GS_OK;
}

/* Address of element (row, col) of a replica. */
static inline void *gs_cpu_at(const gs_tensor *tensor, int64_t replica, int64_t row, int64_t col) {
  const int64_t element = replica * tensor->stride + row * tensor->ld + col;
  return (unsigned char *)tensor->data + (size_t)element * gs_dtype_bytes(tensor->dtype);
}

/* Exponent and peak of a replica; a tensor without slots has exponent 0. */
static inline gs_scale gs_cpu_scale(const gs_tensor *tensor, int64_t replica) {
  return tensor->scale ? tensor->scale[replica] : (gs_scale){0, GS_PEAK_NONE};
}

/* Of two peaks. */
static inline int32_t gs_cpu_larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Raises a slot's peak; safe from several threads, independent of their order. */
static inline void gs_cpu_raise_peak(gs_scale *slot, int32_t peak) {
  int32_t seen = __atomic_load_n(&slot->peak, __ATOMIC_RELAXED);
  while (seen < peak && !__atomic_compare_exchange_n(&slot->peak, &seen, peak, true,
                                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

/* ---- teams (cpu_team.c) ---- */

/* The number of threads for an operation of so many floating-point operations in
 * products and so many elements that are passed over. */
int gs_cpu_team(gs_device *device, gs_dtype dtype, double flops, double elements);
/* For a product with this output, over `inner` terms. */
int gs_cpu_product_team(gs_device *device, const gs_tensor *out, int64_t inner);
/* For one pass over a tensor. */
int gs_cpu_elements_team(gs_device *device, const gs_tensor *tensor);

/* ---- tiles (cpu_gemm.c) ---- */

/* Which operands are transposed: what the best tile shape depends on. */
typedef enum gs_gemm_form { GS_GEMM_NN, GS_GEMM_NT, GS_GEMM_TN, GS_GEMM_TT } gs_gemm_form;

typedef struct gs_tiling {
  int64_t tile_rows, tile_cols; /* of a full tile */
  int64_t row_tiles, col_tiles; /* per replica */
  int64_t tasks;                /* row_tiles * col_tiles * replicas */
} gs_tiling;

typedef struct gs_tile {
  int64_t replica;
  int64_t row_tile, col_tile; /* indices */
  int64_t row, col;           /* first element */
  int64_t rows, cols;         /* extent, cut at the edge */
} gs_tile;

/* Tiles of a given size. */
gs_tiling gs_cpu_fixed_tiling(int64_t rows, int64_t cols, int64_t replicas, int64_t tile_rows,
                              int64_t tile_cols);
/* The best tiles for a product. */
gs_tiling gs_cpu_tiling(gs_gemm_form form, int64_t rows, int64_t cols, int64_t replicas);
/* Upper bound of row_tiles for NN products with this many rows. */
int64_t gs_cpu_max_row_tiles(int64_t rows);
/* Row tiles alone (whole rows), for the recurrent loops. */
gs_tiling gs_cpu_row_tiling(int64_t rows, int64_t cols, int64_t replicas);
gs_tile gs_cpu_tile(const gs_tiling *tiling, int64_t task, int64_t rows, int64_t cols);

/* c (m x n) = op(a) op(b) + beta c on one thread, f32 or f64. Returns false when
 * the library refuses. Call it from a parallel region of this backend. */
bool gs_cpu_gemm_tile(gs_dtype dtype, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                      const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c,
                      int64_t ldc);

/* ---- transposed copies (cpu_transpose.c) ---- */

/* out (cols x rows, leading dimension ldo) = in (rows x cols) transposed. f32 or f64. */
void gs_cpu_transpose(gs_dtype dtype, const void *in, int64_t ldi, int64_t rows, int64_t cols,
                      void *out, int64_t ldo);

/* ---- pointwise rows (cpu_rows_f32.c, cpu_rows_f64.c) ---- */

/* The steps of a pointwise pass over one row of n elements of f32 or f64. */
typedef struct gs_cpu_rows {
  /* z = z * factor + addend * addend_factor (addend may be NULL) */
  void (*scale_add)(void *z, double factor, const void *addend, double addend_factor, int64_t n);
  /* out = in * factor */
  void (*copy)(void *out, const void *in, double factor, int64_t n);
  /* In place, z becomes h = phi(z); saved = phi'(z) where
   * gs_activation_needs_saved. */
  void (*activate)(gs_activation, void *h, void *saved, int64_t n);
  /* The same for digits of z with the exponent scale.z, not 0, and digits of h with
   * scale.exponent, where gs_activation_needs_saved. */
  void (*activate_scaled)(gs_activation, gs_activate_scale scale, void *h, void *saved, int64_t n);
  /* In place, eps becomes delta = phi' eps; phi' from saved or from h's sign. */
  void (*backward)(gs_activation, void *delta, const void *saved, const void *h, int64_t n);
  /* sum += row */
  void (*add_to)(void *sum, const void *row, int64_t n);
  /* sum of a_i b_i in float64, in interleaved chains of fixed order */
  double (*dot)(const void *a, const void *b, int64_t n);
  /* Largest ilogb of the finite non-zero elements, or GS_PEAK_NONE. */
  int32_t (*peak)(const void *row, int64_t n);
} gs_cpu_rows;

extern const gs_cpu_rows gs_cpu_rows_f32;
extern const gs_cpu_rows gs_cpu_rows_f64;

/* phi of one row of z's digits, in place. */
static inline void gs_cpu_activate(const gs_cpu_rows *rows, gs_activation activation,
                                   gs_activate_scale scale, void *h, void *saved, int64_t n) {
  if (scale.z == 0) {
    rows->activate(activation, h, saved, n);
  } else {
    rows->activate_scaled(activation, scale, h, saved, n);
  }
}

static inline const gs_cpu_rows *gs_cpu_rows_of(gs_dtype dtype) {
  return dtype == GS_F64 ? &gs_cpu_rows_f64 : &gs_cpu_rows_f32;
}

/* ---- facts about the machine (cpu_facts.c) ---- */
void gs_cpu_processor_name(char *name, size_t size);
/* Memory that this process may still take: what the kernel calls available, cut by the
 * control groups' and the process's own limits; and what it could take if no other
 * process had any, and this one none yet. */
void gs_cpu_memory(const gs_cgroups *groups, int64_t *available, int64_t *capacity);

/* ---- operations, by file ---- */
gs_status gs_cpu_fill(gs_device *, const gs_tensor *, const gs_fill *);
gs_status gs_cpu_hash(gs_device *, const gs_tensor *, uint32_t, uint64_t *);
gs_status gs_cpu_gemm(gs_device *, bool, const gs_tensor *, bool, const gs_tensor *,
                      const gs_tensor *);
gs_status gs_cpu_weight_gradients(gs_device *, const gs_gradient_job *, int64_t);
gs_status gs_cpu_layer_forward(gs_device *, const gs_layer_forward *);
gs_status gs_cpu_layer_backward(gs_device *, const gs_layer_backward *);
gs_status gs_cpu_combine(gs_device *, const gs_combination *);
gs_status gs_cpu_normalize_forward(gs_device *, gs_norm, const gs_tensor *, const gs_tensor *);
gs_status gs_cpu_normalize_backward(gs_device *, gs_norm, const gs_tensor *, const gs_tensor *,
                                    const gs_tensor *);
gs_status gs_cpu_loss(gs_device *, gs_device_loss, const gs_tensor *, const gs_tensor *, int64_t,
                      const gs_tensor *, gs_scaled *);
gs_status gs_cpu_recurrent_forward(gs_device *, const gs_recurrence *, const gs_tensor *,
                                   const gs_tensor *, const gs_tensor *);
gs_status gs_cpu_recurrent_backward(gs_device *, const gs_recurrence *, const gs_tensor *, int64_t,
                                    const gs_tensor *, const gs_tensor *, const gs_tensor *);
gs_status gs_cpu_stats(gs_device *, const gs_stats_job *, int64_t);
gs_status gs_cpu_roofline(gs_device *, gs_roofline *);

/* Workspace each file's operations need for tensors of these sizes. */
size_t gs_cpu_fill_workspace(const gs_workspace_need *, int threads);
size_t gs_cpu_dense_workspace(const gs_workspace_need *, int threads);
size_t gs_cpu_gradient_workspace(const gs_workspace_need *, int threads);
size_t gs_cpu_normalize_workspace(const gs_workspace_need *, int threads);
size_t gs_cpu_recurrent_workspace(const gs_workspace_need *, int threads);
size_t gs_cpu_stats_workspace(const gs_workspace_need *, int threads);

#endif
