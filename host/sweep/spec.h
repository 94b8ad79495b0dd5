/* From a sweep's description (a JSON file or the command line) to its cells.
 *
 * A sweep is a list of blocks; in a block every list is an axis and the block
 * is their product, last axis fastest, in the order of the keys as written.
 * Keys and values are those of README, "Parameters". */
#ifndef GS_SWEEP_SPEC_H
#define GS_SWEEP_SPEC_H

#include "base/json.h"
#include "net/config.h"

enum {
  GS_SWEEP_MAX_CELLS = 100000,
  GS_CELL_ID_BYTES = 17 /* 16 hexadecimal digits and a terminator */
};

typedef struct gs_cell {
  gs_config config;
  char id[GS_CELL_ID_BYTES]; /* hash of the canonical parameters */
  char name[192]; /* for people and --filter: "mlp/depth:10/width:128/relu/he_normal/..." */
} gs_cell;

typedef struct gs_sweep {
  char name[128];
  gs_cell *cells;
  int64_t count;
} gs_sweep;

/* Expands a parsed sweep file, or a file by its path. A cell that appears twice
 * is kept once. Errors: GS_ERR_DATA with the JSON path of the culprit; more
 * than GS_SWEEP_MAX_CELLS cells is one of them. */
gs_status gs_sweep_from_json(const cJSON *root, const char *origin, gs_sweep *sweep,
                             gs_error *error);
gs_status gs_sweep_from_file(const char *path, gs_sweep *sweep, gs_error *error);

/* The command line's one block: `arguments` holds --name value pairs as strings
 * ("--depth", "10,50"); axes are comma-separated; an initialisation is
 * "name:key=value:key=value". Builds the same JSON block as a file would hold
 * and expands it. Errors: GS_ERR_USAGE naming the option. */
gs_status gs_sweep_from_options(const char *model, char *const *arguments, int count,
                                gs_sweep *sweep, gs_error *error);

/* Keeps the cells whose name or id matches a POSIX extended regular expression.
 * Errors: GS_ERR_USAGE for a malformed expression. */
gs_status gs_sweep_filter(gs_sweep *sweep, const char *expression, gs_error *error);

void gs_sweep_clear(gs_sweep *sweep);

/* The canonical parameters: every parameter of the config's model, resolved, in
 * the order of README's table. gs_config_from_json accepts exactly that (no
 * lists) and is what the worker reads. The caller owns *config. */
cJSON *gs_config_to_json(const gs_config *config);
gs_status gs_config_from_json(const cJSON *object, const char *path, gs_config *config,
                              gs_error *error);

/* id: 64-bit hash of the canonical parameters printed as one line. */
gs_status gs_config_id(const gs_config *config, char id[GS_CELL_ID_BYTES], gs_error *error);

#endif
