/* What the CUDA backend's files share. Nothing outside host/device/cuda_*.c includes
 * this.
 *
 * How the backend works: operations of the critical path go to the main stream.
 * Weight gradients and statistics, which nothing later in a step waits for, go to the
 * side stream: it starts each call after what main holds so far, and main waits for it
 * only where an operation would touch memory that the side is still using
 * (cuda_streams.c). Matrix products are cuBLASLt's (cuda_gemm.c), everything else is
 * kernels/. Both streams can be captured into one graph (cuda_graph.c). */
#ifndef GS_DEVICE_CUDA_INTERNAL_H
#define GS_DEVICE_CUDA_INTERNAL_H

#include <cublasLt.h>

#include "base/arena.h"
#include "device/device.h"
#include "kernels/kernels.h"

enum { GS_CUDA_CALLS = 8 }; /* side calls in flight that main could wait for */

/* Ranges of device memory: sorted and disjoint once closed. */
typedef struct gs_cuda_ranges {
  struct gs_cuda_range {
    uintptr_t begin, end;
  } * at;
  size_t count, capacity;
} gs_cuda_ranges;

/* One call on the side stream and what it touches. */
typedef struct gs_cuda_call {
  gs_cuda_ranges reads, writes;
  cudaEvent_t done;
} gs_cuda_call;

typedef struct gs_cuda_streams {
  cudaStream_t main, side;
  cudaEvent_t fork; /* where main stood when the side call began */
  gs_cuda_call calls[GS_CUDA_CALLS];
  int first, in_flight; /* a ring: calls[(first + i) % GS_CUDA_CALLS] */
} gs_cuda_streams;

/* The workspace of the network at work, carved (cuda_workspace.c). */
typedef struct gs_cuda_workspace {
  void *memory;
  gs_scratch main, side; /* of kernels on either stream */
  gs_scratch stats;      /* zero between calls */
  void *lt_main, *lt_side;
  size_t lt_bytes;    /* of each */
  void *product_main; /* f32 products of f16 tensors, before they are narrowed */
  void *product_side;
  void *shifted;      /* a sequence of deltas brought to one exponent */
  int32_t *exponents; /* [3][R]: of dW's and db's sums, and peaks */
} gs_cuda_workspace;

typedef struct gs_cuda_plan gs_cuda_plan;

typedef struct gs_cuda_device {
  gs_device base; /* first: a gs_device * is a gs_cuda_device * */
  int index;
  gs_device_info info; /* all but memory_bytes, capacity_bytes */
  size_t total_bytes;  /* of the GPU's memory */
  gs_cuda_streams streams;
  bool capturing;
  gs_cuda_workspace workspace;
  cublasLtHandle_t lt;
  gs_cuda_plan **plans; /* by hash, open addressing; NULL: free */
  size_t plan_count, plan_capacity;
  uint64_t *digest; /* device memory: two numbers, to compare products by */
} gs_cuda_device;

static inline gs_cuda_device *gs_cuda(gs_device *device) { return (gs_cuda_device *)device; }

static inline gs_queue gs_cuda_queue(gs_device *device, cudaStream_t stream) {
  return (gs_queue){stream, gs_cuda(device)->info.multiprocessors};
}
static inline gs_queue gs_cuda_main(gs_device *device) {
  return gs_cuda_queue(device, gs_cuda(device)->streams.main);
}
static inline gs_queue gs_cuda_side(gs_device *device) {
  return gs_cuda_queue(device, gs_cuda(device)->streams.side);
}

/* ---- errors (cuda_error.c) ---- */

/* GS_OK, or the error's words in device->error: "what: the driver's words".
 * Out of memory is GS_ERR_MEMORY; an error that the next call repeats marks the device
 * lost. */
gs_status gs_cuda_check(gs_device *device, cudaError_t code, const char *what);
gs_status gs_cuda_check_lt(gs_device *device, cublasStatus_t code, const char *what);
/* Does this error mean that there is no usable GPU here? Its reason, or NULL. */
const char *gs_cuda_absence(cudaError_t code);

/* ---- which GPU (cuda_probe.c) ---- */

/* Finds the device that `name` means and fills what is known about it, index,
 * info and total_bytes. GS_ERR_NO_DEVICE. */
gs_status gs_cuda_probe(const char *name, gs_cuda_device *device, gs_error *error);
/* The driver's version by the management library, or the CUDA version it brings. */
void gs_cuda_driver_version(char *text, size_t size);

/* ---- streams (cuda_streams.c) ---- */

gs_status gs_cuda_streams_open(gs_device *device);
void gs_cuda_streams_close(gs_cuda_streams *streams);
/* Before an operation on main: waits for side calls that use what it writes or write
 * what it reads. Tensors may be NULL. */
gs_status gs_cuda_main_touches(gs_device *device, const gs_tensor *const *reads, int read_count,
                               const gs_tensor *const *writes, int write_count);
/* The host waits for a stream; once more where that fails, since what is enqueued may still
 * use the caller's memory. Returns the first error. */
cudaError_t gs_cuda_wait(cudaStream_t stream);
/* Main waits for everything on the side. */
gs_status gs_cuda_join(gs_device *device);
/* Begins a call on the side after everything on main; *call collects what it touches. */
gs_status gs_cuda_side_begin(gs_device *device, gs_cuda_call **call);
gs_status gs_cuda_side_end(gs_device *device, gs_cuda_call *call);
/* GS_ERR_MEMORY. A tensor's slots count as its memory. */
gs_status gs_cuda_touch(gs_device *device, gs_cuda_ranges *ranges, const gs_tensor *tensor,
                        int64_t steps);
gs_status gs_cuda_touch_bytes(gs_device *device, gs_cuda_ranges *ranges, const void *memory,
                              size_t bytes);

/* ---- workspace (cuda_workspace.c) ---- */
size_t gs_cuda_workspace_bytes(gs_device *, const gs_workspace_need *);
gs_status gs_cuda_set_workspace(gs_device *, void *memory, const gs_workspace_need *);

/* ---- products (cuda_gemm.c) ---- */

/* c = op(a) op(b) for all replicas; digits alone, whatever the slots say. c's dtype is
 * a's, or f32. */
typedef struct gs_cuda_product {
  bool trans_a, trans_b;
  gs_tensor a, b, c;
} gs_cuda_product;
gs_status gs_cuda_multiply(gs_device *device, const gs_cuda_product *product, bool side);
void gs_cuda_plans_destroy(gs_device *device);

/* Where the f32 product of an f16 operation with slots goes, else the result itself. */
gs_tensor gs_cuda_product_target(const gs_tensor *result, void *wide);

/* ---- operations, by file ---- */
gs_status gs_cuda_event_create(gs_device *, gs_event **);
void gs_cuda_event_destroy(gs_device *, gs_event *);
gs_status gs_cuda_record(gs_device *, gs_event *);
gs_status gs_cuda_elapsed(gs_device *, const gs_event *, const gs_event *, double *);
gs_status gs_cuda_capture_begin(gs_device *);
gs_status gs_cuda_capture_end(gs_device *, gs_graph **);
gs_status gs_cuda_replay(gs_device *, gs_graph *);
void gs_cuda_graph_destroy(gs_device *, gs_graph *);
gs_status gs_cuda_roofline(gs_device *, gs_roofline *);
gs_status gs_cuda_fill(gs_device *, const gs_tensor *, const gs_fill *);
gs_status gs_cuda_hash(gs_device *, const gs_tensor *, uint32_t, uint64_t *);
gs_status gs_cuda_begin_step(gs_device *, gs_scale *, int64_t);
gs_status gs_cuda_gemm(gs_device *, bool, const gs_tensor *, bool, const gs_tensor *,
                       const gs_tensor *);
gs_status gs_cuda_layer_forward(gs_device *, const gs_layer_forward *);
gs_status gs_cuda_layer_backward(gs_device *, const gs_layer_backward *);
gs_status gs_cuda_weight_gradients(gs_device *, const gs_gradient_job *, int64_t);
gs_status gs_cuda_combine(gs_device *, const gs_combination *);
gs_status gs_cuda_normalize_forward(gs_device *, gs_norm, const gs_tensor *, const gs_tensor *);
gs_status gs_cuda_normalize_backward(gs_device *, gs_norm, const gs_tensor *, const gs_tensor *,
                                     const gs_tensor *);
gs_status gs_cuda_loss(gs_device *, gs_device_loss, const gs_tensor *, const gs_tensor *, int64_t,
                       const gs_tensor *, gs_scaled *);
gs_status gs_cuda_recurrent_forward(gs_device *, const gs_recurrence *, const gs_tensor *,
                                    const gs_tensor *, const gs_tensor *);
gs_status gs_cuda_recurrent_backward(gs_device *, const gs_recurrence *, const gs_tensor *, int64_t,
                                     const gs_tensor *, const gs_tensor *, const gs_tensor *);
gs_status gs_cuda_stats(gs_device *, const gs_stats_job *, int64_t);

#endif
