/* Matrix products by cuBLASLt.
 *
 * cuBLASLt is column-major. A row-major m x n matrix is a column-major n x m one, so
 * c = op(a) op(b) is c' = op(b)' op(a)': the operands change places and keep their
 * transposes.
 *
 * A product's plan (descriptors and an algorithm) is made at the first call with its
 * shape and kept for the device's life. Which of the algorithms that the library
 * suggests is fastest depends on the device and is measured, on the product's own
 * operands; but the bits of results must not depend on a measurement. So only
 * algorithms whose result is the same to the bit as that of the library's first
 * suggestion are candidates. In a capture nothing can be measured: the first suggestion
 * is taken, and has the same bits. */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "device/cuda_internal.h"

enum { CANDIDATES = 8, ROUNDS = 3, LONG_NS = 5000000 };

/* What a plan depends on. No padding bytes inside: compared and hashed as memory. */
typedef struct plan_key {
  int64_t dtype, c_dtype; /* gs_dtype */
  int64_t trans_a, trans_b;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;
  int64_t stride_a, stride_b, stride_c;
  int64_t batch;
  int64_t align_a, align_b, align_c; /* bytes, at most 256 */
  int64_t side;
} plan_key;

struct gs_cuda_plan {
  plan_key key;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, c; /* of the column-major product: a is the caller's b */
  cublasLtMatmulAlgo_t algo;
  bool chosen;   /* algo is one that serves */
  bool measured; /* ... or the fastest, or not worth another try */
  int tries;
};

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

static plan_key key_of(const gs_cuda_product *p, bool side) {
  const gs_tensor *a = &p->a;
  const gs_tensor *b = &p->b;
  const gs_tensor *c = &p->c;
  plan_key key = {.dtype = a->dtype,
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

static size_t hash_of(const plan_key *key) {
  uint64_t words[sizeof *key / sizeof(uint64_t)];
  uint64_t hash = 0;
  memcpy(words, key, sizeof *key);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) hash = gs_hash_mix(hash + words[i]);
  return (size_t)hash;
}

/* ---- the table ---- */

static gs_cuda_plan **place_of(gs_cuda_plan **plans, size_t capacity, const plan_key *key) {
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
    if (plan) *place_of(plans, capacity, &plan->key) = plan;
  }
  free(cuda->plans);
  cuda->plans = plans;
  cuda->plan_capacity = capacity;
  return GS_OK;
}

static void plan_destroy(gs_cuda_plan *plan) {
  if (!plan) return;
  if (plan->desc) cublasLtMatmulDescDestroy(plan->desc);
  if (plan->a) cublasLtMatrixLayoutDestroy(plan->a);
  if (plan->b) cublasLtMatrixLayoutDestroy(plan->b);
  if (plan->c) cublasLtMatrixLayoutDestroy(plan->c);
  free(plan);
}

void gs_cuda_plans_destroy(gs_device *device) {
  gs_cuda_device *cuda = gs_cuda(device);
  for (size_t i = 0; i < cuda->plan_capacity; i++) plan_destroy(cuda->plans[i]);
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
  const plan_key *key = &plan->key;
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

/* ---- algorithms ---- */

static cublasStatus_t set_preference(cublasLtMatmulPreference_t preference,
                                     cublasLtMatmulPreferenceAttributes_t attribute,
                                     int64_t alignment) {
  const uint32_t bytes = (uint32_t)alignment;
  return cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof bytes);
}

static cublasStatus_t suggest(gs_cuda_device *cuda, const gs_cuda_plan *plan,
                              cublasLtMatmulHeuristicResult_t results[CANDIDATES], int *found) {
  cublasLtMatmulPreference_t preference = NULL;
  const uint64_t bytes = cuda->workspace.lt_bytes;
  const plan_key *key = &plan->key;
  cublasStatus_t code = cublasLtMatmulPreferenceCreate(&preference);
  if (code != CUBLAS_STATUS_SUCCESS) return code;
  code = cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                              &bytes, sizeof bytes);
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = set_preference(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key->align_b);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = set_preference(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key->align_a);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = set_preference(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key->align_c);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = set_preference(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key->align_c);
  }
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = cublasLtMatmulAlgoGetHeuristic(cuda->lt, plan->desc, plan->a, plan->b, plan->c, plan->c,
                                          preference, CANDIDATES, results, found);
  }
  cublasLtMatmulPreferenceDestroy(preference);
  return code;
}

static cublasStatus_t run(gs_cuda_device *cuda, const gs_cuda_plan *plan, const gs_cuda_product *p,
                          const cublasLtMatmulAlgo_t *algo) {
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

/* ---- measuring ---- */

typedef struct trial {
  gs_device *device;
  const gs_cuda_plan *plan;
  const gs_cuda_product *product;
  cudaStream_t stream;
  cudaEvent_t start, stop;
} trial;

/* These answers are about the algorithm; all others are about the device. */
static bool is_refusal(cublasStatus_t code) {
  return code == CUBLAS_STATUS_NOT_SUPPORTED || code == CUBLAS_STATUS_INVALID_VALUE ||
         code == CUBLAS_STATUS_ARCH_MISMATCH;
}

/* Nanoseconds of one product; negative when the library refuses the algorithm. */
static gs_status time_once(const trial *t, const cublasLtMatmulAlgo_t *algo, double *ns) {
  static const char what[] = "timing a product";
  float milliseconds = 0;
  *ns = -1;
  GS_TRY(gs_cuda_check(t->device, cudaEventRecord(t->start, t->stream), what));
  const cublasStatus_t ran = run(gs_cuda(t->device), t->plan, t->product, algo);
  if (is_refusal(ran)) return GS_OK;
  GS_TRY(gs_cuda_check_lt(t->device, ran, what));
  cudaError_t code = cudaEventRecord(t->stop, t->stream);
  if (code == cudaSuccess) code = cudaEventSynchronize(t->stop);
  if (code == cudaSuccess) code = cudaEventElapsedTime(&milliseconds, t->start, t->stop);
  GS_TRY(gs_cuda_check(t->device, code, what));
  *ns = 1e6 * (double)milliseconds;
  return GS_OK;
}

/* A product's hash and how many of its elements are finite and not zero. */
static gs_status digest_of(const trial *t, uint64_t digest[2]) {
  gs_cuda_device *cuda = gs_cuda(t->device);
  const gs_tensor *c = &t->product->c;
  const gs_queue queue = gs_cuda_queue(t->device, t->stream);
  cudaError_t code = cudaMemsetAsync(cuda->digests, 0, 2 * sizeof *digest, t->stream);
  if (code == cudaSuccess) code = gs_launch_digest(queue, c, cuda->digests);
  if (code == cudaSuccess) {
    code = cudaMemcpyAsync(digest, cuda->digests, 2 * sizeof *digest, cudaMemcpyDeviceToHost,
                           t->stream);
  }
  if (code == cudaSuccess) code = gs_cuda_wait(t->stream);
  return gs_cuda_check(t->device, code, "comparing products");
}

/* Lowers *best to the least time of a few more rounds; of none when one takes long. */
static gs_status time_again(const trial *t, const cublasLtMatmulAlgo_t *algo, double *best) {
  const int rounds = *best < LONG_NS ? ROUNDS : 0;
  for (int round = 0; round < rounds; round++) {
    double ns;
    GS_TRY(time_once(t, algo, &ns));
    if (ns >= 0 && ns < *best) *best = ns;
  }
  return GS_OK;
}

/* One candidate, for the first time: *ns as of time_once, and what it computes. */
static gs_status try_once(const trial *t, const cublasLtMatmulAlgo_t *algo, double *ns,
                          uint64_t digest[2]) {
  GS_TRY(time_once(t, algo, ns)); /* also warms up */
  return *ns < 0 ? GS_OK : digest_of(t, digest);
}

/* Leaves the fastest candidate with the first one's bits in plan->algo. A product without
 * digits tells nothing about bits: the first is kept, and measured once more at the next
 * call. A failure is passed over where it changes no bits, which is once there is a first
 * one. */
static gs_status measure(const trial *t, gs_cuda_plan *plan,
                         const cublasLtMatmulHeuristicResult_t *results, int found) {
  enum { TRIES = 2 };
  uint64_t wanted[2] = {0, 0};
  double best = -1;
  for (int i = 0; i < found; i++) {
    uint64_t digest[2] = {0, 0};
    double ns;
    gs_status status = try_once(t, &results[i].algo, &ns, digest);
    if (best < 0) memcpy(wanted, digest, sizeof wanted);
    const bool same = best < 0 || (wanted[1] > 0 && memcmp(digest, wanted, sizeof wanted) == 0);
    const bool serves = ns >= 0 && same;
    if (status == GS_OK && serves) status = time_again(t, &results[i].algo, &ns);
    if (status != GS_OK && (best < 0 || t->device->lost)) return status;
    if (status != GS_OK || !serves || (best >= 0 && ns >= best)) continue;
    best = ns;
    plan->algo = results[i].algo;
  }
  if (best < 0) {
    return GS_FAIL(&t->device->error, GS_ERR_UNSUPPORTED,
                   "cuBLASLt has no algorithm for a product of %lld x %lld x %lld",
                   (long long)plan->key.m, (long long)plan->key.n, (long long)plan->key.k);
  }
  plan->measured = wanted[1] > 0 || ++plan->tries >= TRIES;
  return GS_OK;
}

/* The first suggestion that the library accepts, for when nothing can be measured. */
static gs_status choose(gs_device *device, gs_cuda_plan *plan, const gs_cuda_product *p,
                        bool side) {
  gs_cuda_device *cuda = gs_cuda(device);
  cublasLtMatmulHeuristicResult_t results[CANDIDATES];
  int found = 0;
  GS_TRY(gs_cuda_check_lt(device, suggest(cuda, plan, results, &found),
                          "asking for algorithms of a product"));
  if (found == 0) {
    return GS_FAIL(&device->error, GS_ERR_UNSUPPORTED,
                   "cuBLASLt knows no algorithm for a product of %lld x %lld x %lld",
                   (long long)plan->key.m, (long long)plan->key.n, (long long)plan->key.k);
  }
  plan->algo = results[0].algo;
  plan->chosen = true;
  if (cuda->capturing) return GS_OK;
  trial t = {device, plan, p, side ? cuda->streams.side : cuda->streams.main, NULL, NULL};
  cudaError_t code = cudaStreamSynchronize(cuda->streams.main); /* nothing else may run */
  if (code == cudaSuccess) code = cudaStreamSynchronize(cuda->streams.side);
  if (code == cudaSuccess) code = cudaEventCreate(&t.start);
  if (code == cudaSuccess) code = cudaEventCreate(&t.stop);
  gs_status status = gs_cuda_check(device, code, "timing a product");
  if (status == GS_OK) status = measure(&t, plan, results, found);
  if (t.start) cudaEventDestroy(t.start);
  if (t.stop) cudaEventDestroy(t.stop);
  return status;
}

/* ---- the product ---- */

static gs_status make_plan(gs_device *device, const plan_key *key, gs_cuda_plan **plan) {
  gs_cuda_plan *made = calloc(1, sizeof *made);
  if (!made) return GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for a plan of a product");
  made->key = *key;
  const gs_status status = gs_cuda_check_lt(device, make_descriptors(made), "describing a product");
  if (status != GS_OK) {
    plan_destroy(made);
    return status;
  }
  *plan = made;
  return GS_OK;
}

gs_status gs_cuda_multiply(gs_device *device, const gs_cuda_product *p, bool side) {
  gs_cuda_device *cuda = gs_cuda(device);
  const plan_key key = key_of(p, side);
  GS_TRY(make_room(device));
  gs_cuda_plan **place = place_of(cuda->plans, cuda->plan_capacity, &key);
  if (!*place) {
    GS_TRY(make_plan(device, &key, place));
    cuda->plan_count++;
  }
  gs_cuda_plan *plan = *place;
  if (!plan->chosen || (!plan->measured && !cuda->capturing)) {
    GS_TRY(choose(device, plan, p, side));
  }
  return gs_cuda_check_lt(device, run(cuda, plan, p, &plan->algo), "multiplying matrices");
}
