/* Which of cuBLASLt's algorithms a product gets.
 *
 * The fastest depends on the device and is measured, on the product's own operands. But
 * the bits of results must not depend on a measurement: only algorithms that compute the
 * same bits as the library's first suggestion are candidates. Whether they do is tried on
 * a product of the same shape of normal numbers: a network's own may be all zero, or have
 * a sum whose terms but one vanish, and then every order of adding agrees. A product of
 * few elements is tried many times over, for two orders may agree by chance.
 *
 * In a capture, and without memory for the trial, the first suggestion is taken as it is:
 * slower perhaps, but with the same bits. */
#include <string.h>

#include "device/cuda_plan.h"

enum { CANDIDATES = 8, ROUNDS = 3, LONG_NS = 5000000, TRIED_ELEMENTS = 4096 };

static const size_t TRIAL_BYTES = (size_t)64 << 20; /* for repetitions; one may take more */

/* ---- suggestions ---- */

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
  const gs_cuda_plan_key *key = &plan->key;
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

/* ---- the trial: bits ---- */

/* Operands and plan of a batch of products like the plan's. */
typedef struct bit_trial {
  gs_cuda_plan *plan;
  gs_cuda_product product;
  void *memory;
} bit_trial;

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
  const int64_t most = (int64_t)(TRIAL_BYTES / carve(key, 1, NULL, &one));
  return wanted < larger(most, 1) ? wanted : larger(most, 1);
}

static void close_trial(bit_trial *trial, cudaStream_t stream) {
  gs_cuda_wait(stream); /* after a failure, work on its memory may still be enqueued */
  gs_cuda_plan_destroy(trial->plan);
  if (trial->memory) cudaFree(trial->memory);
}

/* trial->memory stays NULL, and all is well, when there is no memory for it. */
static gs_status open_trial(gs_device *device, const gs_cuda_plan *plan, gs_queue queue,
                            bit_trial *trial) {
  static const char what[] = "trying a product";
  const gs_fill first = {GS_FILL_NORMAL, 1, 1, 1};
  const gs_fill second = {GS_FILL_NORMAL, 1, 1, 2};
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
  GS_TRY(gs_cuda_check(device, gs_launch_fill(queue, &trial->product.a, &first), what));
  return gs_cuda_check(device, gs_launch_fill(queue, &trial->product.b, &second), what);
}

/* These answers are about the algorithm; all others are about the device. */
static bool is_refusal(cublasStatus_t code) {
  return code == CUBLAS_STATUS_NOT_SUPPORTED || code == CUBLAS_STATUS_INVALID_VALUE ||
         code == CUBLAS_STATUS_ARCH_MISMATCH;
}

/* What the algorithm makes of the trial; *refused: nothing, it does not serve. */
static gs_status digest_of(gs_device *device, const bit_trial *trial, gs_queue queue,
                           const cublasLtMatmulAlgo_t *algo, uint64_t digest[2], bool *refused) {
  static const char what[] = "comparing products";
  gs_cuda_device *cuda = gs_cuda(device);
  const size_t bytes = 2 * sizeof *digest;
  const cublasStatus_t ran = gs_cuda_plan_run(cuda, trial->plan, &trial->product, algo);
  *refused = is_refusal(ran);
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

/* ---- the race: time ---- */

typedef struct race {
  gs_device *device;
  const gs_cuda_plan *plan;
  const gs_cuda_product *product;
  cudaStream_t stream;
  cudaEvent_t start, stop;
} race;

/* Nanoseconds of one product; negative when the library refuses the algorithm. */
static gs_status time_once(const race *t, const cublasLtMatmulAlgo_t *algo, double *ns) {
  static const char what[] = "timing a product";
  float milliseconds = 0;
  *ns = -1;
  GS_TRY(gs_cuda_check(t->device, cudaEventRecord(t->start, t->stream), what));
  const cublasStatus_t ran = gs_cuda_plan_run(gs_cuda(t->device), t->plan, t->product, algo);
  if (is_refusal(ran)) return GS_OK;
  GS_TRY(gs_cuda_check_lt(t->device, ran, what));
  cudaError_t code = cudaEventRecord(t->stop, t->stream);
  if (code == cudaSuccess) code = cudaEventSynchronize(t->stop);
  if (code == cudaSuccess) code = cudaEventElapsedTime(&milliseconds, t->start, t->stop);
  GS_TRY(gs_cuda_check(t->device, code, what));
  *ns = 1e6 * (double)milliseconds;
  return GS_OK;
}

/* Lowers *best to the least time of a few more rounds; of none when one takes long. */
static gs_status time_again(const race *t, const cublasLtMatmulAlgo_t *algo, double *best) {
  const int rounds = *best < LONG_NS ? ROUNDS : 0;
  for (int round = 0; round < rounds; round++) {
    double ns;
    GS_TRY(time_once(t, algo, &ns));
    if (ns >= 0 && ns < *best) *best = ns;
  }
  return GS_OK;
}

/* Twice: the first time warms up. */
static gs_status time_candidate(const race *t, const cublasLtMatmulAlgo_t *algo, double *ns) {
  GS_TRY(time_once(t, algo, ns));
  return *ns < 0 ? GS_OK : time_again(t, algo, ns);
}

/* ---- the choice ---- */

static gs_status no_algorithm(gs_device *device, const gs_cuda_plan *plan) {
  return GS_FAIL(&device->error, GS_ERR_UNSUPPORTED,
                 "cuBLASLt has no algorithm for a product of %lld x %lld x %lld",
                 (long long)plan->key.m, (long long)plan->key.n, (long long)plan->key.k);
}

/* Leaves the fastest candidate with the first one's bits in plan->algo. A failure is passed
 * over where it changes no bits, which is once there is a first one. */
static gs_status measure(const race *t, gs_cuda_plan *plan, const bit_trial *trial,
                         const cublasLtMatmulHeuristicResult_t *results, int found) {
  const gs_queue queue = gs_cuda_queue(t->device, t->stream);
  uint64_t wanted[2] = {0, 0};
  double best = -1;
  for (int i = 0; i < found; i++) {
    uint64_t digest[2] = {0, 0};
    bool refused = true;
    double ns = -1;
    gs_status status = digest_of(t->device, trial, queue, &results[i].algo, digest, &refused);
    const bool same = best < 0 || memcmp(digest, wanted, sizeof wanted) == 0;
    if (status == GS_OK && !refused && same) {
      status = time_candidate(t, &results[i].algo, &ns);
    }
    if (status != GS_OK && (best < 0 || t->device->lost)) return status;
    if (status != GS_OK || ns < 0 || (best >= 0 && ns >= best)) continue;
    if (best < 0) memcpy(wanted, digest, sizeof wanted);
    best = ns;
    plan->algo = results[i].algo;
  }
  return best < 0 ? no_algorithm(t->device, plan) : GS_OK;
}

/* Without a trial: the first suggestion that serves, which is also the trial's measure. */
static gs_status take_first(const race *t, gs_cuda_plan *plan,
                            const cublasLtMatmulHeuristicResult_t *results, int found) {
  for (int i = 0; i < found; i++) {
    const cublasStatus_t ran =
        gs_cuda_plan_run(gs_cuda(t->device), plan, t->product, &results[i].algo);
    if (is_refusal(ran)) continue;
    plan->algo = results[i].algo;
    return gs_cuda_check_lt(t->device, ran, "multiplying matrices");
  }
  return no_algorithm(t->device, plan);
}

/* The race on the plan's stream, with nothing else on the device. */
static gs_status hold_race(gs_device *device, gs_cuda_plan *plan, const gs_cuda_product *p,
                           const cublasLtMatmulHeuristicResult_t *results, int found) {
  gs_cuda_device *cuda = gs_cuda(device);
  race t = {device, plan, p, plan->key.side ? cuda->streams.side : cuda->streams.main, NULL, NULL};
  bit_trial trial = {NULL, {0}, NULL};
  cudaError_t code = cudaStreamSynchronize(cuda->streams.main);
  if (code == cudaSuccess) code = cudaStreamSynchronize(cuda->streams.side);
  if (code == cudaSuccess) code = cudaEventCreate(&t.start);
  if (code == cudaSuccess) code = cudaEventCreate(&t.stop);
  gs_status status = gs_cuda_check(device, code, "timing a product");
  if (status == GS_OK) {
    status = open_trial(device, plan, gs_cuda_queue(device, t.stream), &trial);
  }
  if (status == GS_OK) {
    status = trial.memory ? measure(&t, plan, &trial, results, found)
                          : take_first(&t, plan, results, found);
  }
  close_trial(&trial, t.stream);
  if (t.start) cudaEventDestroy(t.start);
  if (t.stop) cudaEventDestroy(t.stop);
  return status;
}

gs_status gs_cuda_plan_choose(gs_device *device, gs_cuda_plan *plan, const gs_cuda_product *p) {
  gs_cuda_device *cuda = gs_cuda(device);
  cublasLtMatmulHeuristicResult_t results[CANDIDATES];
  int found = 0;
  GS_TRY(gs_cuda_check_lt(device, suggest(cuda, plan, results, &found),
                          "asking for algorithms of a product"));
  if (found == 0) return no_algorithm(device, plan);
  plan->algo = results[0].algo;
  plan->chosen = true;
  if (cuda->capturing) return GS_OK;
  GS_TRY(hold_race(device, plan, p, results, found));
  plan->measured = true;
  return GS_OK;
}
