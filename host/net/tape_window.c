/* Windows of operations, whose weight gradients and then statistics are one call each; and
 * statistics in general. See tape.h. */
#include <stdlib.h>

#include "net/tape.h"

/* ---- sizes ---- */

/* How many windows of a role's tensors there are at a time. */
static int64_t turns_of(gs_role role) { return role == GS_ROLE_DELTA ? 2 : 1; }

/* As many operations as the device's memory for windows holds, at least 1. */
static int64_t window_size(const gs_tape *tape) {
  const gs_window *window = &tape->window;
  gs_device_info info;
  double elements = 0;
  tape->device->ops->info(tape->device, &info);
  for (gs_role role = 0; role < GS_ROLE_COUNT; role++) {
    elements += (double)turns_of(role) * (double)window->elements[role];
  }
  const double bytes =
      elements * (double)tape->config->replicas * (double)gs_dtype_bytes(tape->config->dtype);
  const double fitting = (double)info.window_bytes / bytes;
  if (!(fitting >= 1) || window->ops == 0) return 1;
  return fitting < (double)window->ops ? (int64_t)fitting : window->ops;
}

gs_status gs_window_open(gs_tape *tape) {
  gs_window *window = &tape->window;
  window->size = window_size(tape);
  const size_t size = (size_t)window->size;
  window->gradients = calloc(size, sizeof *window->gradients);
  window->statistics = calloc(size * GS_QUANTITY_COUNT, sizeof *window->statistics);
  return window->gradients && window->statistics ? GS_OK : GS_ERR_MEMORY;
}

int64_t gs_window_buffers(const gs_window *window, gs_role role) {
  return window->size < window->ops ? turns_of(role) * window->size : window->size;
}

/* The index of an operation in its window: it rises with the operations, so that tensors of
 * layers in a row are equally far apart. */
static int64_t index_of(const gs_window *window, const gs_op *op) {
  return window->size - 1 - (window->ops - op->turn) % window->size;
}

int64_t gs_window_buffer(const gs_window *window, const gs_op *op, gs_role role) {
  const int64_t turn = (window->ops - op->turn) / window->size % turns_of(role);
  return turn * window->size + index_of(window, op);
}

/* ---- statistics ---- */

static gs_stats_job job_of(const gs_tape *tape, const gs_op *op, gs_role role, int64_t first,
                           int64_t count) {
  const gs_handle handle = op->tensor[role];
  const gs_quantity_stats *store = &tape->quantity[gs_role_quantity(role)];
  const bool alias = role == GS_ROLE_STREAM;
  const int64_t point = alias ? op->point : tape->declared[handle].index + first;
  const int64_t entry = (point - 1) * tape->config->replicas;
  gs_stats_job job = {.tensor = gs_tape_parts(tape, handle, first, count),
                      .steps = count,
                      .stats = store->stats + entry};
  if (store->histogram) {
    job.histogram = store->histogram + entry * store->bins;
  }
  if (role == GS_ROLE_OUTPUT) {
    job.saturation =
        gs_activation_saturation(op->phi.kind, &job.saturation_low, &job.saturation_high);
    job.dead = op->phi.kind == GS_RELU;
  }
  return job;
}

/* All that is measured of an operation at once; returns how many jobs. */
static int64_t jobs_of(const gs_tape *tape, const gs_op *op, gs_stats_job jobs[GS_QUANTITY_COUNT]) {
  int64_t count = 0;
  for (gs_role role = 0; role < GS_ROLE_COUNT; role++) {
    const gs_declared *declared = &tape->declared[op->tensor[role]];
    if (!op->tensor[role] || gs_role_quantity(role) == GS_QUANTITY_COUNT) continue;
    if (declared->traits & GS_PASSING) continue;
    const int64_t first = role == GS_ROLE_OUTPUT ? declared->filled : 0; /* not h_0 */
    jobs[count++] = job_of(tape, op, role, first, declared->shape.parts - first);
  }
  return count;
}

gs_status gs_tape_measure(const gs_tape *tape, const gs_op *op) {
  gs_stats_job jobs[GS_QUANTITY_COUNT];
  if (!tape->measured) return GS_OK;
  return tape->device->ops->stats(tape->device, jobs, jobs_of(tape, op, jobs));
}

gs_status gs_tape_measure_part(const gs_tape *tape, const gs_op *op, gs_role role, int64_t part) {
  if (!tape->measured) return GS_OK;
  const gs_stats_job job = job_of(tape, op, role, part, 1);
  return tape->device->ops->stats(tape->device, &job, 1);
}

/* ---- windows ---- */

gs_status gs_tape_join(const gs_tape *tape, const gs_op *op, const gs_gradient_job *job) {
  const gs_window *window = &tape->window;
  const gs_device_ops *ops = tape->device->ops;
  const int64_t index = index_of(window, op);
  int64_t left = window->size - index;
  int64_t count = 0;
  window->gradients[index] = *job;
  if (index > 0 && op->turn > 1) return GS_OK; /* it goes on filling */
  GS_TRY(ops->weight_gradients(tape->device, window->gradients + index, left));
  if (!tape->measured) return GS_OK;
  for (; left > 0; op++) {
    if (!op->turn) continue;
    count += jobs_of(tape, op, window->statistics + count);
    left--;
  }
  return ops->stats(tape->device, window->statistics, count);
}
