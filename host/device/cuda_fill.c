/* Initialisation, the weights' hash, the start of a step, the loss and statistics:
 * operations that are a launch each. */
#include "device/cuda_internal.h"

gs_status gs_cuda_fill(gs_device *device, const gs_tensor *tensor, const gs_fill *fill) {
  const gs_queue queue = gs_cuda_main(device);
  GS_TRY(gs_cuda_join(device));
  if (fill->kind != GS_FILL_ORTHOGONAL) {
    return gs_cuda_check(device, gs_launch_fill(queue, tensor, fill), "launching a fill");
  }
  return gs_cuda_check(device,
                       gs_launch_orthogonal(queue, tensor, fill, gs_cuda(device)->workspace.main),
                       "launching an orthogonal fill");
}

gs_status gs_cuda_hash(gs_device *device, const gs_tensor *tensor, uint32_t tensor_id,
                       uint64_t *hash) {
  GS_TRY(gs_cuda_join(device));
  return gs_cuda_check(device, gs_launch_hash(gs_cuda_main(device), tensor, tensor_id, hash),
                       "launching a hash");
}

gs_status gs_cuda_begin_step(gs_device *device, gs_scale *slots, int64_t count) {
  GS_TRY(gs_cuda_join(device));
  return gs_cuda_check(device, gs_launch_begin_step(gs_cuda_main(device), slots, count),
                       "launching a step's start");
}

gs_status gs_cuda_loss(gs_device *device, gs_device_loss kind, const gs_tensor *h,
                       const gs_tensor *target, int64_t steps, const gs_tensor *dh,
                       gs_scaled *value) {
  GS_TRY(gs_cuda_join(device));
  return gs_cuda_check(device,
                       gs_launch_loss(gs_cuda_main(device), kind, h, target, steps, dh, value,
                                      gs_cuda(device)->workspace.main),
                       "launching a loss");
}

static gs_status touch_jobs(gs_device *device, gs_cuda_call *call, const gs_stats_job *jobs,
                            int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const gs_stats_job *job = &jobs[i];
    const size_t entries = (size_t)(job->steps * job->tensor.replicas);
    const size_t bins = (size_t)gs_dtype_exponent_bins(job->tensor.dtype);
    GS_TRY(gs_cuda_touch(device, &call->reads, &job->tensor, job->steps));
    GS_TRY(gs_cuda_touch_bytes(device, &call->writes, job->stats, entries * sizeof *job->stats));
    if (job->histogram) {
      GS_TRY(gs_cuda_touch_bytes(device, &call->writes, job->histogram,
                                 entries * bins * sizeof *job->histogram));
    }
  }
  return GS_OK;
}

gs_status gs_cuda_stats(gs_device *device, const gs_stats_job *jobs, int64_t count) {
  gs_cuda_call *call;
  GS_TRY(gs_cuda_side_begin(device, &call));
  GS_TRY(touch_jobs(device, call, jobs, count));
  const gs_status status = gs_cuda_check(
      device, gs_launch_stats(gs_cuda_side(device), jobs, count, gs_cuda(device)->workspace.stats),
      "launching statistics");
  const gs_status ended = gs_cuda_side_end(device, call);
  return status != GS_OK ? status : ended;
}
