/* Expansion: count all cells, then make them, each different one once. */
#include "sweep/expand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/block.h"

enum { PATH_BYTES = 64 };

/* The location of block i: "$.blocks[i]", or the command line. */
static gs_location block_location(const gs_location *top, int64_t i, char path[PATH_BYTES]) {
  if (!top->path) return *top;
  snprintf(path, PATH_BYTES, "%s.blocks[%" PRId64 "]", top->path, i);
  return gs_location_object(top->origin, path);
}

/* ---- counting ---- */

static gs_status count_cells(const cJSON *blocks, const gs_location *top, int64_t *total,
                             gs_error *error) {
  char path[PATH_BYTES];
  int64_t i = 0;
  *total = 0;
  for (const cJSON *object = blocks->child; object; object = object->next, i++) {
    const gs_location location = block_location(top, i, path);
    gs_block block;
    int64_t count = 0;
    GS_TRY(gs_block_read(object, &location, true, &block, error));
    if (!gs_block_count(&block, &count) || __builtin_add_overflow(*total, count, total)) {
      return GS_FAIL_AT(&location, error, "more than 2^63 cells; a sweep has at most %d",
                        GS_SWEEP_MAX_CELLS);
    }
    if (*total > GS_SWEEP_MAX_CELLS) {
      return GS_FAIL_AT(&location, error,
                        "the sweep has %" PRId64 " cells up to here, more than %d", *total,
                        GS_SWEEP_MAX_CELLS);
    }
  }
  return GS_OK;
}

/* ---- cells by id ---- */

/* Indices into the cells by their id, open addressing; -1 is empty. */
typedef struct id_table {
  int64_t *slots;
  uint64_t mask;
} id_table;

static bool table_create(id_table *table, int64_t cells) {
  uint64_t size = 16;
  while (size < 2 * (uint64_t)cells) size *= 2;
  table->mask = size - 1;
  table->slots = malloc(size * sizeof *table->slots);
  for (uint64_t i = 0; table->slots && i < size; i++) table->slots[i] = -1;
  return table->slots != NULL;
}

/* Adds the cell at `index`, unless an equal one is there: that one, or else NULL. */
static gs_cell *table_add(id_table *table, gs_cell *cells, int64_t index) {
  const uint64_t hash = strtoull(cells[index].id, NULL, 16);
  uint64_t slot = hash & table->mask;
  for (; table->slots[slot] >= 0; slot = (slot + 1) & table->mask) {
    gs_cell *other = &cells[table->slots[slot]];
    if (strtoull(other->id, NULL, 16) == hash) return other;
  }
  table->slots[slot] = index;
  return NULL;
}

/* ---- making ---- */

typedef struct expansion {
  gs_sweep *sweep;
  id_table table;
  int64_t layers; /* of the cells so far, whether kept or there already */
} expansion;

static gs_status name_cell(gs_cell *cell, gs_error *error) {
  GS_TRY(gs_config_id(&cell->config, cell->id, error));
  return gs_config_describe(&cell->config, cell->name, error);
}

static bool same_location(const gs_config *a, const gs_config *b) {
  return a->backend == b->backend && strcmp(a->device, b->device) == 0;
}

/* The block's current cell at the end of the sweep, unless it is there already. */
static gs_status add_cell(expansion *made, const gs_block *block, gs_error *error) {
  gs_cell *cell = &made->sweep->cells[made->sweep->count];
  GS_TRY(gs_block_config(block, GS_SWEEP_MAX_LAYERS - made->layers, &cell->config, error));
  made->layers += cell->config.depth;
  const gs_status status = name_cell(cell, error);
  gs_cell *same = NULL;
  if (status == GS_OK) same = table_add(&made->table, made->sweep->cells, made->sweep->count);
  if (same) same->several_devices |= !same_location(&same->config, &cell->config);
  if (status == GS_OK && !same) {
    made->sweep->count++;
  } else {
    gs_config_clear(&cell->config);
  }
  return status;
}

static gs_status make_cells(const cJSON *blocks, const gs_location *top, expansion *made,
                            gs_error *error) {
  char path[PATH_BYTES];
  int64_t i = 0;
  for (const cJSON *object = blocks->child; object; object = object->next, i++) {
    const gs_location location = block_location(top, i, path);
    gs_block block;
    GS_TRY(gs_block_read(object, &location, true, &block, error));
    do {
      GS_TRY(add_cell(made, &block, error));
    } while (gs_block_next(&block));
  }
  return GS_OK;
}

gs_status gs_sweep_expand(const cJSON *blocks, const gs_location *top, gs_sweep *sweep,
                          gs_error *error) {
  int64_t total = 0;
  GS_TRY(count_cells(blocks, top, &total, error));
  if (total < 1) return GS_FAIL(error, GS_ERR_INTERNAL, "a sweep without blocks");
  expansion made = {.sweep = sweep};
  sweep->count = 0;
  sweep->cells = calloc((size_t)total, sizeof *sweep->cells);
  gs_status status = GS_OK;
  if (sweep->cells && table_create(&made.table, total)) {
    status = make_cells(blocks, top, &made, error);
  } else {
    status = GS_FAIL(error, GS_ERR_MEMORY, "no memory for %" PRId64 " cells", total);
  }
  free(made.table.slots);
  if (status != GS_OK) gs_sweep_clear(sweep);
  return status;
}
