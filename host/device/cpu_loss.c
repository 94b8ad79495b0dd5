/* Loss and its gradient on the CPU. One task per replica walks the steps in
 * order, so the sum has one order; sums are float64.
 *
 *   linear: L = sum target h,             dL/dh = target
 *   mse:    L = 1/2 sum (h - target)^2,   dL/dh = h - target              */
#include "device/cpu_internal.h"

typedef struct loss_pass {
  const gs_tensor *h, *target, *dh;
  int64_t steps;
} loss_pass;

static void linear_step(const loss_pass *pass, int64_t replica, int64_t t, gs_scaled *value) {
  const int64_t rows = pass->h->rows / pass->steps;
  const gs_cpu_rows *row_ops = gs_cpu_rows_of(pass->h->dtype);
  const gs_tensor h = gs_tensor_step(pass->h, pass->steps, t);
  const gs_tensor dh = gs_tensor_step(pass->dh, pass->steps, t);
  double sum = 0;
  for (int64_t i = t * rows; i < (t + 1) * rows; i++) {
    const void *target = gs_cpu_at(pass->target, replica, i, 0);
    void *gradient = gs_cpu_at(pass->dh, replica, i, 0);
    sum += row_ops->dot(gs_cpu_at(pass->h, replica, i, 0), target, pass->h->cols);
    if (gradient != target) row_ops->copy(gradient, target, 1, pass->h->cols);
  }
  if (dh.scale) dh.scale[replica] = (gs_scale){0, GS_PEAK_NONE};
  gs_scaled_add(value, sum, gs_cpu_scale(&h, replica).exponent);
}

static void mse_step(const loss_pass *pass, int64_t replica, int64_t t, gs_scaled *value) {
  const int64_t rows = pass->h->rows / pass->steps;
  const gs_cpu_rows *row_ops = gs_cpu_rows_of(pass->h->dtype);
  const gs_tensor h = gs_tensor_step(pass->h, pass->steps, t);
  const gs_tensor dh = gs_tensor_step(pass->dh, pass->steps, t);
  const gs_rescale scale =
      gs_rescale_of_difference(gs_scale_input(gs_cpu_scale(&h, replica)), dh.scale != NULL);
  if (dh.scale) dh.scale[replica] = (gs_scale){scale.exponent, GS_PEAK_NONE};
  double sum = 0;
  for (int64_t i = t * rows; i < (t + 1) * rows; i++) {
    void *gradient = gs_cpu_at(pass->dh, replica, i, 0);
    row_ops->copy(gradient, gs_cpu_at(pass->h, replica, i, 0), scale.product, pass->h->cols);
    row_ops->scale_add(gradient, 1, gs_cpu_at(pass->target, replica, i, 0), -scale.addend,
                       pass->h->cols);
    if (dh.scale) {
      gs_cpu_raise_peak(&dh.scale[replica], row_ops->peak(gradient, pass->h->cols));
    }
    sum += row_ops->dot(gradient, gradient, pass->h->cols);
  }
  gs_scaled_add(value, 0.5 * sum, 2 * (int64_t)scale.exponent);
}

gs_status gs_cpu_loss(gs_device *device, gs_device_loss kind, const gs_tensor *h,
                      const gs_tensor *target, int64_t steps, const gs_tensor *dh,
                      gs_scaled *value) {
  const loss_pass pass = {h, target, dh, steps};
  const int team = gs_cpu_elements_team(device, h);
#pragma omp parallel for num_threads(team) schedule(static)
  for (int64_t r = 0; r < h->replicas; r++) {
    gs_scaled sum = {0, 0};
    for (int64_t t = 0; t < steps; t++) {
      if (kind == GS_DEVICE_LOSS_LINEAR) {
        linear_step(&pass, r, t, &sum);
      } else {
        mse_step(&pass, r, t, &sum);
      }
    }
    value[r] = sum;
  }
  return GS_OK;
}
