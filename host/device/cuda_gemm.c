/* Matrix products by cuBLASLt.
 *
 * cuBLASLt is column-major. A row-major m x n matrix is a column-major n x m one, so
 * c = op(a) op(b) is c' = op(b)' op(a)': the operands change places and keep their
 * transposes.
 *
 * A product's plan (descriptors and an algorithm, cuda_choice.c) is made at the first
 * call with its shape and kept for the device's life. Large batches take several calls. */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device/cuda_plan.h"

/* Products of one call: a grid has at most 65,535 blocks in the direction of the batch. A
 * power of two, so that every part of a batch is aligned as its first. */
enum { MAX_BATCH = 1 << 15 };

/* ---- keys ---- */

static int64_t alignment_of(const void *data, int64_t ld, int64_t stride, gs_dtype dtype) {
  const uintptr_t bytes = gs_dtype_bytes(dtype);
  const uintptr_t all =
      (uintptr_t)data | (uintptr_t)ld * bytes | (uintptr_t)stride * bytes | (uintptr_t)256;
  return (int64_t)(all & (~all + 1)); /* the lowest bit */
}

/* Elements from one product of a batch to the next; a single one has none. */
static int64_t batch_stride(const gs_cuda_product *p, const gs_tensor *tensor) {
  return p->c.replicas > 1 ? tensor->stride : 0;
}

static gs_cuda_plan_key key_of(const gs_cuda_product *p, bool side) {
  const gs_tensor *a = &p->a;
  const gs_tensor *b = &p->b;
  const gs_tensor *c = &p->c;
  gs_cuda_plan_key key = {.dtype = a->dtype,
                          .c_dtype = c->dtype,
                          .trans_a = p->trans_a,
                          .trans_b = p->trans_b,
                          .m = c->rows,
                          .n = c->cols,
                          .k = p->trans_a ? a->rows : a->cols,
                          .lda = a->ld,
                          .ldb = b->ld,
                          .ldc = c->ld,
                          .stride_a = batch_stride(p, a),
                          .stride_b = batch_stride(p, b),
                          .stride_c = batch_stride(p, c),
                          .batch = c->replicas,
                          .side = side};
  key.align_a = alignment_of(a->data, a->ld, key.stride_a, a->dtype);
  key.align_b = alignment_of(b->data, b->ld, key.stride_b, b->dtype);
  key.align_c = alignment_of(c->data, c->ld, key.stride_c, c->dtype);
  return key;
}

static size_t hash_of(const gs_cuda_plan_key *key) {
  uint64_t words[sizeof *key / sizeof(uint64_t)];
  uint64_t hash = 0;
  memcpy(words, key, sizeof *key);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) hash = gs_hash_mix(hash + words[i]);
  return (size_t)hash;
}

/* ---- the table ---- */

static gs_cuda_plan **slot_of(gs_cuda_plan **plans, size_t capacity, const gs_cuda_plan_key *key) {
  size_t i = hash_of(key) & (capacity - 1);
  while (plans[i] && memcmp(&plans[i]->key, key, sizeof *key) != 0) i = (i + 1) & (capacity - 1);
  return &plans[i];
}

static gs_status make_room(gs_device *device) {
  gs_cuda_device *cuda = gs_cuda(device);
  if (2 * (cuda->plan_count + 1) <= cuda->plan_capacity) return GS_OK;
  const size_t capacity = cuda->plan_capacity ? 2 * cuda->plan_capacity : 64;
  gs_cuda_plan **plans = calloc(capacity, sizeof *plans);
  if (!plans) return GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for plans of products");
  for (size_t i = 0; i < cuda->plan_capacity; i++) {
    gs_cuda_plan *plan = cuda->plans[i];
    if (plan) *slot_of(plans, capacity, &plan->key) = plan;
  }
  free(cuda->plans);
  cuda->plans = plans;
  cuda->plan_capacity = capacity;
  return GS_OK;
}

void gs_cuda_plan_destroy(gs_cuda_plan *plan) {
  if (!plan) return;
  if (plan->desc) cublasLtMatmulDescDestroy(plan->desc);
  if (plan->a) cublasLtMatrixLayoutDestroy(plan->a);
  if (plan->b) cublasLtMatrixLayoutDestroy(plan->b);
  if (plan->c) cublasLtMatrixLayoutDestroy(plan->c);
  free(plan);
}

void gs_cuda_plans_destroy(gs_device *device) {
  gs_cuda_device *cuda = gs_cuda(device);
  for (size_t i = 0; i < cuda->plan_capacity; i++) gs_cuda_plan_destroy(cuda->plans[i]);
  free(cuda->plans);
  cuda->plans = NULL;
  cuda->plan_count = cuda->plan_capacity = 0;
}

/* ---- descriptors ---- */

static cudaDataType_t data_type(gs_dtype dtype) {
  switch (dtype) {
  case GS_F64: return CUDA_R_64F;
  case GS_BF16: return CUDA_R_16BF;
  case GS_F16: return CUDA_R_16F;
  default: return CUDA_R_32F;
  }
}

/* f32 is IEEE's; 16-bit inputs are multiplied exactly and summed in f32. */
static cublasComputeType_t compute_type(gs_dtype dtype) {
  switch (dtype) {
  case GS_F64: return CUBLAS_COMPUTE_64F;
  case GS_TF32: return CUBLAS_COMPUTE_32F_FAST_TF32;
  default: return CUBLAS_COMPUTE_32F;
  }
}

/* A row-major rows x cols batch as the column-major matrices it also is. */
static cublasStatus_t make_layout(gs_dtype dtype, int64_t rows, int64_t cols, int64_t ld,
                                  int64_t stride, int64_t batch, cublasLtMatrixLayout_t *layout) {
  const int32_t count = (int32_t)batch;
  cublasStatus_t code =
      cublasLtMatrixLayoutCreate(layout, data_type(dtype), (uint64_t)cols, (uint64_t)rows, ld);
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                            sizeof count);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                            &stride, sizeof stride);
  }
  return code;
}

static cublasStatus_t make_descriptors(gs_cuda_plan *plan) {
  const gs_cuda_plan_key *key = &plan->key;
  const gs_dtype dtype = (gs_dtype)key->dtype;
  const int64_t a_rows = key->trans_a ? key->k : key->m;
  const int64_t a_cols = key->trans_a ? key->m : key->k;
  const int64_t b_rows = key->trans_b ? key->n : key->k;
  const int64_t b_cols = key->trans_b ? key->k : key->n;
  const cublasOperation_t first = key->trans_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = key->trans_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasStatus_t code = cublasLtMatmulDescCreate(&plan->desc, compute_type(dtype),
                                                 dtype == GS_F64 ? CUDA_R_64F : CUDA_R_32F);
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSA, &first,
                                          sizeof first);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSB, &second,
                                          sizeof second);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = make_layout(dtype, b_rows, b_cols, key->ldb, key->stride_b, key->batch, &plan->a);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = make_layout(dtype, a_rows, a_cols, key->lda, key->stride_a, key->batch, &plan->b);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = make_layout((gs_dtype)key->c_dtype, key->m, key->n, key->ldc, key->stride_c, key->batch,
                       &plan->c);
  }
  return code;
}

cublasStatus_t gs_cuda_plan_run(gs_cuda_device *cuda, const gs_cuda_plan *plan,
                                const gs_cuda_product *p, const cublasLtMatmulAlgo_t *algo) {
  static const double one = 1, zero = 0;
  static const float one_f32 = 1, zero_f32 = 0;
  const bool wide = plan->key.dtype == GS_F64;
  const bool side = plan->key.side != 0;
  return cublasLtMatmul(cuda->lt, plan->desc, wide ? (const void *)&one : &one_f32, p->b.data,
                        plan->a, p->a.data, plan->b, wide ? (const void *)&zero : &zero_f32,
                        p->c.data, plan->c, p->c.data, plan->c, algo,
                        side ? cuda->workspace.lt_side : cuda->workspace.lt_main,
                        cuda->workspace.lt_bytes, side ? cuda->streams.side : cuda->streams.main);
}

/* ---- the product ---- */

gs_status gs_cuda_plan_make(gs_device *device, const gs_cuda_plan_key *key, gs_cuda_plan **plan) {
  gs_cuda_plan *made = calloc(1, sizeof *made);
  if (!made) return GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for a plan of a product");
  made->key = *key;
  const gs_status status = gs_cuda_check_lt(device, make_descriptors(made), "describing a product");
  if (status != GS_OK) {
    gs_cuda_plan_destroy(made);
    return status;
  }
  *plan = made;
  return GS_OK;
}

/* One batch, of no more products than the library takes. */
static gs_status multiply_batch(gs_device *device, const gs_cuda_product *p, bool side) {
  gs_cuda_device *cuda = gs_cuda(device);
  const gs_cuda_plan_key key = key_of(p, side);
  GS_TRY(make_room(device));
  gs_cuda_plan **slot = slot_of(cuda->plans, cuda->plan_capacity, &key);
  if (!*slot) {
    GS_TRY(gs_cuda_plan_make(device, &key, slot));
    cuda->plan_count++;
  }
  gs_cuda_plan *plan = *slot;
  if (!plan->chosen || (!plan->measured && !cuda->capturing)) {
    GS_TRY(gs_cuda_plan_choose(device, plan, p));
  }
  return gs_cuda_check_lt(device, gs_cuda_plan_run(cuda, plan, p, &plan->algo),
                          "multiplying matrices");
}

/* The `count` matrices of a batch from the first-th on. */
static gs_tensor part_of(const gs_tensor *batch, int64_t first, int64_t count) {
  gs_tensor part = *batch;
  part.data = (char *)part.data + (size_t)(first * part.stride) * gs_dtype_bytes(part.dtype);
  part.replicas = count;
  return part;
}

gs_status gs_cuda_multiply(gs_device *device, const gs_cuda_product *p, bool side) {
  const int64_t all = p->c.replicas;
  for (int64_t first = 0; first < all; first += MAX_BATCH) {
    const int64_t count = all - first < MAX_BATCH ? all - first : MAX_BATCH;
    const gs_cuda_product part = {p->trans_a, p->trans_b, part_of(&p->a, first, count),
                                  part_of(&p->b, first, count), part_of(&p->c, first, count)};
    GS_TRY(multiply_batch(device, &part, side));
  }
  return GS_OK;
}
