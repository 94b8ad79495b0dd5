/* Records as they arrive, from a worker or from a journal: held against their shape
 * (record_shape.h) and against the cell that they are of, piece by piece, without a tree of
 * them. Nothing else believes a record. */
#ifndef GS_SWEEP_RECORD_READ_H
#define GS_SWEEP_RECORD_READ_H

#include "base/json_shape.h"
#include "sweep/record.h"

/* What the run needs of a record, and where in its text it may have to be changed. */
typedef struct gs_record_facts {
  gs_outcome outcome;
  gs_shape_span status, error, timing;
} gs_record_facts;

/* How the record of a cell must begin: {"id":"..","name":"..","params":{..},  malloc'd,
 * the caller's; NULL when out of memory. */
char *gs_record_opening(const gs_cell *cell, bool identify);

/* The text of a source as the record of a cell's first round: it begins with `opening`, has
 * every member that its status and the parameters ask for, and a timing of round 0 if any.
 * Errors: GS_ERR_DATA with the location in it; GS_ERR_MEMORY; of the source. */
gs_status gs_record_read(const gs_json_source *source, const char *opening, const gs_config *config,
                         gs_record_facts *facts, gs_error *error);

/* The same for the line of a later round: its cell's id, and which round. */
typedef struct gs_round_facts {
  char id[GS_CELL_ID_BYTES];
  int64_t round;
  gs_outcome outcome;
} gs_round_facts;
gs_status gs_round_read(const gs_json_source *source, gs_round_facts *facts, gs_error *error);

/* Holds a tree against a shape. Errors: GS_ERR_DATA; GS_ERR_MEMORY. */
gs_status gs_record_check_tree(const cJSON *tree, const gs_json_shape *shape, gs_error *error);

/* A text in memory as a source, which must stay where it is. */
typedef struct gs_text_source {
  const char *text;
  size_t length, at;
} gs_text_source;
gs_json_source gs_text_source_of(gs_text_source *text);

#endif
