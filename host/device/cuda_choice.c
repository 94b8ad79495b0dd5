/* Which of cuBLASLt's algorithms a product gets.
 *
 * The fastest depends on the device and is measured, on the product's own operands. But
 * the bits of results must not depend on a measurement: only algorithms that compute the
 * same bits as the library's first suggestion are candidates, which is tried on operands
 * that tell orders of addition apart (cuda_trial.c). Only algorithms that add in the type
 * of the sums are asked for: where the library cuts a sum into parts (split-K), it may else
 * round them to 16 bits before it adds them.
 *
 * In a capture, and without memory for the trial, the first suggestion is taken as it is:
 * slower perhaps, but with the same bits. */
#include <string.h>

#include "device/cuda_plan.h"

enum { CANDIDATES = 8, ROUNDS = 3, LONG_NS = 5000000 };

/* ---- suggestions ---- */

static cublasStatus_t set_preferences(cublasLtMatmulPreference_t preference,
                                      const gs_cuda_plan_key *key, uint64_t workspace_bytes) {
  const struct {
    cublasLtMatmulPreferenceAttributes_t attribute;
    uint32_t value;
  } wanted[] = {
      {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, (uint32_t)key->align_b},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, (uint32_t)key->align_a},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, (uint32_t)key->align_c},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, (uint32_t)key->align_c},
  };
  cublasStatus_t code =
      cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                           &workspace_bytes, sizeof workspace_bytes);
  for (size_t i = 0; code == CUBLAS_STATUS_SUCCESS && i < sizeof wanted / sizeof *wanted; i++) {
    code = cublasLtMatmulPreferenceSetAttribute(preference, wanted[i].attribute, &wanted[i].value,
                                                sizeof wanted[i].value);
  }
  return code;
}

/* The library's suggestions, the one that it holds to be best first. None, *found == 0, is
 * said in two ways: by so many, and by CUBLAS_STATUS_NOT_SUPPORTED. */
static cublasStatus_t suggest(gs_cuda_device *cuda, const gs_cuda_plan *plan,
                              cublasLtMatmulHeuristicResult_t results[CANDIDATES], int *found) {
  cublasLtMatmulPreference_t preference = NULL;
  int suggested = 0;
  *found = 0;
  cublasStatus_t code = cublasLtMatmulPreferenceCreate(&preference);
  if (code != CUBLAS_STATUS_SUCCESS) return code;
  code = set_preferences(preference, &plan->key, cuda->workspace.lt_bytes);
  if (code == CUBLAS_STATUS_SUCCESS) {
    code = cublasLtMatmulAlgoGetHeuristic(cuda->lt, plan->desc, plan->a, plan->b, plan->c, plan->c,
                                          preference, CANDIDATES, results, &suggested);
    if (code == CUBLAS_STATUS_NOT_SUPPORTED) suggested = 0, code = CUBLAS_STATUS_SUCCESS;
  }
  cublasLtMatmulPreferenceDestroy(preference);
  for (int i = 0; i < suggested; i++) { /* only of these the library says that they serve */
    if (results[i].state == CUBLAS_STATUS_SUCCESS) results[(*found)++] = results[i];
  }
  return code;
}

/* ---- autotuning: time ---- */

typedef struct autotune {
  gs_device *device;
  const gs_cuda_plan *plan;
  const gs_cuda_product *product;
  cudaStream_t stream;
  cudaEvent_t start, stop;
} autotune;

/* Nanoseconds of one product; negative when the library refuses the algorithm. */
static gs_status time_once(const autotune *t, const cublasLtMatmulAlgo_t *algo, double *ns) {
  static const char what[] = "timing a product";
  float milliseconds = 0;
  *ns = -1;
  GS_TRY(gs_cuda_check(t->device, cudaEventRecord(t->start, t->stream), what));
  const cublasStatus_t ran = gs_cuda_plan_run(gs_cuda(t->device), t->plan, t->product, algo);
  if (gs_cuda_is_refusal(ran)) return GS_OK;
  GS_TRY(gs_cuda_check_lt(t->device, ran, what));
  cudaError_t code = cudaEventRecord(t->stop, t->stream);
  if (code == cudaSuccess) code = cudaEventSynchronize(t->stop);
  if (code == cudaSuccess) code = cudaEventElapsedTime(&milliseconds, t->start, t->stop);
  GS_TRY(gs_cuda_check(t->device, code, what));
  *ns = 1e6 * (double)milliseconds;
  return GS_OK;
}

/* Lowers *best to the least time of a few more rounds; of none when one takes long. */
static gs_status time_again(const autotune *t, const cublasLtMatmulAlgo_t *algo, double *best) {
  const int rounds = *best < LONG_NS ? ROUNDS : 0;
  for (int round = 0; round < rounds; round++) {
    double ns;
    GS_TRY(time_once(t, algo, &ns));
    if (ns >= 0 && ns < *best) *best = ns;
  }
  return GS_OK;
}

/* Twice: the first time warms up. */
static gs_status time_candidate(const autotune *t, const cublasLtMatmulAlgo_t *algo, double *ns) {
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
static gs_status measure(const autotune *t, gs_cuda_plan *plan, const gs_cuda_trial *trial,
                         const cublasLtMatmulHeuristicResult_t *results, int found) {
  const gs_queue queue = gs_cuda_queue(t->device, t->stream);
  uint64_t wanted[2] = {0, 0};
  double best = -1;
  for (int i = 0; i < found; i++) {
    uint64_t digest[2] = {0, 0};
    bool refused = true;
    double ns = -1;
    gs_status status =
        gs_cuda_trial_digest(t->device, trial, queue, &results[i].algo, digest, &refused);
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
static gs_status take_first(const autotune *t, gs_cuda_plan *plan,
                            const cublasLtMatmulHeuristicResult_t *results, int found) {
  for (int i = 0; i < found; i++) {
    const cublasStatus_t ran =
        gs_cuda_plan_run(gs_cuda(t->device), plan, t->product, &results[i].algo);
    if (gs_cuda_is_refusal(ran)) continue;
    plan->algo = results[i].algo;
    return gs_cuda_check_lt(t->device, ran, "multiplying matrices");
  }
  return no_algorithm(t->device, plan);
}

/* Autotunes on the plan's stream, with nothing else on the device. */
static gs_status autotune_plan(gs_device *device, gs_cuda_plan *plan, const gs_cuda_product *p,
                               const cublasLtMatmulHeuristicResult_t *results, int found) {
  gs_cuda_device *cuda = gs_cuda(device);
  autotune t = {device, plan, p, plan->key.side ? cuda->streams.side : cuda->streams.main,
                NULL,   NULL};
  gs_cuda_trial trial = {NULL, {0}, NULL};
  cudaError_t code = cudaStreamSynchronize(cuda->streams.main);
  if (code == cudaSuccess) code = cudaStreamSynchronize(cuda->streams.side);
  if (code == cudaSuccess) code = cudaEventCreate(&t.start);
  if (code == cudaSuccess) code = cudaEventCreate(&t.stop);
  gs_status status = gs_cuda_check(device, code, "timing a product");
  if (status == GS_OK) {
    status = gs_cuda_trial_open(device, plan, gs_cuda_queue(device, t.stream), &trial);
  }
  if (status == GS_OK) {
    status = trial.memory ? measure(&t, plan, &trial, results, found)
                          : take_first(&t, plan, results, found);
  }
  gs_cuda_trial_close(&trial, t.stream);
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
  GS_TRY(autotune_plan(device, plan, p, results, found));
  plan->measured = true;
  return GS_OK;
}
