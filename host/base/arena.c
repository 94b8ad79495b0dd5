/* Carving and counting. */
#include "base/arena.h"

#include <stdint.h>

gs_arena gs_arena_over(void *base, size_t capacity) {
  return (gs_arena){.base = base, .capacity = capacity};
}

gs_arena gs_arena_counting(void) { return (gs_arena){0}; }

void *gs_arena_take(gs_arena *arena, size_t count, size_t size) {
  size_t bytes;
  size_t end;
  if (__builtin_mul_overflow(count, size, &bytes) ||
      __builtin_add_overflow(bytes, (size_t)GS_ARENA_ALIGNMENT - 1, &bytes)) {
    arena->overflowed = true;
    return NULL;
  }
  bytes &= ~((size_t)GS_ARENA_ALIGNMENT - 1);
  if (__builtin_add_overflow(arena->used, bytes, &end) || (arena->base && end > arena->capacity)) {
    arena->overflowed = true;
    return NULL;
  }
  void *taken = arena->base ? arena->base + arena->used : NULL;
  arena->used = end;
  return taken;
}
