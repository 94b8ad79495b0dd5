/* Facts about dtypes and activations, and views of tensors. */
#include <math.h>

#include "device/device.h"

typedef struct dtype_facts {
  size_t bytes;
  int min_exponent;
  int min_normal;
  int max_exponent;
} dtype_facts;

static const dtype_facts dtypes[GS_DTYPE_COUNT] = {
#define DTYPE_FACTS(constant, name, bytes, min, min_normal, max)                                   \
  [constant] = {bytes, min, min_normal, max},
    GS_DTYPE_LIST(DTYPE_FACTS)
#undef DTYPE_FACTS
};

size_t gs_dtype_bytes(gs_dtype dtype) { return dtypes[dtype].bytes; }
int gs_dtype_min_exponent(gs_dtype dtype) { return dtypes[dtype].min_exponent; }
double gs_dtype_roundoff(gs_dtype dtype) {
  if (dtype == GS_TF32) return 0x1p-11;
  return ldexp(0.5, dtypes[dtype].min_exponent - dtypes[dtype].min_normal);
}
int gs_dtype_exponent_bins(gs_dtype dtype) {
  return dtypes[dtype].max_exponent - dtypes[dtype].min_exponent + 1;
}

gs_tensor gs_tensor_step(const gs_tensor *sequence, int64_t steps, int64_t t) {
  gs_tensor step = *sequence;
  step.rows = sequence->rows / steps;
  step.data = (unsigned char *)sequence->data +
              (size_t)(t * step.rows * sequence->ld) * gs_dtype_bytes(sequence->dtype);
  if (sequence->scale) step.scale = sequence->scale + t * sequence->replicas;
  return step;
}

bool gs_activation_needs_saved(gs_activation_kind kind) {
  return kind != GS_IDENTITY && kind != GS_RELU && kind != GS_LEAKY_RELU;
}

bool gs_activation_saturation(gs_activation_kind kind, double *low, double *high) {
  const bool symmetric = kind == GS_TANH || kind == GS_SOFTSIGN;
  if (!symmetric && kind != GS_SIGMOID) return false;
  *low = symmetric ? -0.98 : 0.01;
  *high = symmetric ? 0.98 : 0.99;
  return true;
}
