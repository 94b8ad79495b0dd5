/* Plans of matrix products: what cuda_gemm.c keeps, cuda_choice.c decides on and
 * cuda_trial.c tries. */
#ifndef GS_DEVICE_CUDA_PLAN_H
#define GS_DEVICE_CUDA_PLAN_H

#include "device/cuda_internal.h"

/* What a plan depends on. No padding bytes inside: compared and hashed as memory. */
typedef struct gs_cuda_plan_key {
  int64_t dtype, c_dtype; /* gs_dtype */
  int64_t trans_a, trans_b;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;
  int64_t stride_a, stride_b, stride_c;
  int64_t batch;
  int64_t align_a, align_b, align_c; /* bytes, at most 256 */
  int64_t side;
} gs_cuda_plan_key;

struct gs_cuda_plan {
  gs_cuda_plan_key key;
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, c; /* of the column-major product: a is the caller's b */
  cublasLtMatmulAlgo_t algo;
  bool chosen;   /* algo is one that serves */
  bool measured; /* ... and the fastest of those with its bits */
};

/* A plan without an algorithm; the caller destroys it (NULL is accepted). */
gs_status gs_cuda_plan_make(gs_device *device, const gs_cuda_plan_key *key, gs_cuda_plan **plan);
void gs_cuda_plan_destroy(gs_cuda_plan *plan);
/* Enqueues the product that the plan is for. */
cublasStatus_t gs_cuda_plan_run(gs_cuda_device *cuda, const gs_cuda_plan *plan,
                                const gs_cuda_product *p, const cublasLtMatmulAlgo_t *algo);
/* Sets the plan's algorithm; outside a capture by measuring (cuda_choice.c).
 * GS_ERR_UNSUPPORTED when the library has none for such a product. */
gs_status gs_cuda_plan_choose(gs_device *device, gs_cuda_plan *plan, const gs_cuda_product *p);
/* Does this answer to a product refuse the algorithm? All others are about the device. */
bool gs_cuda_is_refusal(cublasStatus_t code);

/* ---- which algorithms compute the same bits (cuda_trial.c) ---- */

/* A batch of products like a plan's, of operands that tell orders of addition apart. */
typedef struct gs_cuda_trial {
  gs_cuda_plan *plan;
  gs_cuda_product product;
  void *memory; /* NULL: there was none, and nothing can be tried */
} gs_cuda_trial;

/* On a queue on which the plan's stream is; the caller closes it, whatever the status. */
gs_status gs_cuda_trial_open(gs_device *device, const gs_cuda_plan *plan, gs_queue queue,
                             gs_cuda_trial *trial);
/* Waits for the stream. */
void gs_cuda_trial_close(gs_cuda_trial *trial, cudaStream_t stream);
/* What the algorithm makes of the trial; *refused: nothing, it does not serve. */
gs_status gs_cuda_trial_digest(gs_device *device, const gs_cuda_trial *trial, gs_queue queue,
                               const cublasLtMatmulAlgo_t *algo, uint64_t digest[2], bool *refused);

#endif
