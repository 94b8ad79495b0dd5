/* Sums, multiples and activations without a product, on the CPU: a task is a row. */
#include "device/cpu_internal.h"

static gs_activate_scale scale_of(const gs_combination *of, int64_t replica) {
  gs_scale b = {0, GS_PEAK_NONE};
  if (of->b) b = gs_scale_input(gs_cpu_scale(of->b, replica));
  return gs_activate_scale_of_sum(gs_scale_input(gs_cpu_scale(of->a, replica)), b, of->b != NULL,
                                  of->h->dtype, of->activation.kind, of->h->scale != NULL);
}

static void combine_row(const gs_combination *of, int64_t replica, int64_t row) {
  const gs_tensor *h = of->h;
  const gs_cpu_rows *rows = gs_cpu_rows_of(h->dtype);
  const gs_activate_scale scale = scale_of(of, replica);
  void *out = gs_cpu_at(h, replica, row, 0);
  rows->copy(out, gs_cpu_at(of->a, replica, row, 0), 1, h->cols);
  rows->scale_add(out, gs_scale_factor(scale.factor) * of->by_a,
                  of->b ? gs_cpu_at(of->b, replica, row, 0) : NULL,
                  gs_scale_factor(scale.addend) * of->by_b, h->cols);
  gs_cpu_activate(rows, of->activation, scale, out,
                  of->saved ? gs_cpu_at(of->saved, replica, row, 0) : NULL, h->cols);
  if (h->scale) gs_cpu_raise_peak(&h->scale[replica], rows->peak(out, h->cols));
}

gs_status gs_cpu_combine(gs_device *device, const gs_combination *of) {
  const gs_tensor *h = of->h;
  const int64_t tasks = h->replicas * h->rows;
  const int team = gs_cpu_elements_team(device, h);
  for (int64_t r = 0; h->scale && r < h->replicas; r++) {
    h->scale[r] = (gs_scale){scale_of(of, r).exponent, GS_PEAK_NONE};
  }
#pragma omp parallel for num_threads(team) schedule(static)
  for (int64_t task = 0; task < tasks; task++) combine_row(of, task / h->rows, task % h->rows);
  return GS_OK;
}
