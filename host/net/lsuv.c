/* Layer-sequential unit-variance initialisation (Mishkin & Matas 2016, algorithm 1): layer after
 * layer W is divided by the standard deviation of z = W u + b, over all units and examples of
 * the network's own batch, until its variance is 1 to within 0.01.
 *
 * z is made by the device, in the memory of delta, which nothing needs yet; its variance and
 * the division are the host's, in float64. So weights follow the backend's rounding of z. */
#include <math.h>
#include <stdlib.h>

#include "net/tape.h"

static const double close_enough = 0.01; /* of the variance to 1 */
enum { MAX_TURNS = 10 };

/* A tensor's elements on the host, all replicas as they lie. */
typedef struct host_copy {
  const gs_tensor *of;
  void *data;
  size_t bytes;
} host_copy;

static gs_status copy_of(gs_device *device, const gs_tensor *of, host_copy *copy) {
  const int64_t last = (of->replicas - 1) * of->stride + of->rows * of->ld;
  *copy = (host_copy){of, NULL, (size_t)last * gs_dtype_bytes(of->dtype)};
  copy->data = malloc(copy->bytes);
  if (!copy->data) return GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory for weights");
  return device->ops->download(device, copy->data, of->data, copy->bytes);
}

static double element(const host_copy *copy, int64_t i) {
  return copy->of->dtype == GS_F64 ? ((const double *)copy->data)[i]
                                   : (double)((const float *)copy->data)[i];
}

static void divide(host_copy *copy, int64_t i, double by) {
  if (copy->of->dtype == GS_F64) ((double *)copy->data)[i] /= by;
  if (copy->of->dtype != GS_F64) ((float *)copy->data)[i] = (float)(element(copy, i) / by);
}

/* Of a replica's elements, of which nothing lies between rows. */
static double deviation(const host_copy *z, int64_t replica) {
  const int64_t n = z->of->rows * z->of->cols;
  const int64_t first = replica * z->of->stride;
  double mean = 0;
  double square = 0;
  for (int64_t i = first; i < first + n; i++) mean += element(z, i) / (double)n;
  for (int64_t i = first; i < first + n; i++) {
    const double off = element(z, i) - mean;
    square += off * off / (double)n;
  }
  return sqrt(square);
}

/* z of every replica; *settled: no W had to be divided. */
static gs_status divide_once(const gs_tape *tape, const gs_op *op, const gs_tensor *z,
                             bool *settled) {
  gs_device *device = tape->device;
  const gs_tensor *w = gs_tape_of(tape, op, GS_ROLE_WEIGHT);
  const size_t replicas = (size_t)z->replicas;
  host_copy of_z = {0};
  host_copy of_w = {0};
  gs_scale *slots = calloc(replicas, sizeof *slots); /* exponents 0 */
  gs_status status = slots ? GS_OK : GS_FAIL(&device->error, GS_ERR_MEMORY, "no memory");
  if (status == GS_OK) status = copy_of(device, z, &of_z);
  if (status == GS_OK) status = copy_of(device, w, &of_w);
  if (status == GS_OK && z->scale) {
    status = device->ops->download(device, slots, z->scale, replicas * sizeof *slots);
  }
  *settled = true;
  for (int64_t r = 0; status == GS_OK && r < z->replicas; r++) {
    const double sd = ldexp(deviation(&of_z, r), slots[r].exponent);
    if (fabs(sd * sd - 1) < close_enough || !(sd > 0) || !isfinite(sd)) continue;
    const int64_t first = r * w->stride;
    for (int64_t i = first; i < first + w->rows * w->cols; i++) divide(&of_w, i, sd);
    *settled = false;
  }
  if (status == GS_OK && !*settled) {
    status = device->ops->upload(device, w->data, of_w.data, of_w.bytes);
  }
  free(slots);
  free(of_z.data);
  free(of_w.data);
  return status;
}

static gs_status scale_layer(const gs_tape *tape, const gs_op *op) {
  gs_device *device = tape->device;
  const gs_tensor *z = gs_tape_of(tape, op, GS_ROLE_DELTA);
  const gs_layer_forward layer = {.x = gs_tape_at(tape, op->x.tensor),
                                  .w = gs_tape_of(tape, op, GS_ROLE_WEIGHT),
                                  .b = gs_tape_of(tape, op, GS_ROLE_BIAS),
                                  .activation = {.kind = GS_IDENTITY},
                                  .h = z};
  bool settled = false;
  for (int turn = 0; turn < MAX_TURNS && !settled; turn++) {
    if (z->scale) GS_TRY(device->ops->begin_step(device, z->scale, z->replicas));
    GS_TRY(device->ops->layer_forward(device, &layer));
    GS_TRY(divide_once(tape, op, z, &settled));
  }
  return GS_OK;
}

gs_status gs_tape_scale_to_data(const gs_tape *tape) {
  gs_device *device = tape->device;
  GS_TRY(device->ops->begin_step(device, tape->slots, tape->slot_count));
  for (const gs_op *op = tape->ops; op < tape->ops + tape->op_count; op++) {
    if (op->tensor[GS_ROLE_WEIGHT]) GS_TRY(scale_layer(tape, op));
    if (op->kind->forward) GS_TRY(op->kind->forward(tape, op));
  }
  return device->ops->sync(device);
}
