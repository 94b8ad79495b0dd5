/* Carving the workspace: one block per network, the same code counting and giving. */
#include <string.h>

#include "device/cuda_internal.h"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static int64_t at_least_one(int64_t x) { return x > 0 ? x : 1; }

/* What cuBLASLt's documentation recommends, 32 MiB for Hopper and later and else 4, but
 * no large part of a small memory. */
static size_t lt_bytes(const gs_cuda_device *cuda) {
  const char *capability = cuda->info.capability; /* "9.0", "12.0" */
  const bool recent = capability[0] >= '9' || capability[1] != '.';
  const size_t wanted = (size_t)(recent ? 32 : 4) << 20;
  const size_t share = cuda->total_bytes / 256 / GS_ARENA_ALIGNMENT * GS_ARENA_ALIGNMENT;
  return wanted < share ? wanted : share;
}

static gs_scratch take_scratch(gs_arena *arena, size_t bytes) {
  gs_scratch scratch = {.bytes = bytes};
  scratch.data = gs_arena_take(arena, bytes, 1);
  return scratch;
}

static void take_counters(gs_arena *arena, gs_scratch *scratch, size_t count) {
  scratch->counters = gs_arena_take(arena, count, sizeof *scratch->counters);
  scratch->counter_count = count;
}

/* Kernels of the main stream: column sums of a layer, the loss, orthogonal fills. */
static size_t main_bytes(const gs_workspace_need *need, int64_t steps) {
  size_t bytes = gs_loss_bytes(need->rows, need->columns, need->replicas, steps);
  bytes = larger(
      bytes, gs_column_sums_bytes(need->rows / steps, need->columns, need->replicas, need->dtype));
  if (need->orthogonal) {
    bytes = larger(bytes, gs_orthogonal_bytes(need->weights, need->columns, need->replicas));
  }
  return bytes;
}

/* Everything that must be zero before its first use comes first. */
static size_t carve(const gs_cuda_device *cuda, gs_arena *arena, const gs_workspace_need *need,
                    gs_cuda_workspace *w) {
  enum { STATS_UNITS = 192 };
  const int64_t steps = at_least_one(need->steps);
  const size_t replicas = (size_t)need->replicas;
  const size_t bytes = gs_dtype_bytes(need->dtype);
  const size_t sums = gs_column_sums_counters(need->columns, need->replicas);
  memset(w, 0, sizeof *w);
  take_counters(arena, &w->main,
                larger(larger(sums, gs_loss_counters(need->replicas)),
                       need->recurrent ? gs_persistent_counters(need->replicas) : 0));
  take_counters(arena, &w->side, sums);
  w->stats =
      take_scratch(arena, gs_stats_bytes(need->dtype, need->elements, need->columns, STATS_UNITS));
  const size_t zero_bytes = arena->used;
  w->main.bytes = main_bytes(need, steps);
  w->main.data = gs_arena_take(arena, w->main.bytes, 1);
  w->side.bytes = gs_column_sums_bytes(need->rows, need->columns, need->replicas, need->dtype);
  w->side.data = gs_arena_take(arena, w->side.bytes, 1);
  w->lt_bytes = lt_bytes(cuda);
  w->lt_main = gs_arena_take(arena, w->lt_bytes, 1);
  w->lt_side = gs_arena_take(arena, w->lt_bytes, 1);
  w->exponents = gs_arena_take(arena, 3 * replicas, sizeof *w->exponents);
  if (need->dtype == GS_F16) {
    const size_t layer = (size_t)(need->rows / steps * need->columns);
    w->product_main = gs_arena_take(arena, replicas * layer, sizeof(float));
    w->product_side = gs_arena_take(arena, replicas * (size_t)need->weights, sizeof(float));
  }
  if (need->recurrent) {
    w->shifted = gs_arena_take(arena, replicas * (size_t)(need->rows * need->columns), bytes);
  }
  return zero_bytes;
}

size_t gs_cuda_workspace_bytes(gs_device *device, const gs_workspace_need *need) {
  gs_arena arena = gs_arena_counting();
  gs_cuda_workspace unused;
  carve(gs_cuda(device), &arena, need, &unused);
  return arena.overflowed ? SIZE_MAX : arena.used;
}

gs_status gs_cuda_set_workspace(gs_device *device, void *memory, const gs_workspace_need *need) {
  gs_cuda_device *cuda = gs_cuda(device);
  if (memory == cuda->workspace.memory) return GS_OK;
  if (!memory) {
    memset(&cuda->workspace, 0, sizeof cuda->workspace);
    return GS_OK;
  }
  gs_cuda_workspace w;
  gs_arena arena = gs_arena_over(memory, gs_cuda_workspace_bytes(device, need));
  const size_t zero_bytes = carve(cuda, &arena, need, &w);
  w.memory = memory;
  GS_TRY(gs_cuda_join(device));
  GS_TRY(gs_cuda_check(device, cudaMemsetAsync(memory, 0, zero_bytes, cuda->streams.main),
                       "clearing the workspace"));
  cuda->workspace = w;
  return GS_OK;
}
