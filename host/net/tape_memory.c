/* Memory of what a tape declares: carved from one block, or counted to know how large that
 * block must be; filled, and hashed. */
#include "net/tape.h"

/* ---- carving ---- */

static void *take(const gs_tape *tape, gs_arena *arena, int64_t elements) {
  return gs_arena_take(arena, (size_t)elements * (size_t)tape->config->replicas,
                       gs_dtype_bytes(tape->config->dtype));
}

/* A tensor at `data`, its replicas `stride` elements apart. slots: how many are taken. */
static void place(gs_tape *tape, gs_handle handle, void *data, int64_t stride, int64_t *slots) {
  const gs_declared *declared = &tape->declared[handle];
  const int64_t parts = declared->shape.parts;
  const bool tracked = declared->traits & GS_TRACKED;
  tape->tensors[handle] = (gs_tensor){.data = data,
                                      .scale = tracked && data ? tape->slots + *slots : NULL,
                                      .rows = parts * declared->shape.rows,
                                      .cols = declared->shape.cols,
                                      .ld = declared->shape.cols,
                                      .stride = stride,
                                      .replicas = tape->config->replicas,
                                      .dtype = tape->config->dtype};
  if (tracked) *slots += parts * tape->config->replicas;
}

/* A window's buffers come where the last of their tensors stands: those of layers in a row
 * stay equally far apart. */
static void carve(gs_tape *tape, gs_arena *arena, gs_memory part, int64_t *slots) {
  gs_window *window = &tape->window;
  for (gs_handle i = 1; i <= tape->tensor_count; i++) {
    const gs_declared *declared = &tape->declared[i];
    const gs_role role = declared->role;
    const bool windowed = declared->traits & GS_WINDOWED && !gs_tape_keeps(tape, i);
    if (gs_role_memory(role) != part) continue;
    if (!windowed) {
      const int64_t parts = gs_tape_keeps(tape, i) ? declared->shape.parts : 1;
      const int64_t elements = parts * declared->shape.rows * declared->shape.cols;
      place(tape, i, take(tape, arena, elements), elements, slots);
    } else if (i == window->last[role]) {
      const int64_t buffers = gs_window_buffers(window, role);
      window->data[role] = take(tape, arena, buffers * window->elements[role]);
    }
  }
}

static void place_windowed(gs_tape *tape, gs_role role, int64_t *slots) {
  const gs_window *window = &tape->window;
  const int64_t elements = window->elements[role];
  const size_t bytes =
      (size_t)(elements * tape->config->replicas) * gs_dtype_bytes(tape->config->dtype);
  char *data = window->data[role];
  for (gs_op *op = tape->ops; elements > 0 && op < tape->ops + tape->op_count; op++) {
    const gs_handle handle = op->tensor[role];
    if (!handle || gs_tape_keeps(tape, handle)) continue;
    const size_t before = (size_t)gs_window_buffer(window, op, role) * bytes;
    place(tape, handle, data ? data + before : NULL, elements, slots);
  }
}

static void carve_statistics(gs_tape *tape, gs_arena *arena) {
  for (int q = 0; q < GS_QUANTITY_COUNT; q++) {
    gs_quantity_stats *store = &tape->quantity[q];
    const size_t entries = (size_t)store->points * (size_t)tape->config->replicas;
    store->bins = gs_dtype_exponent_bins(tape->config->dtype);
    store->borrowed = true;
    if (entries == 0) continue;
    store->stats = gs_arena_take(arena, entries, sizeof *store->stats);
    if (tape->config->stats < GS_STATS_FULL) continue;
    store->histogram =
        gs_arena_take(arena, entries * (size_t)store->bins, sizeof *store->histogram);
  }
}

void gs_tape_carve(gs_tape *tape, gs_arena *arena, size_t bytes[GS_MEMORY_COUNT]) {
  const size_t replicas = (size_t)tape->config->replicas;
  int64_t slots = 0;
  tape->slots = gs_arena_take(arena, (size_t)tape->slot_count, sizeof *tape->slots);
  tape->loss = gs_arena_take(arena, replicas, sizeof *tape->loss);
  tape->hash = gs_arena_take(arena, replicas, sizeof *tape->hash);
  for (gs_memory part = 0; part < GS_MEMORY_WORKSPACE; part++) {
    const size_t before = arena->used;
    carve(tape, arena, part, &slots);
    if (part == GS_MEMORY_STATISTICS) carve_statistics(tape, arena);
    bytes[part] = arena->used - before;
  }
  for (gs_role role = 0; role < GS_ROLE_COUNT; role++) place_windowed(tape, role, &slots);
  bytes[GS_MEMORY_WORKSPACE] = tape->device->ops->workspace_bytes(tape->device, &tape->need);
  tape->workspace = gs_arena_take(arena, bytes[GS_MEMORY_WORKSPACE], 1);
}

/* ---- filling and hashing ---- */

gs_status gs_tape_fill(const gs_tape *tape) {
  for (gs_handle i = 1; i <= tape->tensor_count; i++) {
    gs_fill fill = tape->declared[i].fill;
    for (int64_t part = 0; part < tape->declared[i].filled; part++, fill.tensor_id++) {
      const gs_tensor tensor = gs_tape_parts(tape, i, part, 1);
      GS_TRY(tape->device->ops->fill(tape->device, &tensor, &fill));
    }
  }
  return GS_OK;
}

gs_status gs_tape_hash(const gs_tape *tape) {
  for (gs_handle i = 1; i <= tape->tensor_count; i++) {
    uint32_t stream = tape->declared[i].fill.tensor_id;
    if (gs_role_memory(tape->declared[i].role) != GS_MEMORY_WEIGHTS) continue;
    for (int64_t part = 0; part < tape->declared[i].shape.parts; part++, stream++) {
      const gs_tensor tensor = gs_tape_parts(tape, i, part, 1);
      GS_TRY(tape->device->ops->hash(tape->device, &tensor, stream, tape->hash));
    }
  }
  return GS_OK;
}
