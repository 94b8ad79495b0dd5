/* From a sweep's description (a JSON file or the command line) to its cells.
 *
 * A sweep is a list of blocks; in a block every list is an axis and the block
 * is their product, last axis fastest, in the order of the keys as written.
 * Keys and values are those of docs/PARAMETERS.md. */
#ifndef GS_SWEEP_SPEC_H
#define GS_SWEEP_SPEC_H

#include "base/json.h"
#include "net/config.h"

enum {
  GS_SWEEP_MAX_CELLS = 100000,
  GS_SWEEP_MAX_LAYERS = 1 << 26, /* of all mlp cells together: their widths are kept */
  GS_SWEEP_NAME_BYTES = 128,
  GS_CELL_ID_BYTES = 17, /* 16 hexadecimal digits and a terminator */
  GS_CELL_NAME_BYTES = 192
};

typedef struct gs_cell {
  gs_config config;
  char id[GS_CELL_ID_BYTES];     /* gs_config_id */
  char name[GS_CELL_NAME_BYTES]; /* for people and --filter: gs_config_describe */
  bool several_devices;          /* the sweep asks for it again on another device */
} gs_cell;

/* The sweep's own "timing" (gs_timing_limits); -1: not given. */
typedef struct gs_sweep_timing {
  double time_limit_s;
  double min_time_s;
  int64_t min_samples;
  double spread;
} gs_sweep_timing;
#define GS_SWEEP_TIMING_NOT_GIVEN ((gs_sweep_timing){-1, -1, -1, -1})

typedef struct gs_sweep {
  char name[GS_SWEEP_NAME_BYTES];
  gs_cell *cells;
  int64_t count;
  gs_sweep_timing timing;
} gs_sweep;

/* Expands a parsed sweep file, or a file by its path: {"name", "timing":
 * {"time_limit_s", "min_time_s", "min_samples", "spread"}, "blocks"}, of which only "blocks" must
 * be there; the name defaults to the file's. A cell that appears twice is kept once, as it was
 * first written; that it was to run on another device, too, is remembered. Errors: GS_ERR_DATA with
 * the JSON path of the culprit; more than GS_SWEEP_MAX_CELLS cells is one of them. */
gs_status gs_sweep_from_json(const cJSON *root, const char *origin, gs_sweep *sweep,
                             gs_error *error);
gs_status gs_sweep_from_file(const char *path, gs_sweep *sweep, gs_error *error);

/* A parameter of the command line's one block and its value as it was written there. */
typedef struct gs_setting {
  const char *key;
  const char *value;
} gs_setting;

/* The command line's one block. Axes are comma-separated; an initialisation or activation
 * with parameters is "name:key=value:key=value". widths "784,128,10" is one list of
 * sizes, "784,128,10/784,64,10" two. Builds the same JSON block as a file would hold
 * and expands it. Errors: GS_ERR_USAGE naming the option. */
gs_status gs_sweep_from_settings(const char *model, const gs_setting *settings, int count,
                                 gs_sweep *sweep, gs_error *error);

/* Keeps the cells whose name matches a POSIX extended regular expression, or whose id
 * does, all 16 digits of which stand in it. Errors: GS_ERR_USAGE for a malformed
 * expression. */
gs_status gs_sweep_filter(gs_sweep *sweep, const char *expression, gs_error *error);

void gs_sweep_clear(gs_sweep *sweep);

/* The canonical parameters: every parameter of the config's model, resolved, in
 * the order of gs_params; NULL when out of memory. An init is an object
 * with its name and all it takes, `slope` is there when leaky_relu is used, the
 * seed is a string, and equal widths are `depth` and `width`.
 * gs_config_from_json is its inverse and is what the worker reads: a block
 * without lists, where an absent parameter has its default; `path` names the
 * object in messages ("$"). The caller owns *config. */
cJSON *gs_config_to_json(const gs_config *config);
gs_status gs_config_from_json(const cJSON *object, const char *path, gs_config *config,
                              gs_error *error);

/* id: 64-bit hash of the canonical parameters, printed as one line, but for backend and
 * device, so that it is the same wherever the cell runs, and for what an initialisation got
 * when its cells had ids (`gain` of Xavier's), where that is the default. */
gs_status gs_config_id(const gs_config *config, char id[GS_CELL_ID_BYTES], gs_error *error);

/* A cell's readable name; different cells of a sweep have different ones:
 *
 *   mlp/sigmoid/xavier_normal/L100/n128/B32/R16
 *   mlp/relu/he_normal:fan=out/n784-128-10/B32/R16/output_activation=identity
 *   rnn/tanh/scaled:sigma_w2=1.5/T1000/n128/x64/B32/R16/tied=false/seed=7
 *
 * model / activation / init, with the parameters of both that are not default
 * (scaled always has its one) / depth L and width n or all widths; for an rnn
 * steps T, hidden n, and input x if it differs from hidden / batch B / replicas
 * R / key=value for every further parameter that is not default, but for backend
 * and device. A name that does not fit is cut and ends in "~" and the cell's id. */
gs_status gs_config_describe(const gs_config *config, char name[GS_CELL_NAME_BYTES],
                             gs_error *error);

#endif
