/* Weight gradients on the side stream. Layers of one shape whose tensors are equally far
 * apart in memory are one strided batch: a window of a deep narrow network is one
 * product. */
#include "device/cuda_internal.h"

/* ---- runs of layers ---- */

static bool same_shape(const gs_tensor *a, const gs_tensor *b) {
  return a->rows == b->rows && a->cols == b->cols && a->ld == b->ld && a->stride == b->stride &&
         a->replicas == b->replicas && a->dtype == b->dtype;
}

/* Elements from one tensor to the next, or -1: not a whole positive number of them, or
 * the replicas between them are not as far apart. */
static int64_t spacing_of(const gs_tensor *from, const gs_tensor *to) {
  const char *a = from->data;
  const char *b = to->data;
  const int64_t size = (int64_t)gs_dtype_bytes(from->dtype);
  if (!same_shape(from, to) || b <= a || (b - a) % size != 0) return -1;
  const int64_t spacing = (b - a) / size;
  if (from->replicas == 1) return spacing;
  return spacing == from->replicas * from->stride ? from->stride : -1;
}

/* f16 with slots goes through f32 memory: one job at a time. */
static bool goes_wide(const gs_gradient_job *job) {
  return job->dW.dtype == GS_F16 && job->dW.scale != NULL;
}

/* How many of the jobs, from the first on, are one batch; their common spacings. */
static int64_t run_of(const gs_gradient_job *jobs, int64_t count, int64_t spacing[3]) {
  int64_t length = 1;
  spacing[0] = spacing[1] = spacing[2] = 0;
  while (length < count && !goes_wide(jobs)) {
    const gs_gradient_job *a = &jobs[length - 1];
    const gs_gradient_job *b = &jobs[length];
    const int64_t next[3] = {spacing_of(&a->delta, &b->delta), spacing_of(&a->x, &b->x),
                             spacing_of(&a->dW, &b->dW)};
    bool fits = true;
    for (int i = 0; i < 3; i++) {
      fits = fits && next[i] > 0 && (length == 1 || next[i] == spacing[i]);
    }
    if (!fits || b->steps > 1) break;
    for (int i = 0; i < 3; i++) spacing[i] = next[i];
    length++;
  }
  return length;
}

static gs_tensor batch_of(const gs_tensor *first, int64_t length, int64_t spacing) {
  gs_tensor batch = *first;
  if (length > 1) {
    batch.stride = spacing;
    batch.replicas = first->replicas * length;
  }
  return batch;
}

static gs_status multiply_run(gs_device *device, const gs_gradient_job *jobs, int64_t length,
                              const int64_t spacing[3]) {
  const gs_tensor dW = batch_of(&jobs[0].dW, length, spacing[2]);
  const gs_cuda_product product = {
      true, false, batch_of(&jobs[0].delta, length, spacing[0]),
      batch_of(&jobs[0].x, length, spacing[1]),
      gs_cuda_product_target(&dW, gs_cuda(device)->workspace.product_side)};
  return gs_cuda_multiply(device, &product, true);
}

/* ---- jobs ---- */

/* Brings an f32 product back to f16, where it went there. */
static gs_status narrow_product(gs_device *device, const gs_gradient_job *job) {
  const gs_cuda_workspace *w = &gs_cuda(device)->workspace;
  if (!goes_wide(job)) return GS_OK;
  const gs_tensor from = gs_cuda_product_target(&job->dW, w->product_side);
  return gs_cuda_check(
      device,
      gs_launch_narrow(gs_cuda_side(device), &from, &job->dW, w->exponents + 2 * job->dW.replicas),
      "launching a gradient's narrowing");
}

static gs_status bias_gradient(gs_device *device, const gs_gradient_job *job, bool shifts) {
  const gs_cuda_workspace *w = &gs_cuda(device)->workspace;
  int32_t *exponents = w->exponents + job->delta.replicas;
  const gs_queue queue = gs_cuda_side(device);
  cudaError_t code = gs_launch_sum_scale(queue, &job->delta, NULL, job->steps, &job->db, exponents);
  if (code == cudaSuccess) {
    code = gs_launch_column_sums(queue, &job->delta, job->steps, shifts ? exponents : NULL,
                                 &job->db, w->side);
  }
  return gs_cuda_check(device, code, "launching a bias gradient");
}

/* A sequence: steps may have different exponents, so delta is first brought to one. */
static gs_status sequence_gradient(gs_device *device, const gs_gradient_job *job) {
  const gs_cuda_workspace *w = &gs_cuda(device)->workspace;
  const gs_queue queue = gs_cuda_side(device);
  const bool shifts = job->delta.scale || job->x.scale;
  gs_gradient_job plain = *job;
  GS_TRY(gs_cuda_check(
      device, gs_launch_sum_scale(queue, &job->delta, &job->x, job->steps, &job->dW, w->exponents),
      "launching a gradient's exponent"));
  if (shifts) {
    plain.delta.data = w->shifted;
    plain.delta.ld = job->delta.cols;
    plain.delta.stride = job->delta.rows * job->delta.cols;
    GS_TRY(gs_cuda_check(
        device,
        gs_launch_shift_steps(queue, &job->delta, &job->x, job->steps, w->exponents, &plain.delta),
        "launching a gradient's shift"));
  }
  const int64_t alone[3] = {0, 0, 0};
  GS_TRY(multiply_run(device, &plain, 1, alone));
  GS_TRY(narrow_product(device, job));
  return job->has_db ? bias_gradient(device, job, job->delta.scale != NULL) : GS_OK;
}

/* Layers: one exponent each. */
static gs_status layer_gradients(gs_device *device, const gs_gradient_job *jobs, int64_t count) {
  GS_TRY(gs_cuda_check(device, gs_launch_gradient_slots(gs_cuda_side(device), jobs, count),
                       "launching gradients' slots"));
  int64_t spacing[3];
  for (int64_t i = 0; i < count;) {
    const int64_t length = run_of(jobs + i, count - i, spacing);
    GS_TRY(multiply_run(device, jobs + i, length, spacing));
    GS_TRY(narrow_product(device, &jobs[i]));
    i += length;
  }
  for (int64_t i = 0; i < count; i++) {
    if (jobs[i].has_db) GS_TRY(bias_gradient(device, &jobs[i], false));
  }
  return GS_OK;
}

/* ---- the operation ---- */

static gs_status touch_jobs(gs_device *device, gs_cuda_call *call, const gs_gradient_job *jobs,
                            int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const gs_gradient_job *job = &jobs[i];
    GS_TRY(gs_cuda_touch(device, &call->reads, &job->delta, job->steps));
    GS_TRY(gs_cuda_touch(device, &call->reads, &job->x, job->steps));
    GS_TRY(gs_cuda_touch(device, &call->writes, &job->dW, 1));
    if (job->has_db) GS_TRY(gs_cuda_touch(device, &call->writes, &job->db, 1));
  }
  return GS_OK;
}

gs_status gs_cuda_weight_gradients(gs_device *device, const gs_gradient_job *jobs, int64_t count) {
  gs_cuda_call *call;
  GS_TRY(gs_cuda_side_begin(device, &call));
  GS_TRY(touch_jobs(device, call, jobs, count));
  gs_status status = GS_OK;
  for (int64_t i = 0; status == GS_OK && i < count;) {
    int64_t layers = 0; /* in a row */
    while (i + layers < count && jobs[i + layers].steps == 1) layers++;
    status = layers > 0 ? layer_gradients(device, jobs + i, layers)
                        : sequence_gradient(device, &jobs[i]);
    i += layers > 0 ? layers : 1;
  }
  const gs_status ended = gs_cuda_side_end(device, call); /* what was enqueued is there */
  return status != GS_OK ? status : ended;
}
