/* Do two of cuBLASLt's algorithms compute the same bits? They are tried on products of one
 * shape whose sums cancel: what is left of them is the roundings on the way, which another
 * order of addition makes elsewhere. A network's own operands would not do (they may be all
 * zero), nor would random ones: a result of 16 bits says nothing of the last 16 of an f32
 * sum, and two orders would pass for one.
 *
 * The k terms of each sum are [X | Y | -Y | -X], and one far smaller when k is odd. X is
 * shorter than Y, so that parts of equal length do not cancel to the last bit by symmetry.
 * A product of few elements is tried many times over, for two orders may agree by chance. */
#include "device/cuda_plan.h"

enum { TRIED_ELEMENTS = 4096 };

static const size_t TRIAL_BYTES = (size_t)64 << 20; /* for repetitions; one may take more */
/* Standard deviation of operands: roundings of such sums are normal numbers of f16, too. */
static const double OPERAND_STD = 64;
static const double SMALL = 0x1p-22; /* the term without a partner, times this */

/* ---- operands ---- */

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* A batch of matrices behind what *bytes counts so far. */
static gs_tensor operand(int64_t rows, int64_t cols, int64_t ld, int64_t batch, gs_dtype dtype,
                         char *memory, size_t *bytes) {
  const size_t align = GS_ARENA_ALIGNMENT;
  const gs_tensor tensor = {.data = memory ? memory + *bytes : NULL,
                            .rows = rows,
                            .cols = cols,
                            .ld = ld,
                            .stride = rows * ld,
                            .replicas = batch,
                            .dtype = dtype};
  const size_t size = (size_t)(batch * tensor.stride) * gs_dtype_bytes(dtype);
  *bytes += (size + align - 1) / align * align;
  return tensor;
}

/* The trial's operands in this memory (NULL: only counted); returns their bytes. */
static size_t carve(const gs_cuda_plan_key *key, int64_t batch, char *memory,
                    gs_cuda_product *product) {
  const gs_dtype dtype = (gs_dtype)key->dtype;
  size_t bytes = 0;
  product->trans_a = key->trans_a;
  product->trans_b = key->trans_b;
  product->a = operand(key->trans_a ? key->k : key->m, key->trans_a ? key->m : key->k, key->lda,
                       batch, dtype, memory, &bytes);
  product->b = operand(key->trans_b ? key->n : key->k, key->trans_b ? key->k : key->n, key->ldb,
                       batch, dtype, memory, &bytes);
  product->c = operand(key->m, key->n, key->ldc, batch, (gs_dtype)key->c_dtype, memory, &bytes);
  return bytes;
}

/* How many products: enough elements, while memory allows. */
static int64_t trial_batch(const gs_cuda_plan_key *key) {
  gs_cuda_product one;
  const int64_t wanted = TRIED_ELEMENTS / (key->m * key->n) + 1;
  const int64_t max = (int64_t)(TRIAL_BYTES / carve(key, 1, NULL, &one));
  return wanted < larger(max, 1) ? wanted : larger(max, 1);
}

/* ---- sums that cancel ---- */

/* An operand, and whether its rows or its columns are the terms of sums. */
typedef struct terms {
  const gs_tensor *tensor;
  bool in_rows;
  uint32_t stream; /* of random numbers: this one and the next two */
} terms;

/* Fills terms from .. from + count - 1 with the numbers of a stream: the same numbers
 * wherever they begin. */
static cudaError_t fill_terms(gs_queue queue, const terms *t, int64_t from, int64_t count,
                              uint32_t stream, double std) {
  const gs_fill fill = {GS_FILL_NORMAL, std, 1, t->stream + stream};
  gs_tensor part = *t->tensor;
  if (count == 0) return cudaSuccess;
  part.data =
      (char *)part.data + (size_t)(t->in_rows ? from * part.ld : from) * gs_dtype_bytes(part.dtype);
  *(t->in_rows ? &part.rows : &part.cols) = count;
  return gs_launch_fill(queue, &part, &fill);
}

/* [X | Y | sign Y | sign X | small]: one operand has the sign, the other has not. */
static cudaError_t fill_operand(gs_queue queue, const terms *t, int64_t k, double sign,
                                double small) {
  enum { X, Y, REST };
  const int64_t half = k / 2;
  const int64_t x = half / 3;
  const int64_t y = half - x;
  cudaError_t code = fill_terms(queue, t, 0, x, X, OPERAND_STD);
  if (code == cudaSuccess) code = fill_terms(queue, t, x, y, Y, OPERAND_STD);
  if (code == cudaSuccess) code = fill_terms(queue, t, half, y, Y, sign * OPERAND_STD);
  if (code == cudaSuccess) code = fill_terms(queue, t, half + y, x, X, sign * OPERAND_STD);
  if (code == cudaSuccess) {
    code = fill_terms(queue, t, 2 * half, k - 2 * half, REST, small * OPERAND_STD);
  }
  return code;
}

static cudaError_t fill_operands(gs_queue queue, const gs_cuda_product *p, int64_t k) {
  const terms of_a = {&p->a, p->trans_a, 1};
  const terms of_b = {&p->b, !p->trans_b, 4};
  const cudaError_t code = fill_operand(queue, &of_a, k, 1, 1);
  return code == cudaSuccess ? fill_operand(queue, &of_b, k, -1, SMALL) : code;
}

/* ---- the trial ---- */

bool gs_cuda_is_refusal(cublasStatus_t code) {
  return code == CUBLAS_STATUS_NOT_SUPPORTED || code == CUBLAS_STATUS_INVALID_VALUE ||
         code == CUBLAS_STATUS_ARCH_MISMATCH;
}

gs_status gs_cuda_trial_open(gs_device *device, const gs_cuda_plan *plan, gs_queue queue,
                             gs_cuda_trial *trial) {
  static const char what[] = "trying a product";
  gs_cuda_plan_key key = plan->key;
  key.batch = trial_batch(&key);
  const size_t bytes = carve(&key, key.batch, NULL, &trial->product);
  const cudaError_t code = cudaMalloc(&trial->memory, bytes);
  if (code == cudaErrorMemoryAllocation) {
    trial->memory = NULL;
    cudaGetLastError();
    return GS_OK;
  }
  GS_TRY(gs_cuda_check(device, code, what));
  carve(&key, key.batch, trial->memory, &trial->product);
  key.stride_a = key.batch > 1 ? trial->product.a.stride : 0;
  key.stride_b = key.batch > 1 ? trial->product.b.stride : 0;
  key.stride_c = key.batch > 1 ? trial->product.c.stride : 0;
  GS_TRY(gs_cuda_plan_make(device, &key, &trial->plan));
  return gs_cuda_check(device, fill_operands(queue, &trial->product, key.k), what);
}

void gs_cuda_trial_close(gs_cuda_trial *trial, cudaStream_t stream) {
  gs_cuda_wait(stream); /* after a failure, work on its memory may still be enqueued */
  gs_cuda_plan_destroy(trial->plan);
  if (trial->memory) cudaFree(trial->memory);
}

gs_status gs_cuda_trial_digest(gs_device *device, const gs_cuda_trial *trial, gs_queue queue,
                               const cublasLtMatmulAlgo_t *algo, uint64_t digest[2],
                               bool *refused) {
  static const char what[] = "comparing products";
  gs_cuda_device *cuda = gs_cuda(device);
  const size_t bytes = 2 * sizeof *digest;
  const cublasStatus_t ran = gs_cuda_plan_run(cuda, trial->plan, &trial->product, algo);
  *refused = gs_cuda_is_refusal(ran);
  if (*refused) return GS_OK;
  GS_TRY(gs_cuda_check_lt(device, ran, what));
  cudaError_t code = cudaMemsetAsync(cuda->digest, 0, bytes, queue.stream);
  if (code == cudaSuccess) code = gs_launch_digest(queue, &trial->product.c, cuda->digest);
  if (code == cudaSuccess) {
    code = cudaMemcpyAsync(digest, cuda->digest, bytes, cudaMemcpyDeviceToHost, queue.stream);
  }
  if (code == cudaSuccess) code = gs_cuda_wait(queue.stream);
  return gs_cuda_check(device, code, what);
}
