/* The recurrent loops: step by step, a product and a pointwise kernel each, or one
 * persistent kernel for all steps (kernels/persistent.cu), which must agree with it. */
#include "device/cuda_internal.h"

static gs_tensor weights_at(const gs_recurrence *recurrence, int64_t t) {
  gs_tensor w = recurrence->w;
  w.data =
      (char *)w.data + (size_t)((t - 1) * recurrence->w_step) * gs_dtype_bytes(recurrence->w.dtype);
  return w;
}

/* ---- which loop ---- */

/* Why a persistent kernel cannot be, or NULL. A failure to find out is no such reason: it
 * must not choose another loop. */
static gs_status not_persistent(gs_device *device, const gs_recurrence *recurrence, int64_t batch,
                                const char **reason) {
  const gs_dtype dtype = recurrence->w.dtype;
  *reason = NULL;
  if (!gs_cuda(device)->info.persistent) *reason = "this GPU has no cooperative launches";
  if (recurrence->w_step != 0) *reason = "the weights change from step to step";
  if (dtype == GS_F64 || dtype == GS_TF32) *reason = "its arithmetic is that of f32";
  if (*reason) return GS_OK;
  cudaGetLastError();
  if (gs_persistent_blocks(gs_cuda_main(device), recurrence, batch, recurrence->w.replicas) == 0) {
    *reason = "the weights do not fit on the chip";
  }
  return gs_cuda_check(device, cudaGetLastError(), "asking about the recurrent loop");
}

static gs_status choose_loop(gs_device *device, const gs_recurrence *recurrence, int64_t batch,
                             bool *persistent) {
  const char *reason;
  *persistent = false;
  if (recurrence->loop == GS_LOOP_STEPS) return GS_OK;
  GS_TRY(not_persistent(device, recurrence, batch, &reason));
  if (recurrence->loop == GS_LOOP_AUTO) {
    *persistent = !reason && gs_persistent_preferred(recurrence, batch, recurrence->w.replicas,
                                                     recurrence->w.dtype);
    return GS_OK;
  }
  if (reason) {
    return GS_FAIL(&device->error, GS_ERR_UNSUPPORTED, "no persistent loop: %s", reason);
  }
  *persistent = true;
  return GS_OK;
}

/* ---- step by step ---- */

static gs_status forward_step(gs_device *device, const gs_recurrence *recurrence, int64_t t,
                              const gs_tensor *projection, const gs_tensor *saved,
                              const gs_tensor *h) {
  const int64_t T = recurrence->steps;
  const gs_tensor before = gs_tensor_step(h, T + 1, t - 1);
  const gs_tensor now = gs_tensor_step(h, T + 1, t);
  const gs_tensor input = gs_tensor_step(projection, T, t - 1);
  const gs_tensor kept = saved ? gs_tensor_step(saved, T, t - 1) : now;
  const gs_cuda_product product = {
      false, true, before, weights_at(recurrence, t),
      gs_cuda_product_target(&now, gs_cuda(device)->workspace.product_main)};
  GS_TRY(gs_cuda_multiply(device, &product, false));
  return gs_cuda_check(device,
                       gs_launch_activate(gs_cuda_main(device), &product.c, before.scale, &input,
                                          recurrence->activation, saved ? &kept : NULL, &now),
                       "launching a recurrent step");
}

gs_status gs_cuda_recurrent_forward(gs_device *device, const gs_recurrence *recurrence,
                                    const gs_tensor *projection, const gs_tensor *saved,
                                    const gs_tensor *h) {
  bool persistent;
  GS_TRY(choose_loop(device, recurrence, projection->rows / recurrence->steps, &persistent));
  GS_TRY(gs_cuda_join(device));
  if (persistent) {
    return gs_cuda_check(device,
                         gs_launch_persistent_forward(gs_cuda_main(device), recurrence, projection,
                                                      saved, h, gs_cuda(device)->workspace.main),
                         "launching the recurrent loop");
  }
  for (int64_t t = 1; t <= recurrence->steps; t++) {
    GS_TRY(forward_step(device, recurrence, t, projection, saved, h));
  }
  return GS_OK;
}

/* The loss gradient at step t, if it sees that step. */
static bool loss_sees(int64_t dh_steps, int64_t t, int64_t T) { return dh_steps > 1 || t == T; }

static gs_status backward_step(gs_device *device, const gs_recurrence *recurrence, int64_t t,
                               const gs_tensor *dh, int64_t dh_steps, const gs_tensor *saved,
                               const gs_tensor *h, const gs_tensor *delta) {
  const int64_t T = recurrence->steps;
  const gs_tensor now = gs_tensor_step(delta, T, t - 1);
  const gs_tensor state = gs_tensor_step(h, T + 1, t);
  const gs_tensor kept = saved ? gs_tensor_step(saved, T, t - 1) : state;
  const gs_tensor own = dh_steps > 1 ? gs_tensor_step(dh, T, t - 1) : *dh;
  const bool seen = loss_sees(dh_steps, t, T);
  const bool last = t == T;
  gs_cuda_product product = {false, false, now, now, now};
  if (!last) {
    product.a = gs_tensor_step(delta, T, t);
    product.b = weights_at(recurrence, t + 1);
    product.c = gs_cuda_product_target(&now, gs_cuda(device)->workspace.product_main);
    GS_TRY(gs_cuda_multiply(device, &product, false));
  }
  return gs_cuda_check(device,
                       gs_launch_activate_backward(gs_cuda_main(device), last ? NULL : &product.c,
                                                   last ? NULL : product.a.scale,
                                                   seen ? &own : NULL, recurrence->activation,
                                                   &kept, &state, &now, NULL,
                                                   gs_cuda(device)->workspace.main),
                       "launching a recurrent step");
}

gs_status gs_cuda_recurrent_backward(gs_device *device, const gs_recurrence *recurrence,
                                     const gs_tensor *dh, int64_t dh_steps, const gs_tensor *saved,
                                     const gs_tensor *h, const gs_tensor *delta) {
  bool persistent;
  GS_TRY(choose_loop(device, recurrence, delta->rows / recurrence->steps, &persistent));
  GS_TRY(gs_cuda_join(device));
  if (persistent) {
    return gs_cuda_check(device,
                         gs_launch_persistent_backward(gs_cuda_main(device), recurrence, dh,
                                                       dh_steps, saved, h, delta,
                                                       gs_cuda(device)->workspace.main),
                         "launching the recurrent loop");
  }
  for (int64_t t = recurrence->steps; t >= 1; t--) {
    GS_TRY(backward_step(device, recurrence, t, dh, dh_steps, saved, h, delta));
  }
  return GS_OK;
}
