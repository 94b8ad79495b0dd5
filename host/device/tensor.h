/* The plain structures that operations work on: tensors, fills, statistics, jobs, loops.
 * Valid C, C++ and CUDA C++: kernels get them by value. device.h says what is done
 * with them. */
#ifndef GS_DEVICE_TENSOR_H
#define GS_DEVICE_TENSOR_H

#include "device/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A batch of R row-major matrices in device memory. A view: owns nothing. */
typedef struct gs_tensor {
  void *data;      /* first element of replica 0 */
  gs_scale *scale; /* one slot per replica in device memory, or NULL */
  int64_t rows;
  int64_t cols;
  int64_t ld;       /* elements between rows, >= cols */
  int64_t stride;   /* elements between replicas; 0: shared */
  int64_t replicas; /* R */
  gs_dtype dtype;
} gs_tensor;

/* A sequence is a tensor whose rows are T blocks (time steps) of B rows, and
 * whose scale slots are T groups of R. This is the view of one block. */
gs_tensor gs_tensor_step(const gs_tensor *sequence, int64_t steps, int64_t t);

/* How to fill a tensor with numbers that every machine draws alike
 * (base/random.h). `value` is the standard deviation (normal, truncated), the
 * bound (uniform, of each of two), the gain (orthogonal, identity) or the constant. */
typedef enum gs_fill_kind {
  GS_FILL_CONSTANT,
  GS_FILL_NORMAL,           /* N(0, value^2) */
  GS_FILL_UNIFORM,          /* U(-value, value) */
  GS_FILL_TRUNCATED_NORMAL, /* N(0, value^2) conditioned on |x| < 2 value */
  GS_FILL_ORTHOGONAL,       /* Haar-distributed (semi-)orthogonal times value */
  GS_FILL_IDENTITY,         /* value on the diagonal */
  GS_FILL_TWO_UNIFORMS      /* sum of two U(-value, value): streams tensor_id, tensor_id + 1 */
} gs_fill_kind;

typedef struct gs_fill {
  gs_fill_kind kind;
  double value;
  uint64_t seed;
  uint32_t tensor_id; /* which stream of random numbers; replica r has its own */
} gs_fill;

typedef enum gs_device_loss { GS_DEVICE_LOSS_LINEAR, GS_DEVICE_LOSS_MSE } gs_device_loss;

/* A number of any magnitude: value * 2^exponent. Canonical (as the statistics
 * leave it): value 0, or 1 <= |value| < 4 with an even exponent. */
typedef struct gs_scaled {
  double value;
  int64_t exponent;
} gs_scaled;

/* Statistics of one tensor and replica. Sums run over finite elements, in
 * float64 and a fixed order. */
typedef struct gs_stats {
  int64_t count;
  int64_t nan;
  int64_t inf;
  int64_t zero;
  int64_t subnormal; /* of the digits, in the storage format */
  int64_t saturated; /* elements outside (saturation_low, saturation_high) */
  int64_t dead;      /* columns (units) that are zero in every row */
  gs_scaled sum;     /* canonical, true value */
  gs_scaled sum_sq;  /* canonical, true value */
  double min_abs;    /* smallest and largest finite non-zero magnitude of the */
  double max_abs;    /* digits; 0 when there is none */
  int64_t exponent;  /* the tensor's exponent: true magnitude = digits * 2^exponent */
} gs_stats;

/* One request of the statistics operation. All output in device memory. */
typedef struct gs_stats_job {
  gs_tensor tensor;    /* a sequence when steps > 1 */
  int64_t steps;       /* T blocks of rows with statistics of their own; else 1 */
  gs_stats *stats;     /* [steps][R] */
  uint32_t *histogram; /* [steps][R][gs_dtype_exponent_bins], or NULL for norms only */
  bool saturation;     /* count saturated elements? true values, with the two bounds below */
  double saturation_low;
  double saturation_high;
  bool dead; /* count dead columns? */
} gs_stats_job;

/* One weight gradient: dW = delta^T x, summed over rows. delta: B x n_out, x:
 * B x n_in, dW: n_out x n_in. With steps > 1 both are sequences and their scale
 * slots may differ from step to step; dW gets one exponent. db: 1 x n_out, the
 * sum of delta over its rows; has_db false: none is wanted. */
typedef struct gs_gradient_job {
  gs_tensor delta, x;
  int64_t steps;
  gs_tensor dW, db;
  bool has_db;
} gs_gradient_job;

/* The recurrent half of a simple RNN:
 * h_t = phi(W h_{t-1} + p_t), p_t = U x_t + b, t = 1..T. */
typedef struct gs_recurrence {
  int64_t steps;            /* T */
  gs_loop loop;             /* how; GS_ERR_UNSUPPORTED where it cannot be */
  gs_activation activation; /* phi */
  gs_tensor w;              /* n x n; untied: the W of step 1 */
  int64_t w_step;           /* elements from one step's W to the next; 0: tied */
} gs_recurrence;

/* Pointwise: h = phi(by_a a + by_b b), all B x n; b NULL: of a alone. An activation by itself,
 * a residual connection, a gradient's sum or multiple. saved as in a layer. A product with
 * by_a or by_b may scale by 2^+-47 at most, as every operation. */
typedef struct gs_combination {
  const gs_tensor *a, *b;
  double by_a, by_b;
  gs_activation activation;
  const gs_tensor *saved, *h;
} gs_combination;

#ifdef __cplusplus
}
#endif

#endif
