/* The list: building it, its passes, looking up. See tape.h. */
#include "net/tape.h"

#include <stdlib.h>

#include "net/init.h"

/* ---- building ---- */

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* A windowed tensor: how large the window's buffers are, and where they come. */
static void note_windowed(gs_tape *tape, gs_op *op, gs_role role, gs_handle handle) {
  gs_window *window = &tape->window;
  const gs_shape shape = tape->declared[handle].shape;
  if (op->turn == 0) op->turn = ++window->ops;
  window->last[role] = handle;
  window->elements[role] = larger(window->elements[role], shape.rows * shape.cols);
}

static void note_measured(gs_tape *tape, gs_quantity quantity, const gs_declared *declared) {
  int64_t *points = &tape->quantity[quantity].points;
  if (tape->config->stats == GS_STATS_OFF) return;
  *points = larger(*points, declared->index + declared->shape.parts - 1);
}

gs_handle gs_tape_declare(gs_tape *tape, gs_op *op, gs_role role, gs_shape shape, int traits,
                          const gs_fill *fill) {
  const gs_handle handle = ++tape->tensor_count;
  const bool output = role == GS_ROLE_OUTPUT;
  if (op) op->tensor[role] = handle;
  if (!tape->declared) return handle;
  gs_declared *declared = &tape->declared[handle];
  *declared = (gs_declared){.role = role, .traits = traits, .shape = shape};
  if (tape->config->range == GS_RANGE_NATIVE) declared->traits &= ~GS_TRACKED;
  if (op) declared->index = role == GS_ROLE_GRAD_STREAM ? op->point : op->index;
  if (fill) {
    declared->fill = *fill;
    declared->filled = output ? 1 : shape.parts;
    if (output) declared->index--;
  }
  if (declared->traits & GS_TRACKED) tape->slot_count += shape.parts * tape->config->replicas;
  if (traits & GS_WINDOWED) note_windowed(tape, op, role, handle);
  if (gs_role_quantity(role) < GS_QUANTITY_COUNT) {
    note_measured(tape, gs_role_quantity(role), declared);
  }
  if (tape->count[role]++ == 0) tape->first[role] = handle;
  return handle;
}

void gs_tape_need(gs_tape *tape, gs_workspace_need need) {
  const gs_workspace_need all = tape->need;
  tape->need =
      (gs_workspace_need){.rows = larger(all.rows, need.rows),
                          .columns = larger(all.columns, need.columns),
                          .weights = larger(all.weights, need.weights),
                          .elements = larger(all.elements, larger(need.elements, need.weights)),
                          .replicas = tape->config->replicas,
                          .steps = larger(all.steps, need.steps),
                          .dtype = tape->config->dtype,
                          .recurrent = all.recurrent || need.recurrent,
                          .normalized = all.normalized || need.normalized,
                          .orthogonal = all.orthogonal || need.orthogonal};
}

void gs_tape_give(gs_tape *tape, gs_value value, gs_gradient gradient) {
  if (!tape->ops || !value.op) return;
  gs_gradient *sum = &tape->ops[value.op - 1].gradient;
  if (gradient.w) sum->w = gradient.w;
  if (gradient.delta) sum->delta = gradient.delta;
  if (sum->dh) sum->also = gradient.dh;
  if (!sum->dh) sum->dh = gradient.dh;
}

void gs_tape_alias(gs_tape *tape, gs_op *op, gs_role role, gs_handle handle) {
  const gs_declared as = {.index = op->point, .shape.parts = 1};
  op->tensor[role] = handle;
  if (tape->declared) note_measured(tape, gs_role_quantity(role), &as);
}

gs_value gs_tape_input(gs_tape *tape, int64_t rows, int64_t units) {
  const gs_fill fill = {GS_FILL_NORMAL, 1, tape->config->seed, gs_tensor_id(GS_KIND_INPUT, 0)};
  const gs_shape x = {1, rows, units};
  return (gs_value){gs_tape_declare(tape, NULL, GS_ROLE_INPUT, x, GS_KEPT, &fill), 0, units};
}

gs_value gs_tape_push(gs_tape *tape, gs_op op) {
  const int32_t number = ++tape->op_count;
  if (!tape->cost) op.kind->declare(tape, &op);
  if (tape->cost && op.kind->cost) op.kind->cost(tape->config, &op, tape->cost);
  if (!op.value) op.value = op.tensor[GS_ROLE_OUTPUT];
  if (tape->ops) tape->ops[number - 1] = op;
  return (gs_value){op.value, number, op.units};
}

/* Once to count, once to keep. */
gs_status gs_tape_build(gs_tape *tape, void (*build)(gs_tape *)) {
  build(tape);
  tape->ops = calloc((size_t)tape->op_count, sizeof *tape->ops);
  tape->tensors = calloc((size_t)tape->tensor_count + 1, sizeof *tape->tensors);
  tape->declared = calloc((size_t)tape->tensor_count + 1, sizeof *tape->declared);
  if (!tape->ops || !tape->tensors || !tape->declared) return GS_ERR_MEMORY;
  tape->op_count = 0;
  tape->tensor_count = 0;
  build(tape);
  return GS_OK;
}

void gs_tape_close(gs_tape *tape) {
  free(tape->ops);
  free(tape->tensors);
  free(tape->declared);
  free(tape->window.gradients);
  free(tape->window.statistics);
}

/* ---- passes ---- */

gs_status gs_tape_forward(const gs_tape *tape) {
  for (const gs_op *op = tape->ops; op < tape->ops + tape->op_count; op++) {
    if (op->kind->forward) GS_TRY(op->kind->forward(tape, op));
  }
  return GS_OK;
}

gs_status gs_tape_receive(const gs_tape *tape, const gs_op *op, gs_activation phi,
                          const gs_tensor *to, const gs_tensor *db) {
  const gs_device_ops *ops = tape->device->ops;
  const gs_gradient *of = &op->gradient;
  if (of->also) {
    const gs_combination sum = {.a = gs_tape_at(tape, of->dh),
                                .b = gs_tape_at(tape, of->also),
                                .by_a = 1,
                                .by_b = 1,
                                .activation = {.kind = GS_IDENTITY},
                                .h = to};
    return ops->combine(tape->device, &sum);
  }
  const gs_layer_backward layer = {.delta_next = gs_tape_at(tape, of->delta),
                                   .w_next = gs_tape_at(tape, of->w),
                                   .dh = gs_tape_at(tape, of->dh),
                                   .activation = phi,
                                   .saved = gs_tape_of(tape, op, GS_ROLE_SAVED),
                                   .h = gs_tape_at(tape, op->value),
                                   .delta = to,
                                   .db = db};
  return ops->layer_backward(tape->device, &layer);
}

gs_status gs_tape_backward(gs_tape *tape, bool measured) {
  tape->measured = measured;
  for (const gs_op *op = tape->ops + tape->op_count; op-- > tape->ops;) {
    if (op->kind->backward) GS_TRY(op->kind->backward(tape, op));
  }
  return GS_OK;
}

/* ---- looking up ---- */

const gs_tensor *gs_tape_at(const gs_tape *tape, gs_handle handle) {
  return handle ? &tape->tensors[handle] : NULL;
}

const gs_tensor *gs_tape_of(const gs_tape *tape, const gs_op *op, gs_role role) {
  return gs_tape_at(tape, op->tensor[role]);
}

bool gs_tape_keeps(const gs_tape *tape, gs_handle handle) {
  const gs_declared *declared = &tape->declared[handle];
  if (!(declared->traits & (GS_WINDOWED | GS_PASSING))) return true;
  return tape->keep_gradients && gs_role_memory(declared->role) == GS_MEMORY_GRADIENTS;
}

gs_tensor gs_tape_parts(const gs_tape *tape, gs_handle handle, int64_t first, int64_t count) {
  const gs_tensor *all = &tape->tensors[handle];
  gs_tensor view = gs_tensor_step(all, tape->declared[handle].shape.parts, first);
  if (!gs_tape_keeps(tape, handle)) view.data = all->data;
  view.rows *= count;
  return view;
}

static int by_index(const void *index, const void *op) {
  const int64_t wanted = *(const int64_t *)index;
  const int64_t its = ((const gs_op *)op)->index;
  return (wanted > its) - (wanted < its);
}

/* Of a layer's operations one has it; of a stream's points each is an operation's. */
static gs_handle find_handle(const gs_tape *tape, gs_role role, int64_t index) {
  const gs_op *end = tape->ops + tape->op_count;
  const bool stream = role == GS_ROLE_STREAM || role == GS_ROLE_GRAD_STREAM;
  const gs_op *op = tape->ops;
  if (!stream) op = bsearch(&index, op, (size_t)tape->op_count, sizeof *op, by_index);
  if (!op) return 0;
  while (!stream && op > tape->ops && op[-1].index == index) op--;
  for (; op < end && (stream || op->index == index); op++) {
    if (op->tensor[role] && (!stream || op->point == index)) return op->tensor[role];
  }
  return 0;
}

gs_tensor gs_tape_find(const gs_tape *tape, gs_role role, int64_t index) {
  const gs_tensor none = {0};
  gs_handle handle = tape->first[role];
  if (!handle || (gs_role_memory(role) == GS_MEMORY_GRADIENTS && !tape->keep_gradients))
    return none;
  if (role == GS_ROLE_OUTPUT) { /* the network's: what the loss reads */
    handle = tape->ops[tape->op_count - 1].x.tensor;
    return gs_tape_parts(tape, handle, tape->declared[handle].shape.parts - 1, 1);
  }
  const gs_declared *first = &tape->declared[handle];
  if (tape->count[role] == 1 && first->shape.parts == 1) return tape->tensors[handle];
  if (index >= first->index && index < first->index + first->shape.parts) {
    return gs_tape_parts(tape, handle, index - first->index, 1);
  }
  handle = find_handle(tape, role, index);
  return handle ? tape->tensors[handle] : none;
}
