/* What a worker's answer and a line of the journal must look like: the tables that
 * results/schema.json says again for everybody else (tests/test_record_shape.c holds them
 * against each other), member for member and in this order. What differs from the schema:
 * id, name and params are not here, the run knows them; a timing is one of a single
 * round, before it is held against a roofline. */
#ifndef GS_SWEEP_RECORD_SHAPE_H
#define GS_SWEEP_RECORD_SHAPE_H

#include "base/json_shape.h"
#include "net/config.h"

/* Fields of a record from "status" on, their order in gs_record_shape's tables. */
typedef enum gs_record_field {
  GS_RECORD_STATUS,
  GS_RECORD_ERROR,
  GS_RECORD_BACKEND,
  GS_RECORD_MEMORY,
  GS_RECORD_COST,
  GS_RECORD_BIAS,
  GS_RECORD_WEIGHTS_HASH,
  GS_RECORD_LAYERS,
  GS_RECORD_SUMMARY,
  GS_RECORD_THEORY,
  GS_RECORD_AGREEMENT,
  GS_RECORD_JACOBIAN,
  GS_RECORD_DIGEST,
  GS_RECORD_TIMING,
  GS_RECORD_FIELDS
} gs_record_field;

/* A record from "status" on. Every field has its place, whatever `stats` leaves out. */
const gs_json_shape *gs_record_shape(gs_stats_level stats);

/* A later round's line: id, round, status, error, timing. */
extern const gs_json_shape gs_round_shape;
/* {"floor": an entry of context.floors}. */
extern const gs_json_shape gs_roofline_line_shape;
/* The limits of a roofline alone, as a worker measures them. */
extern const gs_json_shape gs_roofline_shape;
/* The description of a device, with UUID and PCI address or without. */
extern const gs_json_shape gs_device_shape;

#endif
