/* Dense layers and plain products: cuBLASLt's product into the result's own memory, then
 * one pointwise kernel over it. */
#include "device/cuda_internal.h"

/* In f16 a product can leave the range before the pointwise kernel shifts it: with slots
 * it is written in f32, to memory of the workspace. */
gs_tensor gs_cuda_product_target(const gs_tensor *result, void *wide) {
  gs_tensor target = *result;
  target.scale = NULL;
  if (result->dtype != GS_F16 || !result->scale) return target;
  target.data = wide;
  target.dtype = GS_F32;
  target.ld = result->cols;
  target.stride = result->rows * result->cols;
  return target;
}

gs_status gs_cuda_gemm(gs_device *device, bool trans_a, const gs_tensor *a, bool trans_b,
                       const gs_tensor *b, const gs_tensor *c) {
  const gs_cuda_product product = {trans_a, trans_b, *a, *b, *c};
  GS_TRY(gs_cuda_join(device));
  GS_TRY(gs_cuda_multiply(device, &product, false));
  GS_TRY(gs_cuda_check(device, gs_launch_product_slots(gs_cuda_main(device), a, b, c),
                       "launching a product's slots"));
  return gs_cuda_check(device, gs_launch_product_shift(gs_cuda_main(device), a, b, c),
                       "launching a product's shift");
}

gs_status gs_cuda_layer_forward(gs_device *device, const gs_layer_forward *layer) {
  const gs_tensor *x = layer->x;
  const gs_tensor *h = layer->h;
  const gs_tensor *reads[] = {x, layer->w, layer->b};
  const gs_tensor *writes[] = {layer->saved, h};
  GS_TRY(gs_cuda_main_touches(device, reads, 3, writes, 2));
  gs_tensor shifted = *h; /* the product of digits is, if either tensor's are */
  if (!h->scale) shifted.scale = x->scale;
  const gs_cuda_product product = {
      false, true, *x, *layer->w,
      gs_cuda_product_target(&shifted, gs_cuda(device)->workspace.product_main)};
  GS_TRY(gs_cuda_multiply(device, &product, false));
  const bool done = layer->activation.kind == GS_IDENTITY && !layer->b && !x->scale && !h->scale;
  if (done) return GS_OK;
  return gs_cuda_check(device,
                       gs_launch_activate(gs_cuda_main(device), &product.c, x->scale, layer->b,
                                          layer->activation, layer->saved, h),
                       "launching a layer's activation");
}

gs_status gs_cuda_layer_backward(gs_device *device, const gs_layer_backward *layer) {
  const gs_tensor *delta_next = layer->delta_next;
  const gs_tensor *reads[] = {delta_next, layer->w_next, layer->dh, layer->saved, layer->h};
  const gs_tensor *writes[] = {layer->delta, layer->db};
  gs_cuda_product product = {0};
  GS_TRY(gs_cuda_main_touches(device, reads, 5, writes, 2));
  if (delta_next) {
    product = (gs_cuda_product){
        false, false, *delta_next, *layer->w_next,
        gs_cuda_product_target(layer->delta, gs_cuda(device)->workspace.product_main)};
    GS_TRY(gs_cuda_multiply(device, &product, false));
  }
  return gs_cuda_check(
      device,
      gs_launch_activate_backward(gs_cuda_main(device), delta_next ? &product.c : NULL,
                                  delta_next ? delta_next->scale : NULL, layer->dh,
                                  layer->activation, layer->saved, layer->h, layer->delta,
                                  layer->db, gs_cuda(device)->workspace.main),
      "launching a layer's backward pass");
}
