/* THE interface between networks and hardware: tensors, and the layer-shaped
 * operations that forward and backward passes are written in.
 *
 * The contract is about what can be observed, never about how: a backend may
 * use one fused kernel or three calls. Four rules hold for every operation:
 *
 *  1. Math only enqueues. Nothing here allocates, waits, or returns a value to
 *     the host, except where the group "memory and time" says so, and except the
 *     first call with new shapes outside a capture: a backend may choose its
 *     algorithms then. Pointers stay valid and fixed for as long as a captured
 *     graph may replay them.
 *  2. Replicas. A tensor holds R = `replicas` matrices, `stride` elements apart;
 *     an operation does the same to each, and never mixes them. A tensor with
 *     stride 0 is shared by all replicas (inputs only).
 *  3. Scale. With `scale` set, the true value of an element is
 *     digits * 2^exponent, one exponent per replica, kept on the device. An
 *     operation that writes a tensor with a scale slot chooses the exponent
 *     (gs_scale_shift, scale.h), folds the shift into its pointwise part and
 *     leaves the tensor's peak there. Shifts are powers of two, so the digits
 *     are those of unscaled arithmetic, and while the magnitudes stay inside
 *     gs_scale_window the exponents stay 0 and the two are the same bits.
 *     Without a slot (`scale` NULL) the exponent is 0: plain arithmetic.
 *     Activations see true values, whatever the exponents of z and h
 *     (activation_scale.h): any phi may write a tensor with slots.
 *  4. Determinism. Same inputs, same device: same bits, whatever the number of
 *     threads. Reductions have a fixed order.
 *
 * Aliasing: outputs never overlap inputs or each other, except where stated.
 * Errors: an operation that cannot be enqueued returns its status and leaves
 * the words in device->error; failures on the device surface at sync.
 *
 * Symbols (README): B batch, n layer width, T time steps, R replicas,
 * z pre-activation, h activation, delta = dLoss/dz, W weights (out x in). */
#ifndef GS_DEVICE_DEVICE_H
#define GS_DEVICE_DEVICE_H

#include "base/status.h"
#include "device/activation_scale.h"
#include "device/facts.h"
#include "device/scale.h"
#include "device/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A dense layer, forward: h = phi(x W^T + b). x: B x n_in; w: n_out x n_in; b: 1 x n_out or
 * NULL; saved: B x n_out, or NULL where gs_activation_needs_saved says none. */
typedef struct gs_layer_forward {
  const gs_tensor *x, *w, *b;
  gs_activation activation;
  const gs_tensor *saved, *h;
} gs_layer_forward;

/* A layer, backward: delta = phi'(z) (delta_next W_next + dh), either addend or both; the
 * absent one's tensors are NULL. delta_next: B x n_out; w_next: n_out x n; dh: B x n. h and
 * saved as written by the forward pass. delta may be dh itself, where that is alone. db:
 * 1 x n, the sum of delta over its rows, or NULL. */
typedef struct gs_layer_backward {
  const gs_tensor *delta_next, *w_next;
  const gs_tensor *dh;
  gs_activation activation;
  const gs_tensor *saved, *h;
  const gs_tensor *delta, *db;
} gs_layer_backward;

/* The largest sizes a network's operations will have. */
typedef struct gs_workspace_need {
  int64_t rows;     /* batch rows of one operation: B; with sequences T * B */
  int64_t columns;  /* widest layer */
  int64_t weights;  /* elements of the largest weight matrix of one replica */
  int64_t elements; /* elements of the largest tensor with statistics, one replica and step */
  int64_t replicas;
  int64_t steps; /* T: rows are those of T steps; 1: no sequences */
  gs_dtype dtype;
  bool recurrent;  /* recurrent operations will be used */
  bool normalized; /* so will normalisations */
  bool orthogonal; /* so will the orthogonal fill */
} gs_workspace_need;

typedef struct gs_event gs_event; /* a backend's own; see record */
typedef struct gs_graph gs_graph;

typedef struct gs_device_ops {
  /* ---- memory and time: these may wait ---- */
  void (*destroy)(gs_device *);
  void (*info)(gs_device *, gs_device_info *);
  /* Uninitialised memory, aligned to GS_ARENA_ALIGNMENT. GS_ERR_MEMORY. */
  gs_status (*alloc)(gs_device *, size_t bytes, void **memory);
  void (*free)(gs_device *, void *memory);
  /* Copies after everything enqueued so far; returns when the host may reuse
   * or read its buffer. */
  gs_status (*upload)(gs_device *, void *device, const void *host, size_t bytes);
  gs_status (*download)(gs_device *, void *host, const void *device, size_t bytes);
  /* Bytes of workspace the backend wants for operations of these sizes.
   * set_workspace gives that memory (aligned to GS_ARENA_ALIGNMENT, for the same
   * need) to every later operation, until the next set_workspace; memory NULL
   * takes it back, and must come before it is freed. */
  size_t (*workspace_bytes)(gs_device *, const gs_workspace_need *);
  gs_status (*set_workspace)(gs_device *, void *memory, const gs_workspace_need *);
  /* Waits for all enqueued work; reports its failures. */
  gs_status (*sync)(gs_device *);
  gs_status (*event_create)(gs_device *, gs_event **);
  void (*event_destroy)(gs_device *, gs_event *);
  gs_status (*record)(gs_device *, gs_event *); /* enqueues */
  /* Nanoseconds between two recorded events, after sync. */
  gs_status (*elapsed)(gs_device *, const gs_event *from, const gs_event *to, double *ns);
  /* Capture: operations between begin and end are recorded, not run; replay
   * enqueues them all. A backend without it answers GS_ERR_UNSUPPORTED to
   * capture_begin, and the caller runs its operations eagerly. */
  gs_status (*capture_begin)(gs_device *);
  gs_status (*capture_end)(gs_device *, gs_graph **);
  gs_status (*replay)(gs_device *, gs_graph *);
  void (*graph_destroy)(gs_device *, gs_graph *);
  /* Measures the device's own limits (under a second; takes memory of its own). */
  gs_status (*roofline)(gs_device *, gs_roofline *);

  /* ---- initialisation ---- */
  /* Element i (row-major, ignoring ld) of replica r, as base/random.h defines. */
  gs_status (*fill)(gs_device *, const gs_tensor *, const gs_fill *);
  /* Order-independent 64-bit hash of the bits of each replica's elements read
   * as float32 (base/random.h, gs_hash_element), added to hash[r] in device memory. */
  gs_status (*hash)(gs_device *, const gs_tensor *, uint32_t tensor_id, uint64_t *hash);

  /* ---- the step ---- */
  /* Opens a step: empties `count` scale slots (exponent 0, GS_PEAK_NONE), among
   * them every slot that the step's operations write. */
  gs_status (*begin_step)(gs_device *, gs_scale *slots, int64_t count);
  /* c = op(a) op(b), op transposes when trans is set. c's exponent is the sum
   * of a's and b's; without a slot the product is shifted to exponent 0. No peak. */
  gs_status (*gemm)(gs_device *, bool trans_a, const gs_tensor *a, bool trans_b, const gs_tensor *b,
                    const gs_tensor *c);
  gs_status (*layer_forward)(gs_device *, const gs_layer_forward *);
  gs_status (*layer_backward)(gs_device *, const gs_layer_backward *);
  gs_status (*combine)(gs_device *, const gs_combination *);
  /* y from x; and from dy = dLoss/dy and x again dx = dLoss/dx, through mean and square. */
  gs_status (*normalize_forward)(gs_device *, gs_norm, const gs_tensor *x, const gs_tensor *y);
  gs_status (*normalize_backward)(gs_device *, gs_norm, const gs_tensor *x, const gs_tensor *dy,
                                  const gs_tensor *dx);
  /* Weight and bias gradients of several layers or steps at once; their tensors
   * do not overlap. `jobs` is host memory, read before the call returns. */
  gs_status (*weight_gradients)(gs_device *, const gs_gradient_job *jobs, int64_t count);
  /* Loss of each replica (value[r], device memory; exponent not canonical) and
   * its gradient dh. linear: sum target * h, dh = target (dh may be target
   * itself). mse: 1/2 sum (h - target)^2, dh = h - target. Sequences when
   * steps > 1; the loss sums over the steps. */
  gs_status (*loss)(gs_device *, gs_device_loss, const gs_tensor *h, const gs_tensor *target,
                    int64_t steps, const gs_tensor *dh, gs_scaled *value);
  /* The recurrent loop, forward. projection: T steps of p_t (no scale slots);
   * h: T + 1 steps, step 0 is h_0 (given), steps 1..T are written.
   * saved: T steps, may be projection itself. */
  gs_status (*recurrent_forward)(gs_device *, const gs_recurrence *, const gs_tensor *projection,
                                 const gs_tensor *saved, const gs_tensor *h);
  /* The recurrent loop, backward:
   * delta_t = phi'(z_t) * (W^T delta_{t+1} + dh_t), delta_{T+1} = 0.
   * dh: T steps, or one step (dh_steps == 1): the gradient at step T alone.
   * h: T + 1 steps; delta: T steps. */
  gs_status (*recurrent_backward)(gs_device *, const gs_recurrence *, const gs_tensor *dh,
                                  int64_t dh_steps, const gs_tensor *saved, const gs_tensor *h,
                                  const gs_tensor *delta);
  /* Statistics of several tensors at once. `jobs` is host memory, read before
   * the call returns. */
  gs_status (*stats)(gs_device *, const gs_stats_job *jobs, int64_t count);
} gs_device_ops;

struct gs_device {
  const gs_device_ops *ops;
  bool host_memory; /* after sync the host may read device memory in place */
  bool lost;        /* the device failed for good: only destroy is left to do */
  gs_error error;   /* words for the last failed operation */
};

#ifdef __cplusplus
}
#endif

#endif
