/* An arena: one block of memory carved front to back, released as a whole.
 *
 * The same carving code serves two purposes. With a base address it hands out
 * memory; without one (base NULL) it only counts, which is how a cell's memory
 * is predicted before any of it is asked for. The block may be device memory:
 * the arena never touches what it hands out. */
#ifndef GS_BASE_ARENA_H
#define GS_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

enum { GS_ARENA_ALIGNMENT = 256 }; /* bytes; what cudaMalloc and AVX-512 both like */

typedef struct gs_arena {
  unsigned char *base; /* NULL: count only */
  size_t capacity;     /* bytes behind base; ignored when counting */
  size_t used;         /* bytes handed out so far, alignment included */
  bool overflowed;     /* a request did not fit, or a size overflowed size_t */
} gs_arena;

/* An arena over a block that the caller owns; base must be aligned to
 * GS_ARENA_ALIGNMENT. gs_arena_counting() makes one that only counts. */
gs_arena gs_arena_over(void *base, size_t capacity);
gs_arena gs_arena_counting(void);

/* count elements of size bytes, aligned to GS_ARENA_ALIGNMENT. NULL when
 * counting (never dereference) and NULL with `overflowed` set when it does not
 * fit; check `overflowed` once, after the last request. */
void *gs_arena_take(gs_arena *arena, size_t count, size_t size);

#endif
